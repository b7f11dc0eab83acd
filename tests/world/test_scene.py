"""Scenes, their images and clouds: one seed gives one scene, splits are disjoint, ground truth matches each pixel."""

from dataclasses import replace

import numpy as np
import pytest

from deixis.world.objects import COLOUR_NAMES, COLOURS, KIND_NAMES, KINDS, PART_NAMES, kind_mesh
from deixis.world.render import FLOOR, SKY, render, sample_cloud
from deixis.world.scene import SPLITS, SceneObject, held_out, sample_scene

SEEDS = range(6)


def facts(scene) -> tuple:
    """What makes two scenes the same."""
    return scene.objects, *(tuple(getattr(scene, name)) for name in ("camera", "target", "light", "floor", "sky"))


def build_scene(*things: SceneObject):
    return replace(sample_scene("train", 0), objects=things)


def thing(kind: str, colour: str, x: float = 0.0, y: float = 0.0) -> SceneObject:
    return SceneObject(kind, colour, "large", "matte", (x, y), 0.4)


def test_there_are_enough_kinds_and_colours():
    assert len(KINDS) >= 10
    assert len(COLOURS) >= 8


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in KIND_NAMES])
def test_a_kind_stands_on_the_floor_and_fits_its_cube(kind):
    mesh = kind_mesh(kind)
    low, high = mesh.vertices.min(0), mesh.vertices.max(0)
    assert abs(low[2]) < 0.08  # the umbrella's grip ends a little below the floor
    assert (high - low).max() < 1.35
    assert {PART_NAMES[part] for part in mesh.face_part} == set(KINDS[kind].parts)
    assert set(KINDS[kind].part_uses) <= set(KINDS[kind].parts)
    np.testing.assert_allclose(np.linalg.norm(mesh.normals, axis=1), 1, atol=1e-6)


def test_an_unknown_split_is_refused():
    with pytest.raises(ValueError, match="split: expected one of train, val, test; got 'dev'"):
        sample_scene("dev", 0)


@pytest.mark.parametrize("split", [pytest.param(split, id=split) for split in SPLITS])
def test_a_seed_is_one_scene(split):
    for seed in SEEDS:
        scene = sample_scene(split, seed)
        assert facts(scene) == facts(sample_scene(split, seed))
        assert facts(scene) != facts(sample_scene(split, seed + 1))
        first, second = render(scene, 32), render(sample_scene(split, seed), 32)
        np.testing.assert_array_equal(first.rgb, second.rgb)
        np.testing.assert_array_equal(sample_cloud(scene, 64).points, sample_cloud(scene, 64).points)


def test_splits_share_no_scene():
    scenes = [facts(sample_scene(split, seed)) for split in SPLITS for seed in range(50)]
    assert len(set(scenes)) == len(scenes)


@pytest.mark.parametrize("split", [pytest.param("train", id="train"), pytest.param("val", id="val")])
def test_held_out_pairs_are_never_trained_on(split):
    things = [thing for seed in range(300) for thing in sample_scene(split, seed).objects]
    assert {thing.kind for thing in things} == set(KIND_NAMES)
    assert {thing.colour for thing in things} == set(COLOUR_NAMES)
    assert not [thing for thing in things if held_out(thing.kind, thing.colour)]


def test_held_out_pairs_are_tested():
    pairs = {(thing.kind, thing.colour) for seed in range(600) for thing in sample_scene("test", seed).objects}
    apart = {(kind, colour) for kind in KIND_NAMES for colour in COLOUR_NAMES if held_out(kind, colour)}
    assert len(apart) == len(KIND_NAMES)
    assert apart <= pairs


def test_things_do_not_stand_in_each_other():
    for seed in range(100):
        things = sample_scene("test", seed).objects
        assert 2 <= len(things) <= 6
        places = np.array([thing.position_xy for thing in things])
        gaps = np.linalg.norm(places[:, None] - places[None], axis=-1) + 9 * np.eye(len(things))
        assert gaps.min() > 0.55 * 2 * 0.8


@pytest.mark.parametrize("colour", [pytest.param(colour, id=colour) for colour in COLOUR_NAMES])
def test_the_pixels_of_a_thing_have_its_colour(colour):
    view = render(build_scene(thing("ball", colour)), 64)
    inside = view.object_id == 0
    assert inside.sum() > 100
    shown = view.rgb[inside].mean(0)
    names, values = zip(*COLOURS.items(), strict=True)
    hues = np.array(values) / np.linalg.norm(values, axis=1, keepdims=True)
    assert names[int((hues @ (shown / np.linalg.norm(shown))).argmax())] == colour


def test_pixels_without_a_thing_are_floor_and_sky():
    scene = build_scene()
    view = render(scene, 64)
    assert set(np.unique(view.object_id)) <= {FLOOR, SKY}
    assert (view.part_id == -1).all()
    np.testing.assert_array_equal(np.isinf(view.depth), view.object_id == SKY)
    upwards = view.normal[view.object_id == FLOOR]
    np.testing.assert_allclose(upwards, np.tile([0, 0, 1], (len(upwards), 1)), atol=1e-6)


def test_the_nearer_thing_hides_the_other():
    scene = sample_scene("train", 0)
    away = (scene.target - scene.camera)[:2]
    away /= np.linalg.norm(away)
    near, far = thing("ball", "red", *(-0.5 * away)), thing("lamp", "blue", *(0.4 * away))
    both, alone = render(build_scene(near, far), 64), [render(build_scene(each), 64) for each in (near, far)]
    seen = [view.object_id == 0 for view in alone]
    overlap = seen[0] & seen[1]
    assert overlap.sum() > 20
    assert (both.object_id[overlap] == 0).all()
    np.testing.assert_array_equal(both.object_id == 1, seen[1] & ~seen[0])
    np.testing.assert_allclose(both.depth[overlap], alone[0].depth[overlap], rtol=1e-5)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in KIND_NAMES])
def test_parts_belong_to_their_thing(kind):
    view = render(build_scene(thing(kind, "cyan")), 64)
    parts = {PART_NAMES[part] for part in np.unique(view.part_id[view.object_id == 0])}
    assert parts
    assert parts <= set(KINDS[kind].parts)


def test_more_rays_do_not_move_the_picture():
    scene = sample_scene("train", 1)
    plain, fine = render(scene, 64), render(scene, 64, supersample=3)
    np.testing.assert_array_equal(plain.object_id, fine.object_id)  # three rays a side have one at the centre
    assert np.abs(plain.rgb.astype(float) - fine.rgb).mean() < 5


@pytest.mark.parametrize("seed", [pytest.param(seed, id=f"seed_{seed}") for seed in SEEDS])
def test_points_lie_on_their_things(seed):
    scene = sample_scene("test", seed)
    cloud = sample_cloud(scene, 512)
    assert cloud.points.shape == (512, 6)
    assert cloud.points[:, 3:].min() >= 0
    assert cloud.points[:, 3:].max() <= 1
    floor = cloud.object_id == FLOOR
    assert floor.sum() == 512 // 8
    assert np.abs(cloud.points[floor, 2]).max() < 0.05
    assert (cloud.part_id[floor] == -1).all()
    for number, item in enumerate(scene.objects):
        own = cloud.points[cloud.object_id == number, :2] - item.position_xy
        assert np.linalg.norm(own, axis=1).max() < 0.9 * item.scale
