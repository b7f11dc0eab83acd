"""The annotations of a set as plain questions: every fact once, regions renumbered, no claims beyond the set."""

import pytest

from deixis.datasets.annotated import Annotated, Expression, Object, Relation
from deixis.datasets.plain_questions import plain_samples, plain_text
from deixis.geometry import Region
from deixis.samples.sample import MediaReference
from deixis.samples.validate import validate_record

PICTURE = MediaReference("coco/000000000001", "image", "a.jpg", (40, 60))


def box(x: float) -> Region:
    return Region(box=(x, 1.0, x + 5, 9.0))


def masked(x: int) -> Region:
    return Region(box=(x, 0.0, x + 1.0, 40.0), mask={"size": [40, 60], "counts": [40 * x, 40, 40 * (59 - x)]})


MUGS = (Object("mug", box(1)), Object("dog", box(20)), Object("mug", box(30)))


def annotated(**facts) -> Annotated:
    return Annotated("coco/000000000001", "coco", "train", (PICTURE,), **facts)


def turns_of(record: Annotated) -> dict[str, list[tuple[str, str]]]:
    """task -> (question, answer) of each turn; every sample keeps to the format."""
    found = {}
    for sample in plain_samples(record):
        validate_record(sample.to_json())
        assert sample.id == f"{record.id}/{sample.task}"
        found[sample.task] = [(turn.user, turn.assistant) for turn in sample.turns]
    return found


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        pytest.param({}, {}, id="nothing"),
        pytest.param({"objects": (Object("mug"),)}, {}, id="named_without_a_place"),
        pytest.param({"objects": (Object("", box(1)),)}, {}, id="placed_without_a_name"),
        pytest.param(
            {"objects": MUGS, "absent": ("cat",)},
            {
                "detect": [
                    ("Where is every mug?", "[mug]{0,1}"),
                    ("Where is every dog?", "[dog]{2}"),
                    ("Where is every cat?", "[cat]{}"),
                ]
            },
            id="every_thing_of_a_name",
        ),
        pytest.param(
            {"objects": MUGS, "complete": False},
            {"name": [("What is {0}?", "mug"), ("What is {1}?", "dog"), ("What is {2}?", "mug")]},
            id="a_set_that_does_not_mark_all_is_not_asked_for_every",
        ),
        pytest.param(
            {"objects": MUGS, "vague": ("mug",)},
            {
                "detect": [("Where is every dog?", "[dog]{0}")],
                "name": [("What is {0}?", "mug"), ("What is {1}?", "mug")],
            },
            id="nor_for_a_name_that_it_does_not_mark_wholly",
        ),
        pytest.param(
            {"objects": (Object("leg", box(1), part_of="dog"),)},
            {"detect": [("Where is every leg of a dog?", "[leg of a dog]{0}")]},
            id="part",
        ),
        pytest.param(
            {"objects": (Object("sky", Region(box=(1.0, 1.0, 9.0, 9.0), ignore=True)),)},
            {},
            id="ignored",
        ),
        pytest.param(
            {"objects": (Object("sky", masked(3)), Object("sky", masked(7))), "form": "mask"},
            {"detect": [("Where is every sky?", "[sky]{0,1:mask}")]},
            id="masks",
        ),
        pytest.param(
            {"objects": (Object("sky", masked(3)), Object("sky", box(7))), "form": "mask"},
            {"detect": [("Where is every sky?", "[sky]{0,1}")]},
            id="boxes_where_one_has_no_mask",
        ),
        pytest.param(
            {
                "objects": (Object("", box(1)), Object("", box(20))),
                "expressions": (
                    Expression("the mug on the left", (1,)),
                    Expression("both {mugs}", (0, 1)),
                    Expression("a [blue] one", ()),
                ),
            },
            {
                "ground": [
                    ("Where is this: the mug on the left", "[the mug on the left]{0}"),
                    ("Where is this: both {{mugs}}", "[both {{mugs}}]{1,0}"),
                    ("Where is this: a (blue) one", "[a (blue) one]{}"),
                ]
            },
            id="expressions_of_one_of_many_of_none",
        ),
        pytest.param(
            {
                "objects": (Object("mug", masked(1)), Object("", masked(5))),
                "expressions": (
                    Expression("What would you drink from?", (0,), implicit=True, explanation="It holds a drink."),
                    Expression("What is odd?", (1,), implicit=True),
                ),
                "form": "mask",
                "complete": False,
            },
            {
                "name": [("What is {0}?", "mug")],
                "reason": [
                    ("What would you drink from?", "[mug]{0:mask}. It holds a drink."),
                    ("What is odd?", "[this]{1:mask}."),
                ],
            },
            id="reasoning",
        ),
        pytest.param(
            {
                "objects": (Object("", box(1)), Object("", box(9), attributes=("red", "wooden"))),
                "expressions": (Expression("a mug with a crack", (0,), unique=False),),
            },
            {"describe": [("What is {0}?", "a mug with a crack"), ("What is {1} like?", "red, wooden")]},
            id="descriptions",
        ),
        pytest.param(
            {"objects": MUGS, "complete": False, "relations": (Relation(1, "sniffs at", 0),)},
            {
                "name": [("What is {0}?", "mug"), ("What is {1}?", "dog"), ("What is {2}?", "mug")],
                "relate": [("How is {0} related to {1}?", "[dog]{0} sniffs at [mug]{1}")],
            },
            id="relations",
        ),
        pytest.param(
            {
                "objects": (Object("", box(1)), Object(""), Object("", box(9))),
                "captions": ("A {{red}} [mug]{2} and [a dog]{1}.", "[Two mugs]{0,2}."),
            },
            {"caption": [("Describe the picture.", "A {{red}} [mug]{0} and a dog.")]},
            id="captions_renumbered_and_unplaced_phrases_plain",
        ),
    ],
)
def test_what_a_set_says_becomes_questions(facts, expected):
    assert turns_of(annotated(**facts)) == expected


def test_further_captions_are_as_right():
    (sample,) = plain_samples(annotated(captions=("A mug.", "A cup.")))
    assert sample.turns[0].references == ("A cup.",)


def test_regions_are_those_that_the_texts_mention_in_that_order():
    samples = {s.task: s for s in plain_samples(annotated(objects=MUGS, relations=(Relation(1, "by", 2),)))}
    assert samples["detect"].regions == (MUGS[0].region, MUGS[2].region, MUGS[1].region)
    assert samples["relate"].regions == (MUGS[1].region, MUGS[2].region)


def test_what_counts_neither_way_stays_with_the_questions():
    ignored = Region(box=(40.0, 1.0, 50.0, 9.0), ignore=True)
    objects = (Object("", ignored), Object("mug", box(1)))
    asked = Expression("What holds tea?", (1,), implicit=True)
    samples = {s.task: s for s in plain_samples(annotated(objects=objects, expressions=(asked,)))}
    assert samples["reason"].regions == (objects[1].region, ignored)
    assert samples["reason"].turns[0].assistant == "[mug]{0}."


def test_foreign_signs_cannot_become_markup():
    record = annotated(objects=(Object("a {0} [b]{1}", box(1)),))
    assert turns_of(record)["detect"] == [("Where is every a {{0}} (b){{1}}?", "[a {{0}} (b){{1}}]{0}")]
    assert plain_text("]{") == "){{"
