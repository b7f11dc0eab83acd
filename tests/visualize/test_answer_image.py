"""Drawn answers: every modality and form of region is drawn, whatever the answer, and files are complete or absent."""

import io
import re
from base64 import b64decode

import numpy as np
import pytest
from PIL import Image

from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Polygon, Region, Scribble, Span, Tube
from deixis.inference import Answer, AnswerPhrase
from deixis.signals import open_signal
from deixis.visualize.answer_image import draw_answer
from deixis.visualize.canvas import PALETTE, POINTED
from tests.visualize.small_signals import CLOUD, DEPTH, FILM, NORMAL, NUMBERS, PICTURE, SOUND, TRACE

RNG = np.random.default_rng(0)
MASK = np.zeros((40, 60), bool)
MASK[10:30, 10:40] = True


def answer(signal, *regions, asked=(), text="The mug.", question="Where is {0}?"):
    phrases = (AnswerPhrase("The mug", 0, 7, regions),) if regions else ()
    return Answer(text, phrases, (signal,), question=question, asked=asked)


def near(image, colour):
    return int((np.abs(np.asarray(image).astype(int) - colour).max(-1) < 12).sum())


def below_text(image):
    """The drawing without the lines of text above and below it."""
    return image.crop((0, 60, image.width, image.height - 70))


@pytest.mark.parametrize(
    ("signal", "marked"),
    [
        pytest.param(PICTURE, Region(mask=MASK, score=0.9), id="mask"),
        pytest.param(PICTURE, Region(box=(5.0, 5.0, 30.0, 20.0)), id="box"),
        pytest.param(PICTURE, Region(box=(5.0, 5.0, 5.2, 5.1)), id="tiny_box"),
        pytest.param(PICTURE, Region(point=(0.0, 0.0)), id="point_in_the_corner"),
        pytest.param(SOUND, Region(span=(0.2, 0.6), score=0.7), id="span"),
        pytest.param(SOUND, Region(point=(0.99,)), id="instant_at_the_end"),
        pytest.param(CLOUD, Region(points=np.arange(80), score=0.8), id="points"),
        pytest.param(CLOUD, Region(box3d=(0.1, 0.1, 0.1, 0.6, 0.6, 0.6)), id="box_of_a_cloud"),
        pytest.param(CLOUD, Region(point=(0.5, 0.5, 0.5)), id="place_of_a_cloud"),
        pytest.param(FILM, Region(box=(5.0, 5.0, 30.0, 20.0), time_s=(1.0, 2.0)), id="box_of_a_film_and_its_time"),
        pytest.param(FILM, Region(box=(5.0, 5.0, 30.0, 20.0)), id="box_of_a_film"),
        pytest.param(FILM, Region(span=(1.0, 1.05)), id="short_span_of_a_film"),
        pytest.param(FILM, Region(mask=MASK), id="mask_of_a_film"),
        pytest.param(FILM, Region(mask=MASK, score=0.5, time_s=(1.0, 1.4)), id="mask_and_its_time"),
        pytest.param(FILM, Region(point=(30.0, 20.0, 3.99)), id="place_and_instant"),
        pytest.param(DEPTH, Region(mask=MASK), id="mask_of_depth"),
        pytest.param(NORMAL, Region(box=(5.0, 5.0, 30.0, 20.0)), id="box_of_normals"),
        pytest.param(TRACE, Region(span=(0.5, 1.0)), id="span_of_a_trace"),
        pytest.param(TRACE, Region(point=(1.99,)), id="instant_of_a_trace"),
    ],
)
def test_a_region_of_the_answer_is_drawn_in_its_phrases_colour(signal, marked):
    plain, drawn = (below_text(draw_answer(a)) for a in (answer(signal), answer(signal, marked)))
    assert near(drawn, PALETTE[0]) > near(plain, PALETTE[0]) + 40


@pytest.mark.parametrize(
    ("signal", "region"),
    [
        pytest.param(PICTURE, Box(5, 5, 30, 20), id="box"),
        pytest.param(PICTURE, Mask(MASK), id="mask"),
        pytest.param(PICTURE, Polygon([[5, 5], [50, 8], [20, 35]]), id="polygon"),
        pytest.param(PICTURE, Scribble([[5, 5], [50, 8]]), id="scribble"),
        pytest.param(PICTURE, Scribble([[30, 20]]), id="dot"),
        pytest.param(PICTURE, Point(30, 20), id="point"),
        pytest.param(SOUND, Span(0.1, 0.9), id="span"),
        pytest.param(SOUND, Point(0.5), id="instant"),
        pytest.param(CLOUD, PointSet(np.arange(50)), id="points"),
        pytest.param(CLOUD, Box3D(0.1, 0.1, 0.1, 0.6, 0.6, 0.6), id="box3d"),
        pytest.param(CLOUD, Point(0.5, 0.5, 0.5), id="place"),
        pytest.param(FILM, Tube(5, 5, 30, 20, 1, 1.01), id="tube_between_pictures"),
        pytest.param(FILM, Polygon([[5, 5], [50, 8], [20, 35]]), id="polygon_of_a_film"),
        pytest.param(FILM, Point(30, 20, 0.0), id="place_at_the_beginning"),
        pytest.param(DEPTH, Box(5, 5, 30, 20), id="box_of_depth"),
        pytest.param(NORMAL, Point(30, 20), id="point_of_normals"),
        pytest.param(TRACE, Span(0.1, 0.9), id="span_of_a_trace"),
    ],
)
def test_a_region_of_the_question_is_drawn_apart(signal, region):
    plain, drawn = (below_text(draw_answer(answer(signal, asked=asked))) for asked in ((), (region,)))
    assert near(drawn, POINTED) > near(plain, POINTED) + 40


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(Answer("", (), (PICTURE,)), id="no_words"),
        pytest.param(Answer("", (), ()), id="no_signal"),
        pytest.param(Answer("a" * 900 + " b" * 900, (), (SOUND,)), id="endless"),
        pytest.param(answer(PICTURE, Region(mask=np.zeros((40, 60), bool))), id="empty_mask"),
        pytest.param(answer(CLOUD, Region(points=np.zeros(0, int))), id="no_points"),
        pytest.param(
            Answer("a dog", (AnswerPhrase("a dog", 0, 5, ()), AnswerPhrase("dog", 2, 5, ())), (PICTURE,)),
            id="none_and_overlap",
        ),
        pytest.param(Answer("x", (AnswerPhrase("", 0, 0, (Region(span=(0.0, 1.0)),)),), (SOUND,)), id="no_phrase"),
        pytest.param(answer(PICTURE, *[Region(box=(5, 5, 30, 20))] * 40), id="forty_boxes"),
        pytest.param(Answer("ok.", (), (PICTURE, SOUND, CLOUD), question="{{braces}} and [a]{0}"), id="three_signals"),
    ],
)
def test_any_answer_makes_a_picture(given):
    picture = draw_answer(given)
    assert picture.mode == "RGB"
    assert picture.width >= 640


@pytest.mark.parametrize(
    ("size_hw", "width"),
    [
        pytest.param((40, 60), 640, id="small"),
        pytest.param((60, 40), 427, id="small_and_tall"),
        pytest.param((600, 900), 900, id="as_it_is"),
        pytest.param((300, 5000), 1280, id="large"),
        pytest.param((5000, 2), 1, id="a_thread"),
    ],
)
def test_pictures_are_drawn_at_a_readable_size(size_hw, width):
    signal = open_signal(np.full((*size_hw, 3), (10, 200, 90), np.uint8))
    drawn = np.asarray(draw_answer(answer(signal)))
    rows = (np.abs(drawn.astype(int) - (10, 200, 90)).max(-1) < 20).sum(1)
    assert abs(int(rows.max()) - width) <= 2


@pytest.mark.parametrize(
    ("name", "form"), [("a.PNG", "PNG"), ("a.jpg", "JPEG"), ("a.jpeg", "JPEG"), ("a.webp", "WEBP")]
)
def test_a_drawing_is_in_its_place_in_the_format_of_its_name(tmp_path, name, form):
    drawing = answer(PICTURE, Region(mask=MASK)).draw(tmp_path / name)
    with Image.open(tmp_path / name) as written:
        assert (written.format, written.size) == (form, drawing.size)
        difference = np.abs(np.asarray(written.convert("RGB")).astype(int) - np.asarray(drawing))
        assert difference.mean() <= (0 if form == "PNG" else 3)
    assert [file.name for file in tmp_path.iterdir()] == [name]


def test_a_notebook_shows_the_drawing():
    shown = answer(PICTURE, Region(mask=MASK), text='The "mug" <b>.')._repr_html_()
    content, alt = re.fullmatch(
        r'<img src="data:image/png;base64,([^"]+)" alt="([^"]*)" style="[^"]*">', shown
    ).groups()
    assert alt == "The &quot;mug&quot; &lt;b&gt;."
    with Image.open(io.BytesIO(b64decode(content))) as drawn:
        assert drawn.size == answer(PICTURE, Region(mask=MASK), text='The "mug" <b>.').draw().size


@pytest.mark.parametrize(
    ("name", "error", "sentence"),
    [
        pytest.param("a.mp4", ValueError, "ending in .png, .jpg", id="ending"),
        pytest.param("none/a.png", OSError, "No such folder", id="folder"),
    ],
)
def test_a_drawing_without_a_place_is_refused(tmp_path, name, error, sentence):
    with pytest.raises(error, match=sentence):
        answer(PICTURE).draw(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_region_of_a_brain_is_drawn_on_its_slices(tmp_path):
    nibabel = pytest.importorskip("nibabel")
    volume = RNG.random((12, 14, 20)).astype(np.float32) + 1
    nibabel.save(nibabel.Nifti1Image(volume, np.diag([3.0, 3, 3, 1])), tmp_path / "a.nii")
    brain = open_signal(tmp_path / "a.nii")
    low_slices = Region(points=np.flatnonzero(brain.extent.points_xyz[:, 2] < 7))
    plain = below_text(draw_answer(answer(brain)))
    drawn = below_text(draw_answer(answer(brain, low_slices)))
    asked = below_text(draw_answer(answer(brain, asked=(Box3D(0, 0, 30, 9, 9, 33),))))
    assert np.abs(np.asarray(drawn).astype(int) - np.asarray(plain)).max(-1).mean() > 5
    assert near(asked, POINTED) > near(plain, POINTED) + 40


def test_numbers_without_places_are_drawn_too():
    assert len(draw_answer(answer(NUMBERS)).getcolors(1 << 20)) > 50


def test_a_mask_of_a_film_is_drawn_for_its_time_only():
    amounts = [
        near(draw_answer(answer(FILM, Region(mask=MASK, score=0.5, time_s=time_s))), PALETTE[0])
        for time_s in ((1.0, 1.4), (0.0, 4.0))
    ]
    assert 4 * amounts[0] < 3 * amounts[1]
