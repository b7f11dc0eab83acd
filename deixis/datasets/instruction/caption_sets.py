"""Sets of captions: COCO's for images, Clotho's and AudioCaps' for audio clips.

    captions_val2014.json           {"images": [{"id", "file_name", "height", "width"}],
                                     "annotations": [{"image_id", "caption"}]}
    clotho_captions_evaluation.csv  file_name, caption_1, ..., caption_5
    test.csv (AudioCaps)            audiocap_id, youtube_id, start_time, caption; several rows may be of one sound

Sources: cocodataset.org/#format-data; zenodo.org/records/4783391; cdjkim/audiocaps dataset/.
"""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.detection.coco import image_names
from deixis.datasets.files.images import declared_size_hw, image_reference, set_name, split_of
from deixis.datasets.files.json_stream import json_items
from deixis.datasets.files.tables import table_rows
from deixis.datasets.image_ids import flickr_aliases, numbered_id
from deixis.datasets.instruction.onellm_media import locate
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, by_field, record_rows
from deixis.errors import DataError
from deixis.geometry import escaped
from deixis.samples.consistency import shown
from deixis.samples.headers import audio_header
from deixis.samples.sample import MediaReference, Skipped

CLIP_S = 10
"""How long a clip of AudioCaps is cut, from its start_time."""
ENDINGS = (".wav", ".flac", ".mp3")


def scan_coco_captions(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The images and their captions, an item for each image. Raises DataError for a file without captions."""
    captions = 0
    for field, own, part in (("images", "id", "image"), ("annotations", "image_id", "caption")):
        for row in record_rows(json_items(config.path, field), part, *by_field(own)):
            captions += isinstance(row, Row) and part == "caption" and "caption" in row.value
            yield row
    if not captions:
        raise DataError(f"{config.path}: expected 'annotations' with a 'caption' each, got none")


def read_coco_captions(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    image = item.one("image").value
    names = image_names(image)
    known = next(filter(None, (numbered_id(name, image["id"]) for name in names)), None)
    medium = image_reference(config, names, set_name(config), declared_size_hw(image), known=known)
    captions, skips = _captions([(row.where, row.value.get("caption")) for row in item.of("caption")])
    yield from skips
    others = flickr_aliases(image.get("flickr_url"))
    yield _annotated(config, COCO_CAPTIONS, item.key, medium, captions, others)


def scan_table(config: DatasetConfig, needs: tuple[str, ...], key: str) -> Iterator[Row | Skipped]:
    """The rows of a table of commas, by the cell `key`. Raises DataError for one without the columns that it needs."""
    rows = table_rows(config.path)
    _, header = next(rows, ("", []))
    header = [] if isinstance(header, DataError) else header
    if missing := [name for name in needs if name not in header]:
        raise DataError(f"{config.path}: expected the columns {', '.join(needs)}, got none called {missing[0]}")
    for where, cells in rows:
        if isinstance(cells, DataError):
            yield Skipped(where, str(cells))
        else:
            record = dict(zip(header, cells, strict=True))
            yield Row(record[key], "caption", where, record)


def scan_clotho(config: DatasetConfig) -> Iterator[Row | Skipped]:
    yield from scan_table(config, ("file_name", "caption_1"), "file_name")


def read_clotho(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    row = item.one("caption")
    texts = [(row.where, text) for name, text in row.value.items() if name.startswith("caption_")]
    captions, skips = _captions(texts)
    yield from skips
    yield _annotated(config, CLOTHO, item.key, _audio(config, CLOTHO, Path(item.key).stem, [item.key]), captions)


def scan_audiocaps(config: DatasetConfig) -> Iterator[Row | Skipped]:
    yield from scan_table(config, ("audiocap_id", "youtube_id", "start_time", "caption"), "youtube_id")


def read_audiocaps(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The audio clip of a video with its captions. Its file is named after the video or after the row."""
    rows = item.of("caption")
    captions, skips = _captions([(row.where, row.value["caption"]) for row in rows])
    yield from skips
    start, video = rows[0].value["start_time"], item.key
    stems = [video, f"Y{video}", f"{video}_{start}", *(row.value["audiocap_id"] for row in rows)]
    if start.isdigit():
        stems.append(f"{video}_{start}_{int(start) + CLIP_S}")
    medium = _audio(config, AUDIOCAPS, video, [f"{stem}{ending}" for stem in stems for ending in ENDINGS])
    yield _annotated(config, AUDIOCAPS, video, medium, captions)


def _audio(config: DatasetConfig, form: Format, name: str, names: list[str]) -> MediaReference:
    """The audio clip in the first file that is there."""
    paths = (config.folder / name for name in names)
    path = next((path for path in paths if path.is_file()), locate(config, names[0]))
    return MediaReference(f"{form.name}/{name.strip()}", "audio", path=str(path), **audio_header(path))


def _captions(texts: list[tuple[str, Any]]) -> tuple[tuple[str, ...], list[Skipped]]:
    """(captions as markup, those that are none)."""
    captions, skips = [], []
    for where, text in texts:
        if isinstance(text, str) and text.strip():
            captions.append(escaped(" ".join(text.split())))
        else:
            skips.append(Skipped(where, f"caption: expected text, got {shown(text)}"))
    if not captions:
        raise DataError("caption: expected at least one, got none")
    return tuple(captions), skips


def _annotated(
    config: DatasetConfig,
    form: Format,
    key: str,
    medium: MediaReference,
    captions: tuple[str, ...],
    others: tuple[str, ...] = (),
) -> Annotated:
    name = config.path.name
    by_word = "test" if "evaluation" in name.lower() else "train"  # Clotho's splits: development, evaluation
    return Annotated(
        id=f"{form.name}/{key.strip()}",
        source=form.name,
        split=config.split or split_of(name) or by_word,
        signals=(medium,),
        captions=captions,
        aliases=others,
        complete=False,
        licence=form.licence,
    )


COCO_CAPTIONS = Format(
    name="coco_captions",
    title="COCO's captions and files in their form (NoCaps, Flickr30k's Karpathy split)",
    wants="a captions_*.json; --images: the folder of the images",
    home="https://cocodataset.org/#download",
    licence="CC-BY-4.0",
    scan=scan_coco_captions,
    read=read_coco_captions,
)
CLOTHO = Format(
    name="clotho",
    title="Clotho, five captions per audio clip",
    wants="one of its clotho_captions_*.csv; --images: the folder of the audio clips",
    home="https://zenodo.org/records/4783391",
    licence="Tampere University licence, non-commercial",
    scan=scan_clotho,
    read=read_clotho,
)
AUDIOCAPS = Format(
    name="audiocaps",
    title="AudioCaps, captions of audio clips in videos",
    wants="its train.csv, val.csv or test.csv; --images: the folder of clips, YOUTUBE_ID.wav or AUDIOCAP_ID.wav",
    home="https://github.com/cdjkim/audiocaps",
    licence="MIT",
    scan=scan_audiocaps,
    read=read_audiocaps,
)
