"""Damaged files of the eight modalities, sent to a server of its own process: answered, or refused in OpenAI's form.

A longer run: `python -m tests.fuzz --http --count 1000`.
"""

import sys

import pytest

from tests.fuzz.run import MODALITIES, cases_of, run, sendable_seeds
from tests.fuzz.server import Server, open_clients

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="processes are found as Linux lists them")
SEED, COUNT = 1, 25
"""Other cases than those of the readers; so many of each modality."""


def test_damaged_files_are_answered_or_refused_and_leave_nothing_behind(tmp_path):
    server, seeds = Server(tmp_path), sendable_seeds()
    cases = [case for group in MODALITIES for case in cases_of(group, COUNT, SEED, seeds) if not case.seed.is_bomb]
    with open_clients(server.url, 2) as clients:
        report = run(cases, clients, tmp_path / "keep")
    faults = [*server.faults(report), *server.stop()]
    told = [f"{outcome.kind}: {case.name} ({case.how}): {outcome.text[:300]}" for case, outcome in report.failures]
    assert not [*told, *faults]
    kinds = {group: set(counts) for group, counts in report.counts.items()}
    assert kinds == {group: {"answered", "refused"} for group in MODALITIES}
