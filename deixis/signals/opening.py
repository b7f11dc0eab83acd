"""Which modality a file or a value is, and what a name on a command line says of it.

    photo.png            told from the ending, checked against the content
    depth:map.npy        the modality named before a colon
    depth@0.0002:a.png   and the one number that such a file may lack: metres a step, rows or images a second
    photo.png+depth.png  two files that belong together

It knows modalities by their readers only, so a new modality needs nothing here.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from inspect import signature
from os.path import exists, isfile  # of pathlib's, a name too long raises
from pathlib import Path
from typing import Any

from deixis.errors import InputError
from deixis.options import shown
from deixis.signals.contents import Content, ContentFile
from deixis.signals.files import FIRST_MAGICS, FOREIGN_MAGICS, HEAD_BYTES, PNG_MAGIC, matches, read_head
from deixis.signals.modality import Modality
from deixis.signals.npy_files import ARRAY_SUFFIX, load_npy
from deixis.signals.signal import Signal, as_array, as_number

Modalities = Mapping[str, Modality]

NAMED_SUFFIXES = 4
"""How many endings of each modality a sentence names."""
NPY_MAGIC = b"\x93NUMPY"
PACKED_SUFFIXES = (".npz", ".nii.gz")
PACKED_HEADS = (b"PK", b"\x1f\x8b")
"""Endings of files that are an archive from outside, and how they begin."""
GREY_16_BIT = bytes([16, 0])
"""Bit depth and colour type of a 16-bit grey PNG, at this place of its header:"""
PNG_DEPTH_AT = 24
_NAMED = re.compile(r"(?P<modality>[a-z_]{2,})(?:@(?P<number>[^:@/\\]*))?:(?P<path>.+)", re.DOTALL)


@dataclass(frozen=True)
class Named:
    """What a name says: the path without it, the modality or None, and the number behind the modality or None."""

    path: str
    modality: str | None = None
    number: float | None = None


def read_name(text: str, readers: Modalities) -> Named:
    """The parts of `modality@number:path`; a text that does not begin with a modality is a path as it is.

    Raises: InputError for a number that is none, and for a modality whose files lack no number.
    """
    match = _NAMED.fullmatch(text)
    if match is None or match["modality"] not in readers:
        return Named(text)
    modality, number = match["modality"], match["number"]
    if number is None:
        return Named(match["path"], modality)
    if readers[modality].parameter is None:
        takers = ", ".join(f"{key} ({reader.parameter})" for key, reader in readers.items() if reader.parameter)
        raise InputError(
            f"'{text}': expected a number behind one of {takers}, got one behind {modality}; leave it out."
        )
    try:
        return Named(match["path"], modality, float(number))
    except ValueError:
        raise InputError(
            f"'{text}': expected a number ({readers[modality].parameter}) behind {modality}@, got '{number}'."
        ) from None


def placed_name(text: str, folder: Path, readers: Modalities) -> str:
    """The name with its path, or both of its paths, taken from `folder`; the modality and the number stay before it."""
    path = read_name(text, readers).path
    said = text[: len(text) - len(path)]
    parts = [path] if exists(folder / path) else path.split("+")
    if not any(isfile(folder / part) for part in parts):
        parts = [path]
    return said + "+".join(str(folder / part) for part in parts)


def open_path(path: Path, modality: str | None, options: Mapping[str, Any], readers: Modalities) -> Signal:
    """The signal in a file, or in two joined by a plus sign. Raises: InputError, one sentence."""
    _check_modality_word(path, readers)
    pair = _pair_of(path)
    if pair is not None:
        return _open_pair(pair, modality, options, readers)
    named = modality or _modality_of_ending(path, readers)
    expected = readers[named].noun if named else _any_noun(readers)
    head = read_head(path, expected)
    if path.suffix.lower() == ARRAY_SUFFIX:
        return open_value(load_npy(path, expected), modality, path.name, str(path), options, readers)
    found, format_name = _content(head, path, readers)
    if not found and format_name is not None:
        raise InputError(f"'{path.name}': expected {expected}, got {format_name}.")
    if named is None and not found:
        endings = " ".join(suffix for reader in readers.values() for suffix in reader.suffixes[:NAMED_SUFFIXES])
        raise InputError(
            f"'{path.name}': expected {expected} in a file ending in {endings} {ARRAY_SUFFIX} or the like, "
            f"got '{path.suffix or 'no ending'}'; convert it, or name its modality as in imu:{path.name}."
        )
    if named is not None and found and named not in found:
        source, advice = (
            ("the modality that was named", "name another modality, or none")
            if modality
            else ("its name", "the file has a wrong ending, rename it")
        )
        raise InputError(f"'{path.name}': expected {expected} by {source}, but its content is {format_name}; {advice}.")
    if modality is None and is_grey_16_bit(head) and "depth" in readers:
        named = "depth"
    return _called(readers[named or found[0]], "open_file", (path, path.name), options)


def open_content(content: Content, modality: str | None, options: Mapping[str, Any], readers: Modalities) -> Signal:
    """The signal in a whole file in memory, without a path. Raises: InputError, one sentence."""
    if not content.data:
        raise InputError(f"'{content.name}': expected {_any_noun(readers)}, got an empty file (0 bytes).")
    name = content.name
    if not Path(name).suffix and content.data.startswith(NPY_MAGIC):
        name += ARRAY_SUFFIX
    elif not _content(content.data[:HEAD_BYTES], Path(name), readers)[0]:
        name += content.likely_suffix
    file = ContentFile(content.data, name)
    signal = open_path(file.path, modality, options, readers)
    return replace(signal, path=None, info={**signal.info, "content_file": file})


def open_value(
    value: Any,
    modality: str | None,
    name: str | None,
    path: str | None,
    options: Mapping[str, Any],
    readers: Modalities,
) -> Signal:
    """The signal in a value: its modality is told from type and shape. Raises: InputError, one sentence."""
    if isinstance(value, list | tuple) and value and all(isinstance(own, str | Path) for own in value):
        raise InputError(
            f"a signal: expected one file, got a list of {len(value)} paths; give them one by one, as in ask(question, "
            "*paths)"
        )
    if isinstance(value, list) and modality is None and not _fitting(value, readers):
        value = as_array(value, name or "list in memory")
    modality = modality or next(iter(_fitting(value, readers)), None)
    if modality is None:
        shape = getattr(value, "shape", None)
        got = type(value).__name__ if shape is None else f"an array of shape {tuple(shape)}"
        raise InputError(
            f"'{name or 'signal'}': expected a path, the bytes of a file, a PIL image, an array or tensor, or "
            f"(samples, rate_hz), got {got}; pass modality= where the shape does not tell."
        )
    arguments = value, name or f"{modality.replace('_', ' ')} in memory", path
    return _called(readers[modality], "open_value", arguments, options)


def is_grey_16_bit(head: bytes) -> bool:
    """Whether a file begins as a PNG of one grey channel of 16 bits: what depth cameras write."""
    return matches(head, (PNG_MAGIC,)) is not None and head[PNG_DEPTH_AT : PNG_DEPTH_AT + 2] == GREY_16_BIT


def _called(reader: Modality, way: str, arguments: tuple, options: Mapping[str, Any]) -> Signal:
    """What one of the reader's ways to open gives; an option that it does not have is a user's mistake."""
    unknown = [name for name in options if name != reader.parameter]
    if unknown:
        has = f"{reader.parameter}= only" if reader.parameter else "no such number"
        raise InputError(f"{unknown[0]}=: expected {has} for {reader.noun}, got {shown(options[unknown[0]])}.")
    numbers = {name: as_number(number, f"{name}=") for name, number in options.items() if number is not None}
    call = getattr(reader, way)
    if set(numbers) - set(signature(call).parameters):
        raise InputError(f"{reader.parameter}=: expected none for {reader.noun} in a file that says its own, got one.")
    return call(*arguments, **numbers)


def _modality_of_ending(path: Path, readers: Modalities) -> str | None:
    return next((reader.name for reader in readers.values() if path.name.lower().endswith(reader.suffixes)), None)


def _any_noun(readers: Modalities) -> str:
    *others, last = (reader.noun for reader in readers.values())
    return f"{', '.join(others)} or {last}"


def _content(head: bytes, path: Path, readers: Modalities) -> tuple[list[str], str | None]:
    """(modalities, name of the format) told from the first bytes; ([], name) for a format that no reader opens."""
    first = matches(head, FIRST_MAGICS)
    if first is not None:
        return [], first
    names = {modality: matches(head, reader.magics) for modality, reader in readers.items()}
    modalities = [modality for modality, name in names.items() if name is not None]
    if modalities:
        return modalities, names[modalities[0]]
    is_packed = path.name.lower().endswith(PACKED_SUFFIXES) and head.startswith(PACKED_HEADS)
    return [], None if is_packed else matches(head.lstrip(), FOREIGN_MAGICS)


def _fitting(value: Any, readers: Modalities) -> list[str]:
    """The modalities whose readers take a value for theirs, in the order of the readers."""
    return [modality for modality, reader in readers.items() if reader.fits(value)]


def _check_modality_word(path: Path, readers: Modalities) -> None:
    """Raises InputError for a file with a prefix that is no modality, such as another program's name of one."""
    match = _NAMED.fullmatch(str(path))
    if match is None or match["modality"] in readers or exists(path):
        return
    behind = Path(match["path"])
    if isfile(behind) or _pair_of(behind) is not None:
        raise InputError(f"'{path}': expected one of {', '.join(readers)} before the colon, got '{match['modality']}'.")


def _pair_of(path: Path) -> tuple[Path, Path] | None:
    """The two paths of `first+second`, one of which is there; None for the path of one file, whatever its name."""
    text = str(path)
    if "+" not in text or exists(path):
        return None
    splits = [(Path(text[: at.start()]), Path(text[at.end() :])) for at in re.finditer(r"\+", text)]
    named = [pair for pair in splits if not {"", "."} & {str(part) for part in pair}]
    there = [pair for pair in named if any(map(isfile, pair))]
    return max(there, key=lambda pair: (isfile(pair[0]), isfile(pair[1])), default=None)


def _open_pair(
    pair: tuple[Path, Path], modality: str | None, options: Mapping[str, Any], readers: Modalities
) -> Signal:
    first, second = pair
    name, takers = f"{first.name}+{second.name}", [key for key, reader in readers.items() if reader.open_pair]
    noun = readers[modality].noun if modality else "the second file of a pair"
    heads = read_head(first, "the first file of a pair"), read_head(second, noun)
    if second.suffix.lower() != ARRAY_SUFFIX and is_grey_16_bit(heads[0]) and not is_grey_16_bit(heads[1]):
        raise InputError(f"'{name}': expected the image first and its map behind the plus sign, got a map first.")
    if modality is None:
        modality = _modality_of_pair(first, second, heads[1], readers)
    if modality is None or readers[modality].open_pair is None:
        modalities, _ = _content(heads[1], second, readers)  # colours may be normals
        example = next((key for key in ("normal", *takers) if key in takers and key in modalities), takers[0])
        raise InputError(
            f"'{name}': expected two files of {' or '.join(readers[key].noun for key in takers)}, got "
            f"{'two of which nothing says so' if modality is None else readers[modality].noun}; name the modality "
            f"as in {example}:{name}, or give files one by one, without a plus sign."
        )
    return _called(readers[modality], "open_pair", (pair, name), options)


def _modality_of_pair(first: Path, second: Path, head: bytes, readers: Modalities) -> str | None:
    """fmri of a volume and its mask; depth or normal of an image and a 16-bit PNG or an array."""
    if _modality_of_ending(first, readers) == "fmri":
        return "fmri"
    if is_grey_16_bit(head):
        return "depth"
    if second.suffix.lower() == ARRAY_SUFFIX:
        return {2: "depth", 3: "normal"}.get(load_npy(second, "a map", mmap_mode="r").ndim)
    return None
