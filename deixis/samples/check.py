"""Whether sets of samples are sound: each sample by itself, then what only shows across samples, shards and sets.

    a sample        the format (`deixis.samples.validate`), and its media: there, and as large as it says
    a set           the same medium has the same facts in all samples
    all sets        no id occurs twice; no medium is in train of one and in another split of any: that would be a leak

Media are the same where their files have the same bytes, or their ids are the same; but an id that is only a path, as
in sets of one's own, says nothing where the files differ. One pass, whose memory does not grow with the sets; then the
files are read whose sizes occur on both sides.
"""

import json
from collections.abc import Callable, Iterator
from dataclasses import astuple, dataclass
from pathlib import Path

from deixis.errors import DataError, DeixisError
from deixis.samples.headers import check_header
from deixis.samples.same_files import MediaFile, are_other_files, media_file, media_key, names_a_file
from deixis.samples.sample import MediaReference, Sample, Skipped, is_train
from deixis.samples.seen_set import SeenSet
from deixis.samples.shards import open_samples

FACTS = ("size_hw", "duration_s", "rate_hz", "point_count", "unit")
TRAINED, HELD_OUT = "trained", "held out"


@dataclass(frozen=True)
class Problem:
    """What is wrong, and where: file and line, tar and member, Parquet file and row. sentence: field, expected, got."""

    where: str
    sentence: str

    def __str__(self) -> str:
        # the sentence of a file that cannot be read at all names it already
        return self.sentence if self.sentence.startswith(self.where) else f"{self.where}: {self.sentence}"


class Check:
    """The check of some sets, one after another. samples: how many there were; media: whether files are looked at."""

    def __init__(self, media: bool = True):
        self.media = media
        self.samples = 0
        self._seen = SeenSet()
        self._sets = 0

    def problems(self, path: str | Path, advance: Callable[[int], None] = lambda count: None) -> Iterator[Problem]:
        """What is wrong in the set at a path (a shard or a folder of such), a problem a sample at most.

        advance: is told of every sample. Raises DataError where there is no shard.
        """
        self._sets += 1
        for where, sample in open_samples(path):
            self.samples += 1
            advance(1)
            try:
                if isinstance(sample, Skipped):
                    raise DataError(sample.why)
                self._check(where, sample)
            except DeixisError as error:
                yield Problem(where, str(error))

    def leaks(self) -> Iterator[Problem]:
        """The media that are in a train split and in another split of the sets so far."""
        for medium, trained, held in self._seen.in_both(TRAINED, HELD_OUT):
            yield Problem(trained, f"the medium {medium!r} is trained on here, and held out in {held}")
        for medium, trained, other, held in self._seen.same_files(TRAINED, HELD_OUT):
            if medium == other and not names_a_file(medium):
                continue  # found by its id above
            name = "" if medium == other else f" as {other!r}"
            yield Problem(trained, f"the file of {medium!r} is trained on here, and held out{name} in {held}")

    @property
    def media_count(self) -> int:
        """How many media there were, each counted once."""
        return self._seen.count("media")

    def _check(self, where: str, sample: Sample) -> None:
        files = [media_file(medium) if self.media else None for medium in sample.signals]
        kept = [[medium.id, file and astuple(file)] for medium, file in zip(sample.signals, files, strict=True)]
        first, others = json.loads(self._seen.first("id", sample.id, json.dumps([where, kept])) or "[null, []]")
        side, said = (TRAINED, where) if is_train(sample.split) else (HELD_OUT, f"{sample.split}, {where}")
        for medium, file in zip(sample.signals, files, strict=True):
            self._see(side, medium, file, said)
        # of two sets whose folders have the same name
        is_another = any(
            medium.id == name and are_other_files(name, file, known and MediaFile(*known))
            for (name, known), medium, file in zip(others, sample.signals, files, strict=False)
        )
        if first is not None and not is_another:
            raise DataError(f"id: expected one that no other sample has, got {sample.id!r}, that of {first}")
        for number, (medium, file) in enumerate(zip(sample.signals, files, strict=True)):
            self._check_medium(f"signals[{number}]", medium, media_key(medium, file), where)

    def _see(self, side: str, medium: MediaReference, file: MediaFile | None, said: str) -> None:
        self._seen.first("media", media_key(medium, file), "")
        if file is None or not names_a_file(medium.id):
            self._seen.first(side, medium.id, said)
        if file is not None:
            self._seen.add_file(side, file, medium.id, said)

    def _check_medium(self, field: str, medium: MediaReference, key: str, where: str) -> None:
        facts = {"kind": medium.modality, **{name: getattr(medium, name) for name in FACTS}}
        said = json.dumps({"where": where} | facts)
        first = json.loads(self._seen.first(f"facts {self._sets}", key, said) or said)
        for name, value in json.loads(said).items():
            if name != "where" and value != first[name]:
                raise DataError(
                    f"{field}.{name}: expected {json.dumps(first[name])}, as {first['where']} says of the medium "
                    f"{medium.id!r}, got {json.dumps(value)}"
                )
        # by the path of any medium: each copy of one is looked into
        if self.media and self._seen.first(f"file {self._sets}", f"{medium.id}\n{medium.path}", "") is None:
            check_header(field, medium)
