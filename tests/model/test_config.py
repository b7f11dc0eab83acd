"""The configuration: what it fills in, what it refuses, and that it survives a file."""

import json

import pytest

from deixis.errors import ConfigError
from deixis.model import DeixisConfig
from deixis.model.config import PARTS
from deixis.model.part_configs import LossWeights, PointingConfig, SamplerConfig
from deixis.signals.image import ImageOptions


@pytest.mark.parametrize(
    ("fields", "match"),
    [
        pytest.param(
            {"projection": {"type": "qformer"}}, "projection.type: expected one of upm, linear, mlp; got 'qformer'"
        ),
        pytest.param(
            {"projection": {"router": "best"}}, "projection.router: expected one of soft, sigmoid, sparse, constant"
        ),
        pytest.param(
            {"projection": {"expertise": 3}},
            "projection.expertise: unknown field; known are .*; did you mean 'experts'",
        ),
        pytest.param({"sampler": {"point": 8}}, "sampler.point: unknown field; known are .*; did you mean 'points'"),
        pytest.param({"pointing": {"backbone": "sam9"}}, "pointing.backbone: .* shared, sam, sam2 or none; got"),
        pytest.param({"pointing": {"state": "in"}}, "pointing.state: expected one of at, before; got 'in'"),
        pytest.param(
            {"pointing": {"backbone": "sam"}, "mask_config": {"model_type": "clip_vision_model"}},
            "mask_config.model_type: expected one of sam; got 'clip_vision_model'",
        ),
        pytest.param({"projection": {"router": "sofft"}}, "projection.router: .*; got 'sofft'; did you mean 'soft'?"),
        pytest.param({"projection": {"queries": 0, "keep_tokens": False}}, "projection.queries: expected at least 1"),
        pytest.param({"sampler": {"anchors": [4]}}, "sampler.anchors: expected .* as many as neighbours; got .4. and"),
        pytest.param({"encoder": {"class_token": True}}, "encoder.class_token: expected type 'trunk'"),
        pytest.param({"loss_weights": {"dise": 1}}, "loss_weights.dise: unknown field; .*; did you mean 'dice'?"),
        pytest.param({"projecton": {}}, "projecton: unknown field of DeixisConfig; did you mean 'projection'?"),
        pytest.param({"number_spread": "much"}, "number_spread: expected a number; got 'much'"),
        pytest.param(
            {"signals": {"image": {"size": 64}}},
            "signals.image.size: unknown field; known are .*; did you mean 'size_px'",
        ),
        pytest.param(
            {"signals": {"image": {"size_px": 64, "patch_px": 8}}},
            "signals.image.patch_px: expected 16.*; got 8 for 64",
        ),
        pytest.param(
            {"signals": {"image": {"size_px": 40}}},
            "signals.image.patch_px: expected 16, .* multiple of it; got 16 for 40",
        ),
        pytest.param(
            {"signals": {"audio": {"window_s": 7.9}}}, "signals.audio.stride: expected 16, .*; got 16 for 790"
        ),
        pytest.param(
            {"signals": {"depth": {"tokenizer": "stem", "size_px": 60}}},
            "signals.depth.patch_px: expected 16, .*; got 16 for 60",
        ),
        pytest.param(
            {"signals": {"video": {"tokenizer": "stem", "size_px": 64, "pool_frames": True}}},
            "signals.video.pool_frames: expected false beside tokenizer: stem, .*; got true",
        ),
        pytest.param(
            {"signals": {"image": {"early_dim": 96}, "video": {"tokenizer": "image", "early_dim": 64}}},
            "signals.video.tokenizer: 'image' expects images .* 'stem' and early_dim 64; got 'stem' and 96",
        ),
        pytest.param({"image": {}}, "image: expected the options of a modality under signals; got them beside it"),
        pytest.param({"signals": {"imagge": {}}}, "signals.imagge: unknown field; .*; did you mean 'image'?"),
        pytest.param({"text_config": {"model_type": "no_such_model"}}, "Unrecognized model identifier: no_such_model"),
    ],
)
def test_what_does_not_fit_is_refused(fields, match):
    with pytest.raises(ValueError, match=match):
        DeixisConfig(**fields)


def test_defaults_are_filled_in():
    config = DeixisConfig(signals={"image": {}}, projection={"router": "sparse"})
    assert config.signals["image"] == ImageOptions(tokenizer="stem", size_px=128, patch_px=16, early_dim=96, tiles=1)
    assert config.modalities == ("image",)
    assert (config.projection.router, config.projection.experts) == ("sparse", 3)
    assert config.pointing == PointingConfig(dim=64, backbone="shared", state="at")
    assert config.loss_weights == LossWeights(text=1.0, bce=2.0, dice=0.5)
    assert (config.vision_config.model_type, config.text_config.model_type) == ("clip_vision_model", "llama")
    assert config.mask_config is None


def test_kinds_come_in_their_own_order():
    assert DeixisConfig(signals={"point_cloud": {}, "audio": {}, "image": {}, "imu": None}).modalities == (
        "image",
        "audio",
        "point_cloud",
    )


def test_a_file_gives_the_same_configuration(tmp_path):
    config = DeixisConfig(
        signals={"image": {"size_px": 64, "mean": [0.1, 0.2, 0.3]}}, pointing={"backbone": "sam"}, number_spread=3.0
    )
    config.save_pretrained(tmp_path)
    loaded = DeixisConfig.from_pretrained(tmp_path)
    assert loaded.to_dict() == config.to_dict()
    assert json.loads((tmp_path / "config.json").read_text())["sampler"]["anchors"] == [16, 4]
    assert [getattr(loaded, name) for name in PARTS] == [getattr(config, name) for name in PARTS]


def test_a_part_is_checked_when_it_is_assigned():
    config = DeixisConfig(sampler=SamplerConfig(points=9))
    config.sampler = {"points": 12}
    assert config.sampler == SamplerConfig(points=12)
    with pytest.raises(ConfigError, match=r"sampler\.points: expected a whole number from 1; got 0"):
        config.sampler = {"points": 0}
