"""`deixis data show` as one call: one pass over the samples to choose some, then a page and a sheet of them."""

import heapq
from collections.abc import Iterator
from dataclasses import dataclass, field
from hashlib import blake2b
from itertools import chain, islice, zip_longest
from pathlib import Path

from deixis.errors import InputError
from deixis.files.own import check_own
from deixis.samples.progress import Progress
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import open_samples
from deixis.visualize.samples.contact_sheet import save_contact_sheet, varied
from deixis.visualize.samples.html_page import Group, Overview, write_page
from deixis.visualize.samples.media_panels import modalities_of

MAX_TASKS = 100
"""So many tasks are held; those that are met later are only counted."""
MAX_COMBINATIONS = 20
"""So many combinations of modalities per task are distinguished."""


@dataclass
class _Lowest:
    """The samples with the lowest numbers."""

    heap: list[tuple[int, int, Sample]] = field(default_factory=list)  # negative number, place, sample

    def add(self, number: int, place: int, sample: Sample, count: int) -> None:
        keep = heapq.heappush if len(self.heap) < count else heapq.heappushpop
        keep(self.heap, (-number, place, sample))

    def in_order(self) -> list[Sample]:
        return [sample for *_, sample in sorted(self.heap, key=lambda item: (-item[0], item[1]))]


class Choice:
    """At most `count` samples of each task; the modalities in a task take turns."""

    def __init__(self, count: int, seed: int = 0, task: str | None = None):
        self.count, self.seed, self.task = count, seed, task
        self.seen: dict[str, int] = {}
        """How many samples of each task there were."""
        self.left_out = 0
        """How many samples there were of tasks beyond `MAX_TASKS`."""
        self._lowest: dict[str, dict[str, _Lowest]] = {}

    def add(self, sample: Sample) -> None:
        """Looks at one sample, and holds it as long as it is among those to show."""
        if sample.task not in self.seen and len(self.seen) >= MAX_TASKS:
            self.left_out += 1
            return
        place = self.seen[sample.task] = self.seen.get(sample.task, 0) + 1
        if self.task not in (None, sample.task) or self.count == 0:
            return
        lowest = self._lowest.setdefault(sample.task, {})
        modalities = modalities_of(sample)
        if modalities not in lowest and len(lowest) >= MAX_COMBINATIONS:
            modalities = next(iter(lowest))
        number = int.from_bytes(blake2b(f"{self.seed}\n{sample.id}".encode(), digest_size=8).digest(), "big")
        lowest.setdefault(modalities, _Lowest()).add(number, place, sample, self.count)

    def chosen(self) -> Iterator[tuple[str, list[Sample]]]:
        """(task, its samples to show), the tasks in the order of their names."""
        for task, lowest in sorted(self._lowest.items()):
            rounds = zip_longest(*(lowest[modalities].in_order() for modalities in sorted(lowest)))
            yield task, [sample for sample in chain.from_iterable(rounds) if sample is not None][: self.count]


PAGE, SHEET = "page.html", "sheet.png"
SHEET_CARDS = 30
"""Of the samples on the page, so many are on the sheet."""
NAMED_PROBLEMS = 3


def show_samples(
    path: Path, out: Path, *, count: int, task: str | None, seed: int, first: int | None, progress: Progress
) -> int:
    """How many samples `out/page.html` now shows, of the samples in a file or a folder of shards.

    count: of each task, at most. task: this one only. first: among so many samples, None for all. Raises
    InputError where there is no sample to show, and then nothing is written.
    """
    choice = Choice(count, seed, task)
    problems, broken = [], 0
    progress.stage("looking through samples", first)
    for where, sample in islice(open_samples(path), first):
        if isinstance(sample, Skipped):
            broken += 1
            problems += [f"{where}: {sample.why}"] if len(problems) < NAMED_PROBLEMS else []
        else:
            choice.add(sample)
        progress.advance(1)
    groups = [Group(name, choice.seen[name], samples) for name, samples in choice.chosen()]
    if not groups:
        raise InputError(_why_nothing(path, task, choice, problems))
    for name in (PAGE, SHEET):
        check_own(out / name)
    out.mkdir(parents=True, exist_ok=True)
    shown = sum(len(group.samples) for group in groups)
    progress.stage("drawing the page", shown)
    for _ in write_page(out / PAGE, _overview(path, choice, shown, broken, problems, first), groups):
        progress.advance(1)
    progress.stage("drawing the sheet", None)
    save_contact_sheet(varied(chain.from_iterable(group.samples for group in groups), SHEET_CARDS), out / SHEET)
    return shown


def _overview(path: Path, choice: Choice, shown: int, broken: int, problems: list[str], first: int | None) -> Overview:
    total = sum(choice.seen.values()) + choice.left_out
    among = f"the first {first:,} of " if first is not None and total + broken >= first else ""
    warnings = []
    if broken:
        some = "1 sample" if broken == 1 else f"{broken:,} samples"
        warnings.append(f"{some} cannot be read; `deixis data check {path}` names them all. The first:")
        warnings += problems
    if choice.left_out:
        warnings.append(f"{choice.left_out:,} samples are of tasks beyond the first {MAX_TASKS}, which are not shown")
    counts = f"{shown:,} of {total:,} samples, {len(choice.seen):,} task{'s' * (len(choice.seen) != 1)}"
    return Overview(f"{path.resolve().name}", f"{counts}; from {among}{path}", tuple(warnings))


def _why_nothing(path: Path, task: str | None, choice: Choice, problems: list[str]) -> str:
    if task is not None and choice.seen:
        return f"--task: expected one of {', '.join(sorted(choice.seen))}; got {task!r}"
    if problems:
        return f"{path}: expected samples to show, got none that can be read; the first: {problems[0]}"
    return f"{path}: expected samples to show, got none"
