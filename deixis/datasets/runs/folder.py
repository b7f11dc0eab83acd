"""The folder of a run: what it makes, which units of it are done, and whether a second run is the same one.

    OUT/train-00003.jsonl, ...   shards
    OUT/images/, ...             media, linked or copied
    OUT/report.json              counts, once all is done
    OUT/skipped.csv              everything that was skipped: where, why; once all is done
    OUT/.run/run.json            what the run is; a folder goes on with the same run only
    OUT/.run/UNIT.json           a unit that is done, with its counts
    OUT/.run/*.sqlite            the catalogues of the sets, until all is done
    OUT/.lock                    held by the process that works on the run

A unit is done when its JSON is there, which is written after its shards; each file is written under a temporary name
and renamed. So a run may be killed at any moment: what is not done is done again, with the same bytes.
"""

import csv
import json
import re
import shutil
from collections import Counter
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from deixis.errors import DataError
from deixis.files.locks import LOCK, alone_in
from deixis.files.state import fields_of, read_state
from deixis.files.whole import remove_leftovers, whole_file
from deixis.options import check_record, check_value, differences
from deixis.samples.sample import Sample, Skipped
from deixis.samples.shards import Placement, ShardReport, write_shard

MAX_REASONS = 1_000
OTHERS = "other reasons"
_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\b[\w./-]*\d[\w./-]*")
RUN, DESCRIPTION, REPORT, SKIPPED = ".run", "run.json", "report.json", "skipped.csv"
REPORT_FIELDS = {"samples": dict[str, int], "items": int, "shards": int, "skipped": int, "reasons": dict[str, int]}
MORE_FIELDS = {"wanted": dict[str, int], "left_out": dict[str, str]}
"""Of the report of a build."""
REMOVE = "remove the folder '{}' to begin again"


@dataclass(frozen=True)
class UnitReport:
    """What came of a unit: samples by group (split, or part of a build) and what was skipped."""

    unit: str
    samples: dict[str, int] = field(default_factory=dict)
    shards: tuple[str, ...] = ()
    items: int = 0
    skipped: tuple[Skipped, ...] = ()


class RunFolder:
    """The folder of one run, opened for it; picklable, so that workers know where to write."""

    def __init__(self, path: str | Path):
        self.path = Path(path)

    @property
    def hidden(self) -> Path:
        return self.path / RUN

    @contextmanager
    def opened(self, description: dict[str, Any]) -> Generator[None]:
        """The folder as this run's, which no other process writes while the block runs.

        Raises: DataError where it holds another run, or files that no run made; OutputError where a process writes it.
        """
        if self.path.exists() and not self.path.is_dir():
            raise DataError(f"OUT: expected a folder, got the file {self.path}")
        with alone_in(self.path):
            self._start_or_resume(description)
            yield

    def _start_or_resume(self, description: dict[str, Any]) -> None:
        known = self.hidden / DESCRIPTION
        if known.is_file():
            earlier = read_state(known, fields_of, REMOVE.format(self.path))
            found = "; ".join(differences(earlier, json.loads(json.dumps(description))))
            if not found:
                return
            if not self._is_bare():
                raise DataError(f"{self.path}: holds another run ({found}); choose another folder, or remove this one")
            self._clear()  # catalogues of other sets may have the same names
        if not self._only_ours():
            raise DataError(f"OUT: expected a folder that is new or empty, got {self.path}, which holds other files")
        self.hidden.mkdir(exist_ok=True)
        self._write(known, description)

    def _is_bare(self) -> bool:
        """Whether a run began, or ended, here that made nothing which is worth keeping."""
        if self.is_finished:
            known = {RUN, REPORT, SKIPPED, LOCK}
            return not any(self.report()["samples"].values()) and {entry.name for entry in self.path.iterdir()} <= known
        return self._only_ours() and not any(
            entry.suffix == ".json" and entry.name != DESCRIPTION for entry in self.hidden.iterdir()
        )

    def _clear(self) -> None:
        for name in (REPORT, SKIPPED):
            (self.path / name).unlink(missing_ok=True)
        shutil.rmtree(self.hidden)

    def discard_if_empty(self) -> None:
        """Removes what is in the folder if there are no results, so that a wrong command leaves nothing behind."""
        if self._only_ours() and {entry.name for entry in self.hidden.iterdir()} <= {DESCRIPTION}:
            shutil.rmtree(self.hidden)

    def _only_ours(self) -> bool:
        return {entry.name for entry in self.path.iterdir()} <= {RUN, LOCK}

    def is_done(self, unit: str) -> bool:
        return (self.hidden / f"{unit}.json").is_file()

    def mark_done(self, report: UnitReport) -> None:
        """Says that a unit is done; its shards are in their places by now."""
        self._write(self.hidden / f"{report.unit}.json", asdict(report))

    def write(self, samples: Iterable[Sample], name: str, media: Placement) -> tuple[tuple[str, ...], ShardReport]:
        """Writes a shard: its name, and what is in it; no name, and no file, where none of the samples can be used."""
        written = write_shard(samples, self.path / name, media)
        if not written.samples:
            (self.path / name).unlink()
        return (name,) * (written.samples > 0), written

    def report_of(self, unit: str) -> UnitReport:
        return read_state(self.hidden / f"{unit}.json", _unit_report)

    @property
    def is_finished(self) -> bool:
        return (self.path / REPORT).is_file()

    def report(self) -> dict[str, Any]:
        """The report of a finished run."""
        return read_state(self.path / REPORT, _run_report, REMOVE.format(self.path))

    def finish(self, report: dict[str, Any], skipped: Iterator[Skipped]) -> None:
        """Writes what was skipped, then the report, and removes the catalogues and what killed processes left half."""
        with whole_file(self.path / SKIPPED) as part, part.open("w", encoding="utf-8", newline="") as file:
            table = csv.writer(file)
            table.writerow(("where", "why"))
            table.writerows((skip.where, skip.why) for skip in skipped)
        self._write(self.path / REPORT, report)
        for entry in self.hidden.iterdir():
            if entry.name != DESCRIPTION:
                shutil.rmtree(entry) if entry.is_dir() else entry.unlink()
        remove_leftovers(self.path)

    def _write(self, path: Path, values: dict[str, Any]) -> None:
        with whole_file(path) as part:
            part.write_text(json.dumps(values, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")


def _unit_report(values: Any) -> UnitReport:
    known = fields_of(values)
    skipped = tuple(check_record(Skipped, fields_of(skip)) for skip in known["skipped"])
    return check_record(UnitReport, known | {"shards": tuple(known["shards"]), "skipped": skipped})


def _run_report(values: Any) -> dict[str, Any]:
    report = fields_of(values)
    for name, hint in (REPORT_FIELDS | {name: hint for name, hint in MORE_FIELDS.items() if name in report}).items():
        check_value(name, report.get(name), hint)
    return report


def reason(why: str) -> str:
    """A sentence without its particulars, so that equal reasons are counted as one.

    >>> reason("annotations[7].bbox: expected 4 numbers, got 3")
    'annotations….bbox: expected … numbers, got …'
    """
    return _PARTICULARS.sub("…", why)


class Totals:
    """The units of a run, added up one at a time. first: what was skipped before any unit."""

    def __init__(self, folder: RunFolder, units: Sequence[str], first: Iterable[Skipped] = ()):
        self.folder, self.units, self.first = folder, units, list(first)

    def skipped(self) -> Iterator[Skipped]:
        """Everything that was skipped, unit by unit."""
        yield from self.first
        for unit in self.units:
            yield from self.folder.report_of(unit).skipped

    def report(self) -> dict[str, Any]:
        """samples: by group; items; shards; skipped: their number; reasons: how often each, most frequent first."""
        samples: Counter[str] = Counter()
        items = shards = skipped = 0
        for unit in self.units:
            done = self.folder.report_of(unit)
            samples.update(done.samples)
            items += done.items
            shards += len(done.shards)
        reasons: Counter[str] = Counter()
        for skip in self.skipped():
            skipped += 1
            word = reason(skip.why)
            reasons[word if word in reasons or len(reasons) < MAX_REASONS else OTHERS] += 1
        return {
            "samples": dict(sorted(samples.items())),
            "items": items,
            "shards": shards,
            "skipped": skipped,
            "reasons": dict(reasons.most_common()),
        }
