"""The contact sheet: every sample makes a card, whatever is missing of it, and different tasks come first."""

import numpy as np
import pytest
from PIL import Image

from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.visualize.samples.contact_sheet import contact_sheet, sample_card, save_contact_sheet, varied
from tests.scenes import scene_samples

SAMPLES = scene_samples(1)
MEDIA = {sample.signals[0].modality: sample.signals[0] for sample in SAMPLES}


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(Sample("t", "s", "talk", "train", (Turn("Hello", ""),)), id="text_alone_and_no_answer"),
        pytest.param(Sample("t", "s", "talk", "train", (Turn("word " * 300, "w" * 300),)), id="long_texts"),
        pytest.param(Sample("t", "s", "talk", "train", (Turn("{{x}}", "[no dog]{} [1]"),) * 9), id="many_turns"),
        pytest.param(Sample("t", "s", "two", "val", (Turn("a", "b"),), tuple(MEDIA.values())), id="three_signals"),
        pytest.param(Sample("t", "s", "t" * 200, "val" * 20, (Turn("a", "b"),)), id="long_names"),
        pytest.param(
            Sample(
                "t",
                "s",
                "x",
                "val",
                (Turn("{0}?", "b"),),
                (MediaReference("m", "image", path="no.png"),),
                (Region(box=(0.0, 0.0, 9.0, 9.0)),),
            ),
            id="missing_file",
        ),
        pytest.param(
            Sample("t", "s", "x", "val", (Turn("a", "b"),), (MediaReference("m", "image", path="no.png"),) * 9),
            id="many_missing_files",
        ),
    ],
)
def test_any_sample_makes_a_card(sample):
    card = sample_card(sample)
    assert card.width == 276
    assert card.height < 1200


def test_a_sheet_shows_all_samples():
    samples = varied(SAMPLES, 9)
    sheet = contact_sheet(samples, columns=4)
    assert sheet.width == 2 * 22 + 4 * (276 + 14) - 14
    assert len(np.unique(np.asarray(sheet).reshape(-1, 3), axis=0)) > 2000
    shorter = contact_sheet(samples[:4], columns=4)
    assert shorter.height < sheet.height


def test_a_sheet_is_a_png(tmp_path):
    save_contact_sheet(SAMPLES[:2], tmp_path / "sheet.png")
    with Image.open(tmp_path / "sheet.png") as sheet:
        assert sheet.format == "PNG"
        assert sheet.width == 2 * 22 + 2 * 276 + 14


def test_no_samples_are_refused():
    with pytest.raises(ValueError, match="expected at least one to show, got none"):
        contact_sheet([])


@pytest.mark.parametrize(
    ("samples", "count", "expected"),
    [
        pytest.param([], 5, 0, id="none"),
        pytest.param(SAMPLES, 0, 0, id="none_wanted"),
        pytest.param(SAMPLES, 5, 5, id="some"),
        pytest.param(SAMPLES[:3], 99, 3, id="all"),
    ],
)
def test_varied_takes_as_many_as_it_can(samples, count, expected):
    chosen = varied(samples, count)
    assert len(chosen) == len({id(sample) for sample in chosen}) == expected


def test_varied_begins_with_different_tasks():
    chosen = varied(SAMPLES, 8)
    assert len({(sample.task, sample.signals[0].modality) for sample in chosen}) == 8
