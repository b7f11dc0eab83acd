"""Depth maps and normals: written as files that open again, with questions that agree with the depth."""

from collections import Counter
from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.annotated import Object
from deixis.samples.media import open_media, write_medium
from deixis.samples.sample import MediaReference, Skipped
from deixis.samples.shards import open_samples, write_shard
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.maps import FARTHEST_M, MapsOptions, make, normals_of, without_places
from deixis.synthesis.parts.registry import PARTS
from tests.synthesis.pictures import SIZE_HW, farm, made, marks, picture, region, told, turns


def slope(pixels: np.ndarray) -> np.ndarray:
    """1 m at the left edge, 9 m at the right."""
    height, width = pixels.shape[:2]
    return np.broadcast_to(np.linspace(1, 9, width, dtype=np.float32), (height, width))


TOOLS = Annotators(depth=lambda: slope)


def placed(item, folder):
    path = folder / f"{item.id.replace('/', '-')}.png"
    Image.fromarray(np.full((*SIZE_HW, 3), 200, dtype=np.uint8)).save(path)
    return replace(item, signals=(replace(item.signals[0], path=str(path)),))


def test_signals_are_the_picture_and_its_map(tmp_path):
    found = made("maps", [placed(told(n), tmp_path) for n in range(1, 13)], annotators=TOOLS)
    kinds = Counter(tuple(medium.modality for medium in sample.signals) for sample in found)
    assert set(kinds) == {("image", "depth"), ("image", "normal")}
    for sample in found:
        picture_medium, map_medium = sample.signals
        assert map_medium.id == f"{picture_medium.id}/{map_medium.modality}"
        with open_media(map_medium) as signal:
            assert signal.extent.size_hw == SIZE_HW
            if signal.modality == "depth":
                assert np.abs(signal.values - slope(signal.values)).max() <= 0.0005
            else:
                assert np.abs(signal.values - normals_of(slope(signal.values))).max() < 0.01


class Metres:
    """A depth model that knows metres."""

    metric = True

    def __call__(self, pixels: np.ndarray) -> np.ndarray:
        return slope(pixels)


@pytest.mark.parametrize(
    ("depth", "unit"), [pytest.param(Metres(), "m", id="metric"), pytest.param(slope, "relative", id="relative")]
)
def test_only_a_metric_model_claims_metres(tmp_path, depth, unit):
    found = made("maps", [placed(told(n), tmp_path) for n in range(1, 13)], annotators=Annotators(depth=lambda: depth))
    assert {(sample.signals[1].modality, sample.signals[1].unit) for sample in found} == {
        ("depth", unit),
        ("normal", None),
    }


@pytest.mark.parametrize("ending", ["jsonl", "tar", "parquet"])
def test_maps_are_written_in_shards(tmp_path, ending):
    found = made("maps", [placed(told(n), tmp_path) for n in range(1, 7)], annotators=TOOLS)
    shard = tmp_path / "out" / f"maps.{ending}"
    report = write_shard(found, shard, "copy")
    assert (report.samples, report.skipped) == (len(found), ())
    for _, sample in open_samples(shard):
        with open_media(sample.signals[1]) as signal:
            assert signal.modality == sample.signals[1].modality
            assert signal.extent.size_hw == SIZE_HW


def test_what_is_nearer_is_left_and_what_is_farther_right(tmp_path):
    items = [placed(told(n), tmp_path) for n in range(1, 40)]
    found = made("maps", items, 80, annotators=TOOLS, caption=0.0, names=0.0, kinds=("depth",))
    said = Counter()
    for sample, turn in turns(found):
        (mark,) = marks(turn.assistant)
        asked = sorted({obj.region.box[0] for obj in farm().objects if obj.name in turn.assistant.lower()})
        given = sample.regions[mark.indices[0]].box[0]
        is_near = any(word in turn.user for word in ("near", "closer", "first", "in front", "smaller", "less far"))
        is_near = is_near and not any(word in turn.user for word in ("less near", "farther", "distant"))
        boxes = [obj.region.box for obj in farm().objects if not obj.stuff]
        assert given in {box[0] for box in boxes}
        assert asked
        assert given < max(box[0] for box in boxes) if is_near else given > min(box[0] for box in boxes)
        said[is_near] += 1
    assert min(said.values()) > 20


def test_things_at_one_depth_are_not_compared(tmp_path):
    objects = [Object("dog", region(80, 30)), Object("cat", region(84, 80))]
    options = {"caption": 0.0, "names": 0.0, "kinds": ("depth",)}
    assert made("maps", [placed(picture(1, objects), tmp_path)], annotators=TOOLS, **options) == []
    apart = [
        Object("dog", region(20, 30, masked=False)),
        Object("cat", region(140, 80, masked=False)),
    ]
    assert len(made("maps", [placed(picture(2, apart), tmp_path)], annotators=TOOLS, **options)) == 1


def test_normals_are_not_asked_what_is_nearer(tmp_path):
    found = made("maps", [placed(told(n), tmp_path) for n in range(1, 9)], annotators=TOOLS, kinds=("normal",))
    assert found
    assert all(not marks(turn.user) for _, turn in turns(found))


def test_a_picture_is_measured_once_and_only_when_its_turn_comes(tmp_path):
    seen = []

    def depth_of(pixels):
        seen.append(1)
        return slope(pixels)

    items = [placed(told(n), tmp_path) for n in range(1, 9)]
    made("maps", items, 3, annotators=Annotators(depth=lambda: depth_of))
    assert len(seen) == 3
    made("maps", items, annotators=Annotators(depth=lambda: depth_of))
    assert len(seen) == 3 + len(items)


def test_what_cannot_be_mapped_is_said_and_the_rest_goes_on(tmp_path):
    sound = replace(told(2), signals=(MediaReference("a", "audio", duration_s=1.0),))
    items = [told(1), sound, placed(told(3), tmp_path)]
    found = list(PARTS["maps"].make(items, 9, "7", TOOLS, MapsOptions()))
    why = {each.where: each.why for each in found if isinstance(each, Skipped)}
    assert set(why) == {items[0].id, sound.id}
    assert "1.jpg" in why[items[0].id]
    assert why[sound.id] == "signals: expected one image to make a map of, got ['audio']"


def test_a_model_that_gives_another_size_is_said(tmp_path):
    annotators = Annotators(depth=lambda: lambda pixels: np.ones((4, 4), dtype=np.float32))
    (skipped,) = make([placed(told(), tmp_path)], 9, "7", annotators, MapsOptions())
    assert skipped.why == "depth: expected a map of (120, 160), got (4, 4)"


def test_without_a_model_it_is_an_error():
    with pytest.raises(ValueError, match="maps: needs a model for depth, and there is none"):
        list(make([told()], 9, "7", Annotators(), MapsOptions()))


def test_the_sky_is_written_as_the_farthest(tmp_path):
    annotators = Annotators(depth=lambda: lambda pixels: np.full(pixels.shape[:2], 1e9, dtype=np.float32))
    (sample,) = made("maps", [placed(told(), tmp_path)], 1, annotators=annotators, kinds=("depth",))
    with open_media(sample.signals[1]) as signal:
        assert np.unique(signal.values).tolist() == pytest.approx([FARTHEST_M])


@pytest.mark.parametrize(
    ("plane", "normal"),
    [
        pytest.param((0, 0), (0, 0, 1), id="wall_ahead"),
        pytest.param((1, 0), (1, 0, 1), id="receding_to_the_right"),
        pytest.param((0, -1), (0, 1, 1), id="nearer_below_as_a_floor"),
        pytest.param((0, 1), (0, -1, 1), id="nearer_above_as_a_ceiling"),
    ],
)
def test_normals_of_planes(plane, normal):
    """Planes z = z0 + a x + b y of space, x right and y down, seen by a camera with its focal length as its width."""
    side = 64
    ray = (np.arange(side) + 0.5 - side / 2) / side
    across, down = plane
    depth = 4 / (1 - across * ray[None, :] - down * ray[:, None])
    found = normals_of(depth.astype(np.float32))
    expected = np.array(normal) / np.linalg.norm(normal)
    assert np.abs(found[2:-2, 2:-2] - expected).max() < 2e-3
    assert np.linalg.norm(found, axis=-1) == pytest.approx(1.0, abs=1e-5)


def test_where_there_is_no_reading_there_is_no_normal():
    depth = np.ones((6, 6), dtype=np.float32)
    depth[2, 3] = 0
    assert normals_of(depth)[2, 3].tolist() == [0, 0, 0]
    with pytest.raises(ValueError, match="depth: expected a map of at least 2 x 2 pixels, got 1 x 5"):
        normals_of(np.ones((1, 5), dtype=np.float32))


def test_captions_lose_their_places():
    assert without_places("[Two {{dogs}}]{0,1} and {2}, no [cat]{}.") == "Two {{dogs}} and it, no cat."


@pytest.mark.parametrize(
    ("kind", "values", "sentence"),
    [
        pytest.param("depth", np.ones((2, 2)) * 70, "expected depth from 0 to 65.535 m, got 70 to 70", id="too_far"),
        pytest.param("depth", -np.ones((2, 2)), "expected depth from 0 to 65.535 m, got -1 to -1", id="behind"),
        pytest.param("depth", np.ones((2, 2), dtype=int), "expected depth as floats .*int64", id="whole_numbers"),
        pytest.param("depth", np.ones((2, 2, 3)), "expected depth as floats .height, width", id="colours"),
        pytest.param("normal", np.ones((2, 2)), "expected normals as floats .height, width, 3", id="flat"),
        pytest.param("normal", np.ones((2, 2, 3), dtype=np.uint8), "expected normals as floats .*uint8", id="bytes"),
    ],
)
def test_values_that_are_no_map_are_refused(tmp_path, kind, values, sentence):
    with pytest.raises(ValueError, match=sentence):
        write_medium(MediaReference("a", kind, values=values), tmp_path / "a.png")


def test_maps_are_read_as_they_were_written(tmp_path):
    rng = np.random.default_rng(0)
    depth = rng.uniform(0, 60, (5, 7))
    depth[0, 0] = np.nan
    vectors = rng.normal(size=(5, 7, 3)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=-1, keepdims=True)
    vectors[1, 1] = 0
    for kind, values, error in (("depth", depth, 0.0005), ("normal", vectors, 0.005)):
        path = tmp_path / f"{kind}.png"
        write_medium(MediaReference("a", kind, values=values), path)
        with open_media(MediaReference("a", kind, path=str(path))) as signal:
            assert np.abs(signal.values - np.nan_to_num(values)).max() <= error
