"""How a model is fine-tuned by default: which pace, and which rows of the world beside the samples."""

from pathlib import Path

import pytest

from deixis.model.config import DeixisConfig
from deixis.signals import MODALITIES
from deixis.training.finetune import BUNDLED_PACE, PACE, finetune_recipe, pace_of
from deixis.training.recipe_file import parse_recipe
from tests.toy import SIZES, UNION, VISION

OTHERS = {name: UNION[name] for name in ("imu", "fmri")}
OTHERS |= {name: {"tokenizer": "image", "size_px": 32, "early_dim": 16} for name in ("video", "depth", "normal")}
EIGHT = {**SIZES, "signals": {**SIZES["signals"], **OTHERS}}
TRUNK = {
    "encoder": UNION["encoder"],
    "vision_config": {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14},
    "text_config": UNION["text_config"],
}
WORLD = {"of_three": DeixisConfig(**SIZES), "of_eight": DeixisConfig(**EIGHT)}
UNIONS = {
    "of_eight": DeixisConfig(**TRUNK, signals={name: UNION[name] for name in MODALITIES}),
    "of_images": DeixisConfig(**TRUNK, signals={"image": UNION["image"]}),
}


@pytest.mark.parametrize(
    ("config", "pace"),
    [
        *(pytest.param(config, BUNDLED_PACE, id=f"world_{name}") for name, config in WORLD.items()),
        *(pytest.param(config, PACE, id=f"union_{name}") for name, config in UNIONS.items()),
    ],
)
def test_a_model_without_a_pretrained_trunk_is_trained_as_the_bundled_one(config, pace):
    assert pace_of(config) is pace


@pytest.mark.parametrize(
    ("config", "rows"),
    [
        pytest.param(WORLD["of_three"], {"image": 3, "audio": 1, "point_cloud": 1}, id="three"),
        pytest.param(WORLD["of_eight"], {"image": 3, **dict.fromkeys(set(MODALITIES) - {"image"}, 1)}, id="eight"),
        pytest.param(UNIONS["of_eight"], {}, id="union"),
    ],
)
def test_rows_of_the_world_are_of_the_modalities_of_the_model(config, rows):
    recipe = parse_recipe(finetune_recipe("bundled", config, Path("train"), samples=100))
    assert recipe.stages[0].batch == {"data": pace_of(config).batch, **rows}
