"""The contact sheet: it shows every kind of signal and region, differs where samples differ, and refuses nothing."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deixis.data.sample import Medium, RegionRecord, Sample, Turn
from deixis.world.generate import world_samples
from deixis.world.panels import PALETTE, Shown, panel
from deixis.world.show import contact_sheet, sample_card, save_contact_sheet, varied

SAMPLES = [sample for seed in range(3) for sample in world_samples("train", seed)]
MEDIA = {sample.signals[0].kind: sample.signals[0] for sample in SAMPLES}
MASK = np.zeros((128, 128), bool)
MASK[40:90, 30:70] = True


def near(image: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many pixels have almost this colour."""
    return int((np.abs(np.asarray(image).astype(int) - colour).max(-1) < 12).sum())


@pytest.mark.parametrize(
    ("kind", "record", "fields"),
    [
        pytest.param("image", RegionRecord(box=(20.0, 20.0, 90.0, 70.0)), ("box",), id="box"),
        pytest.param("image", RegionRecord(mask=MASK), ("mask",), id="mask"),
        pytest.param("image", RegionRecord(point=(64.0, 64.0)), ("point",), id="point"),
        pytest.param(
            "image", RegionRecord(mask=MASK, box=(30.0, 40.0, 70.0, 90.0)), ("mask", "box"), id="mask_and_box"
        ),
        pytest.param("audio", RegionRecord(span=(1.0, 2.0)), ("span",), id="span"),
        pytest.param("audio", RegionRecord(span=(0.0, 0.01)), ("span",), id="very_short_span"),
        pytest.param("audio", RegionRecord(point=(1.0,)), ("point",), id="instant"),
        pytest.param("point_cloud", RegionRecord(points=np.arange(200)), ("points",), id="points"),
        pytest.param("point_cloud", RegionRecord(box3d=(-1.0, -1.0, 0.0, 1.0, 1.0, 1.0)), ("box3d",), id="box3d"),
        pytest.param("point_cloud", RegionRecord(point=(0.0, 0.0, 0.5)), ("point",), id="place"),
    ],
)
def test_a_region_is_drawn_in_its_colour(kind, record, fields):
    plain, marked = panel(MEDIA[kind], []), panel(MEDIA[kind], [Shown(2, record, fields)])
    assert plain.size == marked.size
    assert plain.width == 256
    assert near(marked, PALETTE[2]) > near(plain, PALETTE[2]) + 60


def test_a_panel_opens_the_file_of_a_medium(tmp_path):
    Image.fromarray(MEDIA["image"].values).save(tmp_path / "a.png")
    from_file = panel(replace(MEDIA["image"], values=None, path=str(tmp_path / "a.png")), [])
    assert from_file.tobytes() == panel(MEDIA["image"], []).tobytes()


def test_a_kind_without_a_panel_is_refused():
    with pytest.raises(ValueError, match=r"expected one of image, audio, point_cloud, .*, got 'smell'"):
        panel(Medium("a", "smell", values=np.zeros(3)), [])


@pytest.mark.parametrize(
    "sample",
    [
        pytest.param(Sample("t", "s", "talk", "train", (Turn("Hello", ""),)), id="text_alone_and_no_answer"),
        pytest.param(Sample("t", "s", "talk", "train", (Turn("word " * 300, "w" * 300),)), id="long_texts"),
        pytest.param(Sample("t", "s", "talk", "train", (Turn("{{x}}", "[no dog]{} [1]"),) * 9), id="many_turns"),
        pytest.param(Sample("t", "s", "two", "val", (Turn("a", "b"),), tuple(MEDIA.values())), id="three_signals"),
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
    assert len({(sample.task, sample.signals[0].kind) for sample in chosen}) == 8
