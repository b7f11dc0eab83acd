"""Regions as typed on the command line (`--box 10,20,80,90@1`) or written in JSON.

Parses them into the regions of `deixis.geometry` and checks them against the opened files, before any model is loaded.
"""

import re
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from deixis.errors import DeixisError, InputError

if TYPE_CHECKING:
    from deixis.geometry import Region
    from deixis.signals import Signal

# form -> what is typed. The option is "--" and the form; the key of a JSON region is the form.
FORMS: dict[str, str] = {
    "point": "x,y in an image, x,y,z in a point cloud, x,y,seconds in a video, or an instant in seconds",
    "box": "x1,y1,x2,y2 in pixels, in a video optionally with start,end in seconds",
    "scribble": "x,y;x,y;... in pixels",
    "polygon": "x,y;x,y;x,y;... in pixels",
    "mask": "FILE.png of the image's size, bright inside",
    "span": "start,end in seconds",
    "points": "i,j,k,... indices of the cloud's points, from 0",
    "box3d": "x1,y1,z1,x2,y2,z2 in units of the point cloud",
}
COUNTS = {"box": (4, 6), "span": (2,), "box3d": (6,), "point": (1, 2, 3)}
AXES = {"span": ("t", "xyt"), "points": ("xyz",), "box3d": ("xyz",)}
AXES |= dict.fromkeys(("box", "scribble", "polygon", "mask"), ("xy", "xyt"))
"""Axes of the signals that a form fits, as `Extent.axes` names them."""
MAX_TYPED = 1_000_000
"""Characters of a typed region: the outline with the most points has a fifth of it."""
SHOWN_LENGTH = 80
IGNORED_KEYS = ("signal", "time_s", "ignore", "crowd")  # of the sample format; time_s is read with a box
_BINDING = re.compile(r"(?P<value>.*)@(?P<signal>[0-9]{1,4})", re.DOTALL)


def typed_in_order(words: Sequence[str], options: Sequence[Any]) -> list[tuple[str, str]]:
    """(form, value) of the region options among `words`, in the order typed, which the parser does not keep.

    `options` are the parser's parameters: they tell which other options take the next word.
    """
    with_value = {name for option in options if not getattr(option, "is_flag", False) for name in option.opts}
    found, position = [], 0
    while position < len(words) and words[position] != "--":
        name, joined, value = words[position].partition("=")
        position += 1
        if name not in with_value or not name.startswith("-"):
            continue
        if not joined:
            value = words[position] if position < len(words) else ""
            position += 1
        if name[2:] in FORMS:
            found.append((name[2:], value))
    return found


def typed_regions(typed: Sequence[tuple[str, str]], signals: Sequence["Signal"]) -> tuple["Region", ...]:
    """The regions of (form, value) pairs in the order typed. Raises InputError as `typed_region`, and for too many."""
    from deixis.geometry.region_json import check_region_count

    check_region_count(len(typed))
    return tuple(typed_region(form, value, signals) for form, value in typed)


def typed_region(form: str, typed: str, signals: Sequence["Signal"], name: str | None = None) -> "Region":
    """The region of a typed value, checked; `@1` behind it binds it to the second file, else the first file that fits.

    Raises InputError, whose sentence begins with `name` (default: the option), for anything that is no region of these
    files.
    """
    name = name or f"--{form}"
    if len(typed) > MAX_TYPED:
        raise InputError(f"{name}: expected {FORMS[form]}, at most {MAX_TYPED} characters; got {len(typed)}")
    typed = typed.strip() if form == "mask" else " ".join(typed.split())  # a run of spaces takes quadratic time below
    bound = _BINDING.fullmatch(typed)
    text, signal = (bound["value"], int(bound["signal"])) if bound else (typed, None)
    what = f"{name} {typed[:SHOWN_LENGTH]}{'...' * (len(typed) > SHOWN_LENGTH)}" if typed else name
    if form == "mask":
        value: Any = _mask_of_file(text, what)
    elif form in ("scribble", "polygon"):
        value = [_numbers(pair, what, form) for pair in re.split(r"\s*;\s*|\s+(?=\S*,)", text.strip(" ;"))]
        if len(value) == 1 and len(value[0]) % 2 == 0:  # x,y,x,y,... needs no quotes in a shell
            value = [value[0][i : i + 2] for i in range(0, len(value[0]), 2)]
    else:
        value = _numbers(text, what, form)
    return _checked(form, value, signal, signals, what)


def json_region(record: Any, signals: Sequence["Signal"], name: str, folder: Any = ".") -> "Region":
    """The region of a JSON object as the sample format has them, with `scribble` and `polygon` [[x, y], ...] besides.

    `{"box": [10, 20, 80, 90], "signal": 1}`; masks are COCO run lengths or the path of a PNG, relative to `folder`.
    Raises InputError as `typed_region` does.
    """
    if not isinstance(record, Mapping):
        raise InputError(f'{name}: expected an object such as {{"box": [10, 20, 80, 90]}}, got {record!r:.60}')
    from deixis.geometry.regions import REGION_FORMS

    unknown = [key for key in record if key not in (*FORMS, *IGNORED_KEYS)]
    form = next((form for form in REGION_FORMS if record.get(form) is not None), None)
    if unknown or form is None:
        got = f"{unknown[0]!r}" if unknown else "none of them"
        raise InputError(f"{name}: expected one of {', '.join(FORMS)}, and signal, got {got}")
    signal, value = record.get("signal"), record[form]
    if signal is not None and (not isinstance(signal, int) or isinstance(signal, bool) or signal < 0):
        raise InputError(f"{name}.signal: expected the index of a file, from 0, got {signal!r}")
    if form == "mask":
        value = _mask_of_json(value, folder, f"{name}.mask")
    if form == "box" and isinstance(value, Sequence) and isinstance(record.get("time_s"), Sequence):
        value = [*value, *record["time_s"]]  # the interval of a video that the box holds for
    return _checked(form, value, signal, signals, f"{name}.{form}")


def _numbers(text: str, what: str, form: str) -> list[float]:
    words = [word for word in re.split(r"\s*,\s*|\s+", text.strip()) if word]
    try:
        return [int(word) if form == "points" else float(word) for word in words]
    except ValueError:
        raise InputError(f"{what}: expected {FORMS[form]}, got {text!r:.{SHOWN_LENGTH}}") from None


def _checked(form: str, value: Any, signal: int | None, signals: Sequence["Signal"], what: str) -> "Region":
    from deixis.geometry import check_region

    if signal is None:
        signal = _fitting_file(form, value, signals)
    if signal >= len(signals):
        files = "is 1 file" if len(signals) == 1 else f"are {len(signals)} files"
        raise InputError(f"{what}: it lies on file {signal}, counted from 0, and there {files}")
    try:
        region = _built(form, value, signal)
        check_region(region, signals[signal].extent)
    except DeixisError as error:
        raise InputError(f"{what}: {error}") from None
    return region


def _fitting_file(form: str, value: Any, signals: Sequence["Signal"]) -> int:
    """Index of the first file whose axes such a region fits, 0 where there is none."""
    count = len(value) if isinstance(value, Sequence) else 0
    axes = AXES.get(form, ())
    if form == "point":
        axes = {1: ("t",), 2: ("xy",), 3: ("xyz", "xyt")}.get(count, ())
    elif form == "box" and count == max(COUNTS["box"]):
        axes = ("xyt",)
    return next((number for number, own in enumerate(signals) if own.extent.axes in axes), 0)


def _built(form: str, value: Any, signal: int) -> "Region":
    """The region. Raises InputError where the value is not of its form."""

    from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Polygon, Scribble, Span, Tube

    if form == "mask":
        return Mask(value, signal=signal)
    if not isinstance(value, Sequence) or isinstance(value, str):
        raise InputError(f"expected {FORMS[form]}, got {value!r:.60}")
    if form in ("scribble", "polygon"):
        return {"scribble": Scribble, "polygon": Polygon}[form](value, signal=signal)
    if form == "points":
        if not all(isinstance(index, int) and not isinstance(index, bool) for index in value):
            raise InputError(f"expected {FORMS[form]}, got {value!r:.60}")
        return PointSet(value, signal=signal)
    if len(value) not in COUNTS[form]:
        raise InputError(f"expected {FORMS[form]}, got {len(value)} number{'s' * (len(value) != 1)}")
    if any(isinstance(number, bool) or not isinstance(number, int | float) for number in value):
        raise InputError(f"expected {FORMS[form]}, got {value!r:.60}")
    make = {"point": Point, "box": Tube if len(value) == max(COUNTS["box"]) else Box, "span": Span, "box3d": Box3D}
    return make[form](*value, signal=signal)


def _mask_of_json(value: Any, folder: Any, what: str) -> Any:
    from pathlib import Path

    if isinstance(value, str):
        return _mask_of_file(str(Path(folder) / value), what)
    if not isinstance(value, Mapping):
        raise InputError(f'{what}: expected {{"size", "counts"}} or the path of a PNG, got {value!r:.60}')
    return value


def _mask_of_file(path: str, what: str) -> Any:
    """Mask (h, w) of the opaque pixels of an image that are at least half as bright as its brightest one."""
    import numpy as np

    from deixis.signals import open_signal
    from deixis.signals.image_files import opened as opened_image
    from deixis.signals.image_files import upright

    if not path:
        raise InputError(f"{what}: expected {FORMS['mask']}, got no name")
    try:
        opened = open_signal(path, modality="image")
    except DeixisError as error:
        raise InputError(f"{what}: {error}") from None
    bright = opened.values.max(axis=-1)
    if "A" in str(opened.info.get("source_mode")):  # transparent pixels were opened as white
        with opened_image(path, what) as image:
            alpha = upright(image, what).convert("RGBA").getchannel("A")
        bright = np.where(np.asarray(alpha) > 127, bright, 0)
    return bright >= max(1, int(bright.max()) / 2)
