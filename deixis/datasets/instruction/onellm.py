"""OneLLM's files: captions and dialogues about eight modalities, and what it is evaluated on.

    *.csv                        caption TAB url, in a table with these names at the top: pretraining
    window_idx_train.json        [{"video_uid", "window_start", "window_end", "text"}, ...]: pretraining on motion
    audiocap_train.json          [{"id", "image", "conversations", ...}, ...]: tuning; "image" is the path, whatever the
                                 medium is; with "depth_image", "normal_image" or, for motion, "imu_path" and a window
    eval_clothocap_ann.json      {"images": [{"id", "file_name"}], "annotations": [{"image_id", "caption"}]}, as COCO's
    pointllm_test.json           {id: caption, ...}, of pointllm/8192_npy/ID_8192.npy
    MSVD-QA/test_qa.json         [{"id", "video_id", "question", "answer"}, ...], with youtube_mapping.txt beside it

Which modality the media are tells the option `kind`, else the fields, the endings of the files, or the names of
the folders that the set lies in (audio/audiocap_train.json).

Source: csuhan/OneLLM@8587a47 docs/Data.md, data/pretrain_dataset.py, data/finetune_dataset.py, eval/*.py.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from deixis.datasets.annotated import Annotated
from deixis.datasets.files.dialogue import exchanges
from deixis.datasets.files.images import split_of
from deixis.datasets.files.json_stream import json_items, json_pairs, json_rows, open_json, text_field
from deixis.datasets.files.tables import table_rows
from deixis.datasets.instruction.onellm_media import MODALITY_NAMES, media_of, modality_by_suffix
from deixis.datasets.source import DatasetConfig, Format, Item, Metadata, Row, by_field, record_rows
from deixis.errors import DataError
from deixis.files.json_text import read_text
from deixis.geometry import escaped
from deixis.samples.consistency import shown
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn

FOLDER_NAMES = ("image", "video", "audio", "point", "imu", "fmri")
COCO_FIELDS = frozenset({"info", "licenses", "type", "images", "annotations", "categories"})
POINTLLM_FILE = "pointllm/8192_npy/{}_8192.npy"
MSVD_NAMES, MSVD_FILE = "youtube_mapping.txt", "YouTubeClips/{}.avi"


def scan_onellm(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The rows of the files. Raises DataError where nothing tells what modality of media they name."""
    config.choice("kind", MODALITY_NAMES)
    for path in onellm_files(config.path):
        found = False
        for row in _scan_table(path) if path.suffix == ".csv" else _scan_json(path):
            if isinstance(row, Row) and not found and row.part != "caption":
                modality_of(row.value, config)
                found = True
            yield row


def onellm_files(path: Path) -> list[Path]:
    """The file, or those of a folder: its tables, else its JSON. Raises DataError where there is none."""
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("*.csv")) or sorted(path.glob("*.json"))
    if not found:
        raise DataError(f"{path}: expected files ending in .csv or .json in the folder, got none")
    return found


def modality_of(record: Mapping[str, Any], config: DatasetConfig) -> str:
    """Which of OneLLM's modalities the medium of a row is. Raises DataError where nothing tells it."""
    if "kind" in config.options or record.get("kind") in MODALITY_NAMES:
        return config.options.get("kind") or record["kind"]
    fields = {"depth_image": "rgbd", "normal_image": "rgbn", "imu_path": "imu", "window_start": "imu"}
    found = next((modality for field, modality in fields.items() if field in record), None)
    name = record.get("image", record.get("url", record.get("file_name")))
    if found is None and "conversations" in record and name is None:
        found = "text"
    if found is None and isinstance(name, str):
        found = modality_by_suffix(name)
    if found is None:
        found = next((part for part in reversed(config.path.resolve().parts[:-1]) if part in FOLDER_NAMES), None)
    if found is None:
        raise DataError(
            f"kind: expected one of {', '.join(MODALITY_NAMES)} as option kind=, for nothing tells what {shown(name)} "
            "is"
        )
    return found


def _scan_table(path: Path) -> Iterator[Row | Skipped]:
    """The rows of a tab-separated table; cells may stand in quotes, and then hold line breaks."""
    rows = table_rows(path, "\t")
    _, header = next(rows, ("", []))
    if isinstance(header, DataError) or not {"caption", "url"} <= set(header):
        raise DataError(
            f"{path}: expected a first line with the names caption and url, a TAB between, got {shown(header)}"
        )
    for where, cells in rows:
        if isinstance(cells, DataError):
            yield Skipped(where, str(cells))
        elif any("\n" in cell and "\t" in cell for cell in cells):
            yield Skipped(where, "expected one row, got several in quotes: a cell begins with a lone quotation mark")
        else:
            yield Row(where, "captioned", where, dict(zip(header, cells, strict=True)))


def _scan_json(path: Path) -> Iterator[Row | Skipped]:
    """The rows of a JSON or JSONL file, which may be any of the modalities."""
    key = _first_key(path)
    if key is not None and key in COCO_FIELDS:
        for field, own, part in (("images", "id", "captioned"), ("annotations", "image_id", "caption")):
            yield from record_rows(json_items(path, field), part, *by_field(own, f"{path.name}:"))
        return
    if key is not None and path.suffix == ".json":
        for where, name, caption in json_pairs(path):
            record = {"image": POINTLLM_FILE.format(name), "caption": caption, "kind": "point"}
            yield Row(f"{path.name}:{name}", "captioned", where, record)
        return
    names = _msvd_names(path.with_name(MSVD_NAMES))
    for number, (where, value) in enumerate(json_rows(path)):
        part, why = _part(value, names)
        yield Skipped(where, why) if part is None else Row(f"{path.name}:{number}", part, where, value)


def _part(value: Any, names: Mapping[str, str]) -> tuple[str | None, str]:
    """What a row of a list is, or why it is nothing; a question of MSVD is given the path of its video."""
    if isinstance(value, DataError):
        return None, str(value)
    if not isinstance(value, dict):
        return None, f"expected an object, got {shown(value)}"
    if "conversations" in value:
        return "dialogue", ""
    if "window_start" in value:
        return "captioned", ""
    if {"question", "answer", "video_id"} <= value.keys():
        video = f"vid{value['video_id']}"
        if video not in names:
            return None, f"video_id: expected one that {MSVD_NAMES} beside the file names, got {video}"
        value["image"] = MSVD_FILE.format(names[video])
        return "question", ""
    return None, f"expected 'conversations', 'window_start' or 'question' among the fields, got {shown(list(value))}"


def _first_key(path: Path) -> str | None:
    """The first key of a JSON object; None for a list and for lines. Raises DataError for a folder or no JSON."""
    import ijson

    with open_json(path) as file:
        try:
            events = ijson.parse(file)
            _, event, _ = next(events)
            return next(events)[2] if event == "start_map" else None
        except (ijson.JSONError, UnicodeDecodeError, StopIteration) as error:
            raise DataError(f"{path}: expected JSON or a table ending in .csv; {error}") from None


def _msvd_names(path: Path) -> dict[str, str]:
    """Number of a video of MSVD ("vid12") -> its name on YouTube; empty without the file."""
    if not path.is_file():
        return {}
    pairs = (line.split() for line in read_text(path).splitlines())
    return {pair[1]: pair[0] for pair in pairs if len(pair) == 2}


def read_onellm(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Sample | Skipped]:
    """The sample of a dialogue or question, or a medium with its captions; a `Skipped` for each part that is none."""
    captions = item.of("caption")
    row = next((row for row in item.rows if row.part != "caption"), None) or item.one("captioned")
    source = config.options.get("source") or config.path.stem
    split = config.split or split_of(item.key.partition(":")[0]) or ("test" if captions else "train")
    media = media_of(modality_of(row.value, config), row.value, config)
    if row.part == "captioned":
        values = [caption.value.get("caption") for caption in captions]
        if not captions:
            value = row.value.get("caption", row.value.get("text"))
            values = value if isinstance(value, list) else [value]
        texts = [escaped(text.strip()) for text in values if isinstance(text, str) and text.strip()]
        if not texts:
            raise DataError(f"caption: expected text, got {shown(values[0]) if values else 'none'}")
        yield Annotated(
            id=f"{source}/{item.key}",
            source=source,
            split=split,
            signals=media,
            captions=tuple(texts),
            complete=False,
            licence=ONELLM.licence,
        )
        return
    turns, left_out, task = _turns(row, media)
    for why in left_out:
        yield Skipped(row.where, why)
    yield Sample(
        id=f"{source}/{item.key}",
        source=source,
        task=task,
        split=split,
        turns=turns,
        signals=media,
        licence=ONELLM.licence,
        author="model",
    )


def _turns(row: Row, media: tuple[MediaReference, ...]) -> tuple[tuple[Turn, ...], list[str], str]:
    """(turns, what was skipped, task) of a dialogue or a question."""
    if row.part == "question":
        question, answer = (text_field(row.value, name) for name in ("question", "answer"))
        return (Turn(escaped(question.strip()), escaped(answer.strip())),), [], "answer"
    found, left_out = exchanges(row.value["conversations"], bool(media))
    return tuple(Turn(escaped(exchange.user), escaped(exchange.assistant)) for exchange in found), left_out, "dialogue"


ONELLM = Format(
    name="onellm",
    title="OneLLM's captions and dialogues about images, video, audio, point clouds, depth, normals, IMU and fMRI",
    wants="one of its .csv or .json files, or a folder of .csv; --images: the folder that its paths start from (for "
    "motion, that of the recordings)",
    home="https://huggingface.co/datasets/csuhan/OneLLM_InstructionTuning",
    licence="as the sets that it was made of",
    scan=scan_onellm,
    read=read_onellm,
    options={
        "kind": f"what the media are, where neither fields, endings nor folders tell: {', '.join(MODALITY_NAMES)}",
        "source": "what the set is called; the name of the file or folder if not given",
    },
)
