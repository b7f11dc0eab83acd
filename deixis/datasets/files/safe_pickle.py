"""Pickles of plain data, read without running anything: the files that RefCOCO and its kin come in.

A pickle is a program for a small machine. Before Python runs it, every instruction is looked at: one that finds, calls
or fills an object is refused by name, so that only None, booleans, numbers, texts, bytes, lists, tuples, dicts and sets
can come out, bounded in size and depth, without loops.
"""

import codecs
import io
import pickle
import pickletools
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NoReturn

from deixis.errors import DataError, DeixisError
from deixis.files.budget import read_whole

MAX_FILE_BYTES = 256 << 20
"""RefCOCO's largest is about a tenth of this."""
MAX_DEPTH = 100
MAX_GROWTH = 100
"""Weight of the tree for each byte of the pickle: one for each value and for each character of a text, counted again
wherever it occurs again. RefCOCO's texts come to about ten."""
ATOMS = (type(None), bool, int, float, str, bytes)
MAX_INT_BITS = 64
"""Longer integers can be made to share one hash, and a dict of such keys takes for ever to fill."""
MAX_PROTOCOL = 5
GLOBALS = frozenset({"GLOBAL", "INST", "STACK_GLOBAL"})
FORBIDDEN = GLOBALS | {
    *("EXT1", "EXT2", "EXT4", "PERSID", "BINPERSID", "OBJ", "NEWOBJ", "NEWOBJ_EX", "REDUCE", "BUILD"),
    *("BYTEARRAY8", "NEXT_BUFFER", "READONLY_BUFFER"),
}
"""Instructions that find, call or fill objects, or that make what is no plain data."""
PUTS = frozenset({"PUT", "BINPUT", "LONG_BINPUT"})
GETS = frozenset({"GET", "BINGET", "LONG_BINGET"})
FILLED = frozenset({"APPEND", "APPENDS", "SETITEM", "SETITEMS", "ADDITEMS"})
KEYS = {
    "SETITEM": slice(1, 2),
    "SETITEMS": slice(1, None, 2),
    "DICT": slice(0, None, 2),
    "ADDITEMS": slice(1, None),
    "FROZENSET": slice(0, None),
}
"""Where keys are among what an instruction takes from the stack."""
CONTAINERS = frozenset(
    {pickletools.pytuple, pickletools.pylist, pickletools.pydict, pickletools.pyset, pickletools.pyfrozenset}
)
_OPCODES: dict[str, Any] = {code.code: code for code in pickletools.opcodes}


def load_pickle(path: str | Path, max_bytes: int = MAX_FILE_BYTES) -> Any:
    """The plain data of a pickle in a file. Texts of Python 2 are read as UTF-8, other bytes in them as Latin-1.

    Raises DataError that names the file, for anything that is not plain data, for a file of more than
    `max_bytes`, and for one that is broken off or no pickle at all; OSError where it cannot be opened.
    """
    path = Path(path)
    size = path.stat().st_size
    if size > max_bytes:
        raise DataError(f"{path}: expected a pickle of at most {max_bytes} bytes, got {size}")
    try:
        return plain_pickle(read_whole(path))
    except DeixisError as error:
        raise DataError(f"{path}: {error}") from None


def plain_pickle(data: bytes) -> Any:
    """The plain data of a pickle. Raises DataError as `load_pickle` does.

    >>> plain_pickle(b"(lp0\\nI1\\naS'dog'\\na.")
    [1, 'dog']
    """
    _check_instructions(data)
    codecs.register_error("latin_1_bytes", _as_latin_1)
    try:
        result = _PlainUnpickler(io.BytesIO(data), encoding="utf-8", errors="latin_1_bytes").load()
    except DeixisError:
        raise
    except Exception as error:  # of damaged data Python's reader raises anything
        raise DataError(f"expected a pickle, got one that is broken: {error}") from None
    check_tree(result, MAX_GROWTH * len(data))
    return result


def _as_latin_1(error: Any) -> tuple[str, int]:
    return bytes(error.object[error.start : error.end]).decode("latin-1"), error.end


class _PlainUnpickler(pickle.Unpickler):
    """Python's reader without anything to find, should an instruction pass the check before."""

    def find_class(self, module: str, name: str) -> NoReturn:
        raise DataError(f"expected a pickle of plain data, got the global {module}.{name}")

    def persistent_load(self, pid: Any) -> NoReturn:
        raise DataError("expected a pickle of plain data, got a persistent id")


def _check_instructions(data: bytes) -> None:
    """Raises DataError for an instruction that could run code, or that takes much more memory than it is long."""
    file, texts, count, kinds = io.BytesIO(data), ["", ""], 0, _Kinds()
    while True:
        at = file.tell()
        code = _OPCODES.get(file.read(1).decode("latin-1"))
        if code is None:
            raise DataError(f"expected a pickle, got an unknown instruction or the end at byte {at}")
        try:
            # the parser of STRING knows ASCII alone, and RefCOCO's texts hold other bytes
            argument = file.readline() if code.name == "STRING" else code.arg and code.arg.reader(file)
        except Exception as error:  # of damaged data parsers raise anything
            raise DataError(f"expected a pickle, got one that is broken at byte {at}: {error}") from None
        if code.name in FORBIDDEN or code.proto > MAX_PROTOCOL:
            raise DataError(
                f"expected a pickle of plain data, got {_forbidden(code.name, argument, texts)} at byte {at}: it could "
                "run code, and is refused"
            )
        if code.name in PUTS and int(argument) > count:
            # the reader's table of references has as many entries as the largest number says
            raise DataError(f"expected references numbered in order, got {argument} at byte {at}")
        if type(argument) is int and argument.bit_length() > MAX_INT_BITS:
            raise DataError(f"expected integers of at most {MAX_INT_BITS} bits, got a longer one at byte {at}")
        if isinstance(argument, str):
            texts = [texts[1], argument]
        if code.name == "STOP":
            return
        kinds.run(code, argument)
        count += 1


def _forbidden(name: str, argument: Any, texts: list[str]) -> str:
    """What a forbidden instruction asks for. texts: the last two before it, which name the global of STACK_GLOBAL."""
    if name in GLOBALS:
        return "the global " + ".".join(texts if argument is None else argument.split(" "))
    if name.startswith("EXT"):
        return f"the extension {argument}"
    return "a persistent id" if name.endswith("PERSID") else f"the instruction {name}"


class _Kinds:
    """What lies on the reader's stack and in its table of references, by kind, as its instructions run.

    Python hashes keys while it reads, and tuples within tuples take for ever: a key has to be known as an atom before.
    """

    def __init__(self) -> None:
        self.stack: list[Any] = []
        self.marks: list[int] = []
        self.memo: dict[int, Any] = {}

    def run(self, code: Any, argument: Any) -> None:
        """Raises DataError for a key that is no text or number; other faults are left to the reader."""
        name, top = code.name, self.stack[-1:]
        if name in PUTS or name == "MEMOIZE":
            self.memo[len(self.memo) if name == "MEMOIZE" else int(argument)] = top[0] if top else None
            return
        if name in GETS:
            self.stack.append(self.memo.get(int(argument)))
            return
        if name == "MARK":
            self.marks.append(len(self.stack))
            return
        taken = self._taken(code)
        if name in KEYS and (odd := next((kind for kind in taken[KEYS[name]] if kind in CONTAINERS), None)):
            raise DataError(f"expected keys that are texts or numbers, got {odd.name}")
        kept = taken[:1] if name in FILLED else taken * 2 if name == "DUP" else code.stack_after
        self.stack += kept

    def _taken(self, code: Any) -> list[Any]:
        """Removes what an instruction takes from the stack: a container that it fills first, then the values."""
        count = len(code.stack_before)
        if pickletools.markobject in code.stack_before:
            start = self.marks.pop() if self.marks else 0
            values = self.stack[start:]
            del self.stack[start:]
            count = 1 if code.name in FILLED else 0
        elif code.name == "POP" and self.marks and self.marks[-1] == len(self.stack):
            self.marks.pop()
            return []
        else:
            values = []
        taken = self.stack[len(self.stack) - count :] if count else []
        del self.stack[len(self.stack) - len(taken) :]
        return taken + values


def check_tree(root: Any, most: int) -> None:
    """Raises DataError for a value that holds itself, nests too deep, or weighs more than `most` as a tree."""
    weights: dict[int, int] = {}  # of containers that are done, by their place in memory
    depths: dict[int, int] = {}
    above: set[int] = set()
    waiting = [(root, False)]
    # an explicit stack: a recursion would end at Python's limit, which is the attacker's to reach
    while waiting:
        value, is_done = waiting.pop()
        key = id(value)
        if isinstance(value, ATOMS) or (not is_done and key in weights):
            continue
        if is_done:
            above.discard(key)
            weights[key] = 1 + sum(weights.get(id(child)) or _atom_weight(child) for child in _children(value))
            depths[key] = 1 + max((depths.get(id(child), 0) for child in _children(value)), default=0)
            if weights[key] > most:
                raise DataError(
                    f"expected data of at most {most} values and characters, got more: parts repeat too often"
                )
        elif key in above:
            raise DataError("expected plain data, got a value that holds itself")
        else:
            for name in value if isinstance(value, dict | set | frozenset) else ():
                if not isinstance(name, ATOMS):
                    raise DataError(f"expected keys that are texts or numbers, got {type(name).__name__}")
            above.add(key)
            waiting.append((value, True))
            waiting += [(child, False) for child in _children(value)]
        if len(above) > MAX_DEPTH or depths.get(key, 0) > MAX_DEPTH:
            raise DataError(f"expected data of at most {MAX_DEPTH} levels, got more")


def _children(value: Any) -> Iterable[Any]:
    return (*value.keys(), *value.values()) if isinstance(value, dict) else value


def _atom_weight(value: Any) -> int:
    return 1 + len(value) if isinstance(value, str | bytes) else 1
