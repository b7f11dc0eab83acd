"""Audio of the world: events lie in the clip without overlap, and are audible where the ground truth places them."""

import numpy as np
import pytest

from deixis.world.audio import EVENT_NAMES, EVENT_SYNTHESIZERS, MAX_CLIP_S, MIN_CLIP_S, RATE_HZ, sample_audio_clip
from deixis.world.dense_targets import event_targets
from deixis.world.scene import SPLITS

SOUNDS = {(split, seed): sample_audio_clip(split, seed) for split in SPLITS for seed in range(15)}


def test_there_are_enough_kinds_and_all_come():
    assert len(EVENT_NAMES) >= 8
    assert {event.kind for sound in SOUNDS.values() for event in sound.events} == set(EVENT_NAMES)


def test_a_seed_is_one_sound_and_splits_share_none():
    for (split, seed), sound in list(SOUNDS.items())[:5]:
        again = sample_audio_clip(split, seed)
        np.testing.assert_array_equal(sound.samples, again.samples)
        assert sound.events == again.events
    assert len({sound.samples.tobytes() for sound in SOUNDS.values()}) == len(SOUNDS)


def test_events_lie_in_the_clip_one_after_the_other():
    for sound in SOUNDS.values():
        assert MIN_CLIP_S - 0.01 <= sound.duration_s <= MAX_CLIP_S
        assert 1 <= len(sound.events) <= 5
        edges = [0.0, *(edge for event in sound.events for edge in (event.start_s, event.end_s)), sound.duration_s]
        assert edges == sorted(edges)


def test_events_are_louder_than_what_is_between():
    for sound in SOUNDS.values():
        time_s = np.arange(len(sound.samples)) / RATE_HZ
        inside = np.zeros(len(time_s), bool)
        for event in sound.events:
            inside |= (time_s >= event.start_s) & (time_s < event.end_s)
        loud, quiet = sound.samples[inside].std(), sound.samples[~inside].std()
        assert loud > 1.5 * quiet
        assert np.abs(sound.samples).max() <= 1


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in EVENT_NAMES])
def test_a_kind_sounds_in_both_halves_of_its_time(kind):
    for seconds in (0.5, 1.8):
        wave = EVENT_SYNTHESIZERS[kind](np.random.default_rng(0), seconds)
        assert wave.shape == (int(seconds * RATE_HZ),)
        assert np.isfinite(wave).all()
        halves = [np.abs(part).max() for part in np.array_split(wave, 2)]
        assert min(halves) > 0.05 * max(halves)


def test_truth_of_frames_is_that_of_the_events():
    sound = SOUNDS["train", 0]
    truth = event_targets(sound.events, EVENT_NAMES, 8.0, cells=800)
    centres_s = (np.arange(800) + 0.5) / 100
    for event in sound.events:
        middle = np.abs(centres_s - (event.start_s + event.end_s) / 2).argmin()
        assert truth.classes[middle, 0] == EVENT_NAMES.index(event.kind) + 1
        np.testing.assert_allclose(truth.box[middle] * 8, [event.start_s, event.end_s], atol=1e-5)
    assert (truth.classes[centres_s > sound.duration_s] == 0).all()
