"""Values of JSON with one value replaced by another of the wrong type or size: what a stranger's file may hold."""

import copy
from collections.abc import Iterator
from typing import Any

WRONG: dict[str, Any] = {
    "null": None,
    "true": True,
    "list": [],
    "nested": [[1], {"a": None}],
    "object": {},
    "text": "x" * 1_000,
    "empty": "",
    "below": -1,
    "half": 0.5,
    "large": 1e308,
    "whole": 10**20,
    "nan": float("nan"),
    "infinity": float("inf"),
}


def places(value: Any, path: tuple = ()) -> Iterator[tuple]:
    """The keys that lead to every value in `value`, itself first; of a list the first and the last item."""
    yield path
    if isinstance(value, dict):
        for key in value:
            yield from places(value[key], (*path, key))
    elif isinstance(value, list):
        for index in dict.fromkeys((0, len(value) - 1)) if value else ():
            yield from places(value[index], (*path, index))


def mutations(value: Any) -> Iterator[tuple[str, Any]]:
    """(what was done, copy) for every place and every wrong value, and with every key left out."""
    for path in places(value):
        name = ".".join(map(str, path)) or "all"
        for word, wrong in WRONG.items():
            yield f"{name}={word}", _with(value, path, lambda owner, key, new=wrong: owner.__setitem__(key, new))
        if path and isinstance(path[-1], str):
            yield f"{name} missing", _with(value, path, lambda owner, key: owner.pop(key))


def _with(value: Any, path: tuple, change: Any) -> Any:
    whole = [copy.deepcopy(value)]
    owner: Any = whole
    keys = (0, *path)
    for key in keys[:-1]:
        owner = owner[key]
    change(owner, keys[-1])
    return whole[0]
