"""A point cloud as a z-buffered scatter plot from above at an angle, the points of regions highlighted.

Up is +z. Knows regions by the points they hold (`deixis.geometry.point_mask`). Points hide one another, so they are
pixels in every format; edges of boxes and places are lines over them.
"""

from collections.abc import Callable, Sequence

import numpy as np

from deixis.geometry import point_mask
from deixis.signals import Signal
from deixis.visualize.canvas import Colour, contrast
from deixis.visualize.drawing import OVERSAMPLE, Drawing, Line, Part, Picture, Spot
from deixis.visualize.panels.panel import Drawn, Mark, PanelSize, labels

CLOUD_HEIGHT = 208 / 256
"""Of the drawing, in its widths, where the caller does not say."""
AZIMUTH_DEG, ELEVATION_DEG = -52.0, 34.0
DISTANCE = 2.6  # of the eye from the middle, in sides of the cloud's cube
BORDER = 0.03  # of the drawing's longer side, kept free
PAPER = np.array([242, 243, 247], float)
LUMA = np.array([0.299, 0.587, 0.114])
"""ITU-R BT.601: how bright a colour looks."""
MAX_POINTS = 60_000
"""Of a larger cloud, this many points are drawn, and as many of regions: more cannot be distinguished."""
COVER = 0.55
"""Discs are so large that they would cover about this share of the drawing, if they lay side by side."""
MIN_RADIUS_PX, MAX_RADIUS_PX = 2.0, 14.0
GLOW = 1.75
"""Radius of the coloured disc behind a marked point, in radii of the point."""
RIM = 0.3  # how much darker the edge of a point's disc is
BEHIND = 0.05  # how much farther than its point that disc lies
EDGES = [(a, a | bit) for a in range(8) for bit in (1, 2, 4) if not a & bit]
"""The twelve edges of a box, as pairs of corners 0..7, bit i of a corner for the high side of axis i."""

Project = Callable[[np.ndarray], tuple[np.ndarray, np.ndarray, np.ndarray]]


def draw_point_cloud(signal: Signal, drawn: Sequence[Drawn], panel_size: PanelSize) -> Drawing:
    width_px, height_px = panel_size.width_px, panel_size.height_px or round(panel_size.width_px * CLOUD_HEIGHT)
    size, values, pen = (width_px, height_px), signal.values, panel_size.pen
    xyz = values[:, :3].astype(np.float64)
    project = _camera(xyz, size)
    owner = _owners(xyz, drawn)
    parts: list[Part] = [Picture(_points(values, owner, drawn, size, project), (0, 0, *size))]
    marks: list[Mark] = []
    for number, item in enumerate(drawn):
        region, own = item.region, owner == number
        if region.form == "box3d":
            edges, left, top = _edges(region.box3d, project, item.colour, pen)
            parts.append(item.group(edges))
            marks.append((item, left, top))
        elif region.form == "point":
            across, down, _ = (float(value[0]) for value in project(np.array([region.point])))
            parts.append(item.group([Spot(across, down, item.colour, pen)]))
            marks.append((item, across + 4 * pen, down - 4 * pen))
        elif own.any():
            x, y, _ = project(xyz[own])
            marks.append((item, float(x.min()), float(y.min())))
    return Drawing(*size, [*parts, *labels(marks, size, panel_size.chip_px)])


def _points(
    values: np.ndarray, owner: np.ndarray, drawn: Sequence[Drawn], size: tuple[int, int], project: Project
) -> np.ndarray:
    """The points of a cloud (n, 6) as pixels, `OVERSAMPLE` per pixel of `size`, those of regions in their colours.

    The points that no region holds (`owner` -1) step back into grey.
    """
    xyz, rgb = values[:, :3].astype(np.float64), values[:, 3:].astype(np.float64) * 255
    large = size[0] * OVERSAMPLE, size[1] * OVERSAMPLE
    x, y, depth = project(xyz)
    x, y = x * OVERSAMPLE, y * OVERSAMPLE
    marked, shown = owner >= 0, _thinned(len(xyz), owner)
    if marked.any():
        rgb = np.where(marked[:, None], rgb, PAPER * 0.62 + (rgb @ LUMA)[:, None] * 0.2 + rgb * 0.18)
    radius = float(np.clip(np.sqrt(COVER * large[0] * large[1] / np.pi / len(shown)), MIN_RADIUS_PX, MAX_RADIUS_PX))
    lit = shown[marked[shown]]
    glow = np.array([item.colour for item in drawn], float).reshape(-1, 3)[owner[lit]]
    layers = [
        (x[shown], y[shown], depth[shown], rgb[shown], radius, RIM),
        (x[lit], y[lit], depth[lit] + BEHIND, glow, radius * GLOW, 0.0),
    ]
    return _splatted(layers, large)


def _owners(xyz: np.ndarray, drawn: Sequence[Drawn]) -> np.ndarray:
    """Per point the number of the last region that holds it, -1 for none; a place holds nothing, it is drawn itself."""
    owner = np.full(len(xyz), -1)
    for number, item in enumerate(drawn):
        if item.region.form != "point":
            owner[point_mask(item.region, xyz)] = number
    return owner


def _thinned(count: int, owner: np.ndarray) -> np.ndarray:
    """Indices of the points to draw: all of them, or a fixed choice of marked and of other points."""
    rng, kept = np.random.default_rng(0), []
    for indices in (np.flatnonzero(owner < 0), np.flatnonzero(owner >= 0)):
        enough = len(indices) <= MAX_POINTS
        kept.append(indices if enough else rng.choice(indices, MAX_POINTS, replace=False))
    return np.concatenate(kept)


def _edges(box3d: tuple[float, ...], project: Project, colour: Colour, pen: float) -> tuple[list[Part], float, float]:
    """The box's edges; left and top of what they take up."""
    lows, highs = np.array(box3d).reshape(2, 3)
    corners = np.array([[(highs if corner >> axis & 1 else lows)[axis] for axis in range(3)] for corner in range(8)])
    x, y, _ = project(corners)
    ends = [np.array([(x[a], y[a]), (x[b], y[b])]) for a, b in EDGES]
    halo = [Line(edge, contrast(colour), 1.4 * pen) for edge in ends]
    return [*halo, *(Line(edge, colour, 0.8 * pen) for edge in ends)], float(x.min()), float(y.min())


def _camera(xyz: np.ndarray, size: tuple[int, int]) -> Project:
    """What takes places (n, 3) to pixels x, y and a depth: from above at an angle, all of the cloud `xyz` in sight.

    Depth is in sides of the cloud's cube, `DISTANCE` at its middle.
    """
    azimuth, elevation = np.deg2rad(AZIMUTH_DEG), np.deg2rad(ELEVATION_DEG)
    towards = np.array([np.cos(azimuth) * np.cos(elevation), np.sin(azimuth) * np.cos(elevation), np.sin(elevation)])
    right = np.array([-np.sin(azimuth), np.cos(azimuth), 0.0])
    middle, side = (xyz.min(0) + xyz.max(0)) / 2, max(float(np.ptp(xyz, axis=0).max()), 1e-9)

    def flat(places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        unit = (places - middle) / side
        depth = np.maximum(DISTANCE - unit @ towards, 0.1)
        return np.stack([unit @ right, -unit @ np.cross(towards, right)], -1) / depth[:, None], depth

    on_plane, _ = flat(xyz)
    low, high = on_plane.min(0), on_plane.max(0)
    room = np.array(size) - 2 * BORDER * max(size)
    zoom = (room / np.maximum(high - low, 1e-3)).min()

    def project(places: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        plane, depth = flat(places)
        x, y = ((plane - (low + high) / 2) * zoom + np.array(size) / 2).T
        return x, y, depth

    return project


def _splatted(layers: Sequence[tuple], size: tuple[int, int]) -> np.ndarray:
    """Discs of all layers (x, y, depth, colours, radius, rim), the nearest on top, over paper: (h, w, 3) uint8.

    `rim` darkens the edge of a disc, so that it looks like a ball; 0 leaves it flat.
    """
    pixels, owners, shades, first = [], [], [], 0
    for x, y, _, _, radius, rim in layers:
        reach = np.arange(-int(radius), int(radius) + 1)
        dx, dy = (grid.ravel() for grid in np.meshgrid(reach, reach))
        disc = dx**2 + dy**2 <= radius**2
        column = np.round(x).astype(np.int64)[:, None] + dx[disc]
        row = np.round(y).astype(np.int64)[:, None] + dy[disc]
        inside = (column >= 0) & (column < size[0]) & (row >= 0) & (row < size[1])
        pixels.append((row * size[0] + column)[inside])
        owners.append(np.broadcast_to(np.arange(first, first + len(x))[:, None], inside.shape)[inside])
        shade = 1 - rim * (dx**2 + dy**2)[disc] / radius**2
        shades.append(np.broadcast_to(shade.astype(np.float32), inside.shape)[inside])
        first += len(x)
    pixel, owner, shade = np.concatenate(pixels), np.concatenate(owners), np.concatenate(shades)
    depth = np.concatenate([layer[2] for layer in layers])
    rank = np.empty(len(depth), np.int64)
    rank[np.argsort(-depth, kind="stable")] = np.arange(len(depth))  # the nearest has the highest
    top = np.full(size[0] * size[1], -1)
    np.maximum.at(top, pixel, rank[owner])
    seen = rank[owner] == top[pixel]
    haze = np.clip((depth - DISTANCE + 0.5) * 0.28, 0, 0.35)[:, None]  # what is far is paler
    colour = np.concatenate([layer[3] for layer in layers]) * (1 - haze) + PAPER * haze
    canvas = np.tile(PAPER, (size[1] * size[0], 1))
    canvas[pixel[seen]] = colour[owner[seen]] * shade[seen, None]
    return np.clip(canvas, 0, 255).round().astype(np.uint8).reshape(size[1], size[0], 3)
