"""Every row of docs/COMPARISONS.md is a configuration that builds, runs and has the effect that it names."""

import json
import re
from pathlib import Path

import pytest
import torch

from deixis import Box
from tests.model.test_union import VISION
from tests.toy import PIXELS, SAM2_SIZES, SAM_SIZES, SIZES, toy_image, toy_network, toy_point_cloud

PAGE = (Path(__file__).parents[2] / "docs" / "COMPARISONS.md").read_text(encoding="utf-8")
ROWS = [
    pytest.param(json.loads(row[2]), id=row[1].strip())
    for row in re.findall(r"^\|([^|]*)\|([^|]*)\| `(\{.*\})` \|$", PAGE, re.MULTILINE)
]
SMALL = {
    "point_cloud": {"count": 64, "groups": 4, "neighbours": 6, "early_dim": 8, "embed_dim": 8},
    "vision_config": {**VISION, "intermediate_size": 48},
}


def toy_sizes(changes):
    """The changes of a row on top of toy sizes; options of modalities stand beside the other fields."""
    changes = {**changes, **changes.get("signals", {})}
    changes.pop("signals", None)
    sizes = {"projection": SIZES["projection"], "sampler": SIZES["sampler"], "pointing": SIZES["pointing"]}
    merged = {name: {**sizes.get(name, {}), **value} for name, value in changes.items() if isinstance(value, dict)}
    merged |= {name: value for name, value in changes.items() if not isinstance(value, dict)}
    if "vision_config" in changes:
        merged["vision_config"] = {**SMALL["vision_config"], **changes["vision_config"]}
        merged |= {"image": PIXELS, "projection": {"queries": 2, "experts": 2, "expert": "llama", "heads": 2}}
    if "point_cloud" in changes:
        merged["point_cloud"] = {**SMALL["point_cloud"], **changes["point_cloud"]}
    if "image" in changes:
        merged["image"] = {**SIZES["signals"]["image"], **changes["image"]}
    backbone = changes.get("pointing", {}).get("backbone", "shared")
    return merged | ({"mask_config": {"sam": SAM_SIZES, "sam2": SAM2_SIZES}[backbone]} if backbone != "shared" else {})


def test_the_page_has_rows():
    assert len(ROWS) > 20


@pytest.mark.parametrize("changes", ROWS)
def test_a_row_builds_and_runs(toy, changes):
    network, processor = toy_network(toy[1].tokenizer, **toy_sizes(changes))
    plain = network.config.to_dict()
    for name, value in [*changes.items(), *changes.get("signals", {}).items()]:
        own = (plain | plain["signals"])[name]
        if name == "signals":
            continue
        assert own == value if not isinstance(value, dict) else own.items() >= value.items()
    inputs = processor(["What is {0}?", "Hm?"], [[toy_image()], [toy_point_cloud()]], [[Box(2, 3, 20, 20)], []])
    with torch.no_grad():
        assert network(**inputs).logits.isfinite().all()
        marks = network.point(network.encode_inputs(inputs), torch.randn(2, 32), torch.tensor([0, 1]))
    assert all(mark.isfinite().all() for mark in marks)
