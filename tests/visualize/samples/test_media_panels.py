"""Media as panels: every form of region is drawn, and whatever cannot be opened or drawn is reported, not raised."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.visualize.canvas import PALETTE
from deixis.visualize.samples.media_panels import Shown, panel
from tests.scenes import scene_samples

MEDIA = {sample.signals[0].modality: sample.signals[0] for sample in scene_samples(1)}
MASK = np.zeros((128, 128), bool)
MASK[40:90, 30:70] = True
BOX = Region(box=(20.0, 20.0, 90.0, 70.0))


def near(image: Image.Image, colour: tuple[int, int, int]) -> int:
    """How many pixels have almost this colour."""
    return int((np.abs(np.asarray(image).astype(int) - colour).max(-1) < 12).sum())


@pytest.mark.parametrize(
    ("kind", "record", "fields"),
    [
        pytest.param("image", Region(box=(20.0, 20.0, 90.0, 70.0)), ("box",), id="box"),
        pytest.param("image", Region(mask=MASK), ("mask",), id="mask"),
        pytest.param("image", Region(point=(64.0, 64.0)), ("point",), id="point"),
        pytest.param("image", Region(mask=MASK, box=(30.0, 40.0, 70.0, 90.0)), ("mask", "box"), id="mask_and_box"),
        pytest.param("audio", Region(span=(1.0, 2.0)), ("span",), id="span"),
        pytest.param("audio", Region(span=(0.0, 0.01)), ("span",), id="very_short_span"),
        pytest.param("audio", Region(point=(1.0,)), ("point",), id="instant"),
        pytest.param("point_cloud", Region(points=np.arange(200)), ("points",), id="points"),
        pytest.param("point_cloud", Region(box3d=(-1.0, -1.0, 0.0, 1.0, 1.0, 1.0)), ("box3d",), id="box3d"),
        pytest.param("point_cloud", Region(point=(0.0, 0.0, 0.5)), ("point",), id="place"),
    ],
)
def test_a_region_is_drawn_in_its_colour(kind, record, fields):
    plain, marked = panel(MEDIA[kind], []), panel(MEDIA[kind], [Shown(2, record, fields)])
    assert plain.image.size == marked.image.size
    assert plain.image.width == 256
    assert (marked.blank, marked.notes) == (None, ())
    assert near(marked.image, PALETTE[2]) > near(plain.image, PALETTE[2]) + 60


def test_a_panel_opens_the_file_of_a_medium(tmp_path):
    Image.fromarray(MEDIA["image"].values).save(tmp_path / "a.png")
    from_file = panel(replace(MEDIA["image"], values=None, path=str(tmp_path / "a.png")), [])
    assert from_file.image.tobytes() == panel(MEDIA["image"], []).image.tobytes()


def test_a_panel_opens_the_content_of_a_medium(tmp_path):
    Image.fromarray(MEDIA["image"].values).save(tmp_path / "a.png")
    content = (tmp_path / "a.png").read_bytes()
    of_tar = panel(replace(MEDIA["image"], values=None, path="x.tar/a.png", content=content), [])
    assert of_tar.image.tobytes() == panel(MEDIA["image"], []).image.tobytes()


@pytest.mark.parametrize(
    ("medium", "sentence"),
    [
        pytest.param(
            MediaReference("a", "image"), "expected values or a file for the medium 'a', got neither", id="nowhere"
        ),
        pytest.param(MediaReference("a", "image", path="gone.png"), "there is no such file", id="no_file"),
        pytest.param(MediaReference("a", "image", path=__file__), "expected an image", id="no_picture"),
        pytest.param(MediaReference("a", "image", path="cut.png", content=b"\x89PNG\r\n"), "cut.png", id="cut_short"),
        pytest.param(MediaReference("a", "smell", values=np.zeros(3)), "got 'smell'", id="no_such_kind"),
    ],
)
def test_what_cannot_be_opened_is_a_blank_that_says_so(medium, sentence):
    drawn = panel(medium, [Shown(0, BOX, ("box",))])
    assert sentence in drawn.blank
    assert drawn.image.width == 256
    assert len(np.unique(np.asarray(drawn.image).reshape(-1, 3), axis=0)) > 5  # it has letters


@pytest.mark.parametrize(
    ("kind", "record", "field", "sentence"),
    [
        pytest.param("image", Region(box=(0.0, 0.0, 900.0, 9.0)), "box", "lies outside", id="box_outside"),
        pytest.param("point_cloud", Region(points=[99_999]), "points", "99999", id="index_beyond"),
        pytest.param("image", Region(mask=MASK[:50]), "mask", "region 0 is not drawn: ", id="mask_of_other_size"),
        pytest.param("audio", Region(span=(90.0, 99.0)), "span", "lies outside", id="span_outside"),
    ],
)
def test_a_region_that_is_not_on_its_medium_is_left_out_and_said(kind, record, field, sentence):
    drawn = panel(MEDIA[kind], [Shown(0, record, (field,))])
    assert len(drawn.notes) == 1
    assert sentence in drawn.notes[0]
    assert drawn.image.tobytes() == panel(MEDIA[kind], []).image.tobytes()


def test_another_size_than_the_sample_says_is_said():
    drawn = panel(replace(MEDIA["image"], size_hw=(60, 80)), [])
    assert drawn.notes == ("the sample gives 60 x 80 (height x width), the file is 128 x 128",)


def test_a_very_high_picture_is_drawn_narrower():
    drawn = panel(MediaReference("a", "image", values=np.zeros((3000, 30, 3), np.uint8)), [])
    assert drawn.image.width < 30
    assert drawn.image.height <= 256 * 2.5


def test_only_a_sound_can_be_heard():
    assert len(panel(MEDIA["audio"], []).audio) == len(MEDIA["audio"].values)
    assert panel(MEDIA["image"], []).audio is None
