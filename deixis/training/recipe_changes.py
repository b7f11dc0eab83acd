"""Changes of a recipe from the command line: `stages.finetune.learning_rate=1e-4`, `seed=7`, `stages.0.steps=50`."""

from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from deixis.errors import ConfigError
from deixis.files.yaml_text import parse_yaml
from deixis.options import shown

FIELD = "--set"


def changed(values: Any, changes: Sequence[str]) -> Any:
    """The plain values of a recipe with PATH=VALUE applied in order.

    A path goes through mappings by name and through lists by number or by the `name` of an item; a last name that is
    not there is added, and a value is read as YAML. Raises ConfigError for a path that leads nowhere.
    """
    values = deepcopy(values)
    for change in changes:
        path, sign, text = change.partition("=")
        if not sign or not all(names := path.strip().split(".")):
            raise ConfigError(f"{FIELD}: expected PATH=VALUE, as in stages.0.learning_rate=1e-4; got {shown(change)}")
        place = values
        for depth, name in enumerate(names[:-1]):
            place = _inside(place, name, ".".join(names[: depth + 1]))
        if isinstance(place, list):
            place[_number(place, names[-1], path)] = _value(text)
        elif isinstance(place, Mapping):
            place[names[-1]] = _value(text)
        else:
            raise ConfigError(f"{FIELD} {path}: expected fields before .{names[-1]}; got {shown(place)}")
    return values


def _inside(place: Any, name: str, path: str) -> Any:
    if isinstance(place, list):
        return place[_number(place, name, path)]
    if not isinstance(place, Mapping):
        raise ConfigError(f"{FIELD} {path}: expected fields before .{name}; got {shown(place)}")
    if place.get(name) is None:
        place[name] = {}
    return place[name]


def _number(items: list[Any], name: str, path: str) -> int:
    named = [item.get("name") if isinstance(item, Mapping) else None for item in items]
    if name in named:
        return named.index(name)
    if name.isdecimal() and int(name) < len(items):
        return int(name)
    known = [own or str(number) for number, own in enumerate(named)]
    raise ConfigError(f"{FIELD} {path}: expected one of {', '.join(known)}; got {shown(name)}")


def _value(text: str) -> Any:
    value = parse_yaml(text, FIELD)
    if isinstance(value, str):
        try:
            return float(value)  # 1e-4 without a point is text in YAML 1.1
        except ValueError:
            pass
    return value
