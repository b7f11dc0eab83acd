"""Simulated fMRI responses: one layout, and what is said of a response can be found in it by independent means."""

from itertools import combinations

import numpy as np
import pytest

from deixis.geometry import point_mask
from deixis.signals import open_signal, parcel_labels
from deixis.signals.fmri import FMRI
from deixis.world.audio import EVENT_NAMES, sample_audio_clip
from deixis.world.dense_targets import fmri_targets
from deixis.world.fmri import (
    AREA_NAMES,
    STEP_S,
    estimated_response,
    haemodynamic_response,
    kind_parcels,
    parcel_areas,
    responding_parcels,
    stimulus_course,
    voxel_parcels,
)
from deixis.world.fmri_facts import fmri_facts, voxel_places
from deixis.world.generate import every_question, question_rng, world_facts
from deixis.world.objects import KIND_NAMES

pytest.importorskip("nibabel")
SEEDS = range(40)


@pytest.fixture(scope="module")
def all_facts():
    return [fmri_facts("test", seed) for seed in SEEDS]


def parcel_means(values: np.ndarray) -> np.ndarray:
    return np.array([values[voxel_parcels() == parcel].mean() for parcel in range(64)])


def test_the_layout_is_that_of_every_seed(all_facts):
    """Halving a response along its longest axis gives the very parcels."""
    for facts in all_facts[:4]:
        signal = open_signal(facts.medium.values)
        np.testing.assert_allclose(signal.extent.points_xyz, voxel_places())
        labels = parcel_labels(signal, 64)
        assert len(set(zip(labels.tolist(), voxel_parcels().tolist(), strict=True))) == 64
    assert len(parcel_areas()) == 64
    assert set(parcel_areas()) == set(AREA_NAMES)
    back, front = (voxel_places()[np.isin(voxel_parcels(), parcels_in(area))] for area in ("early visual", "frontal"))
    assert back[:, 1].max() < front[:, 1].min()
    assert voxel_places()[np.isin(voxel_parcels(), parcels_in("language")), 0].max() < 0  # on the left


def parcels_in(area: str) -> list[int]:
    return [parcel for parcel, own in enumerate(parcel_areas()) if own == area]


def test_two_kinds_are_never_taken_for_a_third():
    kinds = {name: set(own) for name, own in kind_parcels().items()}
    assert list(kinds) == [*KIND_NAMES, *EVENT_NAMES]
    for names, area in ((KIND_NAMES, "object"), (EVENT_NAMES, "hearing")):
        assert all(kinds[name] <= set(parcels_in(area)) for name in names)
        for one, other in combinations(names, 2):
            assert len(kinds[one] & kinds[other]) <= 1
            assert not any(kinds[third] <= kinds[one] | kinds[other] for third in names if third not in (one, other))


def test_the_response_lags_by_five_seconds():
    time_s = np.arange(0, 30, 0.1)
    assert time_s[haemodynamic_response(time_s).argmax()] == pytest.approx(5, abs=0.2)


def test_the_estimate_is_that_of_correlation():
    """A voxel's weight against its partial correlation: both tell who follows the stimulus, in noise that remembers."""
    rng = np.random.default_rng(4)
    expected = stimulus_course(rng)
    follows = np.arange(200) < 80
    fresh = rng.normal(0, 0.6, (200, len(expected)))
    noise = np.array([np.convolve(row, 0.4 ** np.arange(8))[: len(expected)] for row in fresh])
    series = follows[:, None] * expected + noise + rng.normal(size=(200, 1))
    weights = estimated_response(series, expected)
    correlations = np.array([np.corrcoef(row, expected)[0, 1] for row in series])
    assert weights[follows].mean() == pytest.approx(1, abs=0.1)
    assert abs(weights[~follows].mean()) < 0.1
    assert np.corrcoef(weights, correlations)[0, 1] > 0.9
    assert 100 < len(expected) * STEP_S < 160


def test_responding_parcels_and_category_are_found_again(all_facts):
    """By the means of voxels alone: parcels above half the least response, and the pattern that fits best."""
    scores, right = [], []
    for facts in all_facts:
        means = parcel_means(open_signal(facts.medium.values).values)
        found, truth = means > 0.45, facts.brain.responding
        scores.append(2 * (found & truth).sum() / (found.sum() + truth.sum()))
        if len(facts.kinds) == 1:
            patterns = {
                name: responding_parcels((name,) * (name in KIND_NAMES), (name,) * (name in EVENT_NAMES))
                for name in kind_parcels()
            }
            fits = {name: np.corrcoef(pattern, means)[0, 1] for name, pattern in patterns.items()}
            right.append(max(fits, key=fits.get) == facts.kinds[0])
    assert np.mean(scores) > 0.95
    assert np.mean(right) > 0.95


def test_what_is_perceived_is_in_the_scene_or_the_clip(all_facts):
    assert {bool(facts.brain.seen) for facts in all_facts} == {True, False}
    for seed, facts in list(zip(SEEDS, all_facts, strict=True))[:20]:
        if facts.brain.heard:
            assert set(facts.brain.heard) <= {event.kind for event in sample_audio_clip("test", seed).events}
        else:
            image = world_facts("test", seed, "image", supersample=1)
            assert set(facts.brain.seen) <= {image.object_at(i).kind for i in image.visible}


def test_it_says_that_it_is_simulated(all_facts, tmp_path):
    medium = all_facts[0].medium
    assert "simulated" in medium.id
    FMRI.write(medium.values, tmp_path / "a.nii.gz")
    import nibabel

    assert b"simulated" in nibabel.load(tmp_path / "a.nii.gz").header["descrip"].tobytes()
    assert open_signal(tmp_path / "a.nii.gz").digest == open_signal(medium.values).digest


@pytest.mark.parametrize(
    "task", [pytest.param(name, id=name) for name in ("area", "is_active", "responds", "area_mask")]
)
def test_regions_hold_the_parcels_of_the_answer(all_facts, task):
    for seed, facts in zip(SEEDS, all_facts, strict=True):
        (sample,) = every_question(facts, question_rng("test", seed, "fmri"), task)
        (region,), answer = sample.regions, sample.turns[0].assistant
        parcels = voxel_parcels()[point_mask(region, voxel_places())]
        areas = {parcel_areas()[parcel] for parcel in parcels}
        if task in ("area", "area_mask"):
            assert [area for area in AREA_NAMES if area in answer] == list(areas)
        elif task == "is_active":
            assert {facts.brain.responding[parcel] for parcel in parcels} == {answer == "Yes."}
        else:
            assert set(parcels.tolist()) == set(np.flatnonzero(facts.brain.responding).tolist())


@pytest.mark.parametrize("parcels", [pytest.param(64, id="its_own"), pytest.param(32, id="half_as_many")])
def test_truth_of_parcels(all_facts, parcels):
    facts = all_facts[0]
    signal = open_signal(facts.medium.values)
    labels = parcel_labels(signal, parcels)
    centres = np.array([signal.extent.points_xyz[labels == parcel].mean(0) for parcel in range(parcels)])
    truth = fmri_targets(facts.brain, labels, centres / 128 + 0.5)
    assert truth.classes.shape == (parcels, 2)
    assert (truth.classes[:, 1] > 0).all()
    inside = (truth.box[:, :3] <= centres / 128 + 0.5 + 1e-6) & (centres / 128 + 0.5 <= truth.box[:, 3:] + 1e-6)
    assert inside.all()
    if parcels == 64:
        own = dict(zip(labels.tolist(), voxel_parcels().tolist(), strict=True))
        assert truth.classes[:, 0].tolist() == [int(facts.brain.responding[own[label]]) for label in range(64)]
