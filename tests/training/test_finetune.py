"""How a model is fine-tuned by default: which pace, and which rows of the world beside the samples."""

from pathlib import Path

import pytest

from deixis.signals import MODALITIES
from deixis.training.finetune import BUNDLED_PACE, PACE, finetune_recipe, pace_of
from deixis.training.recipe_file import parse_recipe
from tests.toy import UNION, UNION_OF_SAMPLES, toy_config, toy_tokenizer

TOKENIZER = toy_tokenizer()
GROWN = {name: {"tokenizer": "image", "size_px": 32, "early_dim": 16} for name in ("video", "depth", "normal")}
GROWN |= {name: UNION[name] for name in ("imu", "fmri")}
WORLD = {"of_three": toy_config(TOKENIZER), "of_eight": toy_config(TOKENIZER, **GROWN)}
UNIONS = {
    "of_eight": toy_config(TOKENIZER, **UNION_OF_SAMPLES),
    "of_images": toy_config(TOKENIZER, **UNION_OF_SAMPLES, signals={"image": UNION["image"]}),
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
