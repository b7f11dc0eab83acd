"""Samples that a model could not be trained on, with the reason: one JSON line each in a file of the run.

Several processes append to one file, so each line is one write. A resumed run may append a line again; readers count
equal lines once.
"""

import json
import logging
import os
from collections import Counter
from pathlib import Path

from deixis.datasets.runs.report import reason
from deixis.samples.skipped import Skipped

logger = logging.getLogger(__name__)
NAME = "skipped.jsonl"
SHOWN_REASONS = 5


class SkippedSamples:
    """The skipped samples of a run, in a file of its folder."""

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._logged: set[str] = set()

    def add(self, skipped: Skipped) -> None:
        """Appends a sample; the first with a reason is logged at once."""
        if (why := reason(skipped.why)) not in self._logged:
            self._logged.add(why)
            logger.warning("skipped: %s: %s", skipped.where, skipped.why)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"where": skipped.where, "why": skipped.why}, ensure_ascii=False) + "\n"
        # one O_APPEND write per line: lines of several processes do not interleave
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def all(self) -> list[Skipped]:
        """Every skipped sample once, in the order in which it was first skipped."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(Skipped(**json.loads(line)) for line in lines))

    def report(self) -> None:
        """Logs how many samples were skipped, and the most frequent reasons."""
        if not (found := self.all()):
            return
        reasons = Counter(reason(skipped.why) for skipped in found).most_common(SHOWN_REASONS)
        logger.warning(
            "%d samples were skipped, see %s: %s",
            len(found),
            self.path,
            "; ".join(f"{count} x {why}" for why, count in reasons),
        )
