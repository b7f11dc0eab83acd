"""The objects of the world: twelve kinds made of mesh primitives, with parts, colours, sizes, materials and uses.

A kind is a list of primitives; each belongs to a named part and has a tint (the object's own colour, or a fixed neutral
one). `kind_mesh` joins the primitives of a kind into one triangle mesh with a part index per face, cached per process.
Units: an object of size 1 fits in a cube of side about 1, stands on z = 0 and faces +x. It knows no images, questions
or random numbers.
"""

from dataclasses import dataclass, field
from functools import cache

import numpy as np
from jaxtyping import Float, Int

COLOURS: dict[str, tuple[int, int, int]] = {
    "red": (205, 35, 35),
    "orange": (245, 130, 20),
    "yellow": (245, 220, 40),
    "green": (40, 150, 50),
    "cyan": (60, 205, 215),
    "blue": (40, 70, 205),
    "purple": (135, 50, 170),
    "white": (240, 240, 240),
}
SIZES: dict[str, float] = {"small": 0.8, "large": 1.25}
MATERIALS: tuple[str, ...] = ("matte", "shiny")
TINTS: dict[str, tuple[int, int, int]] = {"dark": (60, 60, 66), "wood": (135, 95, 60), "tile": (120, 65, 50)}
OWN = "own"  # the tint that is replaced by the object's colour


@dataclass(frozen=True)
class Primitive:
    """One mesh primitive: `shape` (box, cylinder, cone, pyramid, ball, ring) with its sizes, centre and axis."""

    part: str
    tint: str
    shape: str
    size: tuple[float, ...]
    centre: tuple[float, float, float]
    axis: str = "z"


@dataclass(frozen=True)
class Kind:
    """One object category: its name, primitives, uses, and the uses of its parts.

    uses: endings of "Which thing would you ...?" that fit this kind only. part_uses: part -> implicit questions, which
    name neither the kind nor the part.
    """

    name: str
    primitives: tuple[Primitive, ...]
    uses: tuple[str, ...]
    part_uses: dict[str, tuple[str, ...]] = field(default_factory=dict)

    @property
    def parts(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(primitive.part for primitive in self.primitives))

    @property
    def plural(self) -> str:
        return self.name + "s"


def _legs(x: float, y: float, height: float, tint: str) -> tuple[Primitive, ...]:
    corners = [(sx * x, sy * y) for sx in (-1, 1) for sy in (-1, 1)]
    return tuple(Primitive("legs", tint, "box", (0.08, 0.08, height), (cx, cy, height / 2)) for cx, cy in corners)


def _wheels() -> tuple[Primitive, ...]:
    corners = [(sx * 0.3, sy * 0.24) for sx in (-1, 1) for sy in (-1, 1)]
    return tuple(Primitive("wheels", "dark", "cylinder", (0.13, 0.08), (cx, cy, 0.13), "y") for cx, cy in corners)


_KINDS = (
    Kind(
        "mug",
        (
            Primitive("body", OWN, "cylinder", (0.3, 0.62), (-0.08, 0, 0.31)),
            Primitive("body", "dark", "cylinder", (0.25, 0.01), (-0.08, 0, 0.622)),
            Primitive("handle", OWN, "ring", (0.19, 0.055), (0.26, 0, 0.31), "y"),
        ),
        ("drink hot coffee from", "pour your tea into"),
        {"handle": ("Where would your fingers go to lift a hot drink?", "What keeps your hand off the hot drink?")},
    ),
    Kind(
        "bottle",
        (
            Primitive("body", OWN, "cylinder", (0.2, 0.58), (0, 0, 0.29)),
            Primitive("body", OWN, "cone", (0.2, 0.3), (0, 0, 0.58)),
            Primitive("neck", OWN, "cylinder", (0.08, 0.3), (0, 0, 0.78)),
            Primitive("cap", "dark", "cylinder", (0.1, 0.12), (0, 0, 0.98)),
        ),
        ("carry water in on a walk", "fill with lemonade and close"),
        {"cap": ("What would you unscrew before a sip?", "What keeps the lemonade from spilling?")},
    ),
    Kind(
        "table",
        (Primitive("top", OWN, "box", (1.0, 0.75, 0.09), (0, 0, 0.6)), *_legs(0.42, 0.3, 0.56, "wood")),
        ("lay out dinner on", "gather your family around to eat"),
        {"top": ("Where would the plates stand at dinner?", "Which surface would you lay a cloth on?")},
    ),
    Kind(
        "chair",
        (
            Primitive("seat", OWN, "box", (0.52, 0.52, 0.09), (0, 0, 0.42)),
            Primitive("back", OWN, "box", (0.08, 0.52, 0.55), (-0.24, 0, 0.74)),
            *_legs(0.2, 0.2, 0.4, "wood"),
        ),
        ("sit on", "rest your tired legs on"),
        {"back": ("What would you lean against while resting?", "What holds your shoulders up while you sit?")},
    ),
    Kind(
        "lamp",
        (
            Primitive("base", "dark", "cylinder", (0.22, 0.06), (0, 0, 0.03)),
            Primitive("pole", "dark", "cylinder", (0.045, 0.6), (0, 0, 0.33)),
            Primitive("shade", OWN, "cone", (0.36, 0.55), (0, 0, 0.56)),
        ),
        ("switch on to read at night", "use to light up a dark room"),
        {"shade": ("Where would the glow come from at night?", "What softens the light of the bulb?")},
    ),
    Kind(
        "hammer",
        (
            Primitive("handle", "wood", "cylinder", (0.065, 0.8), (0, 0, 0.4)),
            Primitive("head", OWN, "box", (0.62, 0.24, 0.24), (0, 0, 0.86)),
        ),
        ("drive a nail in with", "use to break a stone"),
        {"head": ("What would strike the nail?", "What would hit the stone?")},
    ),
    Kind(
        "ball",
        (Primitive("body", OWN, "ball", (0.36,), (0, 0, 0.36)),),
        ("kick into a goal", "throw to a friend to catch"),
    ),
    Kind(
        "tree",
        (
            Primitive("trunk", "wood", "cylinder", (0.09, 0.5), (0, 0, 0.25)),
            Primitive("crown", OWN, "ball", (0.33,), (0, 0, 0.68)),
            Primitive("crown", OWN, "ball", (0.23,), (0.12, 0.1, 0.93)),
        ),
        ("rest under for shade outdoors", "water so that it grows"),
        {"crown": ("Where would a bird build its nest?",), "trunk": ("What would a saw cut through?",)},
    ),
    Kind(
        "car",
        (
            Primitive("body", OWN, "box", (1.0, 0.46, 0.2), (0, 0, 0.24)),
            Primitive("cabin", OWN, "box", (0.5, 0.4, 0.2), (-0.06, 0, 0.43)),
            Primitive("cabin", "dark", "box", (0.36, 0.42, 0.12), (-0.06, 0, 0.43)),
            *_wheels(),
        ),
        ("drive to the next town", "steer along a road"),
        {"wheels": ("What would turn while driving down the road?", "Which parts touch the road?")},
    ),
    Kind(
        "house",
        (
            Primitive("walls", OWN, "box", (0.7, 0.66, 0.46), (0, 0, 0.23)),
            Primitive("roof", "tile", "pyramid", (0.58, 0.36), (0, 0, 0.46)),
            Primitive("door", "dark", "box", (0.02, 0.18, 0.28), (0.355, 0, 0.14)),
        ),
        ("live in with your family", "move into with all your furniture"),
        {"roof": ("What keeps the rain off a sleeping family?", "Where would a chimney be built?")},
    ),
    Kind(
        "umbrella",
        (
            Primitive("canopy", OWN, "cone", (0.52, 0.3), (0, 0, 0.7)),
            Primitive("stick", "dark", "cylinder", (0.035, 0.75), (0, 0, 0.38)),
            Primitive("stick", "dark", "ring", (0.1, 0.035), (0.1, 0, 0.135), "y"),
        ),
        ("hold over your head in the rain", "open to stay dry on a walk"),
        {"canopy": ("Which part catches the rain drops?", "What spreads out over your head on a wet day?")},
    ),
    Kind(
        "pan",
        (
            Primitive("bowl", OWN, "cylinder", (0.36, 0.14), (-0.12, 0, 0.07)),
            Primitive("bowl", "dark", "cylinder", (0.31, 0.01), (-0.12, 0, 0.142)),
            Primitive("handle", OWN, "box", (0.5, 0.1, 0.06), (0.46, 0, 0.1)),
        ),
        ("fry an egg in", "make pancakes with"),
        {"bowl": ("Where would the egg sizzle?", "Where would you melt the butter?")},
    ),
)
KINDS: dict[str, Kind] = {kind.name: kind for kind in _KINDS}
KIND_NAMES: tuple[str, ...] = tuple(KINDS)
COLOUR_NAMES: tuple[str, ...] = tuple(COLOURS)
PART_NAMES: tuple[str, ...] = tuple(dict.fromkeys(part for kind in _KINDS for part in kind.parts))


@dataclass(frozen=True)
class KindMesh:
    """A kind as triangles: vertices and unit normals (v, 3), faces (f, 3), and per face a part and a tint.

    face_part: index into `PART_NAMES`. face_tint: RGB in [0, 1]; NaN where the object's own colour applies.
    """

    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    face_part: Int[np.ndarray, " f"]
    face_tint: Float[np.ndarray, "f 3"]


@cache
def kind_mesh(name: str) -> KindMesh:
    """The mesh of a kind, cached."""
    vertices, normals, faces, parts, tints, offset = [], [], [], [], [], 0
    for primitive in KINDS[name].primitives:
        mesh = _primitive_mesh(primitive)
        vertices.append(np.asarray(mesh.vertices))
        normals.append(np.asarray(mesh.vertex_normals))
        faces.append(np.asarray(mesh.faces) + offset)
        parts.append(np.full(len(mesh.faces), PART_NAMES.index(primitive.part)))
        tint = np.full(3, np.nan) if primitive.tint == OWN else np.array(TINTS[primitive.tint]) / 255
        tints.append(np.tile(tint, (len(mesh.faces), 1)))
        offset += len(mesh.vertices)
    return KindMesh(*(np.concatenate(rows) for rows in (vertices, normals, faces, parts, tints)))


def _primitive_mesh(primitive: Primitive):
    """The trimesh of a primitive, with vertices split at sharp edges so that shading shows the edges."""
    from trimesh import creation, graph, transformations

    size = primitive.size
    mesh = {
        "box": lambda: creation.box(extents=size),
        "cylinder": lambda: creation.cylinder(radius=size[0], height=size[1], sections=20),
        "cone": lambda: creation.cone(radius=size[0], height=size[1], sections=20),
        "pyramid": lambda: creation.cone(radius=size[0], height=size[1], sections=4),
        "ball": lambda: creation.icosphere(subdivisions=2, radius=size[0]),
        "ring": lambda: creation.torus(major_radius=size[0], minor_radius=size[1], major_sections=20, minor_sections=8),
    }[primitive.shape]()
    if primitive.shape == "pyramid":
        mesh.apply_transform(transformations.rotation_matrix(np.pi / 4, [0, 0, 1]))
    if primitive.axis == "y":
        mesh.apply_transform(transformations.rotation_matrix(np.pi / 2, [1, 0, 0]))
    mesh.apply_translation(primitive.centre)
    return graph.smooth_shade(mesh, angle=0.7)
