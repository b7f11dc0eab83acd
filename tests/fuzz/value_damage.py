"""JSON, YAML, XML and tables with a value, a name or a level that does not belong there."""

import json
import re
from collections.abc import Iterator
from copy import deepcopy
from random import Random
from typing import Any

import yaml

DEPTH = 20_000  # levels of brackets, beyond what Python's own parser follows
LONG = 20_000  # letters of a long text
VALUES: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2**31, 2**63, 10**20, -(10**30), 0.5, 1e308, float("nan"), float("inf")),
    *([], {}, "", "x", "../x", "/etc/passwd", "\x1b[2J", "\ud800", "a\0b", "{0}", "<image>", [None], [[]], [[[0]]]),
    *({"a": 1}, {"": {}}, [1, "a", None], "9" * 30, "1e999", "http://localhost/x.png", "\u202e", ["a"] * 50),
)
RAW = (
    "1" * 5000,
    "1e99999",
    "[" * DEPTH,
    "[" * DEPTH + "]" * DEPTH,
    '{"a":' * DEPTH,
    '"\\ud800"',
    "NaN",
    "-",
    "01",
    "'a'",
)


def damaged_json(data: bytes, rng: Random) -> bytes:
    """JSON with one to three changes in it."""
    text = damaged_call(data, rng).decode()
    if rng.random() < 0.15:
        text = _with_raw(text, rng)
    return text.encode()


def damaged_call(data: bytes, rng: Random) -> bytes:
    """As `damaged_json`, but always JSON: what is called with the values is under test, and not their file."""
    value = json.loads(data)
    for _ in range(rng.choice([1, 1, 2, 3])):
        value = changed_value(value, rng)
    return json.dumps(value).encode()


def damaged_jsonl(data: bytes, rng: Random) -> bytes:
    """JSON lines, one of them changed, or the lines in another order or joined."""
    lines = data.splitlines()
    at = rng.randrange(len(lines))
    if rng.random() < 0.15:
        rng.shuffle(lines)
        return rng.choice([b"\n", b"", b"\r\n", b"\n\n", b","]).join(lines)
    lines[at] = damaged_json(lines[at], rng)
    return b"\n".join(lines) + b"\n"


def damaged_yaml(data: bytes, rng: Random) -> bytes:
    """YAML with one to three changes in it, or with what only YAML has."""
    value = yaml.safe_load(data)
    if rng.random() < 0.2:
        tricks = [
            "&a [*a]",
            "!!python/object/apply:os.system ['true']",
            "{" * 2000,
            "? ",
            "<<: [1]",
            "2026-13-45",
            "!!bool maybe",
            "!!int ''",
            "!!timestamp x",
            "1:" * 200 + "1.0",
            "\t- a",
        ]
        return data + f"\nextra: {rng.choice(tricks)}\n".encode()
    for _ in range(rng.choice([1, 1, 2, 3])):
        value = changed_value(value, rng)
    return yaml.safe_dump(json.loads(json.dumps(value)), allow_unicode=True).encode()


def damaged_xml(data: bytes, rng: Random) -> bytes:
    """XML with another text in an element, an element lost or doubled, or with entities."""
    elements = list(re.finditer(rb"<(\w+)>([^<>]*)</\1>", data))
    if not elements:
        return data[: len(data) // 2]
    match = rng.choice(elements)
    name, text = (
        match[1],
        rng.choice([b"", b"nan", b"1e308", b"-1", b"9" * 400, b"a", b"&#0;", b"&a;", b"../x", b"<b/>"]),
    )
    way = rng.choice(["text", "text", "lost", "doubled", "entity", "deep"])
    changed = {
        "text": b"<%s>%s</%s>" % (name, text, name),
        "lost": b"",
        "doubled": match[0] * rng.choice([2, 500]),
        "deep": b"<a>" * 5000 + match[0] + b"</a>" * 5000,
    }.get(way, match[0])
    head = b'<!DOCTYPE a [<!ENTITY a SYSTEM "file:///etc/passwd">]>' if way == "entity" else b""
    return head + data[: match.start()] + changed + data[match.end() :]


def damaged_table(data: bytes, rng: Random) -> bytes:
    """A table with a cell changed, lost or doubled, or with an open quotation mark."""
    separator = b"\t" if b"\t" in data.splitlines()[0] else b","
    rows = [line.split(separator) for line in data.splitlines()]
    row = rng.choice(rows)
    cells = [
        b"",
        b"nan",
        b"inf",
        b"1e308",
        b"-1",
        b"9" * 400,
        b'"',
        b'"a',
        b"x" * 140_000,
        b"\xff",
        b"\0",
        b"=1+1",
        b"1e-320",
    ]
    way = rng.choice(["cell", "cell", "lost", "doubled"])
    at = rng.randrange(len(row))
    row[at : at + (way != "doubled")] = [] if way == "lost" else [rng.choice(cells)]
    return b"\n".join(separator.join(cells) for cells in rows) + b"\n"


def changed_value(value: Any, rng: Random) -> Any:
    """A value with one place in it changed."""
    places = list(_places(value))
    if not places:
        return _other(rng)
    holder, key = rng.choice(places)
    way = rng.choice(["other", "other", "other", "lost", "doubled", "wrapped", "renamed", "deep", "long"])
    old = holder[key]
    if way == "lost":
        del holder[key]
    elif way == "renamed" and isinstance(holder, dict):
        holder[rng.choice([f"{key}_", "", "__class__", key.upper()])] = holder.pop(key)
    elif way == "doubled" and isinstance(holder, list):
        holder[key:key] = [deepcopy(old) for _ in range(rng.choice([1, 1, 300]))]
    else:
        made = {"wrapped": rng.choice([[old], {"a": old}]), "deep": _nested(old, 150), "long": "x" * LONG}
        holder[key] = made[way] if way in made else _other(rng)
    return value


def _other(rng: Random) -> Any:
    """One of the values, which the next change may change in its turn."""
    return deepcopy(rng.choice(VALUES))


def _places(value: Any) -> Iterator[tuple[Any, Any]]:
    """(container, key) of every value below this one; of long lists the first few."""
    if isinstance(value, dict | list):
        for key in list(value) if isinstance(value, dict) else range(min(len(value), 12)):
            yield value, key
            yield from _places(value[key])


def _nested(value: Any, levels: int) -> Any:
    for _ in range(levels):
        value = [value]
    return value


def _with_raw(text: str, rng: Random) -> str:
    """JSON with a number, word or text in it replaced by what is no value, or no value of Python's."""
    found = list(re.finditer(r'-?\d[\d.e+-]*|"[^"\\]*"(?!:)|null|true|false', text))
    if not found:
        return rng.choice(RAW)
    match = rng.choice(found)
    return text[: match.start()] + rng.choice(RAW) + text[match.end() :]
