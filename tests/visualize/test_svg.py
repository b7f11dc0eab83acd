"""Drawings as SVG: what is in them is what the answer says, and nothing outside them is needed."""

import io
import re
from base64 import b64decode
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image, ImageDraw

from deixis.errors import InputError
from deixis.files.budget import VARIABLE
from deixis.geometry import Box3D, Mask, Point, PointSet, Polygon, Region, Scribble, Span, Tube
from deixis.inference import Answer, AnswerPhrase
from deixis.signals import open_signal
from deixis.visualize.canvas import PALETTE
from tests.visualize.small_signals import CLOUD, DEPTH, FILM, NUMBERS, PICTURE, SOUND, TRACE

SVG = "{http://www.w3.org/2000/svg}"
HREF = "{http://www.w3.org/1999/xlink}href"
RNG = np.random.default_rng(3)
HOLED = np.zeros((40, 60), bool)
HOLED[5:30, 8:50] = True
HOLED[10:20, 20:30] = False
HOLED |= RNG.random(HOLED.shape) < 0.02


def drawn(tmp_path, answer):
    answer.draw(tmp_path / "a.svg")
    return ElementTree.parse(tmp_path / "a.svg").getroot()


def answer(signal, *regions, asked=(), text="The mug.", question="Where is it?"):
    phrases = (AnswerPhrase(text[:7], 0, 7, regions),) if regions else ()
    return Answer(text, phrases, (signal,), question=question, asked=asked)


def group(root, name):
    (found,) = [element for element in root.iter(f"{SVG}g") if element.get("id") == name]
    return found


def scale_of(element):
    return float(re.fullmatch(r"scale\((.*)\)", element.get("transform"))[1])


def words(element):
    return ["".join(text.itertext()) for text in element.iter(f"{SVG}text")]


def rasterised(path, size_hw):
    """Even-odd filling of a path of H, V and Z, each loop by Pillow at four times the size, looked at in the middle."""
    inside = np.zeros(size_hw, bool)
    for loop in re.findall(r"M[^Z]*", path):
        x, y = map(int, re.match(r"M(\d+) (\d+)", loop).groups())
        corners = [(x, y)]
        for letter, value in re.findall(r"([HV])(\d+)", loop):
            x, y = (int(value), y) if letter == "H" else (x, int(value))
            corners.append((x, y))
        large = Image.new("1", (4 * size_hw[1], 4 * size_hw[0]))
        ImageDraw.Draw(large).polygon([(4 * x, 4 * y) for x, y in corners], fill=1)
        inside ^= np.asarray(large)[2::4, 2::4]
    return inside


def test_the_size_is_that_of_the_image(tmp_path):
    image = answer(PICTURE).draw(tmp_path / "a.svg")
    root = ElementTree.parse(tmp_path / "a.svg").getroot()
    assert (root.get("width"), root.get("height")) == (str(image.width), str(image.height))
    assert root.get("viewBox") == f"0 0 {image.width} {image.height}"
    assert [file.name for file in tmp_path.iterdir()] == ["a.svg"]


def test_a_box_has_the_numbers_of_the_answer(tmp_path):
    root = drawn(tmp_path, answer(PICTURE, Region(box=(5.25, 6.0, 30.125, 20.5))))
    region = group(root, "region-0")
    assert region.find(f"{SVG}title").text == "The mug"
    assert scale_of(region) == pytest.approx(640 / 60)
    halo, box = region.findall(f"{SVG}rect")
    assert [[float(e.get(name)) for name in ("x", "y", "width", "height")] for e in (halo, box)] == [
        [5.25, 6.0, 24.875, 14.5]
    ] * 2
    assert box.get("stroke") == "#{:02x}{:02x}{:02x}".format(*PALETTE[0])
    assert words(group(root, "region-0-label")) == ["The mug"]


def test_a_mask_is_the_pixels_of_the_answer(tmp_path):
    root = drawn(tmp_path, answer(PICTURE, Region(mask=HOLED, score=0.9)))
    path = group(root, "region-0").findall(f"{SVG}path")[-1]
    assert path.get("fill-rule") == "evenodd"
    assert 0 < float(path.get("fill-opacity")) < 1
    assert (rasterised(path.get("d"), HOLED.shape) == HOLED).all()


def test_masks_of_too_many_corners_are_refused(tmp_path, monkeypatch):
    monkeypatch.setenv(VARIABLE, "1")
    checks = np.indices((40, 60)).sum(0) % 2 == 0  # 4 corners for each of 1200 pixels
    answer(PICTURE, Region(mask=HOLED)).draw(tmp_path / "a.svg")
    for regions in ((Region(mask=checks),), (Region(mask=HOLED),) * 40):
        with pytest.raises(InputError, match=r"SVG: expected masks with outlines of at most 4096 corners, got .* PNG"):
            answer(PICTURE, *regions).draw(tmp_path / "b.svg")
    answer(PICTURE, Region(mask=checks)).draw(tmp_path / "b.png")
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.svg", "b.png"]


@pytest.mark.parametrize(
    ("region", "tag", "numbers"),
    [
        pytest.param(Point(30, 20.5), "circle", {"cx": "30", "cy": "20.5"}, id="point"),
        pytest.param(Scribble([[5, 5], [50, 8.5]]), "polyline", {"points": "5,5 50,8.5"}, id="scribble"),
        pytest.param(Scribble([[5, 6]]), "polyline", {"points": "5,6 5,6"}, id="dot"),
        pytest.param(Polygon([[5, 5], [50, 8], [20, 35]]), "polygon", {"points": "5,5 50,8 20,35"}, id="polygon"),
    ],
)
def test_what_the_question_points_at_is_a_shape(tmp_path, region, tag, numbers):
    shapes = group(drawn(tmp_path, answer(PICTURE, asked=(region,))), "asked-0").findall(f"{SVG}{tag}")
    assert len(shapes) >= 2
    assert all({name: shape.get(name) for name in numbers} == numbers for shape in shapes)


@pytest.mark.parametrize(
    ("given", "tags"),
    [
        pytest.param(answer(SOUND, Region(span=(0.2, 0.6))), {"rect", "polyline"}, id="audio"),
        pytest.param(answer(TRACE, Region(span=(0.5, 1.0)), asked=(Point(1.99),)), {"rect", "polyline"}, id="imu"),
        pytest.param(answer(CLOUD, Region(box3d=(0.1, 0.1, 0.1, 0.6, 0.6, 0.6))), {"polyline"}, id="cloud"),
        pytest.param(
            answer(FILM, Region(mask=HOLED, time_s=(1.0, 2.0)), asked=(Span(0, 1), Tube(5, 5, 30, 20, 1, 2))),
            {"path"},
            id="video",
        ),
        pytest.param(answer(DEPTH, Region(mask=HOLED)), {"path"}, id="depth"),
    ],
)
def test_regions_of_any_signal_are_shapes_over_its_pixels(tmp_path, given, tags):
    root = drawn(tmp_path, given)
    assert {element.tag.removeprefix(SVG) for element in group(root, "region-0")} == {"title"} | tags
    assert words(group(root, "region-0-label")) == ["The mug"]
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize(
    "given",
    [
        pytest.param(Answer("", (), ()), id="nothing"),
        pytest.param(answer(NUMBERS), id="numbers"),
        pytest.param(
            answer(CLOUD, Region(points=np.arange(9)), asked=(PointSet([1]), Box3D(0, 0, 0, 1, 1, 1))), id="cloud"
        ),
        pytest.param(answer(PICTURE, *[Region(mask=HOLED)] * 3, asked=(Mask(HOLED),)), id="repeated"),
        pytest.param(Answer("ok", (), (PICTURE, SOUND, CLOUD, FILM), question="[a]{0}{1}"), id="several"),
    ],
)
def test_nothing_outside_the_file_is_needed(tmp_path, given):
    root = drawn(tmp_path, given)
    text = (tmp_path / "a.svg").read_text("utf-8")
    addresses = set(re.findall(r"\w+://[^\"'\s]*", text))
    assert addresses == {"http://www.w3.org/2000/svg", "http://www.w3.org/1999/xlink"}  # names, never read
    assert {element.tag.removeprefix(SVG) for element in root.iter()}.isdisjoint({"script", "style", "foreignObject"})
    ids = [element.get("id") for element in root.iter() if element.get("id")]
    assert len(ids) == len(set(ids))
    assert {f"url(#{name})" for name in ids} >= set(re.findall(r"url\([^)]*\)", text))
    assert [element.get("font-family") for element in root.iter() if element.get("font-family")] == ["sans-serif"]
    for number in range(len(given.signals)):
        images = list(group(root, f"signal-{number}").iter(f"{SVG}image"))
        assert images
        assert all(
            image.get(HREF).startswith(("data:image/png;base64,", "data:image/jpeg;base64,")) for image in images
        )


@pytest.mark.parametrize("is_large", [False, True])
def test_the_image_is_the_signal(tmp_path, is_large):
    pixels = RNG.integers(0, 255, (900, 1200, 3), np.uint8) if is_large else PICTURE.values
    root = drawn(tmp_path, answer(open_signal(pixels)))
    (image,) = root.iter(f"{SVG}image")
    form, content = re.fullmatch(r"data:image/(\w+);base64,(.*)", image.get(HREF)).groups()
    assert form == ("jpeg" if is_large else "png")
    with Image.open(io.BytesIO(b64decode(content))) as embedded:
        assert embedded.size == (pixels.shape[1], pixels.shape[0])
        assert is_large or (np.asarray(embedded) == pixels).all()


def test_a_large_image_is_reduced_to_twice_its_place(tmp_path):
    root = drawn(tmp_path, answer(open_signal(np.zeros((270, 2700, 3), np.uint8))))
    (image,) = root.iter(f"{SVG}image")
    assert (image.get("width"), image.get("height")) == ("1280", "128")
    with Image.open(io.BytesIO(b64decode(image.get(HREF).split(",")[1]))) as embedded:
        assert embedded.size == (2560, 256)


@pytest.mark.parametrize(
    ("said", "written"),
    [
        pytest.param('A <b>&"mug\'s"</b> ]]> &amp; <!-- x', None, id="markup"),
        pytest.param("The mug \U0001f600 \u4f60\u597d \u05e9\u05dc\u05d5\u05dd", None, id="emoji_and_scripts"),
        pytest.param("a\x00b \x07 \x1b[31m \ufffe \x7f", "a\ufffdb \ufffd \ufffd[31m \ufffd \x7f", id="control"),
        pytest.param("a \ud800 b", "a \ufffd b", id="half_a_surrogate"),
        pytest.param("one\ttwo\nthree\r\n four", "one two three four", id="blanks"),
    ],
)
def test_any_text_is_written_as_text(tmp_path, said, written):
    phrase = AnswerPhrase(said, 0, len(said), (Region(box=(5.0, 5.0, 30.0, 20.0)),))
    question = said.replace("[", "(").replace("]", ")")
    root = drawn(tmp_path, Answer(said, (phrase,), (PICTURE,), question=question))
    assert words(group(root, "answer")) == [said if written is None else written]
    assert group(root, "region-0").find(f"{SVG}title").text.split() == (written or said).split()


def test_phrases_have_their_colours_and_lines_are_whole(tmp_path):
    regions = (Region(box=(5.0, 5.0, 30.0, 20.0)),)
    text = "A red mug, and a hat."
    phrases = (AnswerPhrase("red mug", 2, 9, regions), AnswerPhrase("hat", 17, 20, regions))
    root = drawn(tmp_path, Answer(text, phrases, (PICTURE,), question="[The mug]{0} or {0}?", asked=regions))
    assert words(group(root, "answer")) == [text]
    spans = {span.text: span.get("fill") for span in group(root, "answer").iter(f"{SVG}tspan")}
    assert [spans[name] for name in ("red mug", "hat")] == ["#dd2c57", "#166cd6"]
    assert words(group(root, "question")) == ["The mug", "{0}", "or", "{0}", "?"]


def test_a_long_recording_is_no_long_file(tmp_path):
    trace = open_signal((np.cumsum(RNG.normal(size=(200_000, 6)), 0), 100))
    root = drawn(tmp_path, answer(trace))
    assert (tmp_path / "a.svg").stat().st_size < 1_000_000
    curves = sorted(len(line.get("points").split()) for line in root.iter(f"{SVG}polyline"))[-6:]
    assert min(curves) > 1000
