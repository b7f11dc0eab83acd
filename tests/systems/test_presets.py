"""Presets: sizes counted on their networks, and the union built small."""

import numpy as np
import pytest
import torch

from deixis.model import DeixisForConditionalGeneration, build_processor
from deixis.model.shrinking import small_bytes
from deixis.signals import MODALITIES, open_signal
from deixis.systems.deixis.preset import union_config
from deixis.systems.needs import DTYPES, Needs, needs_of
from deixis.systems.releases import PRESETS
from tests.toy import SAM2_SIZES, toy_audio, toy_image, toy_point_cloud, toy_tokenizer

TOY_UNION = {
    "text_config": {
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "num_key_value_heads": 1,
        "head_dim": 16,
        "vocab_size": 400,
        "bos_token_id": 1,
        "eos_token_id": 2,
        "pad_token_id": 0,
    },
    "vision_config": {
        "hidden_size": 16,
        "intermediate_size": 24,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "image_size": 64,
    },
    "mask_config": SAM2_SIZES,
    "signals": {
        **{name: {"size_px": 64} for name in ("image", "video", "depth", "normal")},
        "audio": {"window_s": 1.28, "mel_bins": 16},
        "point_cloud": {"count": 64, "groups": 8, "neighbours": 4},
        "fmri": {"parcels": 8},
        "imu": {"window_s": 0.8},
    },
    "projection": {"depth": 1, "queries": 3},
    "sampler": {"points": 16, "in_dim": 16, "anchors": [4, 2], "neighbours": [3, 2]},
    "region_token_id": 390,
    "seg_token_id": 391,
}


@pytest.mark.parametrize(
    ("name", "billions"),
    [
        # of the papers' parts: LLaMA 6.74 or 13.02, CLIP-L 0.30, SAM-H 0.64, OneLLM's experts 3 x 0.088
        pytest.param("onellm-7b", 7.56, id="onellm-7b"),
        pytest.param("ferret-7b", 7.09, id="ferret-7b"),
        pytest.param("ferret-13b", 13.37, id="ferret-13b"),
        pytest.param("lisa-7b", 7.70, id="lisa-7b"),
        pytest.param("lisa-13b", 13.99, id="lisa-13b"),
        pytest.param("lisa-7b-llava1.5", 7.72, id="lisa-7b-llava1.5"),
        pytest.param("pointmlp", 0.0132, id="pointmlp"),  # Ma et al., table 1: 12.6 M without batch norms' and head's
        pytest.param("pointmlp-elite", 0.00072, id="pointmlp-elite"),
    ],
)
def test_parameters_are_those_of_the_parts(name, billions):
    assert needs_of(PRESETS[name].config()).parameters / 1e9 == pytest.approx(billions, rel=0.01)


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in PRESETS])
def test_every_preset_builds_and_is_described(name):
    preset = PRESETS[name]
    needs = needs_of(preset.config())
    assert needs.nbytes("float32") == 2 * needs.nbytes("bfloat16") == 4 * needs.parameters
    for device in ("cpu", "cuda") if not name.startswith("pointmlp") else ():
        sizes = [needs.nbytes(dtype, device) for dtype in DTYPES[1:]]
        assert sizes == sorted(sizes, reverse=True)
    assert needs.nbytes("int8", "mps") is needs.fits_gb("int4", "mps") is None
    assert preset.stands_on


@pytest.mark.parametrize(
    ("word", "device", "nbytes"),
    [
        pytest.param("int8", "cpu", 64 * 128 + 128 * 2, id="int8_cpu"),  # a bfloat16 scale a row
        pytest.param("int8", "cuda", 64 * 128 + 128 * 4, id="int8_cuda"),
        pytest.param("int4", "cpu", 64 * 128 // 2 + 2 * 128 * 4, id="int4_cpu"),  # two groups of 32 a row
        pytest.param("int4", "cuda", 64 * 128 // 2 + 128 * 4, id="int4_cuda"),  # a block of 64 a row
    ],
)
def test_scales_are_counted(word, device, nbytes):
    layer = torch.nn.Linear(64, 128, device="meta")
    assert small_bytes(layer, word, device) == nbytes
    needs = Needs(10_000, {(word, device): (64 * 128, nbytes)})
    assert needs.nbytes(word, device) == (10_000 - 64 * 128) * 2 + nbytes
    assert needs.fits_gb(word, device) == 4
    assert needs.nbytes(word, "mps") is None


def test_a_layer_that_int4_leaves_whole_and_a_network_that_fits_nowhere():
    assert small_bytes(torch.nn.Linear(40, 8, device="meta"), "int4", "cpu") is None
    assert Needs(10**12, {}).fits_gb("float32") is None


def test_the_union_has_every_ability():
    able = PRESETS["union"].config().abilities
    assert set(able["signals"]) == set(able["regions"]) == set(MODALITIES)
    assert able["answers"] == ["text", "box", "mask"]


def test_the_union_built_small_takes_every_signal():
    config = union_config(TOY_UNION)
    torch.manual_seed(0)
    network = DeixisForConditionalGeneration(config).eval()
    values = {
        "image": torch.rand(1, 3, 64, 64),
        "video": torch.rand(1, 8, 3, 64, 64),
        "depth": torch.rand(1, 3, 64, 64),
        "normal": torch.rand(1, 3, 64, 64),
        "audio": torch.rand(1, 128, 16),
        "point_cloud": torch.rand(1, 64, 6),
        "imu": torch.rand(1, 6, 160),
        "fmri": torch.rand(1, 8, 4),
    }
    assert values.keys() == set(config.modalities)
    with torch.no_grad():
        for modality, value in values.items():
            field = network.field_encoder(value, modality)
            tokens = network.projection(field.all_tokens, modality)
            assert tokens.shape[-1] == 32, modality
            assert field.fine is not None, modality
        hidden = torch.rand(1, 32)
        logits = network.sam_pointing(hidden, network.sam_pointing.encode(torch.rand(1, 3, 64, 64)))
    assert logits.shape == (1, 16 * 16)


@pytest.mark.parametrize(
    "name", [pytest.param(name, id=name) for name in ("onellm-7b", "ferret-7b", "lisa-7b", "union")]
)
def test_signals_are_prepared_as_the_preset_wants_them(name):
    """Real values, through the processor's own preparation, have the sizes that the network is built for."""
    config = PRESETS[name].config()
    processor = build_processor(config, toy_tokenizer())
    motion = (np.random.default_rng(0).normal(size=(480, 6)), 200.0)
    values = {"image": toy_image(30, 40), "audio": toy_audio(3.0), "point_cloud": toy_point_cloud(9000), "imu": motion}
    for modality in values.keys() & set(config.modalities):
        prepared = processor.prepare(open_signal(values[modality], None if modality != "imu" else "imu")).values
        side = config.vision_config.image_size
        expected = {
            "image": (3, side, side),
            "audio": (1024, 128),
            "point_cloud": (8192, 6),
            "imu": (6, round(config.signals["imu"].window_s * 200)) if "imu" in config.signals else None,
        }
        assert prepared.shape == expected[modality]
        assert np.isfinite(prepared).all()


def test_overrides_reach_into_dictionaries_and_leave_the_preset_alone():
    config = union_config({"projection": {"queries": 5}, "signals": {"imu": None}})
    assert (config.projection.queries, config.projection.experts) == (5, 3)
    assert "imu" not in config.modalities
    assert "imu" not in config.signal_token_ids
    assert union_config().projection.queries == 30
    with pytest.raises(ValueError, match=r"projection\.colour: unknown field; known are type, queries"):
        union_config({"projection": {"colour": 1}})
