"""Motion traces: gravity where nobody moves, the cadence that is stated, movement where the ground truth places it."""

from itertools import pairwise

import numpy as np
import pytest

from deixis.world.events import Event
from deixis.world.generate import every_question, question_rng, world_facts
from deixis.world.motion import (
    ACTIVITIES,
    ACTIVITY_NAMES,
    GRAVITY,
    MAX_TRACE_S,
    MIN_TRACE_S,
    MOTION_RATE_HZ,
    ON_FOOT,
    PLACES,
    Motion,
    sample_motion,
    told_by,
)
from deixis.world.scene import SPLITS

TRACES = [sample_motion(split, seed) for split in SPLITS for seed in range(60)]
WRIST_ONLY = {"waving", "stirring", "clapping"}


def rows_of(trace: Motion, event: Event, margin_s: float = 0.0) -> np.ndarray:
    """The rows of an activity, less a margin at both ends."""
    return trace.rows[round((event.start_s + margin_s) * 50) : round((event.end_s - margin_s) * 50)]


def strongest_hz(columns: np.ndarray) -> float:
    """The frequency, from 0.8 to 4.5 Hz, at which the spectra of columns together are highest."""
    spectrum = np.abs(np.fft.rfft((columns - columns.mean(0)) * np.hanning(len(columns))[:, None], 4096, axis=0))
    hz = np.fft.rfftfreq(4096, 1 / MOTION_RATE_HZ)
    power = (spectrum**2).sum(1) * ((hz >= 0.8) & (hz <= 4.5))
    return float(hz[power.argmax()])


def test_every_kind_comes_and_a_seed_is_one_trace():
    assert {event.kind for trace in TRACES for event in trace.events} == set(ACTIVITY_NAMES)
    assert {trace.worn for trace in TRACES} == set(PLACES)
    assert len({trace.rows.tobytes() for trace in TRACES}) == len(TRACES)
    again = sample_motion("train", 3)
    np.testing.assert_array_equal(again.rows, TRACES[3].rows)
    assert again.events == TRACES[3].events


def test_activities_fill_the_trace_one_after_the_other():
    for trace in TRACES:
        assert MIN_TRACE_S - 0.03 <= trace.duration_s <= MAX_TRACE_S + 0.03
        assert 1 <= len(trace.events) <= 5
        assert (trace.events[0].start_s, trace.events[-1].end_s) == (0.0, trace.duration_s)
        for event, following in pairwise(trace.events):
            assert event.start_s < event.end_s == following.start_s
            assert event.kind != following.kind


def test_a_hip_tells_nothing_that_an_arm_does():
    assert set(told_by("wrist")) - set(told_by("hip")) == WRIST_ONLY
    for trace in TRACES:
        assert trace.worn == "wrist" or not WRIST_ONLY & {event.kind for event in trace.events}


def test_nobody_who_sits_walks():
    for trace in TRACES:
        sits = None
        for event in trace.events:
            after = ACTIVITIES[event.kind].sits
            assert not (sits and after is None) or event.kind in WRIST_ONLY
            assert after is None or after is not sits
            sits = sits if after is None else after


def test_still_parts_measure_gravity_alone():
    still = [rows_of(t, e, 0.5) for t in TRACES for e in t.events if e.kind == "standing still"]
    assert len(still) > 30
    for rows in still:
        assert abs(np.linalg.norm(rows[:, :3], axis=1).mean() - GRAVITY) < 0.1
        assert np.abs(rows[:, 3:].mean(0)).max() < 0.05


def test_gravity_points_where_the_mounting_and_the_posture_turn_it():
    downs = np.array(
        [rows_of(t, e, 0.5)[:, :3].mean(0) for t in TRACES for e in t.events if e.kind == "standing still"]
    )
    assert np.linalg.norm(downs - downs.mean(0), axis=1).min() > 0.1
    for trace in TRACES:
        if trace.events[0].kind == "sitting down":  # before, the person stands still
            before, after = (rows_of(trace, trace.events[0])[part, :3].mean(0) for part in (slice(5), slice(-5, None)))
            assert np.linalg.norm(after - before) > 3


def test_the_gyroscope_turns_gravity_as_the_accelerometer_sees_it():
    """Rotated by the measured rates from one still part to the next, gravity comes to lie where it is measured."""
    from scipy.spatial.transform import Rotation

    checked = 0
    for trace in TRACES:
        still = [e for e in trace.events if e.kind == "standing still"]
        for first, second in pairwise(still):
            start, end = (round((e.start_s + e.end_s) / 2 * 50) for e in (first, second))
            turned = Rotation.identity()
            for rates in trace.rows[start:end, 3:]:
                turned = turned * Rotation.from_rotvec(rates / MOTION_RATE_HZ)
            measured = [trace.rows[at - 8 : at + 8, :3].mean(0) for at in (start, end)]
            assert np.linalg.norm(turned.inv().apply(measured[0]) - measured[1]) < 0.35 * GRAVITY
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in ACTIVITY_NAMES])
def test_the_spectrum_has_the_cadence(kind):
    """Of the whole body in the norm of the acceleration; of an arm in the six columns, for the norm has its double."""
    steady = [(t, e) for t in TRACES for e in t.events if e.kind == kind and e.end_s - e.start_s > 2.5]
    for trace, event in steady:
        if event.cadence_hz is None:
            assert kind not in {*ON_FOOT, *WRIST_ONLY}
            continue
        rows = rows_of(trace, event, 0.2)
        columns = rows if kind in WRIST_ONLY else np.linalg.norm(rows[:, :3], axis=1)[:, None]
        assert strongest_hz(columns) == pytest.approx(event.cadence_hz, rel=0.1)
    assert len(steady) > 5 or ACTIVITIES[kind].sits is not None


def test_movement_is_where_the_activities_are():
    """Half a second around an end belongs to nobody; the rest is still in no activity but one."""
    moved = {name: [] for name in ACTIVITY_NAMES}
    for trace in TRACES:
        for event in trace.events:
            rows = rows_of(trace, event, 0.25)
            speed = np.linalg.norm(rows[:, 3:], axis=1).mean()
            moved[event.kind].append(np.linalg.norm(rows[:, :3], axis=1).std() + speed)
    loudest_still = max(moved.pop("standing still"))
    assert all(min(values) > loudest_still for values in moved.values())


def test_steps_are_asked_of_who_is_on_foot_and_only_where_they_can_be_counted():
    asked = 0
    for seed in range(40):
        facts = world_facts("test", seed, "imu")
        for sample in every_question(facts, question_rng("test", seed, "imu"), "cadence"):
            stated, (region,) = float(sample.turns[0].references[0]), sample.regions
            middle_s = region.point[0] if region.point else sum(region.span) / 2
            (event,) = (e for e in facts.events if e.start_s <= middle_s < e.end_s)
            assert event.kind in ON_FOOT
            assert event.end_s - event.start_s >= 1.5
            assert stated == pytest.approx(event.cadence_hz, abs=0.051)
            asked += 1
    assert asked > 10


def test_where_it_is_worn_is_not_asked_of_who_only_stands():
    facts = [world_facts("train", seed, "imu") for seed in range(80)]
    only_stand = [f for f in facts if {event.kind for event in f.events} == {"standing still"}]
    assert only_stand
    assert not any(every_question(f, np.random.default_rng(0), "worn") for f in only_stand)
    words = {f.worn: every_question(f, np.random.default_rng(0), "worn") for f in facts if f not in only_stand}
    assert {place: own[0].turns[0].assistant for place, own in words.items()} == {
        "wrist": "On the wrist.",
        "hip": "At the hip.",
    }
