"""Questions over two signals: what they say agrees with both, by means that the generator does not use."""

import numpy as np
import pytest

from deixis.geometry import named_regions
from deixis.world.audio import EVENT_NAMES, RATE_HZ, sample_events
from deixis.world.generate import WORLD, every_question, question_rng, world_facts
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES, SIZES
from deixis.world.pairs import OTHER_SOUNDS, SOUNDS_OF, makers

SEEDS = range(300, 324)
PAIRS = [subject for subject in WORLD if "+" in subject]


@pytest.fixture(scope="module")
def pairs():
    return {subject: [world_facts("test", seed, subject, supersample=1) for seed in SEEDS] for subject in PAIRS}


def samples_of(facts, task):
    seed = int(facts.id.split("/")[2])
    return every_question(facts, question_rng("test", seed, facts.subject), task)


def test_every_sound_has_one_maker_at_most():
    assert set(SOUNDS_OF) <= set(KIND_NAMES)
    assert len(set(SOUNDS_OF.values())) == len(SOUNDS_OF)
    assert {*SOUNDS_OF.values(), *OTHER_SOUNDS} == set(EVENT_NAMES)


def test_regions_lie_on_the_signal_that_has_their_form(pairs):
    maps = {"mask", "box", "point"}
    forms = {
        "depth": maps,
        "video": {"box"},
        "audio": {"span", "point"},
        "imu": {"span"},
        "image": {"mask", "box", "point"},
        "point_cloud": {"points", "box3d", "point"},
    }
    for subject, found in pairs.items():
        for sample in (s for facts in found[:12] for task in WORLD[subject].tasks for s in samples_of(facts, task)):
            modalities = [medium.modality for medium in sample.signals]
            assert modalities == subject.split("+")
            assert all(region.form in forms[modalities[region.signal]] for region in sample.regions), sample.id


def test_what_is_said_to_sound_is_loud_then_and_is_the_one_that_makes_it(pairs):
    seen = set()
    for facts in pairs["image+audio"]:
        clip = facts.second.media[0].values
        for sample in samples_of(facts, "source"):
            word, where = sample.turns[0].references[0], sample.regions[0]
            middle_s = np.mean(where.span or where.point)
            event = next(e for e in facts.second.events if e.start_s <= middle_s <= e.end_s)
            inside = clip[round(event.start_s * RATE_HZ) : round(event.end_s * RATE_HZ)]
            assert inside.std() > 2 * np.median(np.abs(clip[: RATE_HZ // 10]))
            assert SOUNDS_OF.get(word, "none") == (event.kind if event.kind in makers(facts.first) else "none")
            seen.add(word == "nothing")
    assert seen == {True, False}


def test_silent_things_are_not_heard(pairs):
    answers = []
    for facts in pairs["image+audio"]:
        heard = {event.kind for event in facts.second.events}
        sounds = {i: kind for kind, i in makers(facts.first).items()}
        for sample in samples_of(facts, "makes_sound"):
            (number,) = [i for i in facts.first.visible if covers(facts.first, i, sample.regions[0])]
            answers.append(sample.turns[0].references[0])
            assert (sounds.get(number) in heard) == (answers[-1] == "yes")
    assert 0.25 < np.mean([answer == "yes" for answer in answers]) < 0.75


def covers(scene, number, region):
    """Whether the region lies on this object: most of its mask, its point, or the box that fits best."""
    inside = scene.cells(number)
    if region.mask is not None:
        return bool((region.mask_array & inside).sum() == region.mask_array.sum())
    if region.point is not None:
        return bool(inside[int(region.point[1]), int(region.point[0])])
    boxes = {i: np.abs(np.array(scene.record(i).box) - region.box).sum() for i in scene.visible}
    return min(boxes, key=boxes.__getitem__) == number


def test_the_same_thing_has_the_same_colours_in_both_views(pairs):
    """By the colours of pixels and of points, not by the numbers of objects."""
    right = []
    for facts in pairs["image+point_cloud"]:
        rgb, cloud = facts.media[0].values / 255, facts.media[1].values
        for sample in samples_of(facts, "find_other"):
            (asked,) = named_regions(sample.turns[0].user)
            answer = sample.regions[1]
            assert {sample.regions[asked].signal, answer.signal} == {0, 1}
            kind = sample.turns[0].references[0]
            number = next(i for i in facts.first.visible if facts.first.object_at(i).kind == kind)
            pixels = rgb[facts.first.cells(number)].mean(0)
            points = cloud[facts.second.cells(number), 3:].mean(0)
            others = [cloud[facts.second.cells(j), 3:].mean(0) for j in facts.second.visible if j != number]
            cosine = lambda a, b: float(a @ b / np.linalg.norm(a) / np.linalg.norm(b))  # noqa: E731
            right += [cosine(pixels, points) > cosine(pixels, other) for other in others]
    assert np.mean(right) > 0.85


def test_who_stands_still_moves_least_and_who_hears_something_hears_it_then(pairs):
    """By the deviation of the accelerometer, and the loudness of the clip, in the spans that answers name."""
    deviations = {}
    for facts in pairs["audio+imu"]:
        clip, trace = (medium.values for medium in facts.media)
        for sample in samples_of(facts, "doing"):
            start_s, end_s = (round(s * facts.media[1].rate_hz) for s in sample.regions[-1].span)
            moves = np.linalg.norm(trace[start_s:end_s, :3], axis=1).std()
            deviations.setdefault(sample.turns[0].references[0], []).append(moves)
        for sample in samples_of(facts, "heard_while"):
            for region in sample.regions:
                start, end = (round(s * RATE_HZ) for s in region.span)
                assert clip[start:end].std() > 2 * np.median(np.abs(clip[: RATE_HZ // 10]))
    still = deviations.pop("standing still")
    assert max(np.median(still), 0.1) < min(np.median(own) for own in deviations.values())


def test_distances_of_named_things_are_those_of_the_depth_map(pairs):
    for facts in pairs["image+depth"]:
        for sample in samples_of(facts, "distance_of"):
            words = set(sample.turns[0].user.rstrip("?").split())
            (number,) = [i for i in facts.first.visible if fits(facts.first.object_at(i), words)]
            inside = facts.first.cells(number)
            metres = float(sample.turns[0].references[0])
            assert np.median(facts.media[1].values[inside]) == pytest.approx(metres, rel=0.06)


def fits(obj, words):
    """Whether an object has the kind that a question names, and its colour and size, if any."""
    return obj.kind in words and words & {*COLOUR_NAMES, *SIZES} <= {obj.colour, obj.size}


def test_what_is_said_to_happen_during_a_sound_changes_pixels_then(pairs):
    """By the differences of frames inside the tube, and the loudness of the sound track."""
    seen = set()
    for facts in pairs["video+audio"]:
        frames, clip = facts.media[0].values.astype(float), facts.media[1].values
        for sample in samples_of(facts, "during"):
            where = sample.regions[0]
            at_s = np.mean(where.span or where.point)
            event = next(e for e in facts.second.events if e.start_s <= at_s <= e.end_s)
            inside = clip[round(event.start_s * RATE_HZ) : round(event.end_s * RATE_HZ)]
            assert inside.std() > 2 * np.median(np.abs(clip[: RATE_HZ // 20]))
            seen.add(sample.turns[0].references[0] == "nothing")
            if len(sample.regions) == 2 and not facts.first.clip.turn_deg:
                x1, y1, x2, y2 = (round(edge) for edge in sample.regions[1].box)
                rate_hz, last = facts.media[0].rate_hz, len(frames) - 1
                before, after = (min(round(s * rate_hz), last) for s in sample.regions[1].time_s)
                change = np.abs(frames[after] - frames[before]).mean(-1)
                assert change[y1:y2, x1:x2].mean() > 2 * np.median(change)
    assert seen == {True, False}


def test_what_moves_lies_in_the_depth_map_where_it_is_when_the_video_begins(pairs):
    for facts in pairs["video+depth"]:
        for sample in samples_of(facts, "mark_mover"):
            (action,) = facts.first.doing("moves")
            masks = sample.regions[0].mask_array, facts.first.clip.object_id[0] == action.number
            in_map, in_video = (np.array(np.nonzero(mask)).mean(1) / len(mask) for mask in masks)
            assert np.abs(in_map - in_video).max() < 0.05


def test_events_of_no_kinds_but_those_given():
    sound = sample_events(np.random.default_rng(3), ("dog",))
    assert {event.kind for event in sound.events} == {"dog"}
