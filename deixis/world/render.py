"""A scene as a rendered image and as a coloured point cloud, with ground truth for every pixel and point.

Rays are cast with Embree (through embreex). Images are shaded with one light with shadows, an ambient term, and
specular highlights on shiny objects. It knows no questions.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int, UInt8

from deixis.world.objects import COLOURS, kind_mesh
from deixis.world.scene import Scene, scene_rng

FIELD_OF_VIEW_DEG = 46.0
FLOOR = -1  # object id of the floor
SKY = -2  # object id of the sky


@dataclass(frozen=True)
class SceneMesh:
    """A scene and its floor as triangles; per face object id, part (-1: floor), RGB and shine, both in [0, 1]."""

    vertices: Float[np.ndarray, "v 3"]
    normals: Float[np.ndarray, "v 3"]
    faces: Int[np.ndarray, "f 3"]
    face_object: Int[np.ndarray, " f"]
    face_part: Int[np.ndarray, " f"]
    face_colour: Float[np.ndarray, "f 3"]
    face_shine: Float[np.ndarray, " f"]


@dataclass(frozen=True)
class Surfaces:
    """What each pixel (h, w) of an image shows: object id (or FLOOR, SKY), part (-1: none), depth along the ray (inf:
    sky), unit normal in scene axes (0: sky)."""

    object_id: Int[np.ndarray, "h w"]
    part_id: Int[np.ndarray, "h w"]
    depth: Float[np.ndarray, "h w"]
    normal: Float[np.ndarray, "h w 3"]


@dataclass(frozen=True)
class View(Surfaces):
    """An image (h, w, 3), and what its pixels show.

    shine: by how much a pixel is brighter, in [0, 1], if its object is shiny than if it is matte, whichever it is.
    """

    rgb: UInt8[np.ndarray, "h w 3"]
    shine: Float[np.ndarray, "h w"]


@dataclass(frozen=True)
class Cloud:
    """Points (n, 6): xyz in scene units and RGB in [0, 1]; per point the object id (or FLOOR) and part (-1: none)."""

    points: Float[np.ndarray, "n 6"]
    object_id: Int[np.ndarray, " n"]
    part_id: Int[np.ndarray, " n"]


def build_mesh(scene: Scene) -> SceneMesh:
    """The triangles of `scene`; the floor is a square with side 24, its faces come first."""
    half = 12.0
    corners = np.array([[-half, -half, 0], [half, -half, 0], [half, half, 0], [-half, half, 0]])
    vertices, normals = [corners], [np.tile([0.0, 0.0, 1.0], (4, 1))]
    faces, objects, parts = [np.array([[0, 1, 2], [0, 2, 3]])], [np.full(2, FLOOR)], [np.full(2, -1)]
    colours, shines, offset = [np.tile(scene.floor, (2, 1))], [np.zeros(2)], 4
    for number, obj in enumerate(scene.objects):
        mesh = kind_mesh(obj.kind)
        cos, sin = np.cos(obj.yaw), np.sin(obj.yaw)
        turn = np.array([[cos, sin, 0], [-sin, cos, 0], [0, 0, 1]])  # rotates row vectors by yaw about z
        vertices.append(mesh.vertices @ turn * obj.scale + [*obj.position_xy, 0.0])
        normals.append(mesh.normals @ turn)
        faces.append(mesh.faces + offset)
        objects.append(np.full(len(mesh.faces), number))
        parts.append(mesh.face_part)
        own = np.array(COLOURS[obj.colour]) / 255
        colours.append(np.where(np.isnan(mesh.face_tint), own, mesh.face_tint))
        shines.append(np.full(len(mesh.faces), float(obj.material == "shiny")))
        offset += len(mesh.vertices)
    floats = (np.concatenate(rows).astype(np.float32) for rows in (vertices, normals, colours, shines))
    vertex, normal, colour, shine = floats
    face, number, part = (np.concatenate(rows).astype(np.int32) for rows in (faces, objects, parts))
    return SceneMesh(vertex, normal, face, number, part, colour, shine)


class RayCaster:
    """Ray casting on one scene mesh with Embree."""

    def __init__(self, mesh: SceneMesh):
        from embreex.mesh_construction import TriangleMesh
        from embreex.rtcore_scene import EmbreeScene

        self._scene = EmbreeScene()
        TriangleMesh(self._scene, mesh.vertices, mesh.faces)

    def first_hits(self, origins: np.ndarray, directions: np.ndarray) -> dict[str, np.ndarray]:
        """The first hits of rays (n, 3) as Embree returns them: primID (-1: no hit), tfar, and barycentric u and v."""
        return self._scene.run(origins.astype(np.float32), directions.astype(np.float32), output=1)


def camera_axes(scene: Scene) -> Float[np.ndarray, "3 3"]:
    """Unit vectors of the camera in scene axes, row by row: right, up, and backward, towards who looks."""
    forward = scene.target - scene.camera
    forward = forward / np.linalg.norm(forward)
    right = np.cross(forward, [0.0, 0.0, 1.0])
    right /= np.linalg.norm(right)
    return np.stack([right, np.cross(right, forward), -forward])


def pixel_rays(scene: Scene, size_px: int) -> Float[np.ndarray, "n 3"]:
    """Unit directions (n, 3) through the pixel centres of a square image, row by row from the top left."""
    right, up, backward = camera_axes(scene)
    half = np.tan(np.deg2rad(FIELD_OF_VIEW_DEG) / 2)
    across = ((np.arange(size_px) + 0.5) / size_px * 2 - 1) * half
    x, y = np.meshgrid(across, -across)
    rays = -backward + x[..., None] * right + y[..., None] * up
    return (rays / np.linalg.norm(rays, axis=-1, keepdims=True)).reshape(-1, 3).astype(np.float32)


def render(scene: Scene, size_px: int = 128, supersample: int = 1, mesh: SceneMesh | None = None) -> View:
    """The rendered image of `scene`, `size_px` square.

    Colours are the mean of `supersample` x `supersample` rays per pixel; object, part, depth and normal are those of
    the ray nearest to the pixel's centre.
    """
    colour, shine, surfaces = shaded(scene, size_px, supersample, mesh or build_mesh(scene))
    rgb = with_noise(colour, scene_rng(scene.split, scene.seed, 1))
    return View(**vars(surfaces), rgb=rgb, shine=shine)


def with_noise(colour: Float[np.ndarray, "h w 3"], rng: np.random.Generator) -> UInt8[np.ndarray, "h w 3"]:
    """Colours in [0, 1] as 8 bits, with the noise of a camera."""
    noise = rng.standard_normal(colour.shape, np.float32) * 0.012
    return (np.clip(colour + noise, 0, 1) * 255).round().astype(np.uint8)


def shaded(
    scene: Scene, size_px: int, supersample: int, mesh: SceneMesh
) -> tuple[Float[np.ndarray, "h w 3"], Float[np.ndarray, "h w"], Surfaces]:
    """Colours in [0, 1] without noise and shine (`View`), as means of a pixel's rays, and what the ray nearest its
    centre shows."""
    side = size_px * supersample
    caster, rays, hits = _cast(scene, side, mesh)
    face, hit = hits["primID"], hits["primID"] >= 0
    normal = _hit_normals(mesh, hits)
    colour, shine = _shade(scene, mesh, caster, rays, np.where(hit, hits["tfar"], 0.0), face, normal)
    colour = colour.reshape(size_px, supersample, size_px, supersample, 3).mean((1, 3))
    shine = shine.reshape(size_px, supersample, size_px, supersample).mean((1, 3))
    return colour, shine, _surfaces(mesh, hits, normal, side, supersample)


def surfaces_of(scene: Scene, size_px: int, mesh: SceneMesh | None = None) -> Surfaces:
    """What the pixels of an image show, by one ray each through its centre; nothing is shaded."""
    mesh = mesh or build_mesh(scene)
    hits = _cast(scene, size_px, mesh)[2]
    return _surfaces(mesh, hits, _hit_normals(mesh, hits), size_px, 1)


def _cast(scene: Scene, side: int, mesh: SceneMesh) -> tuple[RayCaster, np.ndarray, dict[str, np.ndarray]]:
    """The rays of `side` x `side` pixels, and their first hits."""
    rays = pixel_rays(scene, side)
    caster = RayCaster(mesh)
    return caster, rays, caster.first_hits(np.tile(scene.camera, (len(rays), 1)), rays)


def _surfaces(mesh: SceneMesh, hits: dict[str, np.ndarray], normal: np.ndarray, side: int, step: int) -> Surfaces:
    face, hit = hits["primID"], hits["primID"] >= 0
    middle = slice(step // 2, None, step)
    maps = (
        np.where(hit, mesh.face_object[face], SKY),
        np.where(hit, mesh.face_part[face], -1),
        np.where(hit, hits["tfar"], np.inf),
        normal,
    )
    return Surfaces(*(m.reshape(side, side, *m.shape[1:])[middle, middle] for m in maps))


def _hit_normals(mesh: SceneMesh, hits: dict[str, np.ndarray]) -> np.ndarray:
    """Normals (n, 3) interpolated over the hit triangle; zero without a hit."""
    corners = mesh.normals[mesh.faces[hits["primID"]]]
    u, v = hits["u"][:, None], hits["v"][:, None]
    normal = corners[:, 0] * (1 - u - v) + corners[:, 1] * u + corners[:, 2] * v
    normal /= np.linalg.norm(normal, axis=-1, keepdims=True) + 1e-9
    return np.where(hits["primID"][:, None] >= 0, normal, 0.0)


def _shade(scene, mesh, caster, rays, distance, face, normal) -> tuple[np.ndarray, np.ndarray]:
    """RGB (n, 3) in [0, 1], and by how much each ray is brighter on a shiny face than on a matte one (n,): ambient and
    diffuse light with shadows, highlights on shiny faces, a uniform sky."""
    hit = np.flatnonzero(face >= 0)
    light = scene.light.astype(np.float32)
    points = scene.camera.astype(np.float32) + rays[hit] * distance[hit, None]
    facing = normal[hit]
    # Shadow rays start slightly above the surface, so that they do not hit it again.
    lift = points + facing * np.float32(2e-3)
    lit = caster.first_hits(lift, np.tile(light, (len(lift), 1)))["primID"] < 0
    slope = facing @ light
    diffuse = np.clip(slope, 0, None) * lit
    mirrored = 2 * slope[:, None] * facing - light
    highlight = np.clip(-(mirrored * rays[hit]).sum(-1), 0, None) ** 16 * lit
    ambient = 0.42 + 0.13 * normal[hit, 2]
    fade = np.clip((distance[hit] - 7) / 9, 0, 1)[:, None]  # the far floor fades into the sky
    diffuse_rgb = mesh.face_colour[face[hit]] * (ambient + 0.62 * diffuse)[:, None]
    matte, shiny = (
        np.clip((diffuse_rgb + glow).astype(np.float32) * (1 - fade) + scene.sky * fade, 0, 1).astype(np.float32)
        for glow in (0.0, 0.55 * highlight[:, None])
    )
    colour, shine = np.tile(scene.sky.astype(np.float32), (len(rays), 1)), np.zeros(len(rays), np.float32)
    colour[hit] = np.where(mesh.face_shine[face[hit], None] > 0, shiny, matte)
    shine[hit] = (shiny - matte).max(-1)
    return colour, shine


def sample_cloud(scene: Scene, count: int = 2048, mesh: SceneMesh | None = None) -> Cloud:
    """`count` points on the surfaces of `scene`, one in eight on the floor, as in a scan from all sides.

    Points are uniform over the surface area of the objects; positions and colours have noise.
    """
    mesh = mesh or build_mesh(scene)
    rng = scene_rng(scene.split, scene.seed, 3)
    corners = mesh.vertices[mesh.faces]
    area = np.linalg.norm(np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0]), axis=1) / 2
    area[mesh.face_object == FLOOR] = 0
    on_floor = count // 8
    face = rng.choice(len(area), count - on_floor, p=area / area.sum())
    a, b = rng.random((2, len(face), 1))
    # Barycentric coordinates outside the triangle are mirrored into it: uniform over its area.
    a, b = np.where(a + b > 1, 1 - a, a), np.where(a + b > 1, 1 - b, b)
    xyz = corners[face, 0] * (1 - a - b) + corners[face, 1] * a + corners[face, 2] * b
    floor = np.concatenate([rng.uniform(-2.3, 2.3, (on_floor, 2)), np.zeros((on_floor, 1))], 1)
    xyz = np.concatenate([xyz, floor]) + rng.normal(0, 0.004, (count, 3))
    rgb = np.concatenate([mesh.face_colour[face], np.tile(scene.floor, (on_floor, 1))])
    rgb = np.clip(rgb * rng.uniform(0.85, 1.0, (count, 1)) + rng.normal(0, 0.015, (count, 3)), 0, 1)
    object_id = np.concatenate([mesh.face_object[face], np.full(on_floor, FLOOR)])
    part_id = np.concatenate([mesh.face_part[face], np.full(on_floor, -1)])
    order = rng.permutation(count)
    return Cloud(np.concatenate([xyz, rgb], 1)[order].astype(np.float32), object_id[order], part_id[order])
