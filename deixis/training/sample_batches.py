"""Batches of samples from files for instruction tuning: draws of a mixture, packed in rows, with rows of the world.

Samples of a step that are about the same media share a row. A sample that the model cannot take is skipped with its
reason and replaced by another one of the same part. Step s is a function of the seed, the mixture and s alone.
"""

import json
import logging
import os
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from torch import Tensor

from deixis.conversation import MaskTarget, Rendered, Row, System, mask_targets, render
from deixis.datasets.runs.folder import reason
from deixis.errors import DataError, DeixisError
from deixis.files.json_text import json_records
from deixis.files.state import fields_of
from deixis.model.chat_template import special_words
from deixis.model.prepared import Prepared
from deixis.model.processor import DeixisProcessor
from deixis.options import check_record
from deixis.samples.media import open_media
from deixis.samples.mixtures.mixture import Mixture
from deixis.samples.sample import MediaReference, Sample, Skipped
from deixis.signals import Signal
from deixis.training.alignment import caption_sample
from deixis.training.guidance import GuidedRow, GuideSizes, collate_guided
from deixis.training.instruct import InstructBatches
from deixis.training.random_crop import CROPPED, random_crop

logger = logging.getLogger(__name__)
SKIPPED = "skipped.jsonl"

MAX_REPLACEMENTS = 8  # samples of the same part that are tried instead of an unusable one
SHOWN_REASONS = 5
MAX_TRIED = 1_000  # samples of a part that are searched for a usable one, before the run begins
KEPT_BYTES = 256 << 20  # of prepared samples in each process: small sets are opened once, not in every epoch


@dataclass(frozen=True)
class Usable:
    """A sample that the model can be trained on, rendered. digests: of its signals."""

    sample: Sample
    digests: tuple[str, ...]
    prepared: list[Prepared]
    rendered: Rendered
    targets: list[MaskTarget]

    @property
    def nbytes(self) -> int:
        """Bytes of its signals and masks."""
        signals = sum(own.values.nbytes + (own.sam.values.nbytes if own.sam else 0) for own in self.prepared)
        return signals + sum(target.values.nbytes for target in self.targets)


class SampleBatches:
    """`make(step)` for training on `count` draws of a mixture per step; the last step of a finite one may have fewer.

    cells: how many cells a mask has in each modality. max_tokens: of a row. guide_sizes: as in `GuidedRow.add`. world:
    makes further rows. folder: of the run, for the list of skipped samples. captions: as `alignment.caption_sample`.
    least_crop: as `random_crop`, for samples about one image; below 1 each draw is another part of it.
    Raises DataError where no sample of a part is usable; with the reason of the first.
    """

    def __init__(
        self,
        mixture: Mixture,
        processor: DeixisProcessor,
        system: System,
        cells: dict[str, int],
        count: int,
        max_tokens: int,
        guide_sizes: GuideSizes | None,
        folder: Path,
        world: InstructBatches | None = None,
        captions: bool = False,
        least_crop: float = 1.0,
    ):
        self.mixture, self.processor, self.system, self.cells = mixture, processor, system, cells
        self.count, self.max_tokens, self.guide_sizes = count, max_tokens, guide_sizes
        self.skipped, self.world, self.captions = SkippedSamples(folder), world, captions
        self.least_crop = least_crop
        self.kept: dict[str, Usable] = {}
        self.kept_bytes = 0
        self.special_words = special_words(processor.tokenizer)
        self.steps = None if mixture.length is None else -(-mixture.length // count)
        self.spares = [self._spare(part) for part in range(len(mixture.parts))]

    def __call__(self, step: int) -> dict[str, Tensor]:
        stop = (step + 1) * self.count
        draws = range(step * self.count, stop if self.mixture.length is None else min(stop, self.mixture.length))
        rows = self._rows([self._usable(number) for number in draws])
        if self.world is not None:
            rows += self.world.rows(step)[0]
        return collate_guided(rows, self.processor.tokenizer.pad_token_id, self.system)

    def _rows(self, samples: Sequence[Usable]) -> list[GuidedRow]:
        """Rows of the samples: those about the same media share one, up to `max_tokens`."""
        rows: list[GuidedRow] = []
        open_rows: dict[tuple, GuidedRow] = {}
        for own in samples:
            row = open_rows.get(own.digests)
            if row is None or row.row.length_with(own.rendered) > self.max_tokens:
                row = open_rows[own.digests] = GuidedRow(Row(own.prepared))
                rows.append(row)
            row.add(own.sample, own.rendered, own.targets, self.processor, self.guide_sizes)
        return rows

    def _usable(self, number: int) -> Usable:
        """The sample of a draw; if unusable, the next usable one of its part, or else the part's spare sample."""
        part, turn = self.mixture.draw(number)
        for ahead in range(MAX_REPLACEMENTS):
            found = self._tried(part, turn, ahead)
            if isinstance(found, Usable):
                return found
        return self._ready(self.mixture.sample(part, self.spares[part])[1])

    def _spare(self, part: int) -> int:
        """The index of the first usable draw of a part."""
        first: Skipped | None = None
        for turn in range(tried := min(self.mixture.sizes[part], MAX_TRIED)):
            found = self._tried(part, turn)
            if isinstance(found, Usable):
                return turn
            first = first or found
        assert first is not None, "an empty set is refused when it is opened"
        path = self.mixture.parts[part].path
        raise DataError(
            f"{path}: expected samples that this model can be trained on, got none among the {tried} looked at; the "
            f"first: {first.where}: {first.why}"
        )

    def _tried(self, part: int, turn: int, ahead: int = 0) -> Usable | Skipped:
        """A sample prepared for training, or, after listing it as skipped, the reason why it is unusable."""
        where, sample = self.mixture.sample(part, turn, ahead)
        if where in self.kept:
            return self.kept[where]
        try:
            usable = self._ready(sample, (part, turn))
        except DeixisError as error:
            skipped = sample if isinstance(sample, Skipped) else Skipped(where, str(error))
            self.skipped.add(skipped)
            return skipped
        # the first that fit are kept, not the last: a set is read in whole rounds, which evict the last before its turn
        if not self._is_cropped(usable.sample) and self.kept_bytes + usable.nbytes <= KEPT_BYTES:
            self.kept[where] = usable
            self.kept_bytes += usable.nbytes
        return usable

    def _is_cropped(self, sample: Sample) -> bool:
        return self.least_crop < 1 and len(sample.signals) == 1 and sample.signals[0].modality in CROPPED

    def _ready(self, sample: Sample | Skipped, draw: tuple[int, ...] = ()) -> Usable:
        """A sample prepared for training. Raises DeixisError where the model cannot take it; other errors are bugs."""
        if isinstance(sample, Skipped):
            raise DataError(sample.why)
        if self.captions:
            sample = caption_sample(sample)
        for number, turn in enumerate(sample.turns):
            for name in ("user", "assistant"):
                if word := next((word for word in self.special_words if word in getattr(turn, name)), None):
                    raise DataError(f"turns[{number}].{name}: expected plain words, got {word}, a token of this model")
        sample = replace(sample, regions=tuple(region.decoded() for region in sample.regions))
        with ExitStack() as opened:
            signals = [self._opened(opened, f"signals[{n}]", own) for n, own in enumerate(sample.signals)]
            if self._is_cropped(sample):
                rng = np.random.default_rng((self.mixture.seed, *draw))
                signals[0], regions = random_crop(signals[0], sample.regions, self.least_crop, rng)
                sample = replace(sample, regions=regions)
            prepared = [self.processor.prepare(signal) for signal in signals]
        rendered = render(sample, prepared, self.processor, self.system.label_rule)
        if len(rendered) > self.max_tokens:
            raise DataError(f"expected at most {self.max_tokens} tokens (max_tokens), got {len(rendered)}")
        targets = mask_targets(rendered, sample.regions, prepared, self.cells, self.system)
        return Usable(sample, tuple(signal.digest for signal in signals), prepared, rendered, targets)

    def _opened(self, opened: ExitStack, field: str, reference: MediaReference) -> Signal:
        if reference.modality not in self.processor.specs:
            raise DataError(
                f"{field}.kind: expected {' or '.join(self.processor.specs)}, which this model takes, got "
                f"{reference.modality}"
            )
        signal = opened.enter_context(open_media(reference))
        size_hw = signal.extent.size_hw
        if reference.size_hw is not None and size_hw is not None and tuple(size_hw) != tuple(reference.size_hw):
            raise DataError(f"{field}.size_hw: expected {list(size_hw)}, the file's, got {list(reference.size_hw)}")
        return signal


class SkippedSamples:
    """The skipped samples of a run with their reasons, one JSON line each in a file of its folder.

    A resumed run may append a line again; readers count equal lines once.
    """

    def __init__(self, folder: Path):
        self.path = folder / SKIPPED
        self._logged: set[str] = set()

    def add(self, skipped: Skipped) -> None:
        """Appends a sample; the first with a reason is logged at once."""
        if (why := reason(skipped.why)) not in self._logged:
            self._logged.add(why)
            logger.warning("skipped: %s: %s", skipped.where, skipped.why)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        line = json.dumps({"where": skipped.where, "why": skipped.why}) + "\n"
        # one O_APPEND write per line: lines of several processes do not interleave
        file = os.open(self.path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o644)
        try:
            os.write(file, line.encode("ascii"))
        finally:
            os.close(file)

    def all(self) -> list[Skipped]:
        """Every skipped sample once, in the order in which it was first skipped."""
        if not self.path.is_file():
            return []
        found: dict[Skipped, None] = {}
        for _, record in json_records(self.path):
            with suppress(DeixisError):  # a line that a killed process left half: the training goes on without it
                found[check_record(Skipped, fields_of(record))] = None
        return list(found)

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
