"""Regions for dialogues without any: which phrases are unambiguous, and where the boxes come from."""

import json
import re
from collections import Counter

import numpy as np
import pytest

from deixis.datasets.annotated import Object
from deixis.datasets.plain_questions import plain_text
from deixis.geometry import Region, parse_markup, without_references
from deixis.language.noun_phrases import forms_of, guessed_names, noun_phrases
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.samples.validate import validate_record
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.boxed_turns import BoxedTurnsOptions, make
from tests.synthesis.scenes import kitchen

NAMES = ("dog", "hot dog", "car", "person", "knife", "scissors", "wine glass", "teddy bear")
PHRASES = [
    pytest.param("", [], id="empty"),
    pytest.param("Dog", [("Dog", 1)], id="alone"),
    pytest.param("A dog and the car.", [("A dog", 1), ("the car", 1)], id="two"),
    pytest.param("two small dogs, 3 cars", [("two small dogs", 2), ("3 cars", 3)], id="numbers"),
    pytest.param("The dogs and several cars", [("The dogs", None), ("several cars", None)], id="several"),
    pytest.param("both dogs; a couple of cars", [("both dogs", 2), ("cars", 2)], id="pairs"),
    pytest.param("the knives, a pair of scissors", [("the knives", None), ("scissors", 2)], id="odd_plurals"),
    pytest.param("a wine glass, a hot dog", [("a wine glass", 1), ("a hot dog", 1)], id="the_longest_name"),
    pytest.param("an adorable baby dog", [("an adorable baby dog", 1)], id="unknown_looks_behind_an_article"),
    pytest.param("the girl's red car", [("the girl's red car", 1)], id="possession"),
    pytest.param("the dog bed, a car door, dog-friendly, dogma", [], id="part_of_a_longer_name"),
    pytest.param("the dog's tail", [], id="possessor"),
    pytest.param("no dog, not a car, without any knife", [], id="denied"),
    pytest.param("There isn't a dog.", [], id="contracted_denial"),
    pytest.param(
        "There is no car, but a dog. It is not here: the knife.", [("a dog", 1), ("the knife", 1)], id="denial_ends"
    ),
    pytest.param("some of the dogs, one of two cars, another knife, each person", [], id="some_of_several"),
    pytest.param("most dogs; other cars; like a knife", [], id="some_or_none"),
    pytest.param(
        "a person wearing car-red, holding knives", [("a person", 1), ("knives", None)], id="no_reach_over_verbs"
    ),
]


@pytest.mark.parametrize(("text", "expected"), PHRASES)
def test_phrases(text, expected):
    found = list(noun_phrases(text, forms_of({name: name for name in NAMES})))
    assert [(text[phrase.start : phrase.end], phrase.count) for phrase in found] == expected


@pytest.mark.parametrize(
    ("text", "names"),
    [
        pytest.param("", [], id="empty"),
        pytest.param("The image shows a scene.", [], id="no_things"),
        pytest.param("A dog with two dogs by the fire hydrant.", ["dog", "fire hydrant"], id="one_and_several"),
        pytest.param("It is running.", [], id="no_nouns"),
    ],
)
def test_guessed_names(text, names):
    assert guessed_names(text) == names


def region(number: int, **fields) -> Region:
    return Region(box=(float(number), 0.0, number + 5.0, 5.0), **fields)


THINGS = (
    Object("person", region(0)),
    Object("dog", region(1)),
    Object("dog", region(2)),
    Object("car", region(3), synonyms=("automobile",)),
    Object("leg", region(4), part_of="table"),
    Object("sheep", region(5, crowd=True)),
    Object("sheep", region(6)),
    Object("cloud"),
)


def dialogue(*answers: str, **fields) -> Sample:
    medium = MediaReference("coco/000000000007", "image", "7.png", (40, 60))
    facts = {"id": "llava/7", "source": "llava", "task": "chat", "split": "train", "author": "model"}
    return Sample(
        **facts | {"turns": tuple(Turn("Well?", answer) for answer in answers), "signals": (medium,)} | fields
    )


def boxed(item, **options) -> Sample | Skipped:
    """The sample, or why there is none."""
    options = {"objects_of": lambda medium: THINGS if medium.id == "coco/000000000007" else ()} | options
    (found,) = make([item], 9, "7", Annotators(), BoxedTurnsOptions(**options))
    if isinstance(found, Sample):
        record = found.to_json()
        validate_record(record)
        for old, new in zip(item.turns, found.turns, strict=True):
            assert without_references(parse_markup(old.assistant)) == without_references(parse_markup(new.assistant))
    return found


MARKED = [
    pytest.param("A car.", "[A car]{0}.", [3], id="the_only_one"),
    pytest.param("An automobile.", "[An automobile]{0}.", [3], id="synonym"),
    pytest.param("Two dogs.", "[Two dogs]{0,1}.", [1, 2], id="all_of_a_number"),
    pytest.param("The dogs by a car.", "[The dogs]{0,1} by [a car]{2}.", [1, 2, 3], id="several"),
    pytest.param("A dog? The car!", "A dog? [The car]{0}!", [3], id="one_of_several_is_left"),
    pytest.param("Three dogs, a car.", "Three dogs, [a car]{0}.", [3], id="another_number_is_left"),
    pytest.param("Sheep, a car, a cloud.", "Sheep, [a car]{0}, a cloud.", [3], id="groups_and_placeless_are_left"),
    pytest.param("A leg of table, a car.", "A leg of table, [a car]{0}.", [3], id="half_a_name_is_left"),
    pytest.param("A man with the car.", "[A man]{0} with [the car]{1}.", [0, 3], id="what_a_person_is_called"),
    pytest.param("A man, a woman, a car.", "A man, a woman, [a car]{0}.", [3], id="several_kinds_of_persons"),
    pytest.param("The men and a car.", "The men and [a car]{0}.", [3], id="several_of_one_person"),
    pytest.param("A car, the car.", "[A car]{0}, the car.", [3], id="once_an_answer"),
    pytest.param(
        "[A car] {{and}} [[dogs]].", "[[A car]{0}] {{and}} [[[dogs]{1,2}]].", [3, 1, 2], id="brackets_and_braces"
    ),
]


@pytest.mark.parametrize(("answer", "expected", "objects"), MARKED)
def test_what_is_marked(answer, expected, objects):
    found = boxed(dialogue(answer))
    assert found.turns[0].assistant == expected
    assert found.regions == tuple(THINGS[number].region for number in objects)
    assert (found.id, found.author, found.task) == ("llava/7/boxed", "model", "chat")


def test_marks_and_regions_that_are_there_stay():
    own = region(20)
    found = boxed(dialogue("[A car]{0} and a car.", "The dogs.", regions=(own,)))
    assert [turn.assistant for turn in found.turns] == ["[A car]{0} and [a car]{1}.", "[The dogs]{2,3}."]
    assert found.regions == (own, *(THINGS[number].region for number in (3, 1, 2)))


def test_a_thing_may_be_marked_each_time():
    assert boxed(dialogue("A car, the car."), repeats=True).turns[0].assistant == "[A car]{0}, [the car]{0}."


def test_longer_names_of_the_vocabulary_are_no_things():
    answer = "A toy dogs. A car."
    assert boxed(dialogue("Toy dogs, a car."), vocabulary=("toy dog",)).turns[0].assistant == "Toy dogs, [a car]{0}."
    assert boxed(dialogue(answer)).regions


@pytest.mark.parametrize(
    ("item", "options", "why"),
    [
        pytest.param(kitchen(), {}, "expected dialogues, got annotations", id="annotations"),
        pytest.param(dialogue("A car.", signals=()), {}, "expected one image, got none", id="no_picture"),
        pytest.param(dialogue("Hm."), {}, "expected 1 or more phrases that surely name an object, got 0", id="nothing"),
        pytest.param(dialogue("A car."), {"min_marks": 2}, "expected 2 or more phrases .* got 1", id="too_few"),
        pytest.param(
            dialogue("A car."), {"objects_of": lambda _: ()}, "whose region is known .* got none", id="unknown"
        ),
    ],
)
def test_what_is_left_out(item, options, why):
    found = boxed(item, **options)
    assert isinstance(found, Skipped)
    assert found.where == item.id
    assert re.search(why, found.why)


class Detector:
    """Finds the given boxes, and records the requested names."""

    def __init__(self, *found: tuple[str, tuple[float, ...], float]):
        self.found, self.asked, self.opened = list(found), [], 0

    def annotators(self) -> Annotators:
        def boxes():
            self.opened += 1
            return self._boxes

        return Annotators(boxes=boxes)

    def _boxes(self, picture, names):
        self.asked.append((picture.shape, list(names)))
        return [one for one in self.found if one[0] in names]


@pytest.fixture
def pictured(tmp_path):
    """A dialogue whose image is a file."""
    from PIL import Image

    Image.fromarray(np.zeros((40, 60, 3), np.uint8)).save(tmp_path / "7.png")

    def make_dialogue(*answers: str) -> Sample:
        return dialogue(*answers, signals=(MediaReference("other/7", "image", str(tmp_path / "7.png"), (40, 60)),))

    return make_dialogue


def boxed_by(detector: Detector, items: list[Sample], **options) -> list[Sample | Skipped]:
    return list(make(items, 9, "7", detector.annotators(), BoxedTurnsOptions(**options)))


def test_a_detector_is_asked_for_the_nouns_of_the_answers(pictured):
    detector = Detector(
        ("dogs", (1, 2, 9, 9), 0.9),
        ("dogs", (-5, 20, 900, 30), 0.5),
        ("car", (1, 1, 5, 5), 0.3),
        ("house", (59.5, 1, 70, 5), 0.9),
    )
    found, other = boxed_by(detector, [pictured("Two dogs chase a car near the house."), pictured("Nothing.")])
    assert detector.asked == [((40, 60, 3), ["dogs", "car", "house"])]
    assert detector.opened == 1
    assert found.turns[0].assistant == "[Two dogs]{0,1} chase a car near the house."  # too unsure, too thin
    assert [each.box for each in found.regions] == [(1, 2, 9, 9), (0, 20, 60, 30)]
    assert "whose region is known" in other.why


def test_a_detector_is_asked_for_names_of_the_vocabulary(pictured):
    detector = Detector(("dog", (1, 2, 9, 9), 0.9))
    (found,) = boxed_by(detector, [pictured("The dog sees a car.")], vocabulary=("dog", "cat"))
    assert detector.asked == [((40, 60, 3), ["dog"])]
    assert found.turns[0].assistant == "[The dog]{0} sees a car."


def test_annotations_come_before_the_detector(pictured):
    detector = Detector(("car", (1, 2, 9, 9), 0.9))
    items = [dialogue("A car."), pictured("A car.")]
    first, second = boxed_by(detector, items, objects_of=lambda medium: THINGS if "coco" in medium.id else ())
    assert first.regions == (THINGS[3].region,)
    assert second.regions == (Region(box=(1, 2, 9, 9)),)
    assert len(detector.asked) == 1


def test_a_picture_that_is_not_there_is_left_out():
    (found,) = boxed_by(Detector(), [dialogue("A car.")])
    assert isinstance(found, Skipped)
    assert "7.png" in found.why


def test_the_quota_is_kept():
    items = [dialogue("A car.", id=f"llava/{number}") for number in range(5)]
    options = BoxedTurnsOptions(objects_of=lambda _: THINGS)
    assert [found.id for found in make(items, 2, "7", Annotators(), options)] == ["llava/0/boxed", "llava/1/boxed"]


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        pytest.param({"min_score": 1.5}, "min_score: expected a share from 0 to 1; got 1.5", id="score"),
        pytest.param({"min_marks": 0}, "min_marks: expected a whole number from 1; got 0", id="marks"),
    ],
)
def test_options_are_checked(fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        BoxedTurnsOptions(**fields)


def test_somebody_must_know_where_things_are():
    with pytest.raises(ValueError, match=r"the objects of another set .* or a detector, got neither"):
        list(make([dialogue("A car.")], 1, "7", Annotators(), BoxedTurnsOptions()))


def test_real_dialogues_with_real_boxes(shared_data):
    """LLaVA's GPT-4 dialogues about COCO images: nearly all get regions, each phrase as many as its number requires."""
    folder = shared_data / "llava_text"
    objects = {}
    for line in (folder / "caps_boxes_coco2014_val_80.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        objects[record["id"]] = [
            Object(each["category"], Region(box=tuple(each["bbox"]))) for each in record["instances"]
        ]
    items = []
    for line in (folder / "coco2014_val_gpt4_qa_30x3.jsonl").read_text("utf-8").splitlines():
        record = json.loads(line)
        medium = MediaReference(record["id"], "image")
        items.append(dialogue(plain_text(record["output"]), id=f"{record['id']}/{record['type']}", signals=(medium,)))
    found = list(
        make(items, 999, "7", Annotators(), BoxedTurnsOptions(objects_of=lambda medium: objects.get(medium.id, ())))
    )
    samples = [each for each in found if isinstance(each, Sample)]
    assert len(samples) > 0.8 * len(items)
    for sample in samples:
        counts = Counter(obj.name for obj in objects[sample.signals[0].id])
        for piece in parse_markup(sample.turns[0].assistant):
            if hasattr(piece, "indices"):
                assert len(piece.indices) in counts.values()
                assert len(piece.indices) == 1 or not piece.phrase.startswith(("a ", "A ", "an ", "An "))
