"""The list of parts: the names that a recipe may use, and that each template part is valid on real annotations."""

from dataclasses import fields, is_dataclass

import pytest

from deixis.options import read_options
from deixis.samples.sample import Sample
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.registry import DIRECTIONS, PARTS
from tests.synthesis.pictures import check, read

WRITTEN = {"dialogues", "reasoning", "rewording"}
TEMPLATE = ("objects", "relations", "descriptions", "negatives", "classes")


@pytest.mark.parametrize(("name", "part"), [pytest.param(name, part, id=name) for name, part in PARTS.items()])
def test_each_part_says_what_it_is(name, part):
    assert is_dataclass(part.options)
    assert part.options() == read_options(part.options, {}, "parts.")
    assert set(part.needs) <= {tool.name for tool in fields(Annotators)}
    assert part.directions
    assert set(part.directions) <= set(DIRECTIONS)
    assert part.title
    assert part.granularity
    assert ("language" in part.needs) == (name in WRITTEN)
    if name in TEMPLATE:
        assert list(part.make([], 5, "7", Annotators(), part.options())) == []


@pytest.mark.parametrize("name", TEMPLATE)
@pytest.mark.parametrize(
    ("format_name", "file"),
    [
        pytest.param("coco", "coco_val_sample/annotations.json", id="coco"),
        pytest.param("coco", "nuts_coco/annotations.json", id="nuts"),
        pytest.param("lvis", "lvis_val_sample/lvis_val_sample.json", id="lvis"),
    ],
)
def test_samples_of_real_annotations_are_sound(shared_data, tmp_path, name, format_name, file):
    items = read(format_name, shared_data / file, tmp_path)
    part = PARTS[name]
    found = list(part.make(items, 60, "7", Annotators(), part.options()))
    samples = [each for each in found if isinstance(each, Sample)]
    assert samples == found
    assert len(samples) > 2 or name == "descriptions"  # these sets have no texts
    assert len({sample.id for sample in samples}) == len(samples)
    for sample in samples:
        check(sample)
        assert (sample.task, sample.source) == (name, items[0].source)
