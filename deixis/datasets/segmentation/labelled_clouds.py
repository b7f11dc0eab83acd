"""Point clouds with a label at every point, in NPZ files: each label's points become one object.

    xyz (n, 3), rgb (n, 3) if there are colours, label (n,) whole numbers; other usual names of the three will do

What a label means a list of classes tells, or the option `name`: then each label is an object of its own. Labels that
mean nothing (`background`) are skipped. Indices are places in the file, as `deixis.signals` reads it.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path

import numpy as np

from deixis.datasets.annotated import Annotated, Object
from deixis.datasets.files.class_lists import ClassList, find_class_list, is_void, read_class_list
from deixis.datasets.files.images import set_name
from deixis.datasets.files.paired_folders import shown_path, split_of_key
from deixis.datasets.source import METADATA, DatasetConfig, Format, Item, Metadata, Row
from deixis.errors import DataError
from deixis.geometry import Region
from deixis.samples.consistency import listed
from deixis.samples.sample import MediaReference, Skipped
from deixis.signals.npy_files import load_npz
from deixis.signals.point_cloud import XYZ_KEYS

LABEL_KEYS = ("label", "labels", "instance", "instances", "instance_label", "semantic", "semantic_label", "object")
NO_BACKGROUND = frozenset({0})
"""Labels that mean nothing, where no list of classes and no option says otherwise."""


def scan_clouds(config: DatasetConfig) -> Iterator[Row | Skipped]:
    """The list of classes, if there is one, and a row for each NPZ file in the folder and below.

    Raises DataError where there is none, and where nothing tells what labels mean.
    """
    files = [config.path] if config.path.is_file() else sorted(config.path.rglob("*.npz"))
    if not files:
        raise DataError(f"{config.path}: expected NPZ files with a label at each point, got none")
    background(config)
    listed_in = config.options.get("classes") or (
        None if "name" in config.options else find_class_list([config.folder])
    )
    if listed_in is not None:
        yield Row(METADATA, "classes", "classes", read_class_list(Path(listed_in)).to_json())
    elif "name" not in config.options:
        raise DataError(f"name: expected classes.json or classes.txt in {config.folder}, or name=..., got neither")
    for path in files:
        where = shown_path(path, config) if path != config.path else path.name
        yield Row(where.removesuffix(".npz"), "file", where, str(path))


def read_clouds(item: Item, metadata: Metadata, config: DatasetConfig) -> Iterator[Annotated | Skipped]:
    """The cloud of an item with an object for each label; a `Skipped` for each label that no class has."""
    row = item.one("file")
    path = Path(row.value)
    xyz, labels = _arrays(path, config.options.get("label"))
    classes = ClassList.from_json(metadata["classes"][0].value) if "classes" in metadata else None
    nothing = background(config)
    objects = []
    unusable: list[Object | None] = []
    for label in np.unique(labels).tolist():
        if label in nothing and (classes is None or label not in classes.names or "background" in config.options):
            continue
        names = (config.options["name"],) if classes is None else classes.names.get(label)
        indices = np.flatnonzero(labels == label)
        if names is None:
            assert classes is not None
            unusable.append(None)
            yield Skipped(
                row.where, f"expected one of the {len(classes.names)} classes, got {label} at {len(indices)} points"
            )
        elif not is_void(names[0]):
            region = Region(points=indices.tolist(), box3d=_box_of(xyz[indices]))
            objects.append(Object(names[0], region, synonyms=names[1:], stuff=classes is not None))
    source = set_name(config)
    medium_id = f"{source}/{item.key}"
    medium = MediaReference(
        medium_id, "point_cloud", path=str(path), point_count=len(xyz), unit=config.options.get("unit")
    )
    split = split_of_key(item.key, config)
    yield Annotated(medium_id, source, split, (medium,), tuple(objects), form="mask").without(unusable)


def background(config: DatasetConfig) -> frozenset[int]:
    """The labels that mean nothing: the option's numbers and ranges ("0,2-19"). Raises DataError for others."""
    text = config.options.get("background")
    if text is None:
        return NO_BACKGROUND
    numbers: set[int] = set()
    for part in text.split(","):
        low, dash, high = part.strip().partition("-")
        if not low.isdigit() or (dash and not high.isdigit()):
            raise DataError(f"background: expected numbers and ranges such as 0,2-19, got {text!r}")
        numbers |= set(range(int(low), int(high or low) + 1))
    return frozenset(numbers)


def _arrays(path: Path, key: str | None) -> tuple[np.ndarray, np.ndarray]:
    """(n, 3) places and (n,) labels of a file."""
    label_keys = LABEL_KEYS if key is None else (key,)
    names: list[str] = []

    def chosen(there: Sequence[str]) -> Sequence[str]:
        names.extend(there)
        return [name for name in there if name in (*XYZ_KEYS, *label_keys)]

    arrays = load_npz(path, path.name, "labelled points", chosen)
    found: list[np.ndarray] = []
    for keys in (XYZ_KEYS, label_keys):
        array = next((arrays[name] for name in keys if name in arrays), None)
        if array is None:
            raise DataError(f"{path}: expected an array named {' or '.join(keys)}, got {listed(names) or 'none'}")
        found.append(array)
    places, labels = found
    if places.ndim != 2 or places.shape[1] != 3 or labels.shape != places.shape[:1] or labels.dtype.kind not in "iu":
        raise DataError(
            f"{path}: expected points (n, 3) and a whole number for each, got {places.shape} and labels "
            f"{labels.dtype} {labels.shape}"
        )
    return places, labels


def _box_of(xyz: np.ndarray) -> tuple[float, float, float, float, float, float] | None:
    """The smallest upright box around some points; None where they are flat along an axis."""
    low, high = xyz.min(axis=0), xyz.max(axis=0)
    return (*low.tolist(), *high.tolist()) if (low < high).all() else None


CLOUDS = Format(
    name="clouds",
    title="clouds with a label at every point",
    wants="a folder of NPZ files with xyz and label, and classes.json or classes.txt, or one such file",
    home="your own",
    licence="your own",
    scan=scan_clouds,
    read=read_clouds,
    options={
        "name": "what every label shows, where each label is an object of its own",
        "classes": "a file with the list of classes",
        "label": "the name of the array of labels",
        "background": "labels that mean nothing, such as 0,2-19 (default: 0, where no class has it)",
        "unit": "of the coordinates, such as m",
        "source": "what the set is called in ids (default: the name of its folder)",
    },
)
