"""What of the data a model could not be trained on, and why: a line each in a file of the run, and a word at the end.

Many processes append to one file, so a line is written at once; a run that goes on may say the same again, which counts
once.
"""

import json
import logging
import os
from collections import Counter
from pathlib import Path

from deixis.datasets.runs.report import reason
from deixis.samples.skipped import Skipped

logger = logging.getLogger(__name__)
NAME = "left_out.jsonl"
SHOWN_REASONS = 5


class LeftOut:
    """The samples left out in a folder of a run."""

    def __init__(self, folder: Path):
        self.path = folder / NAME
        self._said: set[str] = set()

    def add(self, skipped: Skipped) -> None:
        """Notes a sample; the first of a reason is logged at once."""
        if (kind := reason(skipped.why)) not in self._said:
            self._said.add(kind)
            logger.warning("left out: %s: %s", skipped.where, skipped.why)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"where": skipped.where, "why": skipped.why}, ensure_ascii=False) + "\n"
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode())
        finally:
            os.close(file)

    def all(self) -> list[Skipped]:
        """Every sample once, in the order in which it was first left out."""
        if not self.path.is_file():
            return []
        lines = self.path.read_text(encoding="utf-8").splitlines()
        return list(dict.fromkeys(Skipped(**json.loads(line)) for line in lines))

    def report(self) -> None:
        """Logs how many samples were left out, and the most frequent reasons."""
        if not (found := self.all()):
            return
        reasons = Counter(reason(skipped.why) for skipped in found).most_common(SHOWN_REASONS)
        logger.warning(
            "%d samples were left out, see %s: %s",
            len(found),
            self.path,
            "; ".join(f"{count} x {why}" for why, count in reasons),
        )
