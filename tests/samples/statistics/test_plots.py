"""The plots: one for each statistic with data, for any names, and none without data."""

from dataclasses import replace

import pytest
from PIL import Image

from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.statistics.gather import Stats
from deixis.samples.statistics.plots import PLOTS, write_plots
from tests.scenes import scene_samples

TEXT = Sample("t", "s", "talk", "train", (Turn("Tell me a long story, please.", "There was once a king and a queen."),))


def plotted(samples, folder) -> list[str]:
    stats = Stats()
    for sample in samples:
        stats.add(sample)
    return write_plots(stats, folder)


def test_all_plots_of_a_set_with_everything(tmp_path):
    assert plotted(scene_samples(1), tmp_path) == list(PLOTS)
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(PLOTS)
    for name in PLOTS:
        with Image.open(tmp_path / name) as image:
            assert min(image.size) > 200
            assert len(image.convert("RGB").getcolors(image.width * image.height)) > 20


@pytest.mark.parametrize(
    ("sample", "missing"),
    [
        pytest.param(TEXT, {"regions.png", "names.png"}, id="text_alone"),
        pytest.param(
            replace(TEXT, turns=(Turn("$a_b$ {{x}}?", "$x_1$."),) * 50), {"regions.png"}, id="signs_of_formulas"
        ),
        pytest.param(
            replace(TEXT, task="数えて" * 20, turns=(Turn("何?", "赤い\U0001f34e"),)), {"regions.png"}, id="any_script"
        ),
        pytest.param(
            replace(TEXT, signals=(MediaReference("m", "image"),) * 40), {"regions.png", "names.png"}, id="many_signals"
        ),
    ],
)
def test_what_is_not_there_is_not_drawn(sample, missing, tmp_path):
    assert set(plotted([sample], tmp_path)) == set(PLOTS) - missing
