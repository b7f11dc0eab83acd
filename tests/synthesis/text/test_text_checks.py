"""Checks of what a language model wrote, and the scene texts that it reads."""

import pytest

from deixis.datasets.annotated import Annotated, Object
from deixis.geometry import Region
from deixis.language.english import names_object
from deixis.samples.sample import MediaReference, Turn
from deixis.synthesis import absent_names
from deixis.synthesis.parts import dialogues, reasoning, rewording
from deixis.synthesis.text.prompts import prompt
from deixis.synthesis.text.scene_text import Scene, build_scene
from deixis.synthesis.text.text_checks import check_answer, check_question, pieces_of, written
from tests.synthesis.scenes import SIZE_HW, kitchen, obj

KITCHEN = """\
Things: number, name, what is known of it, its box as left top right bottom from 0 to 999
0 person: 0 0 333 999
1 mug (red): 366 500 466 749
2 mug: 500 500 599 749
3 kettle: 666 250 916 749
4 dining table: 333 699 999 999
Also there, but without a number: bystander
There may be more than is listed of: bystander
Relations:
0 holding 1
3 on 4
Descriptions:
0 is: the host
3 is: the steel kettle
1, 2 is: two mugs
Captions:
[A man]{0} makes tea with {a} friend and bystanders."""


def test_a_picture_in_symbols():
    assert build_scene(kitchen(), 16).text == KITCHEN


def test_only_the_largest_things_are_shown_and_numbers_follow():
    scene = build_scene(kitchen(), 3)
    assert scene.shown == (0, 3, 4)
    assert "1 kettle: " in scene.text
    assert "1 on 2" in scene.text
    assert "holding" not in scene.text
    assert "Also there, but without a number: bystander, mug" in scene.text
    assert scene.names(1) == ("kettle", "kettle", "teapot", "the steel kettle")


GROUP = Object("mug", Region(box=(0.0, 0.0, 9.0, 9.0), crowd=True))
IGNORED = Object("mug", Region(box=(0.0, 0.0, 9.0, 9.0), ignore=True))
MUGS = (obj("mug", (22, 20, 28, 30)), obj("kettle", (40, 10, 55, 30), synonyms=("teapot",)))


@pytest.mark.parametrize(
    ("item", "line"),
    [
        pytest.param({"objects": MUGS}, None, id="all_is_listed"),
        pytest.param({"objects": (*MUGS, GROUP)}, "There may be more than is listed of: mug", id="a_group"),
        pytest.param({"objects": (*MUGS, IGNORED)}, "There may be more than is listed of: mug", id="an_ignored_one"),
        pytest.param(
            {"objects": MUGS, "vague": ("mug", "spoon")},
            "There may be more than is listed of: mug, spoon",
            id="skipped_ones",
        ),
        pytest.param(
            {"objects": MUGS, "vague": ("teapot",)},
            "There may be more than is listed of: kettle, teapot",
            id="a_skipped_synonym",
        ),
        pytest.param(
            {"objects": MUGS, "complete": False},
            "There may be more than is listed, of these names and of others",
            id="an_incomplete_set",
        ),
    ],
)
def test_the_writer_is_told_of_what_there_may_be_more(item, line):
    text = build_scene(kitchen(relations=(), expressions=(), captions=(), **item), 16).text
    assert [one for one in text.splitlines() if one.startswith("There may")] == ([line] if line else [])


@pytest.mark.parametrize(
    ("item", "sentence"),
    [
        pytest.param(kitchen(signals=()), "expected one image, got none", id="no_picture"),
        pytest.param(kitchen(signals=(MediaReference("s", "audio"),)), "expected one image, got audio", id="a_sound"),
        pytest.param(kitchen(objects=()), "expected objects that can be referred to, got none", id="no_things"),
        pytest.param(
            kitchen(objects=(Object("dog"),), relations=(), expressions=(), captions=()),
            "got none",
            id="no_places",
        ),
        pytest.param(
            kitchen(
                objects=(Object("dog", Region(point=(1.0, 1.0))),),
                relations=(),
                expressions=(),
                captions=(),
            ),
            "got none",
            id="no_boxes",
        ),
    ],
)
def test_no_scene(item, sentence):
    with pytest.raises(ValueError, match=sentence):
        build_scene(item, 16)


def test_places_of_a_picture_without_a_size_are_pixels():
    medium = MediaReference("made/0", "image", "0.jpg")
    assert "3 kettle: 40 10 55 30" in build_scene(kitchen(signals=(medium,)), 16).text


BAD = [
    pytest.param(None, "t.a: expected text, got null", id="null"),
    pytest.param(7, "t.a: expected text, got 7", id="a_number"),
    pytest.param(" ", "t.a: expected text, got ' '", id="blank"),
    pytest.param("...", "t.a: expected words, got '...'", id="no_words"),
    pytest.param("word " * 13, "t.a: expected at most 12 words, got 13", id="long"),
    pytest.param("What is {5}?", r"\{5} is no thing .*: their numbers go from 0 to 4", id="unknown_number"),
    pytest.param("What is {1?", r"t.a: a single { at character 8", id="lone_brace"),
    pytest.param("[It]{1:mask} is.", "numbers of things alone in braces", id="a_form"),
    pytest.param("[a dog]{}", "numbers of things alone in braces", id="no_number"),
    pytest.param("[two mugs]{1,1}", "each number once in a mark", id="twice"),
    pytest.param("[a dog]{1}", r"\[a dog\]\{1\} does not name thing 1, 'mug'", id="wrong_name"),
    pytest.param("[the mugs]{1,3}", "does not name thing 3, 'kettle'", id="one_of_two_wrong"),
    pytest.param("[]{1}", r"does not name thing 1", id="empty_phrase"),
    pytest.param("[The mug]{1} at [366, 500, 466, 749].", "no coordinates, got '.366, 500", id="a_box"),
    pytest.param("It is at (366,500).", r"no coordinates, got '\(366,500'", id="a_point"),
    pytest.param("At 12 40 55 60.", "no coordinates, got '12 40 55 60'", id="four_numbers"),
    pytest.param("At 0.35 of the width.", r"no coordinates, got '0\.35'", id="a_share"),
    pytest.param("The bounding box is small.", "no coordinates, got 'bounding box'", id="words_for_it"),
    pytest.param("[mug 1 2 3 4]{1}", "no coordinates", id="in_a_phrase"),
    pytest.param("Object 3 is hot.", "things by number in braces alone, got 'Object 3'", id="bare_number"),
    pytest.param("The caption says so.", "where they come from, got 'caption'", id="the_source"),
    pytest.param("As an AI I do not know.", "where they come from, got 'As an AI'", id="the_writer"),
    pytest.param("I can't see it.", "where they come from", id="blind"),
]


@pytest.mark.parametrize(("text", "sentence"), BAD)
def test_what_may_not_be_written(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        written("t", {"a": text}, "a", build_scene(kitchen(), 16), 12)


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("What is {0} holding?", id="a_bare_mark"),
        pytest.param("{1,2}?", id="marks_alone"),
        pytest.param("[Both red mugs]{1,2} are on [the table]{4}.", id="plural"),
        pytest.param("[The man]{0} uses [his teapot]{3}.", id="person_and_synonym"),
        pytest.param("[It]{3} and [the other one]{2}.", id="pronouns"),
        pytest.param("[Our generous host]{0} smiles.", id="as_an_expression_says_it"),
        pytest.param("There are 2 or 3 cups, 1.5 litres, in 2024.", id="honest_numbers"),
        pytest.param("Shade provided by {{trees}} [sic].", id="braces_and_brackets"),
    ],
)
def test_what_may_be_written(text):
    written("t", {"a": text}, "a", build_scene(kitchen(), 16), 12)


@pytest.mark.parametrize(
    ("phrase", "names", "expected"),
    [
        pytest.param("", ["dog"], False, id="empty"),
        pytest.param("a dog", [], False, id="no_name"),
        pytest.param("a dog", [""], False, id="empty_name"),
        pytest.param("a bear", ["ear"], False, id="letters_alike"),
        pytest.param("the left leg", ["leg of a dog"], True, id="a_part"),
        pytest.param("tall bookshelves", ["shelf"], True, id="compound_plural"),
        pytest.param("people", ["person"], True, id="irregular"),
        pytest.param("the skiers", ["man"], True, id="a_role"),
        pytest.param("a skier", ["ski"], False, id="no_role_of_a_thing"),
        pytest.param("light", ["traffic light"], True, id="head"),
        pytest.param("traffic", ["traffic light"], False, id="modifier"),
    ],
)
def test_which_phrases_name_a_thing(phrase, names, expected):
    assert names_object(phrase, names) is expected


def test_a_question_that_points_has_a_mark():
    with pytest.raises(ValueError, match="in braces of what is meant by 'the highlighted area', got none"):
        check_question("q", pieces_of("q", "What is in the highlighted area?", build_scene(kitchen(), 16)))
    check_question("q", pieces_of("q", "What is in the highlighted area {1}?", build_scene(kitchen(), 16)))


def test_an_answer_names_what_it_marks():
    with pytest.raises(ValueError, match="a name in front of each mark"):
        check_answer("a", pieces_of("a", "It is {1}.", build_scene(kitchen(), 16)))


def example_scene(text: str) -> Scene:
    """The scene of a prompt's example, read back from its text."""
    lines = [line.split(": ")[0] for line in text.splitlines() if line[:1].isdigit() and line[-1:].isdigit()]
    names = [line.split(" ", 1)[1].split(" (")[0] for line in lines if ": " not in line]
    facts = {"attributes": ("told apart",)}
    item = Annotated("e", "e", "train", (MediaReference("e", "image", size_hw=SIZE_HW),))
    objects = tuple(obj(name, (1, 1, 20, 20), **facts) for name in names)
    return Scene(Annotated(**vars(item) | {"objects": objects}), tuple(range(len(objects))), text)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in dialogues.KINDS])
def test_the_examples_of_dialogues_pass_their_own_checks(kind):
    (asked, answered), *others = prompt(f"dialogues/{kind}").examples
    assert not others
    turns = dialogues._checked(example_scene(asked), kind, dialogues.DialoguesOptions(), answered)
    assert len(turns) >= 2


def test_the_other_examples_pass_their_own_checks():
    (asked, answered), *_ = prompt("reasoning").examples
    accepted, complaints = reasoning._checked(example_scene(asked), reasoning.ReasoningOptions(), answered)
    assert (len(accepted), complaints) == (2, [])
    for asked, answered in prompt("rewording").examples:
        question, kept, _ = asked.split("\n", 2)
        turn = Turn(
            question.removeprefix("Question: "), f"[{kept.removeprefix('Keep: ')}]{{0}}" if "{" not in kept else ""
        )
        keep = rewording.kept_words(turn)
        assert f"Keep: {', '.join(keep)}" == kept
        assert rewording._checked(turn, keep, rewording.RewordingOptions(), answered)[1] == []
    (asked, answered), *_ = prompt("look_alikes").examples
    assert {len(others) for others in absent_names._checked(asked.split(), answered).values()} == {3, 4}
