"""Absent objects: truly absent, from the image's vocabulary and from hard negatives, yes as often as no."""

import json
import re
from collections import Counter

import pytest

from deixis.datasets.annotated import Object
from deixis.datasets.object_names import hard_negatives
from deixis.language.english import counted, plural
from tests.synthesis.pictures import farm, farms, made, marks, picture, read, region, turns

VOCABULARY = ("dog", "hound", "cat", "horse", "grass", "wolf", "fox", "bus", "zebra", "table", "sand", "lamp", "kite")
PRESENT = {"dog", "hound", "cat", "horse", "grass"}
ONLY = {"presence": 0.0, "place": 0.0, "region": 0.0, "count": 0.0}


def is_no(turn) -> bool:
    """Whether the answer denies what the question states or asks for."""
    nothing = any(not mark.indices for mark in marks(turn.assistant))
    return nothing or bool(re.match(r"No\b|That is wrong|It is not", turn.assistant))


def absent_names(text: str) -> list[str]:
    return [re.sub("^an? ", "", mark.phrase.lower()) for mark in marks(text) if not mark.indices]


@pytest.mark.parametrize("seed", ["1", "2", "3"])
def test_yes_is_as_frequent_as_no(seed):
    found = list(turns(made("negatives", farms(60), 200, seed, vocabulary=VOCABULARY)))
    assert sum(is_no(turn) for _, turn in found) / len(found) == pytest.approx(0.5, abs=0.02)


@pytest.mark.parametrize("kind", ["presence", "place", "region", "count"])
def test_each_question_has_as_many_of_both(kind):
    found = list(turns(made("negatives", farms(60), 100, **(ONLY | {kind: 1.0}), vocabulary=VOCABULARY)))
    assert len(found) > 100
    assert sum(is_no(turn) for _, turn in found) / len(found) == pytest.approx(0.5, abs=0.04)


@pytest.mark.parametrize("kind", ["presence", "place"])
def test_the_wording_does_not_tell_the_answer(kind):
    """With the names taken out, the questions of yes and of no begin alike about as often."""
    found = list(turns(made("negatives", farms(500), 1000, **(ONLY | {kind: 1.0}), vocabulary=VOCABULARY)))
    by_start: dict[str, Counter] = {}
    for _, turn in found:
        by_start.setdefault(turn.user.split()[0], Counter())[is_no(turn)] += 1
    frequent = [counts for counts in by_start.values() if counts.total() >= 80]
    assert len(frequent) >= 4
    for counts in frequent:
        assert counts[True] / counts.total() == pytest.approx(0.5, abs=0.22)


def test_what_is_said_to_be_absent_is_absent():
    found = list(turns(made("negatives", farms(60), 300, vocabulary=VOCABULARY)))
    names = Counter(name for _, turn in found for name in absent_names(turn.assistant))
    singular = {plural(name): name for name in VOCABULARY}
    assert {singular.get(name, name) for name in names} == set(VOCABULARY) - PRESENT


def test_half_of_them_look_like_what_is_there():
    alike = {other for name in PRESENT for other in hard_negatives(name)}
    found = turns(made("negatives", farms(60), 200, **(ONLY | {"presence": 1.0}), vocabulary=VOCABULARY))
    names = [name for _, turn in found for name in absent_names(turn.assistant)]
    assert sum(name in alike for name in names) / len(names) == pytest.approx(
        0.65, abs=0.12
    )  # some are sampled at random
    none_alike = turns(
        made("negatives", farms(60), 60, **(ONLY | {"presence": 1.0}), vocabulary=("bus", "kite"), alike=0.0)
    )
    assert {name for _, turn in none_alike for name in absent_names(turn.assistant)} == {"bus", "kite"}


def test_regions_are_not_called_what_they_are_not():
    found = made("negatives", farms(60), 200, **(ONLY | {"region": 1.0}), vocabulary=VOCABULARY)
    for _, turn in turns(found):
        asked = {name for name in (*VOCABULARY, *hard_negatives("dog")) if re.search(rf"\b{name}\b", turn.user.lower())}
        said = re.sub(r"not an? [a-z ]+ but", "", turn.assistant)
        told = {name for name in PRESENT if re.search(rf"\b{name}\b", said)}
        if is_no(turn):
            assert told
            assert not asked & told
            assert not asked & PRESENT
        elif told:
            assert asked == told


def test_counts_are_right():
    true = {"dog": 2, "horse": 1, "cat": 1}
    said = Counter()
    for _sample, turn in turns(made("negatives", farms(40), 100, **(ONLY | {"count": 1.0}))):
        (mark,) = marks(turn.assistant)
        (name,) = (name for name in true if re.search(rf"\b(?:{name}|{plural(name)})\b", turn.user))
        (asked,) = (n for n in range(1, 9) if re.search(rf"\b{counted(n, name)}\b", turn.user))
        assert len(mark.indices) == true[name]
        assert is_no(turn) == (asked != true[name])
        said[is_no(turn)] += 1
    assert min(said.values()) > 20


def test_a_federated_set_is_asked_about_what_it_verified():
    items = farms(20, absent=("bus", "wolf", "hound"), vague=("cat",), closed=False)
    found = list(turns(made("negatives", items, 100, vocabulary=VOCABULARY)))
    names = {name for _, turn in found for name in absent_names(turn.assistant)}
    assert names <= {"bus", "buses", "wolf", "wolves"}
    assert not any(re.search(r"\b(?:two|three) cats", turn.user) for _, turn in found)


def test_a_set_that_marks_some_things_is_asked_about_its_regions():
    found = list(turns(made("negatives", farms(40, complete=False), 100, vocabulary=VOCABULARY)))
    assert not any(absent_names(turn.assistant) for _, turn in found)
    assert sum(is_no(turn) for _, turn in found) / len(found) == pytest.approx(0.5, abs=0.05)
    assert all(marks(turn.user) for _, turn in found if is_no(turn))


ALL_OF_A_NAME = re.compile(r"\b(?:only|every|each|all|just|single|no other|more|both|two|three)\b", re.IGNORECASE)
EVERY_DOG = re.compile(r"\b(?:every|each|all)(?: one)?(?: of)?(?: the)? (?:dog|hound)s?\b")


@pytest.mark.parametrize(
    ("others", "facts"),
    [
        pytest.param([Object("dog", region(90, 30, crowd=True))], {}, id="a_group_too"),
        pytest.param([Object("dog", region(90, 30, ignore=True))], {}, id="an_ignored_one_too"),
        pytest.param([Object("dog")], {}, id="one_without_a_place"),
        pytest.param([Object("hound", region(90, 30, crowd=True), synonyms=("dog",))], {}, id="a_group_of_a_synonym"),
        pytest.param([], {"vague": ("dog",)}, id="more_may_be_there"),
        pytest.param([], {"complete": False}, id="a_set_that_marks_some"),
    ],
)
@pytest.mark.parametrize("part", ["negatives", "objects", "relations", "classes"])
def test_nothing_is_said_of_all_objects_of_a_name_that_may_have_more(part, others, facts):
    options = {"negatives": {"vocabulary": VOCABULARY}, "classes": {"vocabulary": VOCABULARY}}.get(part, {})
    for number in range(1, 20):
        item = picture(number, [Object("dog", region(30, 30)), *others], **facts)
        for _, turn in turns(made(part, [item], **options)):
            assert not EVERY_DOG.search(turn.user), turn
            assert not ALL_OF_A_NAME.search(turn.assistant), turn
            assert "dog" not in absent_names(turn.assistant)


def test_the_region_of_a_class_is_not_called_a_single_object():
    for number in range(1, 30):
        item = picture(number, [Object("car", region(30, 30), stuff=True)])
        for _, turn in turns(made("negatives", [item], vocabulary=VOCABULARY)):
            if "car" in turn.assistant and not absent_names(turn.assistant):
                assert not ALL_OF_A_NAME.search(turn.assistant), turn


def test_an_object_that_cannot_be_read_is_not_said_to_be_absent(tmp_path):
    """Image 1 has a cat whose box and mask are of no use; every other image has a cat or a bird, and a dog."""
    box, categories = [60, 10, 20, 20], [{"id": n, "name": name} for n, name in enumerate(("dog", "cat", "bird"), 1)]
    images = [{"id": n, "file_name": f"{n}.jpg", "width": 160, "height": 120} for n in range(1, 13)]
    annotations = [{"image_id": n, "category_id": 1, "bbox": [5, 5, 30, 30]} for n in range(1, 13)]
    annotations += [{"image_id": n, "category_id": 2 + n % 2, "bbox": box} for n in range(2, 13)]
    for field, value in (("bbox", [60, 10, 0, 20]), ("category_id", 7)):
        cat = {"image_id": 1, "category_id": 2, "bbox": box, field: value}
        content = {"images": images, "annotations": [cat, *annotations], "categories": categories}
        path = tmp_path / field / "train.json"
        path.parent.mkdir()
        path.write_text(json.dumps(content))
        found = turns(made("negatives", read("coco", path, tmp_path / field)))
        absent = {name for sample, turn in found if "/1.jpg/" in sample.id for name in absent_names(turn.assistant)}
        assert absent == ({"bird"} if field == "bbox" else set())


def test_without_anything_to_deny_little_is_affirmed():
    items = [picture(n, [Object("gizmo", region(40, 40))]) for n in range(1, 60)]
    assert len(list(turns(made("negatives", items, 60, count=0.0)))) <= 5


def test_real_coco_form_says_nothing_false(shared_data, tmp_path):
    items = read("coco", shared_data / "nuts_coco" / "annotations.json", tmp_path)
    names = {item.signals[0].id: {obj.name for obj in item.objects} for item in items}
    denied = 0
    for sample, turn in turns(made("negatives", items, 200)):
        for name in absent_names(turn.assistant):
            assert name not in names[sample.signals[0].id]
            denied += 1
    assert denied > 0


def test_real_lvis_says_only_what_was_verified(shared_data, tmp_path):
    items = read("lvis", shared_data / "lvis_val_sample" / "lvis_val_sample.json", tmp_path)
    absent = {item.signals[0].id: {name.lower() for name in item.absent} for item in items}
    found = list(turns(made("negatives", items, 200)))
    singular = {plural(name): name for names in absent.values() for name in names}
    denied = [(sample, name) for sample, turn in found for name in absent_names(turn.assistant)]
    assert len(denied) > 50
    for sample, name in denied:
        assert singular.get(name, name) in absent[sample.signals[0].id] or name in absent[sample.signals[0].id]
    assert sum(is_no(turn) for _, turn in found) / len(found) == pytest.approx(0.5, abs=0.03)


def test_one_item_alone_is_asked():
    assert made("negatives", [farm()], vocabulary=VOCABULARY)
