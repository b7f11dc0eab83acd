"""Brain responses: a NIfTI volume or series, or an array of voxels, becomes one number a voxel, then the network's.

A series or repeats stand for their mean. In a NIfTI every voxel has a place, in millimetres of the scanner or atlas
space the file states; numbers from an NPY have none. Does not know the network: an `FmriSpec` says what tensor it
requires.
"""

import gzip
import logging
import math
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Bool, Float, Float32, Int

from deixis.errors import InputError, UnsupportedError, one_line
from deixis.files.budget import BLOCK_BYTES, BudgetError, check_decoded
from deixis.files.regular import check_regular, open_regular
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame, cloud_frame, placeless_frame
from deixis.options import Checked, Count, Natural
from deixis.signals.files import read_head
from deixis.signals.modality import Modality
from deixis.signals.npy_files import load_npy
from deixis.signals.signal import Signal, as_array, content_digest

VOXEL_BYTES = 24
"""What a voxel takes while a volume is read: scaled in double precision, twice, and its mean."""
CHOSEN_BYTES = 128
"""What a voxel that is not 0 takes beside: its cell, its place, and copies of both."""
GZIP, NIFTI2_BYTES = b"\x1f\x8b", 540
MIN_VOXELS = 2
SUFFIXES = (".nii", ".nii.gz")
OFFICIAL_VOXELS = 15724
"""Voxels of subject 1 of the Natural Scenes Dataset that OneLLM's linear map reads (model/LLM/onellm.py@8587a47)."""


@no_type_check
@dataclass(frozen=True)
class FmriSpec(Checked):
    """The fMRI response a network requires.

    voxels: how many numbers there must be, (voxels,) in the file's order and without places (OneLLM).
    parcels: if above 0, voxels are averaged into so many neighbourhoods instead, which have places: (parcels, 4), unit
        x, y, z and value, so that regions of the brain can be pointed at. They come of halving the voxels along the
        longest axis again and again, so the same mask has the same parcels.
    standardise: less the mean, over the deviation, across voxels; OneLLM does not, its files are so already.
    """

    voxels: int = OFFICIAL_VOXELS
    parcels: int = 0
    standardise: bool = False


@no_type_check
@dataclass(frozen=True)
class FmriOptions(FmriSpec):
    """The preparation of fMRI responses, and the options of their tokenizers.

    Attributes:
        tokenizer: "linear" (OneLLM's map of all voxels, without positions) or "parcels" (one token per parcel).
        tokens: number of tokens, of "linear".
        early_dim: channels of the per-parcel features that masks are made of, of "parcels"; 0 for none.
    """

    tokenizer: Literal["linear", "parcels"] = "linear"
    tokens: Count = 8
    early_dim: Natural = 0

    @property
    def token_count(self) -> int:
        """One token per parcel, or the number that the linear map makes."""
        return self.parcels if self.has_places else self.tokens

    @property
    def cell_count(self) -> int:
        """One cell per parcel; 0 without per-parcel features."""
        return self.parcels if self.early_dim and self.has_places else 0

    @property
    def has_places(self) -> bool:
        """Whether tokens are parcels, which have positions."""
        return self.tokenizer == "parcels"


def parcel_indices(signal: Signal, spec: FmriSpec) -> Int[np.ndarray, " voxel"] | None:
    """The parcel of each voxel; None where the preparation makes no parcels."""
    return parcel_labels(signal, spec.parcels) if spec.parcels > 0 else None


def open_file(path: Path, name: str) -> Signal:
    """The response in a NIfTI file (all voxels that are not 0) or an NPY file."""
    if path.suffix.lower() == ".npy":
        return open_value(load_npy(path, "an fMRI response"), name, str(path))
    volume, affine, info = _read_nifti(path, name)
    return _from_volume(volume, affine, np.isfinite(volume) & (volume != 0), name, str(path), info)


def open_pair(paths: tuple[Path, Path], name: str) -> Signal:
    """The response in a NIfTI file at the voxels of a mask, a second NIfTI file that is not 0 there."""
    (volume, affine, info), (mask, mask_affine, _) = (_read_nifti(path, path.name) for path in paths)
    if mask.shape != volume.shape:
        raise InputError(
            f"'{name}': expected a mask of the volume's shape {volume.shape}, got {mask.shape}; it is probably of "
            "another subject or resolution."
        )
    if not np.allclose(mask_affine, affine, atol=1e-3):
        raise InputError(
            f"'{name}': expected a mask in the volume's place, got one whose voxels lie elsewhere (the affine of its "
            "header differs); resample it to the volume."
        )
    return _from_volume(volume, affine, np.nan_to_num(mask) != 0, name, f"{paths[0]}+{paths[1]}", info)


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The response in an array or tensor (voxels,) or (repeats, voxels), averaged over repeats and without places; or
    in an image of nibabel, as in the file that it would be saved as."""
    if fits(value):
        volume, affine, info = _mean_image(lambda: value, name)
        return _from_volume(volume, affine, np.isfinite(volume) & (volume != 0), name, path, info)
    array = as_array(value, name)
    if array.ndim not in (1, 2) or 0 in array.shape:
        raise InputError(
            f"'{name}': expected an fMRI response of shape (voxels,) or (repeats, voxels), got {array.shape}; a volume "
            "is opened from NIfTI, which says where its voxels lie."
        )
    info = {"source": "array", "averaged": len(array) if array.ndim == 2 else 1}
    values = array.mean(axis=0, dtype=np.float64) if array.ndim == 2 else array
    return _signal(values, Extent("fmri", count=array.shape[-1]), name, path, info)


def fits(value: Any) -> bool:
    """Whether a value is an image of nibabel; an array alone is taken for audio, a cloud or an image."""
    return type(value).__module__.partition(".")[0] == "nibabel" and hasattr(value, "dataobj")


def to_tensor(signal: Signal, spec: FmriSpec) -> tuple[Float32[np.ndarray, "..."], Frame]:
    """(voxels,) and a frame without axes, or (parcels, 4) and the frame that leads back to millimetres."""
    values = signal.values.astype(np.float64)
    if spec.standardise:
        values = (values - values.mean()) / values.std()
    if spec.parcels > 0:
        labels, frame = parcel_labels(signal, spec.parcels), cloud_frame(signal.extent.points_xyz, "fmri")
        counts = np.bincount(labels, minlength=spec.parcels)[:, None]
        columns = np.column_stack([frame.to_unit(signal.extent.points_xyz), values])
        sums = np.stack([np.bincount(labels, column, minlength=spec.parcels) for column in columns.T], axis=1)
        return (sums / counts).astype(np.float32), frame
    if len(values) != spec.voxels:
        raise InputError(
            f"'{signal.name}': expected the {spec.voxels} voxels this model was trained on, got {len(values)}; it is "
            "of another subject, mask or resolution."
        )
    return values.astype(np.float32), placeless_frame(len(values), "fmri")


def parcel_labels(signal: Signal, parcels: int) -> Int[np.ndarray, " voxel"]:
    """Which parcel, 0 to parcels - 1, each voxel belongs to; sizes differ by one voxel or so.

    Raises: InputError for a response without places, or fewer voxels than parcels.
    """
    places = signal.extent.points_xyz
    if places is None:
        raise InputError(
            f"'{signal.name}': expected an fMRI response whose voxels have places, which this model looks at, got "
            "numbers alone; open the NIfTI file that they were taken from."
        )
    if len(places) < parcels:
        raise InputError(f"'{signal.name}': expected at least {parcels} voxels, got {len(places)}.")
    labels = np.zeros(len(places), dtype=np.int64)
    split = [(np.arange(len(places)), 0, parcels)]
    while split:
        members, first, count = split.pop()
        if count == 1:
            labels[members] = first
            continue
        own = places[members]
        order = members[np.argsort(own[:, np.argmax(np.ptp(own, axis=0))], kind="stable")]
        left = count // 2
        cut = round(len(members) * left / count)
        split += [(order[:cut], first, left), (order[cut:], first + left, count - left)]
    return labels


def _read_nifti(path: Path, name: str) -> tuple[Float32[np.ndarray, "x y z"], np.ndarray, dict[str, Any]]:
    """(volume averaged over time, affine to millimetres, what the file was)."""
    read_head(path, "an fMRI response in NIfTI")
    return _mean_image(lambda: _image(path, name), name)


def _mean_image(
    opened: Callable[[], Any], name: str
) -> tuple[Float32[np.ndarray, "x y z"], np.ndarray, dict[str, Any]]:
    """(volume averaged over time, affine to millimetres, what it was) of the image of nibabel that `opened` gives."""
    try:
        import nibabel
        import nibabel.imageglobals
    except ImportError as error:
        raise UnsupportedError(
            f"'{name}': expected nibabel to be installed to open NIfTI, got none; run `pip install 'deixis[fmri]'`."
        ) from error
    try:
        with _quiet(nibabel.imageglobals.logger):
            image = opened()
        if not isinstance(image, nibabel.Nifti1Pair):  # Nifti2 is one, too
            raise InputError(f"it is of the format {type(image).__name__}")
        for holder in image.file_map.values():  # an older file has its numbers in another
            if holder.filename is not None:
                check_regular(holder.filename)
        shape = tuple(int(side) for side in image.shape)
        if len(shape) not in (3, 4) or not np.prod(shape, dtype=np.float64) > 0:
            raise InputError(f"shape {shape}")
        check_decoded(name, np.prod(shape[:3], dtype=np.float64) * VOXEL_BYTES, f"a volume of shape {shape[:3]}")
        mean = _mean_volume(image.dataobj, shape)
    except (BudgetError, MemoryError):
        raise
    except Exception as error:  # parsers of damaged headers raise anything: HeaderDataError, zlib.error, KeyError, ...
        raise InputError(
            f"'{name}': expected a NIfTI volume (x, y, z) or series (x, y, z, time), but it cannot be read "
            f"({one_line(error, 120)}); the file is cut short, damaged, or of another format."
        ) from error
    info = {"averaged": shape[3] if len(shape) == 4 else 1, "source_format": type(image).__name__}
    return mean, np.asarray(image.affine, dtype=np.float64), info


def _image(path: Path, name: str) -> Any:
    """nibabel's image of a file, its numbers not read yet; a compressed one is unpacked as far as its header says."""
    import nibabel

    with open_regular(path) as file:
        if file.read(len(GZIP)) != GZIP:
            return nibabel.load(path)
        file.seek(0)
        stream = gzip.GzipFile(fileobj=file)
        head = stream.read(NIFTI2_BYTES)
        is_second = NIFTI2_BYTES in (int.from_bytes(head[:4], "little"), int.from_bytes(head[:4], "big"))
        form = nibabel.Nifti2Image if is_second else nibabel.Nifti1Image
        header = form.header_class.from_fileobj(BytesIO(head), check=False)
        size = (
            header.get_data_offset() + math.prod(map(int, header.get_data_shape())) * header.get_data_dtype().itemsize
        )
        check_decoded(name, size, f"numbers of shape {header.get_data_shape()}")
        content = BytesIO()
        content.write(head)
        while content.tell() < size and (block := stream.read(min(BLOCK_BYTES, size - content.tell()))):
            content.write(block)
        content.seek(0)
        return form.from_stream(content)


def _mean_volume(numbers: Any, shape: tuple[int, ...]) -> Float32[np.ndarray, "x y z"]:
    """The mean over time, one volume after the other."""
    if len(shape) == 3:
        return np.asarray(numbers, dtype=np.float32)
    total = np.zeros(shape[:3])
    for moment in range(shape[3]):
        total += np.asarray(numbers[..., moment], dtype=np.float32)
    return (total / shape[3]).astype(np.float32)


@contextmanager
def _quiet(logger: logging.Logger) -> Generator[None]:
    """nibabel says on stderr what it repairs in a header: nothing that a person could do anything about."""
    level = logger.level
    logger.setLevel(logging.CRITICAL + 1)
    try:
        yield
    finally:
        logger.setLevel(level)


def _from_volume(
    volume: Float32[np.ndarray, "x y z"],
    affine: Float[np.ndarray, "4 4"],
    mask: Bool[np.ndarray, "x y z"],
    name: str,
    path: str | None,
    info: dict[str, Any],
) -> Signal:
    count = int(np.count_nonzero(mask))
    check_decoded(name, volume.nbytes + count * CHOSEN_BYTES, f"{count} voxels")
    cells = np.argwhere(mask)
    if len(cells) < MIN_VOXELS:
        raise InputError(
            f"'{name}': expected at least {MIN_VOXELS} voxels, got {len(cells)}; the volume or mask is empty."
        )
    places = cells @ affine[:3, :3].T + affine[:3, 3]
    if not np.isfinite(places).all() or np.ptp(places, axis=0).max() == 0:
        raise InputError(
            f"'{name}': expected voxels that lie somewhere, got a header without places (its affine is 0)."
        )
    info |= {"cells": cells, "shape": volume.shape}
    return _signal(volume[mask], Extent("fmri", points_xyz=places), name, path, info)


def _signal(numbers: np.ndarray, extent: Extent, name: str, path: str | None, info: dict[str, Any]) -> Signal:
    values = np.ascontiguousarray(numbers, dtype=np.float32)
    bad = int((~np.isfinite(values)).sum())
    if bad:
        raise InputError(f"'{name}': expected finite responses, got NaN or infinity in {bad} of {len(values)} voxels.")
    if len(values) < MIN_VOXELS or np.ptp(values) == 0:
        raise InputError(f"'{name}': expected an fMRI response, got {len(values)} voxels that are all the same.")
    places = np.zeros((len(values), 0)) if extent.points_xyz is None else extent.points_xyz
    digest = content_digest("fmri", np.column_stack([places, values]))
    return Signal("fmri", values, extent, name, digest, path, info)


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes an image of nibabel as .nii.gz, the same image as the same bytes. Raises InputError for other values."""
    del rate_hz
    if not fits(values) or not hasattr(values, "to_bytes"):
        raise InputError(f"expected an fMRI response as a NIfTI image of nibabel, got {type(values).__name__}")
    path.write_bytes(gzip.compress(values.to_bytes(), mtime=0))


FMRI = Modality(
    name="fmri",
    noun="an fMRI response",
    axes="xyz",
    values_form=("float32", (None,)),
    suffixes=SUFFIXES,
    magics=(
        (344, b"n+1\x00", "a NIfTI volume"),
        (344, b"ni1\x00", "a NIfTI volume"),
        (4, b"n+2\x00", "a NIfTI volume"),
    ),
    spec=FmriSpec,
    options=FmriOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    open_pair=open_pair,
    tokenizers={
        "parcels": "deixis.model.tokenizers.stems:ParcelTokenizer",
        "linear": "deixis.model.tokenizers.published_tokenizers:FmriMap",
    },
    upsample="deixis.model.masks.pointing_head:UpsamplePoints",
    cells="deixis.model.masks.cells:ParcelCells",
    panel="deixis.visualize.panels.fmri_panel:draw_fmri",
    indices=parcel_indices,
    folder="brains",
    file_suffix=".nii.gz",
    write=write,
    region_fields=("time_s",),
)
