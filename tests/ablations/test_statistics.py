"""Intervals over trainings and scenes, and the verdicts that follow from them."""

import numpy as np
import pytest

from deixis.ablations.statistics import estimate

SCENES = [f"scene {number // 2}" for number in range(80)]


def drawn(mean, seed_spread=0.0, spread=0.3, seeds=3):
    rng = np.random.default_rng(1)
    return mean + seed_spread * rng.normal(size=(seeds, 1)) + spread * rng.normal(size=(seeds, len(SCENES)))


@pytest.mark.parametrize(
    ("values", "verdict"),
    [
        pytest.param(drawn(0.2), "held", id="above"),
        pytest.param(drawn(-0.2), "did not hold", id="below"),
        pytest.param(drawn(0.0), "inconclusive", id="around_zero"),
        pytest.param(np.array([[0.3], [0.3], [-0.2]]) + np.zeros((1, 80)), "inconclusive", id="trainings_disagree"),
        pytest.param(np.zeros((3, 0)), "inconclusive", id="nothing_asked"),
        pytest.param(np.zeros((2, 80)), "inconclusive", id="no_difference"),
    ],
)
def test_a_verdict_needs_an_interval_without_zero(values, verdict):
    own = estimate(values, SCENES[: values.shape[1]])
    assert own.verdict == verdict
    assert own.low <= own.value <= own.high


def test_the_interval_is_that_of_a_plain_bootstrap():
    values = drawn(0.4, seed_spread=0.1)
    own = estimate(values, SCENES)
    rng, names = np.random.default_rng(5), sorted(set(SCENES))
    means = []
    for _ in range(2_000):
        scenes = rng.choice(names, len(names))
        chosen = [number for scene in scenes for number, of in enumerate(SCENES) if of == scene]
        means.append(values[rng.integers(0, 3, 3)][:, chosen].mean())
    assert (own.low, own.high) == pytest.approx(np.quantile(means, (0.025, 0.975)), abs=0.02)
    assert own.value == pytest.approx(values.mean())


def test_scenes_that_are_one_make_the_interval_wider():
    values = np.repeat(drawn(0.4, seeds=1)[:, ::2], 2, axis=1)
    together, apart = estimate(values, SCENES), estimate(values, [str(number) for number in range(80)])
    assert together.high - together.low > 1.2 * (apart.high - apart.low)
