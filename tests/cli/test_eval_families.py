"""Captions, short questions and classes through the command, on the bundled model and files in the official layouts."""

import json
from pathlib import Path

import pytest

from deixis.checkpoints import bundled_folder
from deixis.evaluation.benchmarks import BENCHMARKS
from tests.evaluation.benchmarks.test_captioning import clotho, coco_captions
from tests.evaluation.benchmarks.test_classification import images, modelnet40
from tests.evaluation.benchmarks.test_questions import clotho_aqa, gqa, vqav2

pytestmark = pytest.mark.skipif(not bundled_folder().is_dir(), reason="the bundled model is not trained yet")


@pytest.mark.parametrize(
    ("name", "make", "parts", "count"),
    [
        pytest.param("coco_captions", coco_captions, {"test"}, 3, id="captions of images"),
        pytest.param("clotho_captions", clotho, {"evaluation"}, 3, id="captions of sounds"),
        pytest.param("vqav2", vqav2, {"yes/no", "number", "other", "all"}, 3, id="questions with ten answers"),
        pytest.param("gqa", gqa, {"binary", "open", "all"}, 3, id="questions with one answer"),
        pytest.param("clotho_aqa", clotho_aqa, {"binary", "single word", "all"}, 3, id="questions about sounds"),
        pytest.param("class_folders", images, {"all"}, 4, id="classes of images"),
        pytest.param("modelnet40", modelnet40, {"test"}, 4, id="classes of clouds"),
    ],
)
def test_a_set_is_scored(command, tmp_path: Path, monkeypatch, name, make, parts, count):
    monkeypatch.setenv("PATH", "")  # no Java: METEOR is tested with the scores
    (tmp_path / "data").mkdir()
    make(tmp_path / "data")
    code, out, _ = command("eval", name, "--data", tmp_path / "data", "--out", tmp_path / "run", "--json")
    assert code == 0
    lines = json.loads(out)["scores"]
    assert {line["part"] for line in lines} == parts
    first = BENCHMARKS[name].info.metrics[0].name
    assert {line["metric"] for line in lines} >= {first}
    rows = [json.loads(line) for line in (tmp_path / "run" / "predictions.jsonl").read_text().splitlines()]
    assert [row["failure"] for row in rows] == [None] * count
    assert all(row["raw"] for row in rows)
