"""Point clouds: a mesh or cloud file or an array becomes points with colours, and points become the network's set.

A mesh stands for its vertices, in the order of the file, so that an index in an answer is a vertex of the file.
Does not know the network: a `PointCloudSpec` says how many points it requires. Coordinates are the file's own units.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, no_type_check

import numpy as np
from jaxtyping import Float, Float32, Int, Shaped

from deixis.errors import InputError
from deixis.files.budget import check_decoded
from deixis.geometry.extent import Extent
from deixis.geometry.frames import Frame, cloud_frame
from deixis.options import Checked, Count, Natural
from deixis.signals.files import MAX_SHOWN
from deixis.signals.fit import MAX_8_BIT
from deixis.signals.mesh import Mesh, property_phrases
from deixis.signals.mesh_files import read_mesh, read_surface
from deixis.signals.modality import Modality
from deixis.signals.npy_files import load_npz
from deixis.signals.off_files import MARKS as OFF_MARKS
from deixis.signals.pcd_files import MARK as PCD_MARK
from deixis.signals.signal import Signal, as_array, content_digest, is_array, is_narrow

GREY = 0.5
"""Every channel of a point whose file has no colours."""
COLUMNS = (3, 6)
"""x, y, z, and perhaps r, g, b."""
XYZ_KEYS = ("xyz", "points", "vertices", "positions")
RGB_KEYS = ("rgb", "colors", "colours", "color", "colour")
"""Names under which an NPZ file is looked through, in this order."""
NORMAL_KEYS = ("normals", "normal")
POINT_BYTES = 128
"""What a point takes while it is checked: coordinates and colours in double and single precision, and the file's."""
DIGEST_SEED_DIGITS = 16
"""Hex digits of the content's digest that seed the choice of points: 64 bits."""


@no_type_check
@dataclass(frozen=True)
class PointCloudSpec(Checked):
    """The point set a network requires: count points.

    scale: "cube": x, y, z in [0, 1] of the smallest cube around the cloud; or "sphere", OneLLM's: less their mean, over
        the farthest point's distance from it (data/data_utils.py@8587a47, 8192 points of PointLLM's files, whose
        colours are in [0, 1]).
    """

    count: int = 2048
    scale: Literal["cube", "sphere"] = "cube"


@no_type_check
@dataclass(frozen=True)
class PointCloudOptions(PointCloudSpec):
    """The preparation of point clouds, and the options of their tokenizers.

    Attributes:
        tokenizer: "groups" (ours), "published" (OneLLM's) or "pointmlp".
        groups, neighbours: number of tokens, and the points around the centre of each.
        early_dim: channels of the per-point features that masks are made of; 0 for none.
        place_columns: columns of the points that distances are taken on, of "published".
        preset, embed_dim, normalize, colours: of "pointmlp" (`model.tokenizers.pointmlp`).
    """

    tokenizer: Literal["groups", "published", "pointmlp"] = "groups"
    groups: Count = 96
    neighbours: Count = 32
    early_dim: Natural = 96
    place_columns: tuple[Natural, Natural] = (0, 3)
    preset: str = "pointmlp-elite"
    embed_dim: Count | None = None
    normalize: str | None = "anchor"
    colours: bool = True
    has_places = True  # tokens lie at the centres of their groups

    @property
    def token_count(self) -> int:
        """One token per group."""
        return self.groups

    @property
    def cell_count(self) -> int:
        """One cell per chosen point; 0 without per-point features."""
        return self.count if self.early_dim else 0


def even_points(values: np.ndarray, spec: PointCloudSpec) -> np.ndarray:
    """Points without shape or colour: grey, spread evenly over the cube with a fixed seed."""
    del spec
    places = np.random.default_rng(0).uniform(size=(len(values), 3))
    return np.concatenate([places, np.full_like(places, 0.5)], axis=1).astype(values.dtype)


def open_file(path: Path, name: str) -> Signal:
    """The points in a PLY, OBJ, OFF, STL, GLB, PCD or NPZ file; vertex colours are kept.

    `info["ignored"]` has phrases for what else is in the file, such as "normals".
    """
    mesh = _read_npz(path, name) if path.suffix.lower() == ".npz" else read_mesh(path, name)
    return _signal(mesh, name, str(path))


def open_value(value: Any, name: str, path: str | None = None) -> Signal:
    """The points in an array or tensor (n, 3) or (n, 6): x, y, z and r, g, b, colours in 0..1 or 0..255."""
    array = as_array(value, name)
    if array.ndim != 2 or array.shape[1] not in COLUMNS:
        raise InputError(
            f"'{name}': expected a point cloud of shape (n, 3) or (n, 6), got {array.shape}; "
            "columns are x, y, z and r, g, b."
        )
    return _signal(Mesh(array[:, :3], array[:, 3:] if array.shape[1] == 6 else None), name, path)


def fits(value: Any) -> bool:
    """Whether a value in memory is a cloud: two dimensions, three or six columns, not of an image's narrow types."""
    return is_array(value) and len(value.shape) == 2 and value.shape[1] in COLUMNS and not is_narrow(value)


def to_tensor(signal: Signal, spec: PointCloudSpec) -> tuple[Float32[np.ndarray, "point 6"], Frame]:
    """spec.count points (x, y, z and r, g, b), and the frame that leads back to the file's units.

    Row i is vertex `chosen_indices(signal, spec)[i]`. The frame is that of all points, chosen or not; a "sphere" has
    x, y, z in [-1, 1], which are 0 to 1 in its frame, and the mean is that of the chosen points, as they are shown.
    """
    # double precision: map coordinates are millions of metres, and single precision rounds those to half a metre
    xyz = signal.extent.points_xyz
    indices = chosen_indices(signal, spec)
    chosen = xyz[indices]
    if spec.scale == "cube":
        frame = cloud_frame(xyz)
        places = np.clip(frame.to_unit(chosen), 0.0, 1.0)
    else:
        centre = chosen.mean(axis=0)
        radius = float(np.linalg.norm(chosen - centre, axis=1).max()) or 1.0
        frame = Frame("point_cloud", tuple((centre - radius).tolist()), (2 * radius,) * 3, signal.extent)
        places = (chosen - centre) / radius
    return np.concatenate([places, signal.values[indices, 3:]], axis=1).astype(np.float32), frame


def chosen_indices(signal: Signal, spec: PointCloudSpec) -> Int[np.ndarray, " point"]:
    """Which vertices (spec.count of them) the network sees, row by row of its tensor.

    With more points than asked, a random choice without repeats in the file's order, seeded by the content's digest:
    the same cloud, the same choice. With fewer, all of them in turn, again and again.
    """
    available = len(signal.values)
    if available <= spec.count:
        return np.arange(spec.count) % available
    generator = np.random.default_rng(int(signal.digest[:DIGEST_SEED_DIGITS], 16))
    return np.sort(generator.choice(available, spec.count, replace=False, shuffle=False))


def shape_points(signal: Signal, count: int) -> Float[np.ndarray, "point 3"]:
    """x, y, z of what an object looks like: `count` points of the surface of a mesh in a file, else all points.

    The vertices of a mesh are not its shape: a table top is four of them.
    """
    surface = read_surface(signal.file, count) if signal.file is not None else None
    return signal.extent.points_xyz if surface is None else surface


def _signal(mesh: Mesh, name: str, path: str | None) -> Signal:
    if not len(mesh.xyz):
        raise InputError(f"'{name}': expected a point cloud of at least one point, got none; it was saved empty.")
    check_decoded(name, len(mesh.xyz) * POINT_BYTES, f"{len(mesh.xyz)} points")
    exact = np.full((len(mesh.xyz), 6), GREY)
    exact[:, :3] = mesh.xyz
    with np.errstate(over="ignore"):
        values = exact.astype(np.float32)
    bad = int((~np.isfinite(values[:, :3]).all(axis=1)).sum())
    if bad:
        raise InputError(
            f"'{name}': expected finite coordinates, got NaN, infinity or values beyond 32 bits in {bad} of "
            f"{len(values)} points; remove those points."
        )
    if mesh.rgb is not None:
        exact[:, 3:] = _unit_colours(mesh.rgb, name)
    values[:, 3:] = exact[:, 3:]
    digest = content_digest("point_cloud", exact)
    extent = Extent(modality="point_cloud", points_xyz=np.ascontiguousarray(exact[:, :3]))
    info = {"has_colours": mesh.rgb is not None, "ignored": mesh.ignored}
    return Signal("point_cloud", values, extent, name, digest, path, info)


def _unit_colours(rgb: Shaped[np.ndarray, "n 3"], name: str) -> Float[np.ndarray, "n 3"]:
    """Colours in [0, 1] of colours in 0..1 or 0..255, told apart by the type and the largest."""
    low, high = float(rgb.min()), float(rgb.max())
    if not (low >= 0 and high <= MAX_8_BIT):  # false for NaN as well
        raise InputError(
            f"'{name}': expected colours of 0..1 or 0..255 in the last three columns, got {low:g} to {high:g}; "
            "they may be normals: give x, y, z alone."
        )
    is_bytes = rgb.dtype == np.uint8 or high > 1
    return rgb / np.float64(MAX_8_BIT if is_bytes else 1)


def _read_npz(path: Path, name: str) -> Mesh:
    """Points and colours of an NPZ file: named arrays, or the only array in it."""
    keys: list[str] = []

    def chosen(there: Sequence[str]) -> Sequence[str]:
        keys.extend(there)
        if not there or (len(there) > 1 and not set(XYZ_KEYS) & set(there)):
            got = ", ".join(there)[:MAX_SHOWN] or "none"
            raise InputError(f"'{name}': expected an array named {' or '.join(XYZ_KEYS)}, got {got}.")
        return [key for key in there if key in XYZ_KEYS + RGB_KEYS or len(there) == 1]

    arrays = load_npz(path, name, "a point cloud", chosen)
    xyz_key = next((key for key in XYZ_KEYS if key in arrays), keys[0])
    xyz = arrays[xyz_key]
    rgb_key = next((key for key in RGB_KEYS if key in arrays and key != xyz_key), None)
    rgb = None if rgb_key is None else arrays[rgb_key]
    if xyz.ndim == 2 and xyz.shape[1] == 6 and rgb is None:
        xyz, rgb = xyz[:, :3], xyz[:, 3:]
    for array in (xyz,) if rgb is None else (xyz, rgb):
        if array.ndim != 2 or array.shape != (len(xyz), 3) or array.dtype.kind not in "buif":
            raise InputError(
                f"'{name}': expected points and as many colours of shape (n, 3), got {array.dtype} {array.shape}."
            )
    return Mesh(xyz, rgb, property_phrases([key for key in keys if key not in (xyz_key, rgb_key)], NORMAL_KEYS))


def write(values: Any, path: Path, rate_hz: float | None = None) -> None:
    """Writes points, floats (n, 6): x, y, z, r, g, b, as binary PLY. Raises InputError for another array."""
    from trimesh import PointCloud

    array = np.asarray(values)
    if array.dtype.kind != "f" or array.ndim != 2 or array.shape[1] != 6:
        raise InputError(f"expected a cloud as floats (n, 6), x, y, z, r, g, b, got {array.dtype} {array.shape}")
    rgb = np.round(np.clip(array[:, 3:], 0, 1) * MAX_8_BIT).astype(np.uint8)
    path.write_bytes(PointCloud(array[:, :3], colors=rgb).export(file_type="ply", encoding="binary"))


POINT_CLOUD = Modality(
    name="point_cloud",
    noun="a point cloud",
    axes="xyz",
    values_form=("float32", (None, 6)),
    suffixes=(".ply", ".obj", ".off", ".stl", ".glb", ".npz", ".pcd"),
    magics=(
        (0, b"ply\n", "a PLY cloud"),
        (0, b"ply\r", "a PLY cloud"),
        (0, b"glTF", "a GLB mesh"),
        *((0, mark, "an OFF mesh") for mark in OFF_MARKS),
        (0, b"solid ", "an STL mesh"),
        (0, PCD_MARK, "a PCD cloud"),
    ),
    spec=PointCloudSpec,
    options=PointCloudOptions,
    open_file=open_file,
    open_value=open_value,
    fits=fits,
    to_tensor=to_tensor,
    tokenizers={
        "groups": "deixis.model.tokenizers.stems:PointTokenizer",
        "published": "deixis.model.tokenizers.published_tokenizers:PointPatches",
        "pointmlp": "deixis.model.tokenizers.pointmlp:PointMLPTokenizer",
    },
    upsample="deixis.model.masks.pointing_head:UpsamplePoints",
    cells="deixis.model.masks.cells:PointCells",
    panel="deixis.visualize.panels.point_cloud_panel:draw_point_cloud",
    indices=chosen_indices,
    blank=even_points,
    panel_height_px=500,
    folder="clouds",
    file_suffix=".ply",
    write=write,
)
