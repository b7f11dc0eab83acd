"""Video clips: boxes agree with pixels, motion is continuous, what stays stays, and questions say what is seen."""

import numpy as np
import pytest

from deixis.geometry import Reference, parse_markup
from deixis.signals import open_signal
from deixis.signals.video import write
from deixis.world.dense_targets import video_targets
from deixis.world.generate import every_question, sample_questions_about, world_facts
from deixis.world.objects import COLOUR_NAMES, KIND_NAMES
from deixis.world.scene import scene_rng
from deixis.world.video import (
    ACTIONS,
    APPEARS,
    DURATION_S,
    FRAMES,
    LEAVES,
    MOVES,
    RATE_HZ,
    position_xy,
    sample_clip,
    size_share,
)

COUNT, SIZE_PX = 14, 48


@pytest.fixture(scope="module")
def clips():
    """The annotations of some clips, in small frames."""
    return [world_facts("test", seed, "video", size_px=SIZE_PX) for seed in range(COUNT)]


def middle_of(inside):
    rows, columns = np.nonzero(inside)
    return np.array([columns.mean(), rows.mean()])


def test_a_seed_is_one_clip(clips):
    again = sample_clip("test", 0, SIZE_PX)
    np.testing.assert_array_equal(again.frames, clips[0].clip.frames)
    assert again.actions == clips[0].clip.actions
    assert again.frames.shape == (FRAMES, SIZE_PX, SIZE_PX, 3)
    assert len({facts.clip.frames.tobytes() for facts in clips}) == COUNT


def test_something_happens_in_every_clip(clips):
    assert all(1 <= len(facts.clip.actions) <= 2 for facts in clips)
    assert {action.name for facts in clips for action in facts.clip.actions} == set(ACTIONS)
    assert 0.2 < np.mean([facts.clip.turn_deg != 0 for facts in clips]) < 0.7
    for action in (action for facts in clips for action in facts.clip.actions):
        assert 0 < action.start_s < action.end_s < DURATION_S
        assert action.end_s - action.start_s >= 1
    pairs = [facts.clip.actions for facts in clips if len(facts.clip.actions) == 2]
    assert all(second.start_s - first.start_s >= 0.5 for first, second in pairs)


def test_things_do_not_jump_and_do_not_meet(clips):
    for facts in clips:
        clip = facts.clip
        numbers = range(len(clip.scene.objects))
        ways = {n: np.array([position_xy(clip.scene, n, clip.actions, t / 10) for t in range(40)]) for n in numbers}
        for number, way in ways.items():
            assert np.linalg.norm(np.diff(way, axis=0), axis=1).max() < 0.26
            sizes = [size_share(number, clip.actions, t / 10) for t in range(40)]
            assert np.abs(np.diff(sizes)).max() < 0.11
            for other in range(number):
                gap = np.linalg.norm(way - ways[other], axis=1).min()
                assert gap > 0.5 * (clip.scene.objects[number].scale + clip.scene.objects[other].scale)


def test_what_stays_shows_the_same_pixels_to_a_still_camera(clips):
    """But for what is hidden by something that acts, which is told by the pixels of both frames."""
    compared = 0
    for facts in (facts for facts in clips if not facts.clip.turn_deg):
        shown = facts.clip.object_id
        acting = [action.number for action in facts.clip.actions]
        for number in set(range(len(facts.scene.objects))) - set(acting):
            hidden = np.isin(shown, acting).any(0)
            own = (shown == number) & ~hidden
            np.testing.assert_array_equal(own, np.broadcast_to(own[0], own.shape))
            compared += own[0].any()
    assert compared > 5


def test_what_acts_is_seen_to_act(clips):
    """By the pixels alone: what appears is not there before, what leaves not after, what moves is elsewhere."""
    seen = dict.fromkeys(ACTIONS, 0)
    for facts in clips:
        for action in filter(facts.is_clear, facts.clip.actions):
            inside = facts.clip.object_id == action.number
            first, last = round(action.start_s * RATE_HZ), round(action.end_s * RATE_HZ)
            seen[action.name] += 1
            if action.name == APPEARS:
                assert not inside[: first + 1].any()
                assert inside[last:].any((1, 2)).all()
            elif action.name == LEAVES:
                assert inside[: first + 1].any((1, 2)).all()
                assert not inside[last:].any()
            elif not facts.clip.turn_deg:
                assert (inside[first] != inside[last]).mean() > 0.003
    assert min(seen.values()) > 0


def test_boxes_are_around_the_pixels_of_their_time(clips):
    for facts in clips:
        for number in facts.visible:
            tube = facts.record(number)
            x1, y1, x2, y2 = tube.box
            first, last = (round(second * RATE_HZ) for second in tube.time_s)
            inside = facts.clip.object_id == number
            assert not inside[:first].any()
            assert not inside[last:].any()
            rows, columns = np.nonzero(inside.any(0))
            assert (x1, y1, x2, y2) == (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)


def test_directions_are_those_of_the_pixels(clips):
    agree = []
    for facts in clips:
        for action in filter(facts.is_clear, facts.clip.actions):
            if (way := facts.direction(action)) is not None:
                inside = facts.clip.object_id == action.number
                first, last = round(action.start_s * RATE_HZ), round(action.end_s * RATE_HZ)
                x, y = middle_of(inside[last]) - middle_of(inside[first])
                agree.append({"left": x < 0, "right": x > 0, "camera": y > 0, "away": y < 0}[way])
    assert len(agree) > 3
    assert sum(agree) >= len(agree) - 1  # others may hide parts of what moves


def test_regions_of_questions_show_what_is_asked_about():
    """Pixels in a region, in its time, are those of the thing in its answer, most of them in a box."""
    shares = []
    for seed in range(4):
        facts = world_facts("train", seed, "video", size_px=64)
        for sample in every_question(facts, scene_rng("train", seed, 97), "name"):
            (region,) = sample.regions
            start_s, end_s = region.time_s or (0, DURATION_S)
            frames = slice(int(start_s * RATE_HZ), max(int(start_s * RATE_HZ) + 1, int(end_s * RATE_HZ)))
            answer = sample.turns[0].assistant.rstrip(".").split()
            own = [i for i in facts.visible if facts.label(i).split() == answer[-2:]]
            shown = np.isin(facts.clip.object_id[frames], own)
            if region.mask is not None:
                assert shown[:, region.mask_array].all()
            elif region.point is not None:
                assert shown[:, int(region.point[1]), int(region.point[0])].all()
            else:
                x1, y1, x2, y2 = (round(v) for v in region.box)
                shares.append(shown[:, y1:y2, x1:x2].mean())
    assert len(shares) > 4
    assert np.mean(shares) > 0.35


def test_answers_say_what_happens(clips):
    for facts in clips:
        rng, does = scene_rng("test", 0, 96), {a.number: a.name for a in facts.clip.actions}
        for sample in every_question(facts, rng, "motion"):
            texts = [p for p in parse_markup(sample.turns[0].assistant) if isinstance(p, Reference)]
            assert len(texts) == sum(name == MOVES for name in does.values()) == len(sample.regions)
        for sample in sample_questions_about(facts, rng, 12):
            words = sample.turns[-1].assistant.lower().split()
            if sample.task == "video_absence":
                assert sample.regions == ()
                kind = next(word.strip("[]{}.") for word in words if word.strip("[]{}.") in KIND_NAMES)
                colour = next(word.strip("[") for word in words if word.strip("[") in COLOUR_NAMES)
                assert not facts.matching(kind, colour)


def test_a_clip_is_read_back_from_its_file(tmp_path):
    clip = sample_clip("train", 3)
    write(clip.frames, tmp_path / "clip.mp4", RATE_HZ)
    read = open_signal(tmp_path / "clip.mp4")
    np.testing.assert_allclose(read.info["times_s"], np.arange(FRAMES) / RATE_HZ)
    assert read.extent.duration_s == DURATION_S
    assert np.abs(read.values.astype(int) - clip.frames).mean() < 5


def test_dense_targets_of_a_clip_are_those_of_its_frames(clips):
    facts = clips[1]
    targets = video_targets(facts.clip, 4, 16)
    assert targets.classes.shape == (4 * 256, 3)
    shown = targets.classes[:, 0] > 0
    x, y = (np.tile(np.arange(256) % 16, 4) + 0.5) / 16, (np.tile(np.arange(256) // 16, 4) + 0.5) / 16
    box = targets.box[shown]
    assert ((box[:, 0] <= x[shown]) & (x[shown] <= box[:, 3]) & (box[:, 1] <= y[shown]) & (y[shown] <= box[:, 4])).all()
    doing = {action.number: ACTIONS.index(action.name) + 2 for action in facts.clip.actions}
    assert set(targets.classes[shown, 2]) <= {1, *doing.values()}
    assert (targets.classes[~shown] == 0).all()
