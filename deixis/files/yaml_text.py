"""YAML of strangers as values: recipes and lists. What is wrong with a file is one sentence with its line."""

from pathlib import Path
from typing import Any

import yaml

from deixis.errors import ConfigError, DataError, one_line
from deixis.files.json_text import MAX_DEPTH, check_values, read_text

MAX_YAML_BYTES = 2 << 20
"""The largest recipe of the repository has 10 kB; the parser takes seconds for each MB."""
MAX_VALUES = 200_000
"""Of a file after its aliases are written out: a few lines of aliases of aliases can stand for billions."""


def read_yaml(path: str | Path) -> Any:
    """The values in a YAML file. Raises ConfigError, one sentence with file and line, for a file that is no YAML.

    Keys that are repeated, which YAML forbids and most parsers ignore, are refused; aliases and merges are taken.
    """
    try:
        text = read_text(path)
    except DataError as error:
        raise ConfigError(str(error)) from None
    return parse_yaml(text, str(path))


def parse_yaml(text: str, where: str) -> Any:
    """The values in YAML. Raises ConfigError as `read_yaml` does, for what is at `where`."""
    if len(text) > MAX_YAML_BYTES:
        raise ConfigError(f"{where}: expected YAML of at most {MAX_YAML_BYTES} characters, got {len(text)}")
    try:
        value = yaml.load(text, _Loader)
        check_values(value)
        return value
    except DataError as error:
        raise ConfigError(f"{where}: {error}") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        line = "" if mark is None else f":{mark.line + 1}"
        raise ConfigError(f"{where}{line}: expected YAML; {error.problem or error.context}") from None
    except RecursionError:
        raise ConfigError(f"{where}: expected YAML nested at most {MAX_DEPTH} deep, got more") from None
    except (yaml.YAMLError, ValueError) as error:  # ValueError: a date or number that is none
        raise ConfigError(f"{where}: expected YAML; {one_line(error)}") from None


class _Loader(yaml.SafeLoader):
    """Looks at the nodes of a document before any value is made of them; a value that cannot be made has its line."""

    def get_single_node(self) -> Any:
        node = super().get_single_node()
        if node is not None:
            size, height = _size(node, {}, 0)
            if size > MAX_VALUES or height > MAX_DEPTH:
                limits = f"at most {MAX_VALUES} values, nested at most {MAX_DEPTH} deep, with aliases written out"
                raise _refusal(node, f"expected {limits}; got more")
        return node

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep)
        except (LookupError, AttributeError, TypeError, OverflowError):  # PyYAML's, of text that is not of its type
            kind = node.tag.rpartition(":")[2]
            got = repr(node.value) if isinstance(node, yaml.ScalarNode) else f"a {node.id}"
            raise _refusal(node, f"expected a value of the type {kind}, got {got:.60}") from None


def _size(node: Any, known: dict[int, tuple[int, int] | None], depth: int) -> tuple[int, int]:
    """(how many values a node stands for, how deep they are nested)."""
    if isinstance(node, yaml.ScalarNode):
        return 1, 0
    if depth > MAX_DEPTH:
        raise RecursionError
    if id(node) not in known:
        known[id(node)] = None  # while it is counted
        inner = node.value
        if isinstance(node, yaml.MappingNode):
            _check_keys(node)
            inner = [part for pair in node.value for part in pair]
        sizes = [_size(part, known, depth + 1) for part in inner]
        known[id(node)] = 1 + sum(size for size, _ in sizes), 1 + max((height for _, height in sizes), default=0)
    found = known[id(node)]
    if found is None:
        raise _refusal(node, "expected values, got an alias of what contains it")
    return found


def _check_keys(node: Any) -> None:
    seen = set()
    for key, _ in node.value:
        if isinstance(key, yaml.ScalarNode) and key.tag != "tag:yaml.org,2002:merge":
            if (key.tag, key.value) in seen:
                raise _refusal(key, f"the key {key.value!r} is repeated")
            seen.add((key.tag, key.value))


def _refusal(node: Any, problem: str) -> yaml.MarkedYAMLError:
    return yaml.MarkedYAMLError(problem=problem, problem_mark=node.start_mark)
