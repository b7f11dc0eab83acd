"""`Region`: a part of a signal that is pointed at, in any of its forms, and the constructors that make one.

A region says where, in the units of the file it points into (pixels, seconds, the cloud's own units), and on which
signal of the question it lies. It does not know how large that signal is (see ``check.py``), which of its pixels or
points are inside (``raster.py``) or what the network reads of it (``frames.py``, ``points.py``).
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from numbers import Integral, Real
from typing import Any, no_type_check

import numpy as np

from deixis.errors import InputError
from deixis.geometry.extent import Numbers
from deixis.geometry.rle import mask_to_rle, rle_to_mask
from deixis.options import length_of, shown

_CONSTRUCTORS = {
    "mask": "Mask",
    "polygon": "Polygon",
    "scribble": "Scribble",
    "points": "PointSet",
    "box": "Box",
    "span": "Span",
    "box3d": "Box3D",
    "point": "Point",
}
REGION_FORMS = tuple(_CONSTRUCTORS)
"""The fields of a region that say where it is, the finest form first: that order decides `Region.form`."""
_COORDINATE_NAMES = {
    "box": ("x1", "y1", "x2", "y2"),
    "span": ("start_s", "end_s"),
    "time_s": ("start_s", "end_s"),
    "box3d": ("x1", "y1", "z1", "x2", "y2", "z2"),
}
MAX_OUTLINE_POINTS = 10_000
"""Of a scribble or polygon: a mouse gives a hundred a second, outlines of annotations have a few thousand."""
_PLAIN_TYPES = (
    ("label", str, "text"),
    ("score", Real | None, "a number or none"),
    ("phrase", str | None, "text or none"),
)


@no_type_check  # whoever makes a region of what is none gets a sentence of `__post_init__`, in the tests too
@dataclass(frozen=True, eq=False, repr=False, kw_only=True)
class Region:
    """One region of one signal, in one or several of its forms at once; absent forms are None.

    A frozen value: coordinates become floats, arrays are copied and read-only, and two regions are equal if all their
    fields are (a mask as pixels equals the same mask as run lengths). `Box`, `Point`, ... make regions of one form.

    Attributes:
        point: (x, y) in pixels | (time,) in seconds | (x, y, z) in the cloud's units | (x, y, time) in a video.
        box: (x1, y1, x2, y2), edges in pixels: pixel i covers [i, i + 1).
        scribble: float64 (k, 2), k >= 1, the points (x, y) in pixels of a line drawn over an image.
        polygon: float64 (k, 2), k >= 3, the corners (x, y) in pixels of a filled outline, closed implicitly.
        mask: bool (height, width), or COCO run lengths ``{"size": [height, width], "counts": ...}``.
        span: (start, end) in seconds from the beginning of the signal.
        points: int64 (k,), indices of the file's points or voxels, sorted, without repeats.
        box3d: (x1, y1, z1, x2, y2, z2) in the cloud's own units, parallel to its axes.
        signal: index of the signal in its question, answer or sample.
        time_s: (start, end) in seconds of the part of a video for which the other forms hold; None: all of it.
        label: name of the object, "" if unknown.
        score: confidence in [0, 1], None where there is none.
        phrase: the text of an answer that the region stands for.
        ignore: neither right nor wrong when scored.
        crowd: a group of objects annotated as one.

    Raises:
        InputError: no form is given, or a value is not of the shape above. Whether a region fits its signal is checked
            by `deixis.geometry.check_region`.
    """

    point: tuple[float, ...] | None = None
    box: tuple[float, ...] | None = None
    scribble: Numbers | None = None
    polygon: Numbers | None = None
    mask: Numbers | Mapping[str, Any] | None = None
    span: tuple[float, ...] | None = None
    points: Numbers | None = None
    box3d: tuple[float, ...] | None = None
    signal: int = 0
    time_s: tuple[float, ...] | None = None
    label: str = ""
    score: float | None = None
    phrase: str | None = None
    ignore: bool = False
    crowd: bool = False

    def __post_init__(self):
        if all(getattr(self, form) is None for form in REGION_FORMS):
            raise InputError(f"a region needs at least one of {', '.join(REGION_FORMS)}; got none")
        is_tube = self.box is not None and self.time_s is not None
        for name, parts in _COORDINATE_NAMES.items():
            if (values := getattr(self, name)) is not None:
                owner = "Tube" if is_tube and name in ("box", "time_s") else _CONSTRUCTORS.get(name, name)
                self._set(name, _coordinates(values, parts, owner))
        self._set("signal", _whole(self.signal))
        for name, kind, expected in _PLAIN_TYPES:
            if not isinstance(getattr(self, name), kind):
                raise InputError(f"{name} of a region must be {expected}, got {shown(getattr(self, name))}")
        if self.point is not None:
            if isinstance(self.point, str | bytes | Mapping) or length_of(self.point) is None:
                raise InputError(f"Point needs 1, 2 or 3 coordinates, got {shown(self.point)}")
            if not 1 <= len(self.point) <= 3:
                raise InputError(f"Point needs 1, 2 or 3 coordinates, got {len(self.point)}")
            self._set("point", tuple(_number(value, "a coordinate of Point") for value in self.point))
        for name, read in (
            ("scribble", _point_rows),
            ("polygon", _point_rows),
            ("mask", _mask_values),
            ("points", _indices),
        ):
            if (values := getattr(self, name)) is not None:
                self._set(name, read(values, _CONSTRUCTORS[name]))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)

    @property
    def form(self) -> str:
        """The primary form, the first of `REGION_FORMS` that is given: what the region is where only one form counts.

        >>> Region(box=(0, 0, 4, 4), point=(1, 2)).form
        'box'
        """
        return next(form for form in REGION_FORMS if getattr(self, form) is not None)

    @property
    def constructor(self) -> str:
        """The name of the function that makes a region of this form, for messages: "Box", "PointSet", "Tube"."""
        return "Tube" if self.form == "box" and self.time_s is not None else _CONSTRUCTORS[self.form]

    @property
    def is_empty(self) -> bool:
        """Whether the primary form is a mask without a pixel or a set without a point."""
        return not self.mask_array.any() if self.form == "mask" else self.form == "points" and not len(self.points)

    @property
    def interval_s(self) -> tuple[float, float] | None:
        """(start, end) in seconds of a region of audio or a video, an instant twice; None: the whole duration."""
        if self.form == "point" and len(self.point) != 2:
            return self.point[-1], self.point[-1]
        return self.span if self.form == "span" else self.time_s

    def only(self, form: str) -> "Region":
        """The same region in one of its forms alone. Raises InputError if the region does not have that form."""
        if form not in REGION_FORMS or getattr(self, form) is None:
            raise InputError(f"the region has no form {form!r}: it has {', '.join(self.forms)}")
        return replace(self, **{other: None for other in REGION_FORMS if other != form})

    @property
    def forms(self) -> tuple[str, ...]:
        """Every form that is given, in the order of `REGION_FORMS`."""
        return tuple(form for form in REGION_FORMS if getattr(self, form) is not None)

    @property
    def mask_array(self) -> np.ndarray:
        """The mask as bool (height, width), read-only; run lengths are decoded at every call.

        Raises InputError if the region has no mask or its run lengths are malformed.
        """
        if isinstance(self.mask, np.ndarray):
            return self.mask
        return _locked(rle_to_mask(self._given_mask()))

    @property
    def mask_rle(self) -> dict[str, Any]:
        """The mask as COCO run lengths; an array gets compressed ``counts`` as ASCII text, ready for JSON.

        Raises InputError if the region has no mask.
        """
        return mask_to_rle(self.mask) if isinstance(self.mask, np.ndarray) else dict(self._given_mask())

    def _given_mask(self) -> Any:
        if self.mask is None:
            raise InputError(f"the region has no mask: it has {', '.join(self.forms)}")
        return self.mask

    def decoded(self) -> "Region":
        """The same region with its mask as pixels, so that reading it several times decodes run lengths once."""
        return replace(self, mask=self.mask_array) if isinstance(self.mask, Mapping) else self

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Region) and all(
            _is_same(getattr(self, f.name), getattr(other, f.name)) for f in fields(Region)
        )

    def __hash__(self) -> int:
        return hash((self.signal, region_digest(self)))

    def __repr__(self) -> str:
        given = ((f.name, getattr(self, f.name), f.default) for f in fields(Region))
        written = ", ".join(f"{name}={_written(value)}" for name, value, default in given if value is not default)
        return f"Region({written})"


@no_type_check
def Point(*values: float, signal: int = 0) -> Region:
    """A place: ``Point(x, y)`` in an image, ``Point(time_s)`` in audio, ``Point(x, y, z)`` in a point cloud.

    In a video, ``Point(x, y, time_s)``.
    """
    return Region(point=tuple(values), signal=signal)


@no_type_check
def Box(x1: float, y1: float, x2: float, y2: float, *, signal: int = 0) -> Region:
    """A rectangle of an image, edges in pixels: pixel i covers [i, i + 1)."""
    return Region(box=(x1, y1, x2, y2), signal=signal)


@no_type_check
def Scribble(points: Numbers, *, signal: int = 0) -> Region:
    """A line drawn over an image through ``points`` (k, 2), k >= 1, as (x, y) in pixels."""
    return Region(scribble=points, signal=signal)


@no_type_check
def Polygon(points: Numbers, *, signal: int = 0) -> Region:
    """A filled outline over an image with corners ``points`` (k, 2), k >= 3, as (x, y) in pixels, closed implicitly."""
    return Region(polygon=points, signal=signal)


@no_type_check
def Mask(mask: Numbers | Mapping[str, Any], *, signal: int = 0) -> Region:
    """The pixels of an image where an array (height, width) is not zero, or where COCO run lengths are ones.

    Raises InputError for malformed run lengths, which are decoded here.
    """
    return Region(mask=mask, signal=signal).decoded()


@no_type_check
def Span(start_s: float, end_s: float, *, signal: int = 0) -> Region:
    """An interval of audio, an IMU recording or a video, in seconds from its beginning."""
    return Region(span=(start_s, end_s), signal=signal)


@no_type_check
def Tube(x1: float, y1: float, x2: float, y2: float, start_s: float, end_s: float, *, signal: int = 0) -> Region:
    """A rectangle of a video during an interval: edges in pixels, and seconds from its beginning."""
    return Region(box=(x1, y1, x2, y2), time_s=(start_s, end_s), signal=signal)


@no_type_check
def Box3D(x1: float, y1: float, z1: float, x2: float, y2: float, z2: float, *, signal: int = 0) -> Region:
    """An axis-aligned box in a point cloud or an fMRI response, in its own units."""
    return Region(box3d=(x1, y1, z1, x2, y2, z2), signal=signal)


@no_type_check
def PointSet(indices: Numbers, *, signal: int = 0) -> Region:
    """Some points of a cloud, or voxels of an fMRI response, as ``indices`` (k,) into the file's."""
    return Region(points=indices, signal=signal)


def region_digest(region: Region) -> bytes:
    """16 bytes that are equal for regions whose primary form is equal, on any signal, under any label.

    >>> region_digest(Box(0, 0, 4, 4)) == region_digest(Box(0, 0, 4.0, 4, signal=1))
    True
    """
    form, time_s = region.form, region.time_s
    value = getattr(region, form)
    if form == "mask":
        array = region.mask_array
        content = np.packbits(array).tobytes() + repr(array.shape).encode()
    elif form in ("scribble", "polygon", "points"):
        content = value.tobytes()
    elif form == "point":
        content = repr(value).encode()
    else:
        content = repr([*value, *(time_s or ())] if form == "box" else list(value)).encode()
    if time_s is not None and form != "box":
        content += repr(time_s).encode()
    return hashlib.blake2b(region.constructor.encode() + content, digest_size=16).digest()


def _whole(value: Any) -> int:
    """The index of a signal as Python's own number. Raises InputError for anything else."""
    if isinstance(value, bool) or not isinstance(value, Integral) or value < 0:
        raise InputError(f"signal of a region must be the index of a file, from 0, got {shown(value)}")
    return int(value)


def _locked(values: np.ndarray) -> np.ndarray:
    """A read-only view, so that a frozen region cannot change under its digest."""
    view = values.view()
    view.flags.writeable = False
    return view


def _number(value: Any, what: str) -> float:
    if not isinstance(value, str | bytes | bool):
        try:
            return float(value)
        except (TypeError, ValueError):
            pass
        except OverflowError:
            bits = int(value).bit_length()  # of a fraction too
            raise InputError(f"{what} must be a number below 1e308, got one of {bits} bits") from None
    raise InputError(f"{what} must be a number, got {shown(value)}")


def _coordinates(values: Any, names: tuple[str, ...], owner: str) -> tuple[float, ...]:
    if length_of(values) is None or isinstance(values, str | bytes | Mapping):
        raise InputError(f"{owner} needs {len(names)} numbers {', '.join(names)}, got {shown(values)}")
    if len(values) != len(names):
        raise InputError(f"{owner} needs {len(names)} numbers {', '.join(names)}, got {len(values)}")
    return tuple(_number(value, f"{name} of {owner}") for name, value in zip(names, values, strict=True))


def _point_rows(values: Any, owner: str) -> np.ndarray:
    """(k, 2) float64, read-only; InputError names the constructor."""
    if (count := length_of(values) or 0) > MAX_OUTLINE_POINTS:
        raise InputError(f"{owner} needs at most {MAX_OUTLINE_POINTS} points, got {count}; draw it with fewer")
    try:
        rows = np.array(values, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"{owner} needs points as k pairs (x, y) of numbers, got {shown(values)}") from None
    if rows.size == 0:
        rows = rows.reshape(0, 2)
    if rows.ndim != 2 or rows.shape[1] != 2:
        raise InputError(f"{owner} needs points of shape (k, 2), got shape {rows.shape}")
    return _locked(rows)


def _mask_values(values: Any, owner: str) -> Any:
    """(height, width) bool, read-only; run lengths stay as they are."""
    if isinstance(values, Mapping):
        return values
    try:
        array = np.asarray(values)
    except ValueError:  # rows of different lengths
        raise InputError(f"{owner} needs an array of shape (height, width), got {shown(values)}") from None
    if array.ndim != 2 or array.dtype.kind not in "biuf":
        raise InputError(f"{owner} needs an array of shape (height, width), got {array.dtype} of shape {array.shape}")
    # A read-only array of bools is one of ours: `replace` of a region then copies no pixels.
    is_ours = array.dtype == bool and not array.flags.writeable
    return array if is_ours else _locked(array.astype(bool))


def _indices(values: Any, owner: str) -> np.ndarray:
    """(k,) int64, read-only, sorted, without repeats."""
    try:
        indices = np.asarray(values)
    except ValueError:  # lists of different lengths
        raise InputError(f"{owner} needs whole-number indices of shape (k,), got {shown(values)}") from None
    if indices.size == 0:
        indices = np.zeros(0, dtype=np.int64)
    if indices.ndim != 1 or indices.dtype.kind not in "iu" or indices.max(initial=0) > np.iinfo(np.int64).max:
        raise InputError(
            f"{owner} needs whole-number indices of shape (k,), got {indices.dtype} of shape {indices.shape}"
        )
    return _locked(np.unique(indices).astype(np.int64))


def _is_same(first: Any, second: Any) -> bool:
    if isinstance(first, np.ndarray) or isinstance(second, np.ndarray):
        pair = [rle_to_mask(value) if isinstance(value, Mapping) else value for value in (first, second)]
        return pair[0] is not None and pair[1] is not None and np.array_equal(*pair)
    return bool(first == second)


def _written(value: Any) -> str:
    if isinstance(value, np.ndarray):
        return f"<{' x '.join(map(str, value.shape))}>" if value.dtype == bool else repr(value.tolist())
    return repr(value)
