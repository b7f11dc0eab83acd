"""Pickles of plain data, read without running anything: the files that RefCOCO and its kin come in.

A pickle is a program for a small machine. This machine knows only the instructions that make None, booleans, numbers,
texts, bytes, lists, tuples, dicts and sets, of protocols 0 to 5, as Python 2 and 3 write them; every instruction that
finds, calls or fills an object of any other kind is refused by name. What comes out is a tree: bounded in size and
depth, without loops, and with keys that cannot be made to collide, so that whoever walks it is safe too.

Source of the instructions: python/cpython@v3.11.0 Lib/pickletools.py.
"""

from collections.abc import Callable, Iterable
from itertools import pairwise
from pathlib import Path
from struct import Struct
from typing import Any, NoReturn

from deixis.errors import DataError, DeixisError

MAX_FILE_BYTES = 256 << 20
"""RefCOCO's largest is about a tenth of this."""
MAX_DEPTH = 100
MAX_WEIGHT = 1 << 30
"""Of the tree: a unit for each value and for each sign of a text, counted again wherever it stands again."""
ATOMS = (type(None), bool, int, float, str, bytes)
KEY_BITS = 64
"""Of whole numbers as keys: longer ones can be made to share one place of a table, which takes for ever to fill."""
MAX_DIGITS, MAX_NUMBER_BYTES = 1_000, 400
"""Of a whole number, written in decimal or not: the time to write a longer one grows with the square."""


def load_pickle(path: str | Path, max_bytes: int = MAX_FILE_BYTES) -> Any:
    """The plain data of a pickle in a file. Texts of Python 2 are read as UTF-8, or as Latin-1 where they are not.

    Raises DataError that names the file, for anything that is not plain data, for a file of more than
    `max_bytes`, and for one that is broken off or no pickle at all; OSError where it cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > max_bytes:
        raise DataError(f"{path}: expected a pickle of at most {max_bytes} bytes, got {size}")
    try:
        return plain_pickle(path.read_bytes())
    except DeixisError as error:
        raise DataError(f"{path}: {error}") from None


def plain_pickle(data: bytes) -> Any:
    """The plain data of a pickle. Raises DataError as `load_pickle` does.

    >>> plain_pickle(b"(lp0\\nI1\\naS'dog'\\na.")
    [1, 'dog']
    """
    machine = _Machine(data)
    try:
        while (code := machine.byte()) != STOP:
            run = INSTRUCTIONS.get(code)
            if run is None:
                refuse(machine, code)
            run(machine)
        result = machine.pop()
    except DeixisError:
        raise
    except (IndexError, KeyError, ValueError):  # of the data: numbers and texts that int(), float() and codecs refuse
        raise DataError(f"expected a pickle, got one that is broken at byte {machine.at}") from None
    check_tree(result)
    return result


class _Machine:
    """The state that instructions work on: where they are in the data, the stack, its marks, and what is kept."""

    def __init__(self, data: bytes):
        self.data = data
        self.at = 0
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.kept: dict[int, Any] = {}

    def byte(self) -> int:
        value = self.data[self.at]  # IndexError at the end
        self.at += 1
        return value

    def take(self, count: int) -> bytes:
        if count < 0 or self.at + count > len(self.data):
            raise IndexError
        self.at += count
        return self.data[self.at - count : self.at]

    def line(self) -> bytes:
        end = self.data.find(b"\n", self.at)
        if end < 0:
            raise IndexError
        line = self.data[self.at : end]
        self.at = end + 1
        return line

    def number(self, form: Struct) -> Any:
        return form.unpack(self.take(form.size))[0]

    def pop(self) -> Any:
        if self.marks and self.marks[-1] >= len(self.stack):
            raise IndexError  # below a mark
        return self.stack.pop()

    def top(self, kind: type) -> Any:
        """The value on top, which is of a kind."""
        if type(self.stack[-1]) is not kind:
            raise DataError(
                f"expected a {kind.__name__} to fill at byte {self.at}, got {type(self.stack[-1]).__name__}"
            )
        return self.stack[-1]

    def since_mark(self) -> list[Any]:
        start = self.marks.pop()
        values = self.stack[start:]
        del self.stack[start:]
        return values


def refuse(machine: _Machine, code: int) -> NoReturn:
    """Raises the sentence that names what a forbidden instruction asks for."""
    name = FORBIDDEN.get(code)
    if name is None:
        raise DataError(f"expected a pickle, got the unknown instruction {code:#04x} at byte {machine.at - 1}")
    if name in ("global", "inst"):
        what = "the global " + ".".join(machine.line().decode("utf-8", "replace") for _ in range(2))
    elif name == "stack_global":
        what = "the global " + ".".join(str(part)[:80] for part in machine.stack[-2:])
    elif name == "extension":
        what = f"the extension {int.from_bytes(machine.take(1 << (code - 0x82)), 'little')}"
    elif name == "persistent id":
        what = "a persistent id"
    else:
        what = f"the instruction {name}"
    raise DataError(
        f"expected a pickle of plain data, got {what} at byte {machine.at}: it could run code, and is refused"
    )


def check_tree(root: Any) -> None:
    """Raises DataError for a value that holds itself, nests too deep, or is too large when written out as a tree."""
    weights: dict[int, int] = {}  # of containers that are done, by their place in memory
    depths: dict[int, int] = {}
    above: set[int] = set()
    waiting = [(root, False)]
    while waiting:
        value, is_done = waiting.pop()
        key = id(value)
        if isinstance(value, ATOMS) or (not is_done and key in weights):
            continue
        if is_done:
            above.discard(key)
            weights[key] = 1 + sum(weights.get(id(child)) or _atom_weight(child) for child in _children(value))
            depths[key] = 1 + max((depths.get(id(child), 0) for child in _children(value)), default=0)
            if weights[key] > MAX_WEIGHT:
                raise DataError(
                    f"expected data of at most {MAX_WEIGHT} values and signs, got more: parts repeat too often"
                )
        elif key in above:
            raise DataError("expected plain data, got a value that holds itself")
        else:
            above.add(key)
            waiting.append((value, True))
            waiting += [(child, False) for child in _children(value)]
        if len(above) > MAX_DEPTH or depths.get(key, 0) > MAX_DEPTH:
            raise DataError(f"expected data of at most {MAX_DEPTH} levels, got more")


def _children(value: Any) -> Iterable[Any]:
    return (*value.keys(), *value.values()) if isinstance(value, dict) else value


def _atom_weight(value: Any) -> int:
    return 1 + len(value) if isinstance(value, str | bytes) else 1


def _key(value: Any) -> Any:
    """A value as a key of a dict or a member of a set."""
    if not isinstance(value, ATOMS) or (type(value) is int and value.bit_length() > KEY_BITS):
        raise DataError(f"expected keys that are texts or short numbers, got {type(value).__name__}")
    return value


def _unicode(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogatepass")


def _text(raw: bytes) -> str:
    """A text of Python 2, of which bytes are all that is known."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode("latin-1")


def _quoted(machine: _Machine) -> str:
    """A text of protocol 0, as Python 2's `repr` writes it."""
    import codecs

    line = machine.line().strip()
    if len(line) < 2 or line[:1] != line[-1:] or line[:1] not in (b"'", b'"'):
        raise DataError(f"expected a text in quotes at byte {machine.at}")
    return _text(codecs.escape_decode(line[1:-1])[0])


def _decimal(machine: _Machine) -> int | bool:
    """A whole number of protocol 0; 00 and 01 are booleans there, and an L may stand at the end."""
    line = machine.line()
    if line in (b"00", b"01"):
        return line == b"01"
    if len(line) > MAX_DIGITS:
        raise DataError(f"expected a number of at most {MAX_DIGITS} digits at byte {machine.at}, got {len(line)}")
    return int(line.removesuffix(b"L"))


def _bytes_number(machine: _Machine, count: int) -> int:
    if count > MAX_NUMBER_BYTES:
        raise DataError(f"expected a number of at most {MAX_NUMBER_BYTES} bytes at byte {machine.at}, got {count}")
    return int.from_bytes(machine.take(count), "little", signed=True)


def _append(machine: _Machine) -> None:
    value = machine.pop()
    machine.top(list).append(value)


def _appends(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.top(list).extend(values)


def _pairs(values: list[Any]) -> Iterable[tuple[Any, Any]]:
    if len(values) % 2:
        raise DataError("expected a value for each key of a dict, got one key more")
    return ((_key(key), value) for key, value in list(pairwise(values))[::2])


def _set_item(machine: _Machine) -> None:
    value, key = machine.pop(), machine.pop()
    machine.top(dict)[_key(key)] = value


def _set_items(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.top(dict).update(_pairs(values))


def _add_items(machine: _Machine) -> None:
    values = machine.since_mark()
    machine.top(set).update(map(_key, values))


def _keep(machine: _Machine, number: int) -> None:
    machine.kept[number] = machine.stack[-1]


def _pop(machine: _Machine) -> None:
    if machine.marks and machine.marks[-1] == len(machine.stack):
        machine.marks.pop()
    else:
        machine.stack.pop()


def _tuple(machine: _Machine, count: int) -> None:
    values = [machine.pop() for _ in range(count)]
    machine.stack.append(tuple(reversed(values)))


def _pushes(value_of: Callable[[_Machine], Any]) -> Callable[[_Machine], None]:
    return lambda machine: machine.stack.append(value_of(machine))


def _sized(form: Struct, decode: Callable[[bytes], Any]) -> Callable[[_Machine], None]:
    """Pushes what so many bytes say; their count stands before them."""
    return lambda machine: machine.stack.append(decode(machine.take(machine.number(form))))


_U1, _U2, _U4, _U8 = Struct("<B"), Struct("<H"), Struct("<I"), Struct("<Q")
_I4, _F8 = Struct("<i"), Struct(">d")
STOP = ord(".")
INSTRUCTIONS: dict[int, Callable[[_Machine], Any]] = {
    0x80: lambda m: m.take(1) and None,  # which protocol
    0x95: lambda m: m.take(8) and None,  # a frame: how many bytes follow, for readers of files
    ord("N"): _pushes(lambda m: None),
    0x88: _pushes(lambda m: True),
    0x89: _pushes(lambda m: False),
    ord("I"): _pushes(_decimal),
    ord("L"): _pushes(_decimal),
    ord("J"): _pushes(lambda m: m.number(_I4)),
    ord("K"): _pushes(_Machine.byte),
    ord("M"): _pushes(lambda m: m.number(_U2)),
    0x8A: _pushes(lambda m: _bytes_number(m, m.byte())),
    0x8B: _pushes(lambda m: _bytes_number(m, m.number(_I4))),
    ord("F"): _pushes(lambda m: float(m.line())),
    ord("G"): _pushes(lambda m: m.number(_F8)),
    ord("S"): _pushes(_quoted),
    ord("T"): _sized(_I4, _text),
    ord("U"): _sized(_U1, _text),
    ord("V"): _pushes(lambda m: m.line().decode("raw-unicode-escape")),
    ord("X"): _sized(_U4, _unicode),
    0x8C: _sized(_U1, _unicode),
    0x8D: _sized(_U8, _unicode),
    ord("B"): _sized(_U4, bytes),
    ord("C"): _sized(_U1, bytes),
    0x8E: _sized(_U8, bytes),
    ord("("): lambda m: m.marks.append(len(m.stack)),
    ord("0"): _pop,
    ord("1"): lambda m: m.since_mark() and None,
    ord("2"): _pushes(lambda m: m.stack[-1]),
    ord("]"): _pushes(lambda m: []),
    ord("l"): _pushes(_Machine.since_mark),
    ord("a"): _append,
    ord("e"): _appends,
    ord(")"): _pushes(lambda m: ()),
    ord("t"): _pushes(lambda m: tuple(m.since_mark())),
    0x85: lambda m: _tuple(m, 1),
    0x86: lambda m: _tuple(m, 2),
    0x87: lambda m: _tuple(m, 3),
    ord("}"): _pushes(lambda m: {}),
    ord("d"): _pushes(lambda m: dict(_pairs(m.since_mark()))),
    ord("s"): _set_item,
    ord("u"): _set_items,
    0x8F: _pushes(lambda m: set()),
    0x90: _add_items,
    0x91: _pushes(lambda m: frozenset(map(_key, m.since_mark()))),
    ord("p"): lambda m: _keep(m, int(m.line())),
    ord("q"): lambda m: _keep(m, m.byte()),
    ord("r"): lambda m: _keep(m, m.number(_U4)),
    0x94: lambda m: _keep(m, len(m.kept)),
    ord("g"): _pushes(lambda m: m.kept[int(m.line())]),
    ord("h"): _pushes(lambda m: m.kept[m.byte()]),
    ord("j"): _pushes(lambda m: m.kept[m.number(_U4)]),
}
"""Instruction -> what it does to the machine."""
FORBIDDEN = {
    ord("c"): "global",
    ord("i"): "inst",
    0x93: "stack_global",
    0x82: "extension",
    0x83: "extension",
    0x84: "extension",
    ord("P"): "persistent id",
    ord("Q"): "persistent id",
    ord("o"): "obj",
    0x81: "newobj",
    0x92: "newobj_ex",
    ord("R"): "reduce",
    ord("b"): "build",
    0x96: "bytearray8",
    0x97: "next_buffer",
    0x98: "readonly_buffer",
}
"""Instructions that find, call or fill objects, or that make what is no plain data."""
