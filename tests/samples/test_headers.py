"""Headers: sizes of images and durations of audio, and whether a media reference agrees."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import soundfile
from PIL import Image

from deixis.samples.headers import audio_header, check_header, header_size_hw
from deixis.samples.sample import MediaReference
from deixis.signals import open_signal

ORIENTATION, QUARTER_TURN = 0x0112, 6


def picture(folder: Path) -> MediaReference:
    path = folder / "p.jpg"
    Image.new("RGB", (9, 7)).save(path)
    return MediaReference("p", "image", path=str(path), size_hw=(7, 9))


def turned(folder: Path) -> str:
    exif = Image.Exif()
    exif[ORIENTATION] = QUARTER_TURN
    Image.new("RGB", (9, 7)).save(folder / "turned.jpg", exif=exif)
    return str(folder / "turned.jpg")


def page(folder: Path) -> str:
    (folder / "page.jpg").write_text("<html>gone</html>")
    return str(folder / "page.jpg")


def sound(folder: Path) -> MediaReference:
    soundfile.write(folder / "s.wav", np.zeros(8_000, np.float32), 16_000)
    return MediaReference("s", "audio", path=str(folder / "s.wav"), duration_s=0.5, rate_hz=16_000)


def in_memory(medium: MediaReference) -> MediaReference:
    """The media reference as read from a tar file."""
    return replace(medium, path="tar/" + Path(medium.path).name, content=Path(medium.path).read_bytes())


@pytest.mark.parametrize(
    ("make", "change", "sentence"),
    [
        pytest.param(picture, {"path": None}, "^m: expected the field 'path'", id="nowhere"),
        pytest.param(picture, {"path": "gone.jpg"}, "^m.path: expected a file, got 'gone.jpg'", id="gone"),
        pytest.param(picture, {"path": page}, "^m.path: 'page.jpg': expected an image, got content", id="a_page"),
        pytest.param(picture, {"size_hw": (9, 7)}, r"^m.size_hw: expected \[7, 9\], .*, got \[9, 7\]", id="size"),
        pytest.param(picture, {"path": turned}, r"^m.size_hw: expected \[9, 7\], .*, got \[7, 9\]", id="turned"),
        pytest.param(picture, {"content": b"\xff\xd8"}, "^m.path: 'p.jpg': expected an image", id="picture_cut_short"),
        pytest.param(sound, {"duration_s": 0.6}, "^m.duration_s: expected 0.500, as long as ", id="duration"),
        pytest.param(sound, {"rate_hz": 8_000}, "^m.rate_hz: expected 16000, the rate of ", id="rate"),
        pytest.param(sound, {"path": __file__}, "^m.path: expected an audio clip, got ", id="no_sound"),
        pytest.param(sound, {"content": b"RIFF"}, "^m.path: expected an audio clip, got ", id="sound_cut_short"),
    ],
)
def test_a_medium_that_is_not_as_it_says_is_named(make, change, sentence, tmp_path):
    change = {name: value(tmp_path) if callable(value) else value for name, value in change.items()}
    with pytest.raises(ValueError, match=sentence):
        check_header("m", replace(make(tmp_path), **change))


@pytest.mark.parametrize("make", [pytest.param(picture, id="picture"), pytest.param(sound, id="sound")])
def test_a_medium_as_it_says_passes_from_its_file_and_from_memory(make, tmp_path):
    check_header("m", make(tmp_path))
    check_header("m", in_memory(make(tmp_path)))


def test_arrays_and_values_are_not_looked_into(tmp_path):
    np.save(tmp_path / "depth.npy", np.zeros((3, 3)))
    check_header("m", MediaReference("d", "depth", path=str(tmp_path / "depth.npy"), size_hw=(1, 1)))
    check_header("m", MediaReference("d", "image", size_hw=(1, 1), values=np.zeros((3, 3, 3), np.uint8)))


def test_a_turned_picture_has_the_size_of_the_upright_one(tmp_path):
    assert header_size_hw(Path(turned(tmp_path))) == (9, 7)
    for orientation in range(1, 9):
        path = tmp_path / f"{orientation}.tif"
        Image.new("RGB", (9, 7)).save(path, tiffinfo={ORIENTATION: orientation})
        assert header_size_hw(path) == open_signal(path).extent.size_hw == ((9, 7) if orientation > 4 else (7, 9))
    with pytest.raises(ValueError, match=r"gone.jpg: expected the image, whose size the set does not tell, got no"):
        header_size_hw(tmp_path / "gone.jpg")


def test_a_sound_tells_its_facts_and_another_file_none(tmp_path):
    assert audio_header(Path(sound(tmp_path).path)) == {"duration_s": 0.5, "rate_hz": 16_000.0}
    assert audio_header(Path(page(tmp_path))) == audio_header(tmp_path / "gone.wav") == {}


def test_real_pictures_are_as_large_as_their_annotations_say(shared_data):
    annotations = json.loads((shared_data / "nuts_coco" / "annotations.json").read_text())
    for image in annotations["images"]:
        path = shared_data / "nuts_coco" / "images" / image["file_name"]
        medium = MediaReference("m", "image", path=str(path), size_hw=(image["height"], image["width"]))
        check_header("m", medium)
        with pytest.raises(ValueError, match=r"m\.size_hw: expected \["):
            check_header("m", replace(medium, size_hw=(image["height"] + 1, image["width"])))
