"""Fuzzes the readers: `python -m tests.fuzz --count 20000 --seed 7 --only video`.

With --http it sends files of signals to a server that it starts: `python -m tests.fuzz --http --count 1000`.
Every case is named GROUP/SEED/NUMBER; with the same --seed, `--case NAME` does it again, and the files of a failure lie
in --keep. The exit code is 1 if there is any failure.
"""

import argparse
import os
import sys
import tempfile
from collections.abc import Iterable, Sequence
from itertools import chain
from pathlib import Path

from tests.fuzz.model_seeds import model_files
from tests.fuzz.pool import Outcome, open_workers
from tests.fuzz.run import COUNTS, MODALITIES, Case, Report, all_seeds, case_named, cases_of, run, sendable_seeds
from tests.fuzz.seeds import Seed, write_files
from tests.fuzz.server import Server, open_clients

KEEP = Path("out/fuzz")


def main() -> int:
    """Runs what the command line asks for; 1 if there is a failure."""
    parser = argparse.ArgumentParser(prog="python -m tests.fuzz", description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--count", type=int, help="damaged cases of all groups together [default: those of make test]")
    parser.add_argument("--seed", type=int, default=0, help="of the random numbers")
    parser.add_argument("--only", choices=sorted(COUNTS), action="append", help="a group; repeatable")
    parser.add_argument("--case", action="append", default=[], help="the name of a case; repeatable")
    parser.add_argument("--workers", type=int, default=os.cpu_count() or 1, help="processes")
    parser.add_argument("--keep", type=Path, default=KEEP, help="folder of the files of failures")
    parser.add_argument("--http", action="store_true", help="send files of signals to a server")
    words = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report, faults = (by_http if words.http else by_reading)(words, Path(folder))
    show(report, words.seed)
    for fault in faults:
        print(fault, file=sys.stderr)  # noqa: T201
    return 1 if report.failures or faults else 0


def by_reading(words: argparse.Namespace, folder: Path) -> tuple[Report, list[str]]:
    """What came of the cases in processes that do what a command does."""
    write_files(model_files(), folder)
    with open_workers(words.workers, folder) as workers:
        seeds = all_seeds(workers[0])
        return run(asked(words, words.only or list(COUNTS), seeds), workers, words.keep, tell), []


def by_http(words: argparse.Namespace, folder: Path) -> tuple[Report, list[str]]:
    """What came of the files that were sent to a server, and what is wrong with the server then."""
    server = Server(folder)
    with open_clients(server.url, words.workers) as clients:
        report = run(asked(words, words.only or MODALITIES, sendable_seeds()), clients, words.keep, tell)
    return report, [*server.faults(report), *server.stop()]


def asked(words: argparse.Namespace, groups: Sequence[str], seeds: Sequence[Seed]) -> Iterable[Case]:
    """The cases that the command line asks for."""
    if words.case:
        return [case_named(name, words.seed, seeds) for name in words.case]
    share = 1.0 if words.count is None else words.count / sum(COUNTS[group] for group in groups)
    return chain.from_iterable(cases_of(group, round(share * COUNTS[group]), words.seed, seeds) for group in groups)


def tell(case: Case, outcome: Outcome) -> None:
    """Prints a failure at once."""
    if not outcome.is_fine:
        last = outcome.text.strip().splitlines()[-1:] or [""]
        print(f"{outcome.kind:10} {case.name} ({case.how}): {last[0]}", file=sys.stderr)  # noqa: T201


def show(report: Report, seed: int) -> None:
    """Prints the counts, and how to do a failure again."""
    for group, counts in report.counts.items():
        print(f"{group:12} " + "  ".join(f"{kind} {count}" for kind, count in sorted(counts.items())))  # noqa: T201
    print(f"{report.cpu_s:.0f} s of processor time")  # noqa: T201
    for case, _ in report.failures[:1]:
        print(f"again: python -m tests.fuzz --seed {seed} --case '{case.name}'")  # noqa: T201


if __name__ == "__main__":
    sys.exit(main())
