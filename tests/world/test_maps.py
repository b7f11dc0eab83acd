"""Depth and normal maps: each agrees with the scene by other means, and what is said about them is seen in them."""

import numpy as np
import pytest

from deixis.signals import open_signal
from deixis.signals.depth import write as write_depth
from deixis.signals.normal import write as write_normal
from deixis.world.depth import sample_depth_map
from deixis.world.generate import every_question, world_facts
from deixis.world.normal import sample_normal_map
from deixis.world.objects import COLOUR_NAMES
from deixis.world.render import FLOOR, SKY, camera_axes, pixel_rays
from deixis.world.scene import sample_scene, scene_rng

SEEDS = [pytest.param(seed, id=f"seed_{seed}") for seed in range(4)]


def places_xyz(scene, depth_m):
    """Where each pixel's reading lies in the scene (h, w, 3)."""
    rays = pixel_rays(scene, len(depth_m)).reshape(*depth_m.shape, 3)
    along_axis = rays @ -camera_axes(scene)[2]
    return scene.camera + rays * (depth_m / along_axis)[..., None]


@pytest.mark.parametrize("seed", SEEDS)
def test_readings_lie_on_the_floor_and_on_their_things(seed):
    scene = sample_scene("test", seed)
    depth_map = sample_depth_map(scene, 96)
    depth_m, shown = depth_map.depth_m, depth_map.surfaces.object_id
    assert (depth_m[shown == SKY] == 0).all()
    has_reading = depth_m > 0
    assert 0.97 < has_reading[shown != SKY].mean() < 1
    xyz = places_xyz(scene, depth_m)
    floor = (shown == FLOOR) & has_reading & (depth_m < 8)
    assert np.abs(np.median(xyz[floor][:, 2])) < 0.01
    assert np.quantile(np.abs(xyz[floor][:, 2]), 0.95) < 0.15
    for number, item in enumerate(scene.objects):
        own = xyz[(shown == number) & has_reading]
        if len(own):
            assert np.quantile(np.linalg.norm(own[:, :2] - item.position_xy, axis=1), 0.95) < item.scale


def test_a_depth_map_is_read_back_to_the_millimetre(tmp_path):
    depth_m = world_facts("test", 3, "depth").media[0].values
    write_depth(depth_m, tmp_path / "depth.png")
    read = open_signal(tmp_path / "depth.png", "depth")
    np.testing.assert_allclose(read.values, depth_m, atol=0.0006)


def test_what_is_said_to_be_nearer_is_nearer():
    agree = []
    for seed in range(12):
        facts = world_facts("test", seed, "depth")
        for sample in every_question(facts, scene_rng("test", seed, 99), "nearer"):
            medians = []
            for region in sample.regions:  # what lies in the middle of a region is mostly the thing itself
                x, y = (region.point or middle(region)) if region.mask is None else (None, None)
                inside = region.mask_array if x is None else patch(facts.depth_m.shape, x, y)
                readings = facts.depth_m[inside]
                medians.append(np.median(readings[readings > 0]) if readings.any() else np.inf)
            by_region = "first" if medians[0] < medians[1] else "second"
            agree.append(sample.turns[0].references == (by_region,))
    assert len(agree) > 25
    assert np.mean(agree) > 0.9  # the middle of a box may show what stands before or behind


def middle(region):
    x1, y1, x2, y2 = region.box
    return (x1 + x2) / 2, (y1 + y2) / 2


def patch(size_hw, x, y):
    inside = np.zeros(size_hw, dtype=bool)
    inside[int(y) - 1 : int(y) + 2, int(x) - 1 : int(x) + 2] = True
    return inside


def test_a_distance_is_that_to_the_camera_less_what_lies_beside_the_axis():
    for seed in range(6):
        facts = world_facts("test", seed, "depth")
        scene = facts.scene
        for number in facts.visible:
            item = scene.objects[number]
            centre = np.array([*item.position_xy, 0.4 * item.scale])
            along_axis = (centre - scene.camera) @ -camera_axes(scene)[2]
            assert abs(facts.distance_m(number) - along_axis) < 0.6 * item.scale


@pytest.mark.parametrize("subject", [pytest.param(name, id=name) for name in ("depth", "normal")])
def test_no_colour_is_said_of_a_map(subject):
    for seed in range(4):
        facts = world_facts("train", seed, subject)
        rng = scene_rng("train", seed, 98)
        for task in ("name", "phrase_box", "exists", "absence", "count", "caption", "grounded_caption", "dialogue"):
            for sample in every_question(facts, rng, task):
                words = " ".join(text for turn in sample.turns for text in (turn.user, turn.assistant)).lower()
                assert not set(COLOUR_NAMES) & set(words.replace("[", " ").replace("]", " ").split())


@pytest.mark.parametrize("seed", SEEDS)
def test_normals_are_those_of_the_surface_that_the_depth_map_shows(seed):
    """The cross product of neighbouring places of the depth map, without its noise, is the normal where it is plane."""
    scene = sample_scene("test", seed)
    normal_map = sample_normal_map(scene, 96)
    surfaces = normal_map.surfaces
    rays = pixel_rays(scene, 96).reshape(96, 96, 3)
    xyz = scene.camera + rays * np.where(np.isinf(surfaces.depth), 0, surfaces.depth)[..., None]
    across, down = xyz[1:-1, 2:] - xyz[1:-1, :-2], xyz[2:, 1:-1] - xyz[:-2, 1:-1]
    found = np.cross(down, across)
    found = found / np.maximum(np.linalg.norm(found, axis=-1, keepdims=True), 1e-9) @ camera_axes(scene).T
    shown = surfaces.part_id * 100 + surfaces.object_id
    same = [shown[1 + y : 95 + y, 1 + x : 95 + x] == shown[1:-1, 1:-1] for x, y in ((-1, 0), (1, 0), (0, -1), (0, 1))]
    inner = np.all(same, axis=0) & (surfaces.object_id[1:-1, 1:-1] != SKY)
    angle_deg = np.rad2deg(np.arccos(np.clip((found * normal_map.normals[1:-1, 1:-1]).sum(-1), -1, 1)))[inner]
    assert np.median(angle_deg) < 4
    assert np.quantile(angle_deg, 0.9) < 25
    lengths = np.linalg.norm(normal_map.normals, axis=-1)
    np.testing.assert_allclose(lengths[surfaces.object_id != SKY], 1, atol=1e-5)
    assert (lengths[surfaces.object_id == SKY] == 0).all()


def test_a_normal_map_is_read_back(tmp_path):
    normals = world_facts("test", 3, "normal").media[0].values
    write_normal(normals, tmp_path / "normal.png")
    read = open_signal(tmp_path / "normal.png", "normal")
    np.testing.assert_allclose(read.values, normals, atol=0.02)


def test_which_way_a_surface_faces_follows_from_the_pixels_of_its_region():
    said = []
    for seed in range(10):
        facts = world_facts("test", seed, "normal")
        for sample in every_question(facts, scene_rng("test", seed, 99), "facing"):
            (word,) = sample.turns[0].references
            (region,) = sample.regions
            if region.mask is not None:
                x, y, z = facts.normals[region.mask_array].mean(0)
                others = {"up": y, "left": -x, "right": x, "camera": z}
                assert max(others, key=others.get) == word
            said.append(word)
    assert set(said) == {"up", "left", "right", "camera"}
