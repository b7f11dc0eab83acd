"""Single objects: the questions, their directions, and that the answers are right."""

import re
from collections import Counter

import pytest

from deixis.datasets.annotated import Object
from deixis.language.english import plural
from deixis.synthesis.parts.objects import MAX_THINGS
from tests.synthesis.pictures import direction, farm, farms, made, marks, picture, read, region, turns


@pytest.mark.parametrize(
    "shares",
    [
        pytest.param({"in": 0.4, "out": 0.4, "both": 0.2}, id="default"),
        pytest.param({"in": 0.1, "out": 0.2, "both": 0.7}, id="mostly_both"),
        pytest.param({"in": 1.0, "out": 0.0, "both": 0.0}, id="in_alone"),
        pytest.param({"in": 0.0, "out": 1.0, "both": 0.0}, id="out_alone"),
    ],
)
def test_directions_occur_in_the_asked_shares(shares):
    options = {"region_in": shares["in"], "region_out": shares["out"], "both": shares["both"]}
    found = made("objects", farms(60), 90, **options)
    counts = Counter(_asked_direction(turn) for _, turn in turns(found))
    for kind, share in shares.items():
        assert counts[kind] / counts.total() == pytest.approx(share, abs=0.04)


def _asked_direction(turn) -> str:
    """As `direction`, but "are there others like {0}" without another is both too."""
    is_alone = direction(turn) == "in" and re.search(r"\b(?:no|only)\b", turn.assistant)
    return "both" if is_alone else direction(turn)


def test_answers_are_the_objects_of_the_name():
    boxes = {name: [] for name in ("dog", "horse", "cat", "grass")}
    for obj in farm().objects:
        boxes[obj.name].append(obj.region.box)
    for sample, turn in turns(made("objects", farms(30), 60, region_in=0, both=0)):
        (mark,) = marks(turn.assistant)
        (name,) = (name for name in boxes if re.search(rf"\b(?:{name}|{plural(name)})\b", turn.user))
        assert [sample.regions[number].box for number in mark.indices] == boxes[name]
        assert sample.regions[mark.indices[0]].mask is not None


def test_names_are_those_of_the_regions_and_synonyms_are_as_right():
    for sample, turn in turns(
        made("objects", farms(30), 60, region_out=0, both=0, point=1, scribble=0, blob=0, polygon=0)
    ):
        (mark,) = marks(turn.user)
        asked = sample.regions[mark.indices[0]]
        names = {obj.name for obj in farm().objects if re.search(rf"\b{obj.name}\b", turn.assistant.lower())}
        assert len(names) == 1
        assert _holds(next(iter(names)), asked)
        assert [name in turn.references[0] for name in ("hound",) if turn.references] == [True] * bool(turn.references)


def _holds(name: str, asked) -> bool:
    """Whether the point, or the middle of the shape's box, is in a box of the name."""
    from deixis.geometry.mask_patches import mask_patch

    if asked.point is not None:
        x, y = asked.point
    elif asked.box is not None:
        x, y = (asked.box[0] + asked.box[2]) / 2, (asked.box[1] + asked.box[3]) / 2
    else:
        patch = mask_patch(asked.mask)
        x, y = patch.left + patch.pixels.shape[1] / 2, patch.top + patch.pixels.shape[0] / 2
    boxes = [obj.region.box for obj in farm().objects if obj.name == name]
    return any(x1 <= x <= x2 and y1 <= y <= y2 for x1, y1, x2, y2 in boxes)


def test_others_of_a_kind_leave_out_the_one_pointed_at():
    found = made(
        "objects", farms(40), 200, region_in=0, region_out=0, point=0, box=1, scribble=0, blob=0, polygon=0, mask=0
    )
    others = [
        (
            sample.regions[marks(turn.user)[0].indices[0]].box,
            [sample.regions[n].box for n in marks(turn.assistant)[0].indices],
        )
        for sample, turn in turns(found)
        if marks(turn.assistant) and sample.regions[marks(turn.user)[0].indices[0]].box is not None
    ]
    dogs = [obj.region.box for obj in farm().objects if obj.name == "dog"]
    assert others
    assert all(asked in dogs and rest == [box for box in dogs if box != asked] for asked, rest in others)


def test_exact_places_are_not_given_away():
    """Where the whole object is asked for, the question's region is not the answer's."""
    found = made("objects", farms(20, masked=False), 60, region_in=0, region_out=0, box=1, point=0)
    exact = [(s, t) for s, t in turns(found) if marks(t.assistant) and len(marks(t.assistant)[0].indices) == 1]
    given = [
        s.regions[marks(t.user)[0].indices[0]].box == s.regions[marks(t.assistant)[0].indices[0]].box for s, t in exact
    ]
    assert len(given) > 20
    assert not any(given)


@pytest.mark.parametrize(
    ("form", "set_form", "masked", "mark"),
    [
        pytest.param("set", "box", True, None, id="a_set_of_boxes"),
        pytest.param("set", "mask", True, "mask", id="a_set_of_masks"),
        pytest.param("mask", "box", True, "mask", id="masks_wanted"),
        pytest.param("box", "mask", True, None, id="boxes_wanted"),
        pytest.param("mask", "box", False, None, id="masks_wanted_that_are_not_there"),
    ],
)
def test_answers_are_in_the_form_that_is_wanted_and_asked_for(form, set_form, masked, mark):
    for _, turn in turns(made("objects", farms(10, masked=masked, form=set_form), 40, form=form, region_in=0)):
        given = marks(turn.assistant)
        assert {found.form for found in given} <= {mark}
        requests = re.search(r"mask|segment|outline|pixel|shape", turn.user, re.IGNORECASE)
        assert (requests is not None) >= (mark == "mask")
    assert mark is None or requests


def test_one_thing_is_asked_for_where_a_set_does_not_mark_all():
    for _, turn in turns(made("objects", farms(20, complete=False), 60, region_in=0)):
        assert not re.search(r"\b(?:every|all|each)\b .*(?:dog|cat|horse)", turn.user)
        assert all(len(mark.indices) == 1 for mark in marks(turn.assistant))


def test_groups_and_nameless_things_are_not_asked_about():
    objects = [
        Object("", region(30, 30)),
        Object("cow", region(80, 30, crowd=True)),
        Object("cow", region(80, 60)),
        Object("pig", region(30, 60, ignore=True)),
        Object("hen"),
    ]
    found = made("objects", [picture(1, objects)])
    text = " ".join(turn.user + turn.assistant for _, turn in turns(found))
    assert "cow" in text
    assert "pig" not in text
    assert "hen" not in text
    assert all(not (region.crowd or region.ignore) for sample in found for region in sample.regions)
    assert "every cow" not in text
    assert "all cows" not in text


def test_very_many_things_are_not_asked_for_at_once():
    objects = [Object("bee", region(10 + n, 20, 3, 3)) for n in range(MAX_THINGS + 1)]
    found = made("objects", [picture(1, objects)], region_in=0)
    assert found
    assert all(len(mark.indices) <= 1 for _, turn in turns(found) for mark in marks(turn.assistant))


def test_sounds_are_asked_about_by_their_spans():
    from dataclasses import replace

    from deixis.geometry import Region
    from deixis.samples.sample import MediaReference

    medium = MediaReference("fsdd/1", "audio", duration_s=3.0, rate_hz=8000)
    objects = (
        Object("seven", Region(span=(0.5, 1.0))),
        Object("two", Region(span=(1.5, 2.0))),
    )
    found = made("objects", [replace(picture(1, objects), signals=(medium,))])
    assert {region.span for sample in found for region in sample.regions} == {(0.5, 1.0), (1.5, 2.0)}
    assert all("photo" not in turn.user and "picture" not in turn.user for _, turn in turns(found))


@pytest.mark.parametrize(
    ("folder", "file"),
    [
        pytest.param("nuts_coco", "annotations.json", id="nuts"),
        pytest.param("coco_val_sample", "annotations.json", id="coco"),
    ],
)
def test_real_sets_in_cocos_form(shared_data, tmp_path, folder, file):
    items = read("coco", shared_data / folder / file, tmp_path)
    found = made("objects", items)
    assert {sample.signals[0].id for sample in found} == {item.signals[0].id for item in items if item.objects}
    assert {direction(turn) for _, turn in turns(found)} == {"in", "out", "both"}


def test_real_lvis(shared_data, tmp_path):
    items = read("lvis", shared_data / "lvis_val_sample" / "lvis_val_sample.json", tmp_path)
    vague = {item.signals[0].id: set(item.vague) for item in items}
    for sample, turn in turns(made("objects", items, 400)):
        for name in vague[sample.signals[0].id]:
            assert not re.search(
                rf"\b(?:every (?:one of the )?|all (?:of )?(?:the )?)(?:{name}|{plural(name)})\b", turn.user
            )
