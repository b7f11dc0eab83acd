"""OneLLM's files in all their forms: bad rows reported and counted, eight modalities, counts of real files."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

from deixis.datasets.instruction.onellm import ONELLM
from deixis.datasets.instruction.onellm_media import media_of
from deixis.datasets.source import DatasetConfig
from deixis.samples.media import open_media
from deixis.signals import DepthSpec, to_tensor
from tests.datasets.reading import read_all, write_json, write_picture

TALK = [{"from": "human", "value": "<image>\nWhat is it?"}, {"from": "gpt", "value": "It is {this}."}]


def table(path: Path, *lines: str) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes("\n".join(["caption\turl", *lines, ""]).encode())
    return path


@pytest.mark.parametrize(
    ("name", "content", "options", "message"),
    [
        pytest.param("a.csv", "", {}, "expected a first line with the names caption and url, a TAB", id="empty"),
        pytest.param("a.csv", "caption,url\nA dog,1.jpg\n", {}, "a TAB between, got [\"caption,url\"]", id="commas"),
        pytest.param("a.json", "", {}, "a.json: expected JSON or a table ending in .csv", id="no_json"),
        pytest.param("a.json", "[1, 2", {}, "expected JSON", id="cut"),
        pytest.param("a.csv", "caption\turl\nA dog\t1.npy\n", {}, "kind: expected one of image, video, audio",
                     id="no_kind"),
        pytest.param("a.csv", "caption\turl\n", {"kind": "smell"}, "kind: expected one of image, video, audio, point, "
                     "rgbd, rgbn, imu, fmri, text, got 'smell'", id="another_kind"),
    ],
)  # fmt: skip
def test_refuses(tmp_path, name, content, options, message):
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(ONELLM, tmp_path / name, options=options)


def test_refuses_a_folder_without_files(tmp_path):
    with pytest.raises(ValueError, match=re.escape("expected files ending in .csv or .json in the folder")):
        read_all(ONELLM, tmp_path)


@pytest.mark.parametrize(
    ("line", "where", "message"),
    [
        pytest.param("A dog", "laion.csv:3", "expected 2 cells with TABs between, got 1", id="one_cell"),
        pytest.param("A\tdog\t1.jpg", "laion.csv:3", "expected 2 cells with TABs between, got 3", id="three_cells"),
        pytest.param("\t1.jpg", "laion.csv:3", "caption: expected text, got ''", id="no_caption"),
        pytest.param("A dog\t ", "laion.csv:3", "expected the path of a file, got ' '", id="no_url"),
        pytest.param('"A dog\t1.jpg\nA cat"\t2.jpg', "laion.csv:3-4", "expected one row, got several in quotes",
                     id="lone_quote"),
    ],
)  # fmt: skip
def test_a_bad_line_is_named_and_the_rest_is_read(tmp_path, line, where, message):
    path = table(tmp_path / "laion.csv", "A cat\t0.jpg", line, "A cow\t2.jpg")
    records, (skipped,) = read_all(ONELLM, path, options={"kind": "image"})
    assert [record.captions for record in records] == [("A cat",), ("A cow",)]
    assert skipped.where == where
    assert message in skipped.why


def test_a_quotation_mark_that_never_ends_is_counted(tmp_path):
    """Cells have a maximum length, so that one unclosed quote cannot swallow the file; the lines lost are reported."""
    lines = [f"A cat of number {number}\t{number}.jpg" for number in range(8000)]
    path = table(tmp_path / "laion.csv", lines[0], '"A dog\t1.jpg', *lines[2:])
    records, skipped = read_all(ONELLM, path)
    assert skipped[0].where.startswith("laion.csv:3-")
    last = int(skipped[0].where.partition("-")[2])
    assert "field larger than field limit" in skipped[0].why
    assert len(records) == 8000 - (last - 2)


@pytest.mark.parametrize(
    ("row", "message"),
    [
        pytest.param(3, "expected an object, got 3", id="number"),
        pytest.param({"id": 1}, "expected 'conversations', 'window_start' or 'question' among the fields",
                     id="no_words"),
        pytest.param({"image": "1.jpg", "conversations": []}, "conversations: expected a list of turns", id="no_turns"),
        pytest.param({"image": 4, "conversations": TALK}, "expected the path of a file, got 4", id="no_path"),
        pytest.param({"question": "Who?", "answer": "me", "video_id": 3},
                     "video_id: expected one that youtube_mapping.txt beside the file names, got vid3", id="no_film"),
    ],
)  # fmt: skip
def test_a_bad_row_is_named_and_the_rest_is_read(tmp_path, row, message):
    good = {"image": "1.jpg", "conversations": TALK}
    path = write_json(tmp_path / "image" / "mix.json", [good, row, good])
    records, (skipped,) = read_all(ONELLM, path)
    assert [record.id for record in records] == ["mix/mix.json:0", "mix/mix.json:2"]
    assert skipped.where == "mix.json: [1]"
    assert message in skipped.why


def test_captions_of_a_folder_of_tables(tmp_path):
    folder = tmp_path / "image" / "laion"
    table(folder / "00000.csv", "A {cat}\tcluster:s3://laion/29347/1.jpg", '"A ""big"" dog"\t2.jpg')
    table(folder / "00001.csv", "A cow\t3.jpg")
    write_picture(folder / "29347" / "1.jpg", np.zeros((4, 6, 3), np.uint8))
    records, skipped = read_all(ONELLM, folder)
    assert not skipped
    assert [record.captions[0] for record in records] == ["A {{cat}}", 'A "big" dog', "A cow"]
    medium = records[0].signals[0]
    assert (medium.id, medium.size_hw) == ("onellm/image/laion/29347/1.jpg", (4, 6))
    assert medium.path == str(folder.resolve() / "29347" / "1.jpg")


def test_a_dialogue_and_one_of_text_alone(tmp_path):
    rows = [{"id": "9", "image": "InstructionTuning/image/coco/train2017/000000000009.jpg", "conversations": TALK},
            {"id": "10", "conversations": TALK}]  # fmt: skip
    records, skipped = read_all(ONELLM, write_json(tmp_path / "mix.json", rows))
    assert not skipped
    assert [[medium.id for medium in record.signals] for record in records] == [["coco/000000000009"], []]
    assert [record.turns[0].assistant for record in records] == ["It is {{this}}."] * 2
    assert records[1].turns[0].user == "<image>\nWhat is it?"  # a row without a file is text, and this one has none


def test_lines(tmp_path):
    (tmp_path / "mix.jsonl").write_text(json.dumps({"image": "1.wav", "conversations": TALK}) + "\n{\n")
    records, (skipped,) = read_all(ONELLM, tmp_path / "mix.jsonl")
    assert records[0].signals[0].modality == "audio"
    assert (skipped.where, "expected one JSON object a line" in skipped.why) == ("mix.jsonl:2", True)


def test_captions_in_the_form_of_coco(tmp_path):
    content = {
        "images": [{"id": 1, "file_name": "1.wav"}, {"id": 2, "file_name": "2.wav"}, {"file_name": "3.wav"}],
        "annotations": [{"image_id": 1, "id": n, "caption": text} for n, text in enumerate(["Rain.", "It rains."])],
    }
    (record,), skipped = read_all(ONELLM, write_json(tmp_path / "eval_clothocap_ann.json", content))
    assert (record.captions, record.split) == (("Rain.", "It rains."), "test")
    assert [skip.where for skip in skipped] == ["eval_clothocap_ann.json: images[2]",
                                                "eval_clothocap_ann.json: images[1]"]  # fmt: skip


def test_captions_of_pointllm(tmp_path):
    (tmp_path / "8192_npy").mkdir()
    np.save(tmp_path / "8192_npy" / "ab_8192.npy", np.zeros((8, 6), np.float32))
    path = write_json(tmp_path / "pointllm_test.json", {"ab": "A chair.", "cd": ""})
    (record,), (skipped,) = read_all(ONELLM, path)
    assert (record.captions, record.signals[0].modality, record.signals[0].point_count) == (
        ("A chair.",),
        "point_cloud",
        8,
    )
    assert skipped.where == "pointllm_test.json: ['cd']"


def test_questions_of_msvd(tmp_path):
    folder = tmp_path / "MSVD" / "MSVD-QA"
    path = write_json(folder / "test_qa.json", [{"id": 5, "video_id": 1201, "question": "who?", "answer": "man"}])
    (folder / "youtube_mapping.txt").write_text("mv89psg6zh4_33_46 vid1201\n\n")
    film = tmp_path / "MSVD" / "YouTubeClips" / "mv89psg6zh4_33_46.avi"
    film.parent.mkdir()
    film.touch()
    (record,), skipped = read_all(ONELLM, path)
    assert not skipped
    assert (record.turns[0].user, record.turns[0].assistant, record.split) == ("who?", "man", "test")
    assert (record.signals[0].modality, record.signals[0].path) == ("video", str(film.resolve()))


def test_windows_of_motion(tmp_path):
    folder = tmp_path / "ego4d"
    times_ms = np.arange(2000) * 5.0
    (folder / "v2" / "processed_imu").mkdir(parents=True)
    np.save(folder / "v2" / "processed_imu" / "u.npy", np.random.default_rng(0).normal(size=(6, 2000)))
    np.save(folder / "v2" / "processed_imu" / "u_timestamps.npy", times_ms)
    rows = [{"video_uid": "u", "window_start": start, "window_end": start + 2, "text": "C walks"} for start in (1, 9)]
    (record,), (skipped,) = read_all(ONELLM, write_json(folder / "window_idx_train.json", rows))
    assert record.captions == ("C walks",)
    assert record.signals[0].values.shape == (400, 6)
    assert (skipped.where, "window_end: expected at most" in skipped.why) == ("window_idx_train.json: [1]", True)
    tuned = [rows[0] | {"conversations": TALK, "imu_path": "v2/processed_imu"}]
    (record,), skipped = read_all(ONELLM, write_json(folder / "imu_fixed_50k.json", tuned))
    assert not skipped
    assert record.signals[0].rate_hz == pytest.approx(200)


@pytest.mark.parametrize(
    ("option", "record", "folder", "kind"),
    [
        pytest.param({}, {"depth_image": "d.png"}, "x", "depth", id="depth_field"),
        pytest.param({}, {"normal_image": "n.png"}, "x", "normal", id="normal_field"),
        pytest.param({}, {"image": "1.mp4"}, "x", "video", id="ending"),
        pytest.param({}, {"image": "1.npy"}, "fmri", "fmri", id="folder"),
        pytest.param({"kind": "point"}, {"image": "1.npy"}, "fmri", "point_cloud", id="option"),
    ],
)
def test_which_kind_it_is(tmp_path, option, record, folder, kind):
    row = {"image": "1.jpg", "conversations": TALK} | record
    (found,), _ = read_all(ONELLM, write_json(tmp_path / folder / "a.json", [row]), options=option)
    assert found.signals[-1].modality == kind


def test_a_name_alone_is_not_found_further_up(tmp_path):
    for folder in ("", "set/sub"):
        write_picture(tmp_path / folder / "1.jpg", np.zeros((2, 4 if folder else 6, 3), np.uint8))
    write_picture(tmp_path / "media" / "2.jpg", np.zeros((2, 8, 3), np.uint8))
    rows = [{"image": name, "conversations": TALK} for name in ("1.jpg", "sub/1.jpg", "s3://laion/media/2.jpg")]
    records, _ = read_all(ONELLM, write_json(tmp_path / "set" / "a.json", rows))
    assert [record.signals[0].size_hw for record in records] == [None, (2, 4), (2, 8)]


def arrays(tmp_path: Path, array: np.ndarray) -> DatasetConfig:
    np.save(tmp_path / "a.npy", array)
    return DatasetConfig(tmp_path)


@pytest.mark.parametrize(
    ("kind", "array", "message"),
    [
        pytest.param("point", np.zeros((8, 5)), r"shape (points, 6) or (6, points), got (8, 5)",
                     id="five_columns"),
        pytest.param("point", np.zeros(8), "got (8,)", id="one_axis"),
        pytest.param("fmri", np.zeros((2, 3, 4)), "expected a response of shape (repeats, voxels), got (2, 3, 4)",
                     id="volume"),
        pytest.param("fmri", np.array(["a"], dtype=object), "a.npy': expected a response as a NumPy array",
                     id="pickle"),
    ],
)  # fmt: skip
def test_refuses_arrays(tmp_path, kind, array, message):
    place = arrays(tmp_path, array)
    with pytest.raises(ValueError, match=re.escape(message)):
        media_of(kind, {"image": "a.npy"}, place)


def test_a_brain_response_is_the_mean_of_its_repeats(tmp_path):
    repeats = np.random.default_rng(0).normal(size=(3, 20)).astype(np.float32)
    (medium,) = media_of("fmri", {"url": "a.npy"}, arrays(tmp_path, repeats))
    assert (medium.point_count, medium.values) == (20, None)
    with open_media(medium) as signal:
        assert signal.values == pytest.approx(repeats.mean(axis=0), abs=1e-6)


@pytest.mark.parametrize("turned", [pytest.param(False, id="pretraining"), pytest.param(True, id="tuning")])
def test_a_cloud_either_way(tmp_path, turned):
    cloud = np.random.default_rng(0).random((32, 6)).astype(np.float32)
    (medium,) = media_of("point", {"image": "a.npy"}, arrays(tmp_path, cloud.T if turned else cloud))
    assert medium.point_count == 32
    with open_media(medium) as signal:
        assert np.array_equal(signal.values, cloud)


def test_a_cloud_in_a_pickle_of_torch_is_taken_from_pointllm(tmp_path):
    place = arrays(tmp_path, np.zeros((8, 6), np.float32))
    (medium,) = media_of("point", {"image": "a.pt"}, place)
    assert medium.path.endswith("a.npy")
    with pytest.raises(ValueError, match=re.escape("put PointLLM's b.npy beside it")):
        media_of("point", {"image": "b.pt"}, place)


def test_a_depth_map_drawn_in_grey(tmp_path):
    """White is far_m, so that the grey that OneLLM's model looks at is the grey of the file."""
    grey = np.arange(256, dtype=np.uint8).reshape(16, 16)
    write_picture(tmp_path / "cc3m" / "1.png", np.zeros((16, 16, 3), np.uint8))
    write_picture(tmp_path / "cc3m_depth" / "1.png", np.repeat(grey[..., None], 3, axis=2))
    picture, depth = media_of("rgbd", {"url": "data/cc3m/1.png"}, DatasetConfig(tmp_path))
    assert (picture.modality, depth.modality, depth.size_hw) == ("image", "depth", (16, 16))
    with open_media(depth) as signal:
        spec = DepthSpec(size_px=16, channels="grey", mean=(0, 0, 0), std=(1, 1, 1))
        assert to_tensor(signal, spec)[0][0] * 255 == pytest.approx(grey, abs=1e-3)


def test_a_depth_map_in_colours_is_refused(tmp_path):
    colours = np.zeros((4, 4, 3), np.uint8)
    colours[..., 0] = 200
    write_picture(tmp_path / "d.png", colours)
    with pytest.raises(ValueError, match=re.escape("expected a depth map in grey, got a drawing in colours")):
        media_of("rgbd", {"image": "1.png", "depth_image": "d.png"}, DatasetConfig(tmp_path))


def test_a_real_depth_map_stays_a_file(shared_data):
    folder = shared_data / "rgbd_open3d"
    depth = next(path for path in sorted((folder / "depth").iterdir()) if path.suffix == ".png")
    record = {"image": "none.jpg", "depth_image": f"depth/{depth.name}"}
    _, medium = media_of("rgbd", record, DatasetConfig(folder))
    assert medium.path == str(depth.resolve())
    with open_media(medium) as signal:
        assert signal.extent.size_hw == medium.size_hw


def test_real_audio(shared_data, tmp_path):
    """Captions of real recordings in OneLLM's form, with the numbers of their files."""
    folder = shared_data / "fsdd"
    rows = (folder / "labels.csv").read_text().splitlines()[1:]
    lines = [f"A voice says {digit}\t{file}" for file, digit, _ in (row.split(",") for row in rows)]
    records, skipped = read_all(ONELLM, table(tmp_path / "voices.csv", *lines), images=folder)
    assert (len(records), skipped) == (210, [])
    assert {record.signals[0].rate_hz for record in records} == {8000.0}
    with open_media(records[0].signals[0]) as signal:
        assert signal.extent.duration_s == pytest.approx(records[0].signals[0].duration_s, abs=1e-3)


def test_real_brain_series(shared_data, tmp_path):
    series = np.genfromtxt(shared_data / "fmri_nitime" / "fmri_timeseries.csv", delimiter=",", skip_header=1)
    np.save(tmp_path / "s.npy", series)
    path = table(tmp_path / "test_sub01.csv", "A person at rest\ts.npy")
    (record,), skipped = read_all(ONELLM, path, options={"kind": "fmri"})
    assert (record.split, skipped) == ("test", [])
    with open_media(record.signals[0]) as signal:
        assert signal.values == pytest.approx(series.mean(axis=0), rel=1e-5, abs=1e-5)
