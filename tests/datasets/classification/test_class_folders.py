"""Signals in folders of classes and in lists: every modality, splits, and invalid ones counted."""

import re

import numpy as np
import pytest

from deixis.datasets.classification.class_folders import CLASS_FOLDERS
from deixis.signals import open_signal
from tests.datasets.reading import read_all, write_picture

PICTURE = np.zeros((4, 6, 3), dtype=np.uint8)


def asked(sample):
    (turn,) = sample.turns
    return turn.user, turn.assistant, turn.choices


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        pytest.param(["cat/a.png", "hot_dog/b.png"], [("cat", "train"), ("hot dog", "train")], id="classes"),
        pytest.param(["test/cat/a.png", "val2017/cat/b.png"], [("cat", "test"), ("cat", "val")], id="splits_above"),
        pytest.param(["cat/test/a.png", "cat/train/b.png"], [("cat", "test"), ("cat", "train")], id="splits_below"),
        pytest.param(["cat/day 1/a.png"], [("cat", "train")], id="deeper"),
        pytest.param(["bus/a.png", "train/b.png"], [("bus", "train"), ("train", "train")], id="a_class_called_train"),
    ],
)
def test_folders(tmp_path, files, expected):
    for name in files:
        write_picture(tmp_path / name, PICTURE)
    samples, skipped = read_all(CLASS_FOLDERS, tmp_path, options={"source": "pets"})
    assert not skipped
    assert [(asked(sample)[1], sample.split) for sample in samples] == expected
    assert [sample.id for sample in samples] == [f"pets/{name}" for name in files]
    assert samples[0].signals[0].size_hw == (4, 6)


def test_a_question_and_its_choices(tmp_path):
    for name in ("cat", "dog"):
        write_picture(tmp_path / name / "a.png", PICTURE)
    samples, _ = read_all(CLASS_FOLDERS, tmp_path)
    assert asked(samples[0]) == ("What is in this picture?", "cat", ("cat", "dog"))
    samples, _ = read_all(CLASS_FOLDERS, tmp_path, options={"question": "Which pet?"})
    assert asked(samples[1]) == ("Which pet?", "dog", ("cat", "dog"))
    for number in range(20):
        write_picture(tmp_path / f"pet {number}" / "a.png", PICTURE)
    assert asked(read_all(CLASS_FOLDERS, tmp_path)[0][0])[2] == ()


@pytest.mark.parametrize(
    ("file", "where", "message"),
    [
        pytest.param("cat/notes.txt", "cat/notes.txt", "expected a file of a known ending, got '.txt'", id="ending"),
        pytest.param("b.png", "b.png", "expected a folder that is named by the class, got none", id="no_class"),
        pytest.param("cat/b.png", "cat/b.png", "'b.png': expected an image", id="no_picture"),
    ],
)
def test_what_does_not_fit_is_counted(tmp_path, file, where, message):
    write_picture(tmp_path / "cat" / "a.png", PICTURE)
    (tmp_path / file).write_text("words")
    (sample,), (skipped,) = read_all(CLASS_FOLDERS, tmp_path)
    assert (asked(sample)[1], skipped.where) == ("cat", where)
    assert message in skipped.why


@pytest.mark.parametrize(
    ("table", "options", "where", "message"),
    [
        pytest.param("file,label\ncat/a.png,cat\n,dog\n", {}, "labels.csv:3", "expected a file and a class, got ''",
                     id="no_file"),
        pytest.param("file,label\ncat/a.png,cat\ncat/b.txt,dog\n", {}, "labels.csv:3", "a known ending, got '.txt'",
                     id="ending"),
        pytest.param("Path,Kind\ncat/a.png,cat\ncat/b.png,dog\n", {"label": "kind"}, "labels.csv:3",
                     "b.png: expected a file, got none", id="gone"),
    ],
)  # fmt: skip
def test_a_bad_line_is_counted(tmp_path, table, options, where, message):
    write_picture(tmp_path / "cat" / "a.png", PICTURE)
    (tmp_path / "labels.csv").write_text(table)
    (sample,), (skipped,) = read_all(CLASS_FOLDERS, tmp_path, options=options)
    assert (asked(sample)[1], skipped.where) == ("cat", where)
    assert message in skipped.why


@pytest.mark.parametrize(
    ("table", "options", "message"),
    [
        pytest.param(None, {}, "expected a folder for each class with files ending in .3gp", id="empty"),
        pytest.param("file,digit\na.png,1\n", {}, "labels.csv: expected a column of files (", id="column"),
        pytest.param("", {}, "or label=COLUMN), got none", id="empty_list"),
        pytest.param(None, {"kind": "smell"}, "kind: expected one of image, audio, point_cloud,", id="kind"),
    ],
)
def test_refuses(tmp_path, table, options, message):
    if table is not None:
        (tmp_path / "labels.csv").write_text(table)
    with pytest.raises(ValueError, match=re.escape(message)):
        read_all(CLASS_FOLDERS, tmp_path, options=options)


@pytest.mark.parametrize(
    ("folder", "options", "count", "classes", "kind"),
    [
        pytest.param("fsdd", {"label": "digit"}, 210, 10, "audio", id="sounds"),
        pytest.param("fsdd", {"label": "speaker"}, 210, 4, "audio", id="speakers"),
        pytest.param("pcl_animals", {}, 5, 5, "point_cloud", id="clouds"),
    ],
)
def test_real_sets(shared_data, folder, options, count, classes, kind):
    samples, skipped = read_all(CLASS_FOLDERS, shared_data / folder, options=options)
    assert skipped == []
    assert (len(samples), len({asked(sample)[1] for sample in samples})) == (count, classes)
    assert len(asked(samples[0])[2]) == classes
    assert open_signal(samples[0].signals[0].path).modality == samples[0].signals[0].modality == kind
