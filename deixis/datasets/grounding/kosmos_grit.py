"""Kosmos-2's GrIT: captions of web images, with boxes for their noun phrases and for the longer phrases around these.

    *.parquet   key, id, url, caption, width, height, clip_similarity_vitb32, clip_similarity_vitl14,
                noun_chunks, ref_exps: [[start, end, x1, y1, x2, y2, score], ...]

start and end count the characters of the caption; boxes are shares of the image. A row of `ref_exps` repeats the box
of the noun phrase that it grows from. Not Ferret's GRIT, though often written alike. Images are to be had by `url`
only: a tool such as img2dataset names them by its own key or by `id`.

Source: huggingface.co/datasets/zzliang/GRIT; Peng et al. 2023 (arXiv 2306.14824), section 2.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated, Expression, Object
from deixis.datasets.files.boxes import BoxXYXY, box_from_xyxy, numbers
from deixis.datasets.files.caption_spans import link_caption
from deixis.datasets.files.images import declared_size_hw
from deixis.datasets.files.json_stream import text_field
from deixis.datasets.image_ids import flickr_aliases
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError, DeixisError
from deixis.geometry import Region
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Skipped
from deixis.samples.shard_files import parquet_file

SOURCE = "kosmos_grit"
COLUMNS = ("key", "id", "url", "caption", "width", "height", "noun_chunks", "ref_exps")
BATCH_ROWS = 1_000
SUFFIXES = (".jpg", ".png", ".webp", ".jpeg")
SHARD_DIGITS = 5
"""img2dataset puts 000012345.jpg into the folder 00001."""

Span = tuple[int, int]


def scan_kosmos_grit(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of the files, each an item; a few thousand are held at a time.

    Raises DataError for a file that is no Parquet or lacks a column.
    """
    _min_score(config)
    for path in parquet_files(config.path):
        with parquet_file(path, COLUMNS[1:]) as file:
            columns = [name for name in COLUMNS if name in file.schema_arrow.names]
            number = 0
            for batch in file.iter_batches(BATCH_ROWS, columns=columns):
                for value in batch.to_pylist():
                    yield Row(str(value["id"]), "record", f"{path.name}: row {number}", value)
                    number += 1


def parquet_files(path: Path) -> list[Path]:
    """The file, or the Parquet files of a folder by name. Raises DataError where there is none."""
    files = sorted(path.glob("*.parquet")) if path.is_dir() else [path]
    if not files:
        raise DataError(f"{path}: expected Parquet files in the folder, got none")
    return files


def read_kosmos_grit(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The image of a row, with its caption and what is found in it; a `Skipped` for each box that cannot be used."""
    row, *others = item.of("record")
    for other in others:
        yield Skipped(other.where, f"id: expected one that no other row has, got that of {row.where}")
    record = row.value
    caption = text_field(record, "caption")
    medium = _medium(record, config)
    found = _Found(caption, medium.size_hw, _min_score(config))
    for skip in (*found.add_all("noun_chunks", record), *found.add_all("ref_exps", record)):
        yield Skipped(row.where, skip)
    yield Annotated(
        id=f"{SOURCE}/{record['id']}",
        source=SOURCE,
        split=config.split or "train",
        signals=(medium,),
        objects=tuple(found.objects),
        expressions=tuple(
            Expression(caption[a:b].strip(), tuple(own)) for (a, b), own in found.spans["ref_exps"].items()
        ),
        captions=(link_caption(caption, ((*span, own) for span, own in found.spans["noun_chunks"].items())).strip(),),
        aliases=flickr_aliases(record.get("url")),
        complete=False,
        licence=KOSMOS_GRIT.licence,
        author="model",
    )


class _Found:
    """The objects of a caption, and which of them each span of it means."""

    def __init__(self, caption: str, size_hw: tuple[int, int], min_score: float):
        self.caption, self.size_hw, self.min_score = caption, size_hw, min_score
        self.objects: list[Object] = []
        self.spans: dict[str, dict[Span, list[int]]] = {"noun_chunks": {}, "ref_exps": {}}
        self._number_of: dict[BoxXYXY, int] = {}

    def add_all(self, field: str, record: Mapping[str, Any]) -> list[str]:
        """Adds the rows of a field; why those that cannot be used cannot."""
        skips = []
        for number, values in enumerate(record[field] or ()):
            try:
                self._add(field, f"{field}[{number}]", values)
            except DeixisError as error:
                skips.append(str(error))
        return skips

    def _add(self, field: str, where: str, values: Any) -> None:
        start, end, *box, score = numbers(values, "start, end, x1, y1, x2, y2, score", where)
        if score < self.min_score:
            return
        span = int(start), int(end)
        if not 0 <= span[0] < span[1] <= len(self.caption) or not self.caption[slice(*span)].strip():
            raise DataError(f"{where}: expected a span of the caption's {len(self.caption)} characters, got {span}")
        height, width = self.size_hw
        shares = box_from_xyxy(box, (1, 1), where)
        pixels = shares[0] * width, shares[1] * height, shares[2] * width, shares[3] * height
        if pixels not in self._number_of:
            self._number_of[pixels] = len(self.objects)
            self.objects.append(Object(_name(self.caption[slice(*span)]), Region(box=pixels)))
        self.spans[field].setdefault(span, []).append(self._number_of[pixels])


def _name(phrase: str) -> str:
    """A phrase without its article.

    >>> _name("a wire hanger"), _name("The White House"), _name("another")
    ('wire hanger', 'White House', 'another')
    """
    first, _, rest = phrase.strip().partition(" ")
    return rest.strip() if first.lower() in ("a", "an", "the") and rest.strip() else phrase.strip()


def _medium(record: Mapping[str, Any], config: DatasetConfig) -> MediaReference:
    """The image: its file if it is among those in --images, by key or id, else none.

    The size is the file's, which may be a smaller copy (boxes are shares of it too); without a file, that of the row.
    """
    path, size_hw = None, declared_size_hw(record)
    if config.images is not None:
        names = [str(record[name]) for name in ("key", "id") if record.get(name) is not None]
        stems = [stem for name in names for stem in (name, f"{name[:SHARD_DIGITS]}/{name}")]
        files = (config.images / f"{stem}{suffix}" for stem in stems for suffix in SUFFIXES)
        path = next((file for file in files if file.is_file()), config.images / f"{names[0]}{SUFFIXES[0]}")
        size_hw = header_size_hw(path) if path.is_file() else size_hw
    if size_hw is None:
        raise DataError("width, height: expected whole pixels, got none")
    return MediaReference(f"{SOURCE}/{record['id']}", "image", path=path and str(path), size_hw=size_hw)


def _min_score(config: DatasetConfig) -> float:
    text = config.options.get("min_score", "0")
    try:
        return float(text)
    except ValueError:
        raise DataError(f"min_score: expected a number from 0 to 1, got {text!r}") from None


KOSMOS_GRIT = Format(
    name="kosmos_grit",
    title="Kosmos-2's GrIT, captions of web images grounded in boxes",
    wants="a Parquet file of the set or the folder of them; --images: the folder of the images, KEY.jpg or ID.jpg",
    home="https://huggingface.co/datasets/zzliang/GRIT",
    licence="MS-PL",
    scan=scan_kosmos_grit,
    read=read_kosmos_grit,
    options={"min_score": "boxes of a lower score are skipped; 0 if not given"},
)
