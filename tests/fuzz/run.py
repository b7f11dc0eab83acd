"""All cases of a run: the seeds once as they are, the bombs, and so many damaged cases of each group."""

import shutil
import tempfile
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from random import Random

from tests.fuzz.damage import damaged_case
from tests.fuzz.pool import Outcome, Runner, Worker, run_cases
from tests.fuzz.seeds import Seed, write_files

COUNTS = {
    **dict.fromkeys(("image", "audio", "point_cloud", "video"), 110),
    **dict.fromkeys(("depth", "normal", "imu", "fmri"), 60),
    "dataset": 320,
    "model": 105,
    "state": 50,
    "question": 75,
}
"""Damaged cases of each group in a run of the default size."""
MODALITIES = tuple(COUNTS)[:8]
"""The groups of files of signals."""


@dataclass(frozen=True)
class Case:
    """One folder for one target. name: GROUP/SEED/NUMBER, as the command takes it; number 0 is the seed undamaged."""

    name: str
    seed: Seed
    how: str

    @property
    def is_sound(self) -> bool:
        """Whether nothing is wrong with it, so that it must be answered."""
        return self.name.endswith("/0") and not self.seed.is_bomb


@dataclass
class Report:
    """Counts by group and outcome, and every failure."""

    counts: dict[str, Counter[str]] = field(default_factory=dict)
    failures: list[tuple[Case, Outcome]] = field(default_factory=list)
    cpu_s: float = 0.0

    def add(self, case: Case, outcome: Outcome) -> None:
        self.counts.setdefault(case.seed.group, Counter())[outcome.kind] += 1
        self.cpu_s += outcome.cpu_s
        if not outcome.is_fine:
            self.failures.append((case, outcome))


def all_seeds(worker: Worker) -> list[Seed]:
    """Every seed; the worker makes those that a command has to make."""
    from tests.fuzz.bombs import all_bombs
    from tests.fuzz.dataset_seeds import dataset_seeds
    from tests.fuzz.model_seeds import model_seeds
    from tests.fuzz.signal_seeds import signal_seeds
    from tests.fuzz.state_seeds import question_seeds, state_seeds

    sound = [*signal_seeds(), *dataset_seeds(), *model_seeds(), *state_seeds(worker), *question_seeds()]
    return sound + all_bombs()


def sendable_seeds() -> list[Seed]:
    """Every file of a signal that can be sent to a server alone, and the bombs among them."""
    from tests.fuzz.bombs import signal_bombs
    from tests.fuzz.signal_seeds import single_files

    return [*single_files(), *signal_bombs()]


def cases_of(group: str, count: int, number: int, seeds: Sequence[Seed]) -> Iterator[Case]:
    """The cases of a group: its seeds as they are, its bombs, and `count` damaged ones, of each seed in turn."""
    own = [seed for seed in seeds if seed.group == group]
    for seed in own:
        yield Case(f"{group}/{seed.name}/0", seed, "a bomb" if seed.is_bomb else "undamaged")
    own = [seed for seed in own if not seed.is_bomb]
    foreign = foreign_files(seeds)
    for n in range(count if own else 0):
        yield damaged(own[n % len(own)], 1 + n // len(own), number, foreign)


def damaged(seed: Seed, n: int, number: int, foreign: Mapping[str, bytes]) -> Case:
    """Case `n` of a seed; the same for the same `number`, the seed of the random numbers."""
    name = f"{seed.group}/{seed.name}/{n}"
    made, how = damaged_case(seed, Random(f"{number}/{name}"), foreign)
    return Case(name, made, how)


def foreign_files(seeds: Sequence[Seed]) -> dict[str, bytes]:
    """One file of each ending, to be put in the place of another."""
    return {Path(name).suffix: data for seed in seeds if not seed.is_bomb for name, data in seed.files.items()}


def case_named(name: str, number: int, seeds: Sequence[Seed]) -> Case:
    """The case of a name that a report gave. Raises LookupError where there is none."""
    group, _, rest = name.partition("/")
    seed_name, _, n = rest.rpartition("/")
    seed = next(seed for seed in seeds if (seed.group, seed.name) == (group, seed_name))
    return Case(name, seed, "as it is") if n == "0" else damaged(seed, int(n), number, foreign_files(seeds))


def run(
    cases: Iterable[Case],
    workers: Sequence[Runner],
    keep: Path,
    told: Callable[[Case, Outcome], None] = lambda *_: None,
) -> Report:
    """What came of the cases; the folder of each that failed is kept in `keep`, under its name."""
    report = Report()
    with tempfile.TemporaryDirectory() as place:

        def do(case: Case, worker: Runner) -> Outcome:
            folder = Path(tempfile.mkdtemp(dir=place))
            write_files(case.seed.files, folder)
            outcome = worker.run(case.seed.target, folder, dict(case.seed.arguments))
            shutil.rmtree(folder)
            if case.is_sound and outcome.kind == "refused":
                outcome = replace(outcome, kind="sound file refused")
            if not outcome.is_fine:
                _keep(case, outcome, keep)
            return outcome

        for case, outcome in run_cases(cases, do, workers):
            report.add(case, outcome)
            told(case, outcome)
    return report


def _keep(case: Case, outcome: Outcome, keep: Path) -> None:
    folder = keep / case.name.replace(" ", "-")
    shutil.rmtree(folder, ignore_errors=True)
    write_files(case.seed.files, folder / "files")
    told = f"{case.name}: {case.how}\n{case.seed.target} {dict(case.seed.arguments)}\n{outcome.kind}\n{outcome.text}\n"
    (folder / "outcome.txt").write_text(told, encoding="utf-8", errors="replace")
