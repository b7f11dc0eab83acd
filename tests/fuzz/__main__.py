"""Fuzzes the readers: `python -m tests.fuzz --count 20000 --seed 7 --only video`.

Every case is named GROUP/SEED/NUMBER; with the same --seed, `--case NAME` does it again, and the files of a failure lie
in --keep. The exit code is 1 if there is any failure.
"""

import argparse
import os
import sys
import tempfile
from itertools import chain
from pathlib import Path

from tests.fuzz.model_seeds import model_files
from tests.fuzz.pool import Outcome, open_workers
from tests.fuzz.run import COUNTS, Case, Report, all_seeds, case_named, cases_of, run
from tests.fuzz.seeds import write_files

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
    words = parser.parse_args()
    groups = words.only or list(COUNTS)
    share = 1.0 if words.count is None else words.count / sum(COUNTS[group] for group in groups)
    with tempfile.TemporaryDirectory() as folder:
        write_files(model_files(), Path(folder))
        with open_workers(words.workers, Path(folder)) as workers:
            seeds = all_seeds(workers[0])
            parts = [cases_of(group, round(share * COUNTS[group]), words.seed, seeds) for group in groups]
            named = [case_named(name, words.seed, seeds) for name in words.case]
            report = run(named or chain.from_iterable(parts), workers, words.keep, tell)
    show(report, words.seed)
    return 1 if report.failures else 0


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
