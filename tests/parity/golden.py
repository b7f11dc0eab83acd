"""A folder of what an official system computed: its entries by name, and how each of them is covered.

An entry is a tensor, an array, an image, or a leaf of a JSON file; its name is the file's without suffix, then the
keys, joined by "/": `outputs/image.logits`, `units/iou/3/giou`. Every entry has to be recomputed (a `Check`), be an
input, or be excluded by name with a reason; any other fails. The names of inputs and of excluded entries are patterns
(fnmatch) in the system's file.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

import numpy as np
import torch
from PIL import Image
from safetensors.torch import load_file


@dataclass(frozen=True)
class Check:
    """What we computed for the entry called `name`, or for all entries below it.

    tolerance: largest absolute error, or, if `relative`, a share of the largest stored value. Numbers without
    tolerance, and anything else, have to be equal.
    """

    name: str
    computed: Any
    tolerance: float = 0.0
    relative: bool = False


@dataclass(frozen=True)
class Line:
    """One line of the report."""

    name: str
    shape: str
    error: float
    tolerance: float
    note: str = ""

    @property
    def passed(self) -> bool:
        return self.error <= self.tolerance

    def __str__(self) -> str:
        verdict = "pass" if self.passed else "FAIL"
        return (
            f"{self.name:<52} {self.shape:<18} {self.error:<9.2g} {self.tolerance:<9.2g} {verdict} {self.note}".rstrip()
        )


class Golden:
    """The entries of a folder; `sources` are the files (patterns) that a conversion reads."""

    def __init__(self, folder: Path, sources: tuple[str, ...]):
        self.folder, self.entries = folder, {}
        for file in sorted(folder.iterdir()):
            if file.is_file() and file.name not in ("golden.json", "README.md"):
                self._read(file, any(fnmatchcase(file.name, source) for source in sources))
        self.compared: set[str] = set()

    def _read(self, file: Path, is_source: bool) -> None:
        if is_source:
            return
        if file.suffix == ".safetensors":
            self.entries |= {f"{file.stem}/{name}": tensor for name, tensor in load_file(file).items()}
        elif file.suffix == ".npz":
            with np.load(file) as arrays:
                self.entries |= {f"{file.stem}/{name}": array for name, array in arrays.items()}
        elif file.suffix == ".json":
            self.entries |= dict(_leaves(json.loads(file.read_text(encoding="utf-8")), file.stem))
        elif file.suffix == ".png":
            self.entries[file.stem] = np.asarray(Image.open(file).convert("RGB"))
        else:
            raise ValueError(f"{file.name}: no way to read it, and it is no source")

    def has(self, name: str) -> bool:
        """Whether there is an entry of that name, or below it."""
        return name in self.entries or any(entry.startswith(f"{name}/") for entry in self.entries)

    def __getitem__(self, name: str) -> Any:
        """The value of an entry, or of all entries below a name, as the JSON file had it."""
        if name in self.entries:
            return self.entries[name]
        if not self.has(name):
            raise KeyError(name)
        keys = list(
            dict.fromkeys(
                entry[len(name) + 1 :].split("/")[0] for entry in self.entries if entry.startswith(f"{name}/")
            )
        )
        values = {key: self[f"{name}/{key}"] for key in keys}
        return list(values.values()) if keys == [str(index) for index in range(len(keys))] else values

    def names(self, pattern: str) -> list[str]:
        """Names of the entries that match."""
        return [name for name in self.entries if fnmatchcase(name, pattern)]

    def keys(self, name: str) -> list[str]:
        """What comes directly below a name, in the order of the file."""
        prefix = f"{name}/"
        below = (entry[len(prefix) :].split("/")[0] for entry in self.entries if entry.startswith(prefix))
        return list(dict.fromkeys(below))

    def compare(self, check: Check) -> Line:
        """The line for a check; the entries of its name count as recomputed."""
        if not self.has(check.name):
            return Line(check.name, "-", np.inf, 0.0, "no such entry in the folder")
        self.compared |= {entry for entry in self.entries if f"{entry}/".startswith(f"{check.name}/")}
        stored, computed = _plain(self[check.name]), _plain(check.computed)
        is_number = isinstance(stored, int | float) and not isinstance(stored, bool)
        if is_number or (check.tolerance and isinstance(stored, list)):
            stored, computed = np.asarray(stored), np.asarray(computed)
        if not isinstance(stored, np.ndarray):
            same = stored == computed
            note = "" if same else f"expected {str(stored)[:60]!r}, got {str(computed)[:60]!r}"
            return Line(check.name, _kind(stored), float(not same), 0.0, note)
        shape = "x".join(map(str, stored.shape)) or "number"
        computed = np.asarray(computed)
        if computed.shape != stored.shape:
            return Line(check.name, shape, np.inf, 0.0, f"computed {computed.shape}")
        scale = np.abs(stored.astype(np.float64)).max(initial=0.0) if check.relative else 1.0
        error = np.abs(computed.astype(np.float64) - stored.astype(np.float64)).max(initial=0.0)
        return Line(check.name, shape, float(error), float(check.tolerance * scale))

    def uncovered(self, given: Mapping[str, str], left: Mapping[str, str]) -> list[str]:
        """Names of the entries that were neither recomputed nor are listed as inputs or as excluded."""
        patterns = (*given, *left)
        return [
            name
            for name in self.entries
            if name not in self.compared and not any(fnmatchcase(name, pattern) for pattern in patterns)
        ]

    def listed(self, patterns: Mapping[str, str]) -> dict[str, list[str]]:
        """Names of the entries that were not recomputed, by the reason that the first matching pattern gives."""
        found: dict[str, list[str]] = {}
        for name in self.entries:
            reason = next((why for pattern, why in patterns.items() if fnmatchcase(name, pattern)), None)
            if reason is not None and name not in self.compared:
                found.setdefault(reason, []).append(name)
        return found


def _leaves(value: Any, name: str):
    """(name, leaf): a dictionary and a list with dictionaries in it are no leaves; empty ones are."""
    if isinstance(value, dict) and value:
        for key, below in value.items():
            yield from _leaves(below, f"{name}/{key}")
    elif isinstance(value, list) and any(isinstance(below, dict | list) and _has_dict(below) for below in value):
        for index, below in enumerate(value):
            yield from _leaves(below, f"{name}/{index}")
    else:
        yield name, value


def _has_dict(value: Any) -> bool:
    return isinstance(value, dict) or (isinstance(value, list) and any(map(_has_dict, value)))


def _plain(value: Any) -> Any:
    """Tensors as arrays, tuples as lists."""
    if isinstance(value, torch.Tensor):
        value = value.detach().cpu()
        return (value.float() if value.dtype.is_floating_point else value).numpy()
    if isinstance(value, tuple):
        value = list(value)
    if isinstance(value, np.generic):
        value = value.item()
    if isinstance(value, dict):
        return {str(key): _plain(below) for key, below in value.items()}
    return [_plain(below) for below in value] if isinstance(value, list) else value


def _kind(value: Any) -> str:
    if isinstance(value, str):
        return "text"
    return f"{type(value).__name__} of {len(value)}" if isinstance(value, list | dict) else type(value).__name__
