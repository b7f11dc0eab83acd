"""Ground truth and answer as samples: the question's regions keep their numbers, foreign text stays text."""

import numpy as np
import pytest

from deixis.evaluation.benchmark import Example, ExampleResult
from deixis.evaluation.reports.example_samples import answer_markup, answer_sample, ground_truth_sample
from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Polygon, Region, Span, parse_markup
from deixis.inference import Answer, AnswerPhrase
from deixis.samples.sample import MediaReference, Sample, Turn

MEDIUM = MediaReference("m", "image", size_hw=(8, 8))
MASK = np.eye(8, dtype=bool)


def row_of(text="", phrases=(), raw=""):
    return ExampleResult("e", "all", "m", "", Answer(text, phrases, ()).to_dict(), raw, {})


def test_answer_regions_follow_those_of_the_question():
    sample = Sample(
        "e",
        "set",
        "refer",
        "val",
        (Turn("Earlier?", "Yes."), Turn("What is right of {1}?", "[The cup]{0}.")),
        (MEDIUM,),
        (Region(box=(0, 0, 1, 1)), Region(box=(1, 1, 2, 2)), Region(box=(5, 5, 6, 6))),
    )
    example = Example("e", "all", "m", "What is right of {0}?", (MEDIUM,), None, sample=sample)
    phrase = AnswerPhrase("The {pan}", 0, 9, (Region(mask=MASK, score=0.5), Region(box=(1.0, 2.0, 3.0, 4.0))))
    drawn = answer_sample(example, row_of("The {pan} [x].", (phrase,)))
    assert [turn.user for turn in drawn.turns] == ["What is right of {1}?"]
    assert drawn.turns[0].assistant == "[The {{pan}}]{2,3} (x)."
    assert drawn.regions[:2] == sample.regions[:2]
    assert drawn.regions[2].mask["size"] == [8, 8]
    assert drawn.regions[3].box == (1.0, 2.0, 3.0, 4.0)
    assert ground_truth_sample(example).turns == sample.turns[-1:]


@pytest.mark.parametrize(
    ("region", "field", "value"),
    [
        pytest.param(Point(3, 4), "point", (3.0, 4.0), id="point"),
        pytest.param(Box(1, 2, 3, 4), "box", (1.0, 2.0, 3.0, 4.0), id="box"),
        pytest.param(Span(0.5, 2), "span", (0.5, 2.0), id="span"),
        pytest.param(Box3D(0, 1, 2, 3, 4, 5), "box3d", (0.0, 1.0, 2.0, 3.0, 4.0, 5.0), id="box3d"),
        pytest.param(Polygon([(1, 1), (5, 2), (3, 7)]), "polygon", [(1.0, 1.0), (5.0, 2.0), (3.0, 7.0)], id="polygon"),
        pytest.param(Mask(MASK), "mask", MASK, id="mask"),
        pytest.param(PointSet([3, 5]), "points", [3, 5], id="points"),
    ],
)
def test_regions_of_a_question_without_a_sample(region, field, value):
    example = Example("e", "all", "m", "What is {0}?", (MEDIUM,), ["a cup", "a {mug}", "a cup"], (region,))
    drawn = ground_truth_sample(example)
    assert np.array_equal(getattr(drawn.regions[0], field), value)
    assert drawn.turns[0].assistant == "a cup | a {{mug}}"
    again = answer_sample(example, row_of(raw="no {words}"))
    assert again.regions == drawn.regions
    assert again.turns[0].assistant == "no {{words}}"


@pytest.mark.parametrize(
    ("ground_truth", "words"),
    [
        pytest.param({"mask": MASK, "n": 2}, '"n": 2', id="with_an_array"),
        pytest.param(None, "null", id="nothing"),
        pytest.param([], "()", id="empty"),
    ],
)
def test_any_ground_truth_becomes_text(ground_truth, words):
    assert words in ground_truth_sample(Example("e", "all", "m", "What?", (MEDIUM,), ground_truth)).turns[0].assistant


@pytest.mark.parametrize(
    "text",
    [pytest.param(t, id=str(n)) for n, t in enumerate(["a [b]{c} }", "{{", "[", "]{}", "a [b", "{0} [x]{1}"])],
)
def test_answer_text_is_escaped(text):
    phrase = {"text": text, "start": 0, "end": len(text), "regions": []}
    for phrases in ([], [phrase]):
        markup, records = answer_markup({"text": text + " " + text, "phrases": phrases})
        assert records == ()
        assert all(getattr(piece, "indices", ()) == () for piece in parse_markup(markup))
