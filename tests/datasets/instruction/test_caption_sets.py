"""Captions of COCO, Clotho and AudioCaps: several per file, files by all their names, bad rows counted."""

import re
import shutil

import pytest

from deixis.datasets.instruction.caption_sets import AUDIOCAPS, CLOTHO, COCO_CAPTIONS
from tests.datasets.reading import read_all, write_json

IMAGE = {"id": 9, "file_name": "COCO_val2014_000000000009.jpg", "height": 4, "width": 6,
         "flickr_url": "http://farm4.staticflickr.com/3153/2970773875_164f0c0b83_z.jpg"}  # fmt: skip


def coco(*annotations, images=(IMAGE,)):
    return {"images": list(images), "annotations": list(annotations)}


def test_coco_captions(tmp_path):
    content = coco({"image_id": 9, "caption": " A {dog}\n runs."}, {"image_id": 9, "caption": "A dog."})
    (record,), skipped = read_all(COCO_CAPTIONS, write_json(tmp_path / "captions_val2014.json", content))
    assert not skipped
    assert (record.captions, record.split) == (("A {{dog}} runs.", "A dog."), "val")
    assert (record.signals[0].id, record.signals[0].size_hw) == ("coco/000000000009", (4, 6))
    assert record.aliases == ("flickr/2970773875",)


@pytest.mark.parametrize(
    ("content", "where", "message"),
    [
        pytest.param(coco({"image_id": 9, "caption": "A."}, {"image_id": 9, "caption": 3}), "annotations[1]",
                     "caption: expected text, got 3", id="number"),
        pytest.param(coco({"image_id": 9, "caption": "A."}, {"caption": "B."}), "annotations[1]",
                     "expected an object with 'image_id'", id="no_image_id"),
        pytest.param(coco({"image_id": 9, "caption": "A."}, {"image_id": 8, "caption": "B."}), "annotations[1]",
                     "expected the image that it belongs to, 8", id="no_image"),
        pytest.param(coco({"image_id": 9, "caption": "A."}, images=[IMAGE, IMAGE | {"id": 10}]), "images[1]",
                     "caption: expected at least one, got none", id="no_caption"),
    ],
)  # fmt: skip
def test_coco_captions_name_what_is_bad(tmp_path, content, where, message):
    (record,), (skipped,) = read_all(COCO_CAPTIONS, write_json(tmp_path / "captions.json", content))
    assert record.captions == ("A.",)
    assert skipped.where == f"captions.json: {where}"
    assert message in skipped.why


def test_coco_instances_are_no_captions(tmp_path):
    path = write_json(tmp_path / "instances.json", coco({"image_id": 9, "bbox": [0, 0, 1, 1]}))
    with pytest.raises(ValueError, match="expected 'annotations' with a 'caption' each, got none"):
        read_all(COCO_CAPTIONS, path)


@pytest.mark.parametrize(
    ("form", "header", "message"),
    [
        pytest.param(CLOTHO, "", "expected the columns file_name, caption_1, got none called file_name", id="empty"),
        pytest.param(AUDIOCAPS, "audiocap_id,youtube_id,caption",
                     "expected the columns audiocap_id, youtube_id, start_time, caption, got none called start_time",
                     id="column"),
    ],
)  # fmt: skip
def test_refuses_tables(tmp_path, form, header, message):
    (tmp_path / "a.csv").write_text(header)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(form, tmp_path / "a.csv")


def test_clotho(tmp_path):
    path = tmp_path / "clotho_captions_evaluation.csv"
    path.write_text('file_name,caption_1,caption_2\na b.wav,"Rain, heavy",It rains\nc.wav,One\n\nd.wav, ,\n')
    (record,), skipped = read_all(CLOTHO, path)
    assert (record.captions, record.split) == (("Rain, heavy", "It rains"), "test")
    assert (record.signals[0].id, record.signals[0].modality) == ("clotho/a b", "audio")
    assert [skip.where for skip in skipped] == [f"{path.name}:3", f"{path.name}:5"]
    assert "expected 3 cells with commas between, got 2" in skipped[0].why


@pytest.mark.parametrize(
    "name",
    [
        pytest.param("rqfQRErjfk8.wav", id="film"),
        pytest.param("YrqfQRErjfk8.wav", id="film_with_y"),
        pytest.param("rqfQRErjfk8_170.wav", id="start"),
        pytest.param("rqfQRErjfk8_170_180.wav", id="stretch"),
        pytest.param("103549.wav", id="row"),
    ],
)
def test_audiocaps_on_a_real_audio_clip(tmp_path, shared_data, name):
    (tmp_path / "audio").mkdir()
    shutil.copy(shared_data / "fsdd" / "recordings" / "0_george_0.wav", tmp_path / "audio" / name)
    path = tmp_path / "test.csv"
    lines = ["103549,rqfQRErjfk8,170,A large crowd cheers", "103548,rqfQRErjfk8,170,People cheer"]
    path.write_text("\n".join(["audiocap_id,youtube_id,start_time,caption", *lines]))
    (record,), skipped = read_all(AUDIOCAPS, path, images=tmp_path / "audio")
    assert not skipped
    assert record.captions == ("A large crowd cheers", "People cheer")
    assert record.signals[0].path == str(tmp_path / "audio" / name)
    assert record.signals[0].rate_hz == 8000
