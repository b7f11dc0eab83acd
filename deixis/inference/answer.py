"""`Answer`: what a question gives back, text and the regions it points at, in the units of the files asked about."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from deixis.geometry import Region, mask_to_rle
from deixis.signals import Signal

JSON_VERSION = 1


@dataclass(frozen=True)
class Marked:
    """One region of an answer.

    kind and value: "box" x1, y1, x2, y2 (x1, y1, z1, x2, y2, z2 in a cloud); "mask" (h, w) bool; "span" start_s,
    end_s; "points" (n,) indices of the file's points; "point" x, y | t | x, y, z. score: 0..1, None where a region
    was written as numbers.
    """

    signal: int
    kind: str
    value: Any = field(repr=False)
    score: float | None = None
    time_s: tuple[float, float] | None = None

    def to_json(self) -> dict[str, Any]:
        """Plain values; a mask as COCO run lengths."""
        value = self.value
        if self.kind == "mask":
            value = mask_to_rle(value)
        else:
            value = np.asarray(value).tolist() if self.kind == "points" else [float(f"{v:.7g}") for v in value]
        score = None if self.score is None else round(self.score, 4)
        return {"signal": self.signal, "kind": self.kind, "value": value, "score": score, "time_s": self.time_s}


@dataclass(frozen=True)
class AnswerPhrase:
    """Words of the answer, `text[start:end]`, and the regions they stand for; none means "there is none"."""

    text: str
    start: int
    end: int
    regions: tuple[Marked, ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one question: what a person reads, the phrases that point, and what was asked about."""

    text: str
    phrases: tuple[AnswerPhrase, ...]
    signals: tuple[Signal, ...] = field(repr=False)
    model: str = ""
    seconds: float = 0.0
    raw: str = field(default="", repr=False)
    question: str = field(default="", repr=False)  # as it was asked, in markup
    asked: tuple[Region, ...] = field(default=(), repr=False)  # the regions {0}, {1}, ... of the question

    @property
    def regions(self) -> list[Marked]:
        """All regions of all phrases, in order."""
        return [region for phrase in self.phrases for region in phrase.regions]

    def _values(self, kind: str) -> list[Any]:
        return [region.value for region in self.regions if region.kind == kind]

    @property
    def masks(self) -> list[np.ndarray]:
        """Masks (h, w) bool, in the pixels of the upright picture."""
        return self._values("mask")

    @property
    def boxes(self) -> list[tuple[float, ...]]:
        """Boxes x1, y1, x2, y2 in pixels (clouds: lows, then highs)."""
        return self._values("box")

    @property
    def spans(self) -> list[tuple[float, float]]:
        """Spans (start_s, end_s)."""
        return self._values("span")

    @property
    def points(self) -> list[np.ndarray]:
        """Point sets, as indices of the file's points."""
        return self._values("points")

    def to_json(self) -> dict[str, Any]:
        """The answer as plain JSON values; the layout is versioned by its first field."""
        phrases = [
            {"text": p.text, "start": p.start, "end": p.end, "regions": [r.to_json() for r in p.regions]}
            for p in self.phrases
        ]
        return {
            "version": JSON_VERSION,
            "text": self.text,
            "signals": [describe(signal) for signal in self.signals],
            "phrases": phrases,
            "model": self.model,
            "seconds": round(self.seconds, 3),
        }

    def draw(self, path: str | Path) -> Path:
        """Writes a picture (PNG) of the files asked about with the regions drawn on them; returns its path."""
        from deixis.visualize.answer_image import draw_answer

        return draw_answer(self, Path(path))


def describe(signal: Signal) -> dict[str, Any]:
    """A signal in JSON: path, kind, and its size in its own units."""
    extent = signal.extent
    size: dict[str, Any] = {}
    if extent.size_hw is not None:
        size["size_hw"] = list(extent.size_hw)
    if extent.duration_s is not None:
        size["duration_s"] = round(float(extent.duration_s), 4)
    if extent.points_xyz is not None:
        size["point_count"] = len(extent.points_xyz)
    if extent.count is not None:  # of numbers without places
        size["value_count"] = extent.count
    return {"path": signal.path, "kind": signal.modality, **size}
