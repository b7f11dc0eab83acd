"""`deixis eval` on the benchmarks about regions, each on its miniature, with the bundled model."""

import json

import pytest

from deixis.checkpoints import bundled_folder
from tests.evaluation.benchmarks import flickr_files, test_ferret_bench, test_pope, test_region_classification
from tests.language.language_server import language_server

pytestmark = pytest.mark.skipif(not bundled_folder().is_dir(), reason="the bundled model is not trained yet")


def write_flickr(folder) -> None:
    flickr_files.write_entities(folder)
    flickr_files.write_mdetr(folder)
    flickr_files.write_pictures(folder / "flickr30k-images")


def write_lvis(folder) -> None:
    folder.mkdir()
    test_region_classification.lvis_form(folder, image_count=3)


@pytest.fixture(autouse=True)
def no_java(monkeypatch):
    """Tokens by the plain split, and no METEOR: what Java adds is tested with the scores themselves."""
    monkeypatch.setenv("PATH", "")


@pytest.mark.parametrize(
    ("name", "write", "parts", "metric"),
    [
        pytest.param("lvis_roc", write_lvis, ["point", "box", "free_form"], "accuracy", id="lvis_roc"),
        pytest.param("pope", test_pope.write_data, ["random", "popular", "adversarial"], "F1", id="pope"),
        pytest.param("flickr30k_grounding", write_flickr, ["val", "test"], "R@1 merged", id="flickr_grounding"),
        pytest.param("flickr30k_grounded_captions", write_flickr, ["val", "test"], "F1_all", id="grounded_captions"),
    ],
)
def test_a_miniature(command, tmp_path, name, write, parts, metric):
    write(tmp_path / "data")
    code, out, _ = command("eval", name, "--data", tmp_path / "data", "--limit", 2, "--out", tmp_path / "run", "--json")
    assert code == 0
    report = json.loads(out)
    assert report["failed"] == report["skipped"] == 0
    lines = [line for line in report["scores"] if line["metric"] == metric]
    assert [line["part"] for line in lines] == parts
    assert all(0 <= line["score"] <= 100 for line in lines)
    assert any(published["system"].startswith("Ferret") for published in lines[-1]["published"])
    assert (tmp_path / "run" / "report.html").is_file()


def test_ferret_bench_is_judged_when_there_is_a_judge(command, tmp_path):
    test_ferret_bench.write_data(tmp_path / "data")
    words = ("eval", "ferret_bench", "--data", tmp_path / "data", "--out", tmp_path / "run", "--json")
    code, out, _ = command(*words)
    report = json.loads(out)
    assert (code, report["rows"], report["failed"]) == (0, 6, 0)
    assert report["remarks"][0].startswith("The answers are complete but not judged, for no judge is configured")
    assert not any(line["n"] for line in report["scores"])
    with language_server(test_ferret_bench.judge) as server:
        code, out, _ = command(*words, "--option", f"judge_url={server.url}", "--option", "judge_model=m")
    report = json.loads(out)
    assert (code, report["remarks"]) == (0, [])
    scores = {line["part"]: line["score"] for line in report["scores"] if line["metric"] == "score"}
    assert scores == {part: pytest.approx(100 * 2 / 9, abs=0.01) for part in test_ferret_bench.FOLDERS}
