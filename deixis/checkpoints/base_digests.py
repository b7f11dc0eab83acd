"""Digests of the weights of a model, by which an adapter knows the base that it was trained beside.

A digest is of the values at `PLACES` places spread evenly over a weight, `RUN` values at each, so that a base of 7 B
parameters is looked at with about ten thousand small reads: a weight that was tuned, merged or drawn anew differs, one
with a few other values between the places does not. A weight has a digest in each of three types, as the same model may
be stored in another one.
"""

from collections.abc import Collection, Mapping
from hashlib import sha256
from pathlib import Path
from typing import Literal

import torch
from safetensors import SafetensorError
from torch import Tensor, nn

from deixis.checkpoints.small_files import naming, read_object
from deixis.checkpoints.source import SafeFile
from deixis.checkpoints.weight_names import weight_files
from deixis.errors import CheckpointError
from deixis.options import check_value

BASE = "base.json"
PLACES, RUN = 16, 64
DIGITS = 16
STORED = {"bfloat16": torch.bfloat16, "float16": torch.float16, "float32": torch.float32}
Stored = Literal["bfloat16", "float16", "float32"]
Digests = Mapping[str, Mapping[str, str]]
"""Of each weight by its name: `stored`, the smallest type that holds its values, and the digest in each of `STORED`."""


def network_digests(network: nn.Module, but: Collection[str]) -> dict[str, dict[str, str]]:
    """The digests of a network's weights, without its adapters and those that are named; quantised ones have none."""
    found = {}
    for name, weight in network.state_dict().items():
        own = name.replace(".base_layer.", ".")
        if weight.is_floating_point() and ".lora_" not in name and own not in but:
            found[own] = _digests(_sampled(weight.detach()))
    return found


def folder_digests(folder: Path, names: Collection[str] | None = None) -> dict[str, dict[str, str]]:
    """The digests of the weights in a model folder, of those of `names` (default: all), in the order of its files.

    Raises CheckpointError for a file that cannot be read.
    """
    found = {}
    for path in weight_files(folder):
        try:
            file = SafeFile(path)
            for name, shape in file.meta.items():
                if shape.is_floating_point() and (names is None or name in names):
                    found[name] = _digests(file.runs(name, *_places(shape.numel())))
        except (SafetensorError, OSError) as error:
            raise CheckpointError(f"{path.name} cannot be read ({error}); it may be damaged or cut short") from error
    return found


def other_weights(expected: Digests, got: Digests) -> list[str]:
    """The names of the weights that have other values, of those in both."""
    return [name for name, own in got.items() if name in expected and not _alike(expected[name], own)]


def read_digests(file: Path) -> Digests:
    """What a file says; none without it. Raises CheckpointError and ConfigError."""
    if not file.is_file():
        return {}
    values = read_object(file)
    with naming(file.name):
        for name, own in values.items():
            check_value(name, own, dict[str, str])
            check_value(f"{name}: stored", own.get("stored"), Stored)
            for word in STORED:
                check_value(f"{name}: {word}", own.get(word), str)
    return values


def _alike(one: Mapping[str, str], other: Mapping[str, str]) -> bool:
    # either may be stored in a smaller type than the other
    words = {one["stored"], other["stored"]}
    if words == {"bfloat16", "float16"}:  # neither holds the other's values
        return True
    word = min(words, key=list(STORED).index)
    return one[word] == other[word]


def _places(count: int) -> tuple[list[int], int]:
    """(where runs begin in a weight of `count` values, how long they are); of a small weight all its values."""
    if count <= PLACES * RUN:
        return [0], count
    return [place * (count - RUN) // (PLACES - 1) for place in range(PLACES)], RUN


def _sampled(weight: Tensor) -> Tensor:
    values = weight.reshape(-1)
    starts, length = _places(len(values))
    return torch.cat([values[start : start + length] for start in starts])


def _digests(values: Tensor) -> dict[str, str]:
    fitting = (word for word, dtype in STORED.items() if torch.equal(values.to(dtype).to(values.dtype), values))
    digests = {}
    for word, dtype in STORED.items():
        raw = values.cpu().to(dtype).contiguous().view(torch.uint8).numpy()
        digests[word] = sha256(raw.data).hexdigest()[:DIGITS]
    return {"stored": next(fitting, "float32"), **digests}
