"""What a run came to: the units' counts added up, and everything that was skipped, grouped by reason."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from deixis.datasets.runs.folder import RunFolder
from deixis.samples.skipped import Skipped

MAX_REASONS = 1_000
OTHERS = "other reasons"
_PARTICULARS = re.compile(r"'[^']*'|\"[^\"]*\"|\[[^\]]*\]|\b[\w./-]*\d[\w./-]*")


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
