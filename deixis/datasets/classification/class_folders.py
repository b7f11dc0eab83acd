"""Classified files of any modality, in one folder per class.

    cat/a.jpg    train/cat/a.jpg    cat/train/a.jpg    labels.csv with a column of files and one of classes

Each becomes a question for its class; the classes are what may be chosen from, where they are few. The modality of a
file is told by its ending, or by the option `kind` (depth, normal, imu).
"""

import os
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from deixis.datasets.files.class_lists import readable
from deixis.datasets.files.images import own_media_id, set_name, split_of
from deixis.datasets.files.paired_folders import shown_path, split_of_key
from deixis.datasets.files.tables import table_rows
from deixis.datasets.plain_questions import plain_text
from deixis.datasets.source import METADATA, DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError
from deixis.samples.consistency import listed
from deixis.samples.headers import header_size_hw
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.signals import MODALITIES

LISTS = ("labels.csv", "metadata.csv", "classes.csv")
FILE_COLUMNS = ("file", "filename", "file_name", "path", "filepath", "image", "audio", "id")
LABEL_COLUMNS = ("label", "class", "category", "target", "name")
MAX_CHOICES = 20
"""More classes than that are not listed in each question."""
QUESTIONS = {
    "image": "What is in this picture?",
    "audio": "What is heard here?",
    "point_cloud": "What is this cloud of?",
    "video": "What happens in this video?",
    "depth": "What is in this depth map?",
    "normal": "What is in these normals?",
    "imu": "What is done here?",
    "fmri": "What does this brain see?",
}
MODALITY_OF_SUFFIX = {suffix: modality for modality, reader in MODALITIES.items() for suffix in reader.suffixes}


def scan_class_folders(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """A row for each file, and one for all classes. Raises DataError where there is no class."""
    config.choice("kind", MODALITIES)
    found = next((config.path / name for name in LISTS if (config.path / name).is_file()), None)
    classes: set[str] = set()
    for row in _rows_of_list(found, config) if found else _rows_of_folders(config):
        if isinstance(row, Row):
            classes.add(row.value["class"])
        yield row
    if not classes:
        raise DataError(
            f"{config.path}: expected a folder for each class with files ending in "
            f"{' '.join(sorted(MODALITY_OF_SUFFIX))}, or {' or '.join(LISTS)}, got neither"
        )
    yield Row(METADATA, "classes", "classes", sorted(classes))


def read_class_folders(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Sample | Skipped]:
    """The question for the class of an item's signal."""
    value = item.one("file").value
    path, source = Path(value["path"]), set_name(config)
    modality = config.options.get("kind") or MODALITY_OF_SUFFIX[path.suffix.lower()]
    if not path.is_file():
        raise DataError(f"{path}: expected a file, got none")
    medium_id, size_hw = own_media_id(path, config, source), header_size_hw(path) if modality == "image" else None
    medium = MediaReference(medium_id, modality, path=str(path), size_hw=size_hw)
    yield class_sample(medium, value["class"], metadata["classes"][0].value, value["split"], config)


def class_sample(
    medium: MediaReference, name: str, classes: Iterable[str], split: str, config: DatasetConfig
) -> Sample:
    """The question for the class `name` of a signal, one of `classes`, which are the choices if they are few."""
    names = tuple(map(plain_text, classes))
    return Sample(
        id=medium.id,
        source=set_name(config),
        task="classify",
        split=split,
        turns=(
            Turn(
                config.options.get("question", QUESTIONS[medium.modality]),
                plain_text(name),
                choices=names if 2 <= len(names) <= MAX_CHOICES else (),
            ),
        ),
        signals=(medium,),
        licence="unknown",
        author="person",
    )


def _rows_of_folders(config: DatasetConfig) -> Iterator[Row | Skipped]:
    for path in every_file(config.path):
        relative = PurePosixPath(shown_path(path, config))
        name = class_of(relative)
        if path.suffix.lower() not in MODALITY_OF_SUFFIX and "kind" not in config.options:
            yield Skipped(str(relative), f"expected a file of a known ending, got {path.suffix or path.name!r}")
        elif name is None:
            yield Skipped(str(relative), "expected a folder that is named by the class, got none")
        else:
            yield _row(path, name, str(relative), config)


def class_of(file: PurePosixPath) -> str | None:
    """The class that the folders of a file, by its path below the set's, are named by; None for a file in none.

    "train" of train/cat/a.jpg is a split, of train/a.jpg a class like its neighbours "car" and "bus".

    >>> class_of(PurePosixPath("train/hot_dog/a.jpg")), class_of(PurePosixPath("a.jpg"))
    ('hot dog', None)
    """
    named = [part for part in file.parts[:-1] if not is_split(part)] or list(file.parts[:-1])
    return readable(named[0]) if named else None


def every_file(folder: Path) -> Iterator[Path]:
    """Every file below a folder, in the order of names; the names of one folder at a time are held."""
    for at, folders, names in os.walk(folder):
        folders[:] = sorted(name for name in folders if not name.startswith("."))
        yield from (Path(at, name) for name in sorted(names) if not name.startswith("."))


def _rows_of_list(found: Path, config: DatasetConfig) -> Iterator[Row | Skipped]:
    rows = table_rows(found)
    _, header = next(rows, ("", []))
    columns = {} if isinstance(header, DataError) else {name.lower(): at for at, name in enumerate(header)}
    file = next((columns[name] for name in FILE_COLUMNS if name in columns), None)
    wanted = (config.options["label"].lower(),) if "label" in config.options else LABEL_COLUMNS
    label = next((columns[name] for name in wanted if name in columns), None)
    if file is None or label is None:
        raise DataError(
            f"{found}: expected a column of files ({', '.join(FILE_COLUMNS)}) and one of classes "
            f"({', '.join(wanted)}; or label=COLUMN), got {listed(columns) or 'none'}"
        )
    for where, cells in rows:
        if isinstance(cells, DataError):
            yield Skipped(where, str(cells))
            continue
        name, text = cells[file].strip(), readable(cells[label])
        path = config.folder / name
        if not name or not text:
            yield Skipped(where, f"expected a file and a class, got {name!r} and {text!r}")
        elif path.suffix.lower() not in MODALITY_OF_SUFFIX and "kind" not in config.options:
            yield Skipped(where, f"expected a file of a known ending, got {path.suffix or name!r}")
        else:
            yield _row(path, text, where, config)


def _row(path: Path, name: str, where: str, config: DatasetConfig) -> Row:
    key = shown_path(path, config).lstrip("/")
    split = config.split or next(filter(None, map(split_of, filter(is_split, PurePosixPath(key).parts))), None)
    return Row(key, "file", where, {"path": str(path), "class": name, "split": split or split_of_key(key, config)})


def is_split(part: str) -> bool:
    """Whether a folder is named by a split and nothing else: "train", "val2017", not "train station"."""
    return split_of(part) is not None and part.rstrip("0123456789").isalpha()


CLASS_FOLDERS = Format(
    name="class_folders",
    title="signals of any modality in a folder for each class",
    wants="a folder of folders named by classes, or with labels.csv (file, label)",
    home="your own",
    licence="your own",
    scan=scan_class_folders,
    read=read_class_folders,
    options={
        "kind": f"what the files are, where their endings do not tell: {', '.join(MODALITIES)}",
        "label": "the column of labels.csv with the class",
        "question": "what is asked of each",
        "source": "what the set is called in ids (default: the name of its folder)",
    },
)
