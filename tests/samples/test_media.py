"""Media open from wherever they are, and lie in folders under names that their ids alone decide."""

import os
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from deixis.errors import DataError
from deixis.samples.media import file_name, open_media, place_medium, placed_path, plain_name
from deixis.samples.sample import MediaReference
from tests.samples.test_round_trip import MEDIA, PICTURE


@pytest.fixture
def picture(tmp_path) -> Path:
    (tmp_path / "set").mkdir()
    path = tmp_path / "set" / "Photo 1.JPG"
    Image.fromarray(PICTURE).save(path)
    return path


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in MEDIA])
def test_values_a_file_and_its_content_open_as_the_same(kind, tmp_path):
    path = tmp_path / place_medium(MEDIA[kind], tmp_path)
    in_file = replace(MEDIA[kind], values=None, path=str(path))
    in_archive = replace(in_file, path=f"shard.tar/{path.name}", content=path.read_bytes())
    with open_media(MEDIA[kind]) as first, open_media(in_file) as second, open_media(in_archive) as third:
        assert first.modality == second.modality == third.modality == kind
        np.testing.assert_allclose(first.values.astype(float), second.values, atol=1 / 500)
        np.testing.assert_array_equal(second.values, third.values)


def test_a_trace_without_times_takes_its_rate_from_the_record(tmp_path):
    np.save(tmp_path / "walk.npy", np.ones((100, 6), np.float32).cumsum(0))
    with open_media(MediaReference("w", "imu", path=str(tmp_path / "walk.npy"), rate_hz=50.0)) as signal:
        assert signal.extent.duration_s == pytest.approx(2.0)


def test_a_film_in_an_archive_is_a_file_as_long_as_its_signal(shared_data):
    film = next(path for path in sorted((shared_data / "video_traffic").rglob("*")) if path.suffix == ".mp4")
    with open_media(MediaReference("f", "video", path=f"a.tar/{film.name}", content=film.read_bytes())) as signal:
        assert signal.modality == "video"
        file = signal.file
        assert file.is_file()
    del signal
    assert not file.exists()


def test_a_medium_that_is_nowhere_is_named():
    with (
        pytest.raises(ValueError, match="values or a file for the medium 'lost', got neither"),
        open_media(MediaReference("lost", "image")),
    ):
        pass


@pytest.mark.parametrize(
    ("identity", "name"),
    [
        pytest.param("", r"medium-\w{10}", id="empty"),
        pytest.param("...", r"medium-\w{10}", id="dots"),
        pytest.param("../../etc/passwd", r"etc-passwd-\w{10}", id="climbing"),
        pytest.param("ü", r"medium-\w{10}", id="no_ascii"),
        pytest.param("coco/000000123456", "coco-000000123456", id="plain"),
        pytest.param("coco-000000123456", r"coco-000000123456-\w{10}", id="dash_of_its_own"),
        pytest.param("a.b", r"a-b-\w{10}", id="dot"),
        pytest.param("x" * 120, "x" * 120, id="long"),
        pytest.param("x" * 121, r"x{109}-\w{10}", id="too_long"),
    ],
)
def test_names_of_files(identity, name):
    import re

    assert re.fullmatch(name, plain_name(identity))
    assert len(plain_name(identity)) <= 120


def test_a_name_that_is_no_unicode_is_refused():
    with pytest.raises(
        DataError, match=r"id: expected text, got 'cat/caf.udce9.jpg', of a file whose name is no Unicode"
    ):
        plain_name("cat/caf\udce9.jpg")


def test_endings_are_kept_in_lower_case_and_double_ones_whole():
    assert file_name(MediaReference("a", "image", path="X.JPG")) == "images/a.jpg"
    assert file_name(MediaReference("a", "fmri", path="sub-1.nii.gz")) == "brains/a.nii.gz"
    assert file_name(MediaReference("a", "video", path="a.b.mp4")) == "films/a.mp4"


def test_a_link_is_made_once_and_renewed_where_it_led_elsewhere(picture, tmp_path):
    medium = MediaReference("set/1", "image", path=str(picture))
    assert place_medium(medium, tmp_path, "link") == placed_path(medium, tmp_path, "link") == "images/set-1.jpg"
    target = tmp_path / "images" / "set-1.jpg"
    first = os.lstat(target)
    place_medium(medium, tmp_path, "link")
    assert os.lstat(target).st_ino == first.st_ino
    assert Path(os.readlink(target)) == picture
    other = picture.with_name("other.jpg")
    other.write_bytes(picture.read_bytes())
    place_medium(replace(medium, path=str(other)), tmp_path, "link")
    assert Path(os.readlink(target)) == other
    place_medium(medium, tmp_path, "copy")
    assert not target.is_symlink()
    assert [path.name for path in (tmp_path / "images").iterdir()] == ["set-1.jpg"]


def test_a_copy_is_made_once_and_again_where_the_file_is_another(picture, tmp_path):
    medium, target = MediaReference("set/1", "image", path=str(picture)), tmp_path / "images" / "set-1.jpg"
    place_medium(medium, tmp_path, "copy")
    first = target.stat().st_ino
    place_medium(medium, tmp_path, "copy")
    assert target.stat().st_ino == first
    picture.write_bytes(picture.read_bytes() + b"\0")
    place_medium(medium, tmp_path, "copy")
    assert target.read_bytes() == picture.read_bytes()


@pytest.mark.parametrize("way", ["link", "copy"])
def test_a_file_that_is_its_own_place_stays(way, tmp_path):
    place_medium(MEDIA["image"], tmp_path)
    medium = replace(MEDIA["image"], values=None, path=str(tmp_path / "images" / "set-1-image.png"))
    before = Path(medium.path).read_bytes()
    assert place_medium(medium, tmp_path, way) == "images/set-1-image.png"
    assert not Path(medium.path).is_symlink()
    assert Path(medium.path).read_bytes() == before


def test_nothing_is_placed_or_looked_for_with_none(tmp_path):
    inside = MediaReference("a", "image", path=str(tmp_path / "train2017" / "a.jpg"))
    outside = MediaReference("set/b", "image", path="/elsewhere/b.jpg")
    assert place_medium(inside, tmp_path, "none") == "train2017/a.jpg"
    assert place_medium(outside, tmp_path, "none") == "images/set-b.jpg"
    assert not list(tmp_path.iterdir())


def test_files_of_one_path_in_two_sets_are_placed_side_by_side(tmp_path):
    """photos/1.png of two folders called photos; a published id stands for one image wherever it lies."""
    media = []
    for name, colour in (("a", "red"), ("b", "blue")):
        path = tmp_path / name / "photos" / "1.png"
        path.parent.mkdir(parents=True)
        Image.new("RGB", (6, 4), colour).save(path)
        media.append(MediaReference("photos/1.png", "image", path=str(path), size_hw=(4, 6)))
    for way in ("link", "copy"):
        placed = [tmp_path / way / place_medium(medium, tmp_path / way, way) for medium in media]
        assert [Image.open(path).getpixel((0, 0)) for path in placed] == [(255, 0, 0), (0, 0, 255)]
        assert all(path.name.startswith("photos-1-png-") for path in placed)
    published = [replace(medium, id="coco/000000000001") for medium in media]
    assert len({placed_path(medium, tmp_path) for medium in published}) == 1
