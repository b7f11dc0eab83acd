"""`deixis data read` as a run: a public set becomes samples, unit by unit.

A unit is a range of items; it writes a shard for each split that occurs in it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.plain_questions import plain_samples
from deixis.datasets.runs.folder import RunFolder, Totals, UnitReport
from deixis.datasets.runs.pool import Workers, map_ordered
from deixis.datasets.runs.sources import Source
from deixis.datasets.runs.survey import Survey, survey
from deixis.errors import DataError
from deixis.samples.progress import Progress, Silent
from deixis.samples.sample import Sample, Skipped

SHARD_ITEMS = 1_000


@dataclass(frozen=True)
class ReadPlan:
    """What to read and how to write it. ending: of the shards: jsonl, tar, parquet. media: link, copy, none.

    held_out: sets whose images outside their train splits may not be in this set's train split.
    """

    source: Source
    held_out: tuple[Source, ...] = ()
    ending: str = "jsonl"
    media: str = "link"
    shard_items: int = SHARD_ITEMS

    def description(self) -> dict[str, Any]:
        return {
            "run": "read",
            "source": self.source.description(),
            "held_out": [source.description() for source in self.held_out],
            "form": self.ending,
            "media": self.media,
            "shard_items": self.shard_items,
        }


@dataclass(frozen=True)
class ReadUnit:
    """Items start, ..., stop - 1, and the number in the names of the shards that they become."""

    number: int
    start: int
    stop: int

    @property
    def name(self) -> str:
        return f"unit-{self.number:05d}"


def read_set(plan: ReadPlan, folder: RunFolder, workers: Workers, progress: Progress = Silent()) -> dict[str, Any]:
    """The report of the run; it goes on with what an earlier call has done.

    Raises DataError for a set that is no such set or has no items, and for a folder that holds anything else;
    OutputError for one that another process writes.
    """
    with folder.opened(plan.description()):
        return folder.report() if folder.is_finished else _read_units(plan, folder, workers, progress)


def _read_units(plan: ReadPlan, folder: RunFolder, workers: Workers, progress: Progress) -> dict[str, Any]:
    count = prepare([plan.source, *plan.held_out], folder, progress)[plan.source.name]
    if plan.held_out:
        progress.stage("looking for held-out media", sum(source.count() for source in plan.held_out))
        for done in survey(plan.held_out, folder.hidden, workers):
            progress.advance(done)
    units = [
        ReadUnit(number, start, min(start + plan.shard_items, count))
        for number, start in enumerate(range(0, count, plan.shard_items))
    ]
    progress.stage(f"reading {plan.source.format}", count)
    missing = [unit for unit in units if not folder.is_done(unit.name)]
    progress.advance(sum(unit.stop - unit.start for unit in units) - sum(unit.stop - unit.start for unit in missing))
    for unit, _ in zip(missing, map_ordered(partial(read_unit, plan, folder), missing, workers), strict=True):
        progress.advance(unit.stop - unit.start)
    totals = Totals(folder, [unit.name for unit in units], list(plan.source.scan_skipped()))
    report = plan.description() | totals.report()
    folder.finish(report, totals.skipped())
    return report


def prepare(sources: Sequence[Source], folder: RunFolder, progress: Progress) -> dict[str, int]:
    """The number of items of each source, by name; their catalogues are made.

    Raises DataError for a source that is no such set or has no items. After any error, a missing package of an extra
    too, a folder that holds nothing else goes.
    """
    try:
        return _prepare(sources, progress)
    except Exception:
        folder.discard_if_empty()
        raise


def _prepare(sources: Sequence[Source], progress: Progress) -> dict[str, int]:
    counts = {}
    for source in sources:
        progress.stage(f"going through {source.config.path.name or source.config.path}", None)
        seen = 0

        def rows(total: int) -> None:
            nonlocal seen
            progress.advance(total - seen)
            seen = total

        counts[source.name] = source.prepare(rows)
        if not counts[source.name]:
            first = next(source.scan_skipped(), None)
            why = f"; the first of what was skipped: {first.where}: {first.why}" if first else ""
            raise DataError(
                f"{source.config.path}: expected {source.reader.wants}, got nothing that {source.format} has{why}"
            )
    return counts


def read_unit(plan: ReadPlan, folder: RunFolder, unit: ReadUnit) -> None:
    """Writes the shards of a unit, one for each split, and says that it is done."""
    samples: dict[str, list[Sample]] = {}
    skipped: list[Skipped] = []
    survey_of = Survey(folder.hidden)
    for found in _samples(plan, unit, survey_of):
        if isinstance(found, Skipped):
            skipped.append(found)
        else:
            samples.setdefault(found.split, []).append(found)
    counts, shards = {}, []
    for split, own in samples.items():
        names, written = folder.write(own, f"{safe_file_name(split)}-{unit.number:05d}.{plan.ending}", plan.media)
        skipped += written.skipped
        counts[split] = written.samples
        shards += names
    folder.mark_done(UnitReport(unit.name, counts, tuple(shards), unit.stop - unit.start, tuple(skipped)))


def _samples(plan: ReadPlan, unit: ReadUnit, held: Survey) -> Iterator[Sample | Skipped]:
    for _, record in plan.source.records(unit.start, unit.stop):
        if isinstance(record, Skipped):
            yield record
        elif why := held.leak(record):
            yield Skipped(record.id, why)
        elif isinstance(record, Annotated):
            made = list(plain_samples(record))
            yield from made or [Skipped(record.id, "nothing is said of it that could be asked")]
        else:
            yield record


def safe_file_name(name: str) -> str:
    """A name as part of a file's name."""
    return "".join(sign if sign.isalnum() or sign in "._" else "_" for sign in name)
