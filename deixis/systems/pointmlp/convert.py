"""PointMLP (Ma et al., ICLR 2022): a `.pth` of ma-xu/pointMLP-pytorch@1ab7f04, whose names are ours.

Training saves {"net": weights under DataParallel's `module.`, ...} (classification_ModelNet40/utils/misc.py,
save_model). Widths, blocks and classes follow from the tensors; points, neighbours and reducers do not: they come from
`config.json` beside the file, else from --preset. Kept as published: the deviation of a whole group in the geometric
affine module (models/pointmlp.py:173), farthest points from the first one on. What is written is opened by
`deixis.systems.pointmlp.classifier.load_classifier`.
"""

import re
from collections.abc import Mapping
from itertools import pairwise
from pathlib import Path
from typing import Any

from torch import Tensor

from deixis.checkpoints.part_rules import count_layers
from deixis.checkpoints.rules import Part, leave, take
from deixis.checkpoints.source import Tensors
from deixis.errors import CheckpointError
from deixis.model.tokenizers.pointmlp import PRESETS, PointMLPConfig
from deixis.systems.release import ConversionOptions, Found, published_config

CLASSES = "shape_names.txt"
"""Beside the weights, as in ModelNet40's folder: the names of the classes, one per line."""
MODELNET40 = (
    *("airplane", "bathtub", "bed", "bench", "bookshelf", "bottle", "bowl", "car", "chair", "cone", "cup", "curtain"),
    *("desk", "door", "dresser", "flower_pot", "glass_box", "guitar", "keyboard", "lamp", "laptop", "mantel"),
    *("monitor", "night_stand", "person", "piano", "plant", "radio", "range_hood", "sink", "sofa", "stairs", "stool"),
    *("table", "tent", "toilet", "tv_stand", "vase", "wardrobe", "xbox"),
)
SCANOBJECTNN = (
    *("bag", "bin", "box", "cabinet", "chair", "desk", "display", "door", "shelf", "table", "bed", "pillow"),
    *("sink", "sofa", "toilet"),
)
KNOWN = {40: ("ModelNet40", MODELNET40, True), 15: ("ScanObjectNN", SCANOBJECTNN, False)}
"""By the number of classes: the data set that the paper trains on, its classes in the order of the labels, and whether
its clouds lie in the unit sphere. ScanObjectNN's are taken as they are (classification_ScanObjectNN/ScanObjectNN.py).
"""
PREFIXES = {"pointmlp": ("module.", "full.", ""), "pointmlp-elite": ("module.", "elite.", "")}


def read(source: Tensors, options: ConversionOptions) -> Found:
    """Everything that a conversion needs. Raises CheckpointError for another system's weights or unknown sizes."""
    presets = {name: {} for name in PRESETS}
    source_config = published_config(source, options, presets)
    prefix = _prefix(source, options.preset)
    names = {name.removeprefix(prefix): t for name, t in source.meta().items() if name.startswith(prefix)}
    own = source_config.get(prefix.rstrip("."), source_config) if prefix else source_config
    given = {} if options.preset is None else vars(PRESETS[options.preset])
    fields = {**given, **{name: value for name, value in own.items() if name in PointMLPConfig.__annotations__}}
    try:
        config = PointMLPConfig.of({**fields, **shape_options(names)})
    except KeyError as error:
        raise CheckpointError(
            f"source '{source.label}': expected a tensor {error.args[0]}, got none; it is cut short"
        ) from None
    rules = [take(re.escape(prefix) + r"(.*)", r"\1")]
    if prefix in ("full.", "elite."):
        rules.append(leave(r"(?:full|elite)\..*", "the other network in the file, which --preset names"))
    names_file = source.folder / CLASSES if options.classes is None else Path(options.classes)
    is_named = options.classes is not None or names_file.is_file()
    classes = read_classes(names_file, config.class_num) if is_named else ()
    name, usual, unit_sphere = KNOWN.get(config.class_num, ("", (), True))
    if classes:
        notes = []
    elif name:
        notes = [f"It has {config.class_num} classes, which are taken to be those of {name}; --classes names others."]
    else:
        notes = ["Its classes have no names and are called by their numbers, from 0."]
    return Found(
        config,
        [Part(source, rules)],
        notes=notes,
        classes=classes or usual,
        unit_sphere=unit_sphere,
        classes_file=names_file if is_named else None,
    )


def read_classes(file: Path, count: int) -> tuple[str, ...]:
    """The names of `count` classes, one per line, in the order of the labels. Raises CheckpointError, one sentence."""
    try:
        names = tuple(line.strip() for line in file.read_text(encoding="utf-8").splitlines() if line.strip())
    except (OSError, UnicodeDecodeError):
        raise CheckpointError(
            f"--classes: expected a text file with the name of a class a line, got '{file}'"
        ) from None
    if len(names) != count or len(set(names)) != count:
        raise CheckpointError(
            f"--classes: expected {count} names in '{file}', as many as the network has classes, got "
            f"{len(set(names))} different ones in {len(names)} lines"
        )
    return names


def shape_options(meta: Mapping[str, Tensor]) -> dict[str, Any]:
    """The constructor's arguments that follow from the names and shapes of the tensors."""
    shapes = {name: tuple(tensor.shape) for name, tensor in meta.items()}
    embed_dim, in_dim = shapes["embedding.net.0.weight"][:2]
    stages = count_layers(shapes, "pre_blocks_list.")
    widths = [embed_dim, *(shapes[f"pre_blocks_list.{n}.transfer.net.0.weight"][0] for n in range(stages))]
    use_xyz = shapes["pre_blocks_list.0.transfer.net.0.weight"][1] == 2 * embed_dim + 3
    first = shapes["pre_blocks_list.0.operation.0.net1.0.weight"]
    return {
        "embed_dim": embed_dim,
        "in_dim": in_dim,
        "class_num": shapes["classifier.8.weight"][0],
        "bias": "embedding.net.0.bias" in shapes,
        "use_xyz": use_xyz,
        "groups": widths[1] // first[1],
        "res_expansion": first[0] / widths[1],
        "dim_expansion": [wide // width for width, wide in pairwise(widths)],
        "pre_blocks": [count_layers(shapes, f"pre_blocks_list.{n}.operation.") for n in range(stages)],
        "pos_blocks": [count_layers(shapes, f"pos_blocks_list.{n}.operation.") for n in range(stages)],
        **({} if "local_grouper_list.0.affine_alpha" in shapes else {"normalize": None}),
    }


def _prefix(source: Tensors, preset: str | None) -> str:
    """What stands before the names: DataParallel's `module.`, or which of several networks of the file is meant."""
    there = [p for p in ("module.", "full.", "elite.") if any(name.startswith(p) for name in source.meta())]
    if not there:
        return ""
    wanted = [prefix for prefix in PREFIXES.get(preset or "", there) if prefix in there]
    if len(wanted) != 1:
        raise CheckpointError(
            f"source '{source.label}': expected one network, got {' and '.join(there)}* in it; say which by --preset "
            f"({', '.join(PREFIXES)})"
        )
    return wanted[0]
