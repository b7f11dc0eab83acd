"""The fuzz run of the default size: more than a thousand damaged files, a hundred model folders, and the rest.

Each is answered or refused in one sentence, within limits of time and memory. A longer run: `python -m tests.fuzz`.
"""

import os
import sys

import pytest

from tests.fuzz.model_seeds import model_files
from tests.fuzz.pool import open_workers
from tests.fuzz.run import COUNTS, all_seeds, cases_of, run
from tests.fuzz.seeds import write_files

pytestmark = pytest.mark.skipif(
    sys.platform != "linux", reason="time and memory of a process are bounded as Linux does"
)
SEED = 0
WORKERS = 1 if "PYTEST_XDIST_WORKER" in os.environ else 2


@pytest.fixture(scope="module")
def fuzz(tmp_path_factory):
    """(workers, seeds)."""
    model = tmp_path_factory.mktemp("model")
    write_files(model_files(), model)
    with open_workers(WORKERS, model) as workers:
        yield workers, all_seeds(workers[0])


@pytest.mark.parametrize("group", [pytest.param(group, id=group) for group in COUNTS])
def test_every_case_is_answered_or_refused_in_one_sentence(fuzz, group, tmp_path_factory):
    workers, seeds = fuzz
    keep = tmp_path_factory.mktemp("fuzz")
    report = run(cases_of(group, COUNTS[group], SEED, seeds), workers, keep)
    assert sum(report.counts[group].values()) >= COUNTS[group]
    failures = [
        f"{outcome.kind}: {case.name} ({case.how}), again: python -m tests.fuzz --seed {SEED} --case '{case.name}'\n"
        f"{outcome.text[-1500:]}"
        for case, outcome in report.failures
    ]
    assert not failures, f"{len(failures)} failures, files in {keep}:\n" + "\n\n".join(failures)


def test_there_are_as_many_cases_as_promised():
    modalities = ("image", "audio", "point_cloud", "video", "depth", "normal", "imu", "fmri")
    assert sum(COUNTS[group] for group in (*modalities, "dataset")) >= 1000
    assert COUNTS["model"] >= 100
    assert COUNTS["state"] + COUNTS["question"] >= 125
