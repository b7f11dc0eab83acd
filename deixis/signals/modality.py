"""The record of one modality: everything that the other rooms ask of it instead of comparing names.

It holds plain facts, functions of numpy arrays, and import paths. The parts of the network and the drawing are named
by path and imported when first used, so that reading samples needs neither torch nor Pillow.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from importlib import import_module
from typing import Any, Literal, Protocol, runtime_checkable

import numpy as np

from deixis.geometry.frames import Frame
from deixis.signals.files import Magic
from deixis.signals.signal import Signal


@runtime_checkable
class SignalOptions(Protocol):
    """The options of a modality in a configuration: the fields of its spec, and those of its tokenizers.

    Attributes:
        tokenizer: a key of `Modality.tokenizers`, or "patch" for the vision model's own patches.
        early_dim: channels of the tokenizer's early feature map, which masks are made of; 0 for none.
    """

    tokenizer: str
    early_dim: int

    @property
    def token_count(self) -> int:
        """Tokens that the encoder makes of a signal, class tokens not counted."""
        ...

    @property
    def cell_count(self) -> int:
        """Cells of the field's fine level, on which masks lie; 0 without a fine level."""
        ...

    @property
    def has_places(self) -> bool:
        """Whether tokens have positions, so that regions can lie in the signal."""
        ...


def zeros(values: np.ndarray, spec: Any) -> np.ndarray:
    """Values without information, where the preparation is centred on zero."""
    del spec
    return np.zeros_like(values)


@dataclass(frozen=True)
class Modality:
    """Everything that the rest of the program has to know of one modality.

    Attributes:
        name: the key in `deixis.signals.MODALITIES`, "image".
        noun: with its article, for messages: "a point cloud".
        axes: names of the coordinates of a position, in order: "xy", "t", "xyz" or "xyt".
        values_form: type and shape of a signal's values, None for any number: ("uint8", (None, None, 3)).
        spec: frozen dataclass of the preparation that a network needs; all fields have defaults.
        options: subclass of `spec` with the options of the tokenizers (`SignalOptions`).
        open_file: (path, name) -> Signal. As `open_value` and `open_pair`, raises InputError, one sentence, for content
            of another format or shape, or that is empty, damaged or out of bounds (from its header where that says so).
        open_value: (value, name, path) -> Signal, for values in memory.
        fits: whether a value in memory is of this modality, by its type and shape.
        to_tensor: (signal, spec) -> (float32 values, Frame that leads back to the file's units). Raises InputError for
            a signal that does not fit the spec.
        suffixes: of file names, lower case with the dot.
        magics: how such files begin; formats without a signature have none.
        has_rate: values in memory come with their rate, as (values, rate_hz).
        parameter: the number that a file or array may lack, a keyword of `open_file` and `open_value`: "unit_m" of a
            depth map, "rate_hz" of a video or IMU recording in an array; None where there is none.
        open_pair: ((first, second) paths, name) -> Signal of two files named as "first+second", where there is such.
        complete: (signal, spec) -> the signal with all in memory that `to_tensor` takes of it, so that its file is not
            read again; None where opening does so.
        indices: (signal, spec) -> which of the file's elements the cells stand for, see `Prepared.indices`.
        blank: (values, spec) -> prepared values that carry no information.
        tokenizers: name in `SignalOptions.tokenizer` -> import path of the module class, "package.module:Class".
        upsample: import path of the module class that makes the field's fine level.
        cells: import path of the codec between regions and the cells of the fine level (`deixis.model.masks.cells`).
        panel: import path of the function that draws a signal with regions (`deixis.visualize.panels`).
        panel_height_px: of a drawing whose height is free; None where it follows from the width.
        is_line_drawing: the drawing is smaller, and sharper, as PNG than as JPEG.
        patches: made of pixels, so that it can share the patch embedding of a vision model.
        views: what several images per signal are: "tiles" of a larger one, or "frames" in time.
        sam: SAM makes its masks in a network that has SAM.
        can_play: its values are samples that a page can play.
        has_directions: its values are directions in the axes of the image, which mirroring would turn.
        header: what the header of its files is checked for: the size in pixels, or the duration; None for nothing.
        region_fields: further fields of a region in the sample format, beside those that follow from the axes.
        folder: of a data set's files of this modality.
        file_suffix: of files written from values; "" where `write` is None.
        write: (values, path, rate_hz) writes values in memory as a file.
    """

    name: str
    noun: str
    axes: str
    values_form: tuple[str, tuple[int | None, ...]]
    spec: type
    options: type[Any]
    open_file: Callable[..., Signal]
    open_value: Callable[..., Signal]
    fits: Callable[[Any], bool]
    to_tensor: Callable[[Signal, Any], tuple[np.ndarray, Frame]]
    upsample: str
    cells: str
    panel: str
    tokenizers: Mapping[str, str] = field(default_factory=dict)
    suffixes: tuple[str, ...] = ()
    magics: tuple[Magic, ...] = ()
    has_rate: bool = False
    parameter: str | None = None
    open_pair: Callable[..., Signal] | None = None
    complete: Callable[[Signal, Any], Signal] | None = None
    indices: Callable[[Signal, Any], np.ndarray | None] | None = None
    blank: Callable[[np.ndarray, Any], np.ndarray] = zeros
    panel_height_px: int | None = None
    is_line_drawing: bool = False
    patches: bool = False
    views: Literal["tiles", "frames"] = "frames"
    sam: bool = False
    can_play: bool = False
    has_directions: bool = False
    header: Literal["size", "duration"] | None = None
    region_fields: tuple[str, ...] = ()
    folder: str = "media"
    file_suffix: str = ""
    write: Callable[..., None] | None = None


def load(path: str) -> Any:
    """The object at an import path "package.module:name"."""
    module, _, name = path.partition(":")
    return getattr(import_module(module), name)
