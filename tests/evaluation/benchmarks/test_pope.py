"""POPE in its official files, made small; counts against those of a plain loop."""

import json

import pytest

from deixis.evaluation.benchmarks.pope import PARTS, Pope
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, save_image, table

BENCHMARK = Pope()
QUESTIONS = 12


def write_data(folder) -> None:
    """Three files of questions about two images; every third object is absent."""
    for number in (1, 2):
        save_image(folder / "val2014" / f"COCO_val2014_{number:012d}.jpg", (24, 32), number)
    for part in PARTS:
        lines = [
            {"question_id": n + 1, "image": f"COCO_val2014_{n % 2 + 1:012d}.jpg",
             "text": f"Is there a thing number {n} in the image?", "label": "yes" if n % 3 else "no"}
            for n in range(QUESTIONS)
        ]  # fmt: skip
        (folder / f"coco_pope_{part}.json").write_text("".join(json.dumps(line) + "\n" for line in lines))


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


def is_there(question) -> bool:
    return bool(int(question.turns[-1].user.split("number ")[1].split()[0]) % 3)


def test_files_as_the_official_repository_has_them(tmp_path):
    """output/coco/ is two folders below POPE; the images lie in --data."""
    write_data(tmp_path)
    (tmp_path / "output" / "coco").mkdir(parents=True)
    for path in tmp_path.glob("*.json"):
        path.rename(tmp_path / "output" / "coco" / path.name)
    examples = list(BENCHMARK.examples(tmp_path, {}))
    assert [example.part for example in examples] == [part for part in PARTS for _ in range(QUESTIONS)]
    assert all(example.media[0].size_hw == (24, 32) for example in examples)


@pytest.mark.parametrize(
    ("say", "values"),
    [
        pytest.param(lambda there: "Yes." if there else "No.", (100, 100, 100, 100, 200 / 3, 100, 0), id="right"),
        pytest.param(lambda there: "", (200 / 3, 200 / 3, 100, 80, 100, 0, 100), id="empty_counts_as_yes"),
        pytest.param(lambda there: "No." if there else "Yes.", (0, 0, 0, 0, 100 / 3, 0, 0), id="wrong"),
        pytest.param(lambda there: "No", (100 / 3, 0, 0, 0, 0, 100 / 3, 0), id="always_no"),
        pytest.param(lambda there: "yes" if there else "I see nothing. No.",
                     (200 / 3, 200 / 3, 100, 80, 100, 100, 0), id="only_the_first_sentence_counts"),
        pytest.param(lambda there: "There is one." if there else "There is not.",
                     (100, 100, 100, 100, 200 / 3, 0, 100), id="without_yes_and_no"),
        pytest.param(lambda there: "NO", (200 / 3, 200 / 3, 100, 80, 100, 100 / 3, 0), id="capitals_count_as_yes"),
    ],
)  # fmt: skip
def test_answers(data, tmp_path, say, values):
    adapter = Scripted(lambda question: say(is_there(question)))
    rows = run_benchmark(BENCHMARK, data, adapter, tmp_path / "run")
    names = [metric.name for metric in BENCHMARK.info.metrics]
    assert [question.turns[-1].user for question in adapter.asked[:2]] == [
        "Is there a thing number 0 in the image?", "Is there a thing number 1 in the image?",
    ]  # fmt: skip
    expected = dict(zip(names, (round(value, 6) for value in values), strict=True))
    assert table(BENCHMARK, rows) == dict.fromkeys(PARTS, expected)


def test_counts_equal_those_of_a_plain_loop(data, tmp_path):
    words = ["Yes", "no", "Yes, not far.", "There is no dog.", "Perhaps.", "No."]
    rows = run_benchmark(
        BENCHMARK, data, Scripted(lambda q: words[len(q.turns[-1].user) * 7 % 6 if is_there(q) else 4]), tmp_path
    )
    tp = fp = tn = fn = 0
    for row in rows[:QUESTIONS]:
        first = row.answer["text"].split(".")[0].replace(",", "").split(" ")
        yes = not ("No" in first or "not" in first or "no" in first)
        there = bool(int(row.question.split("number ")[1].split()[0]) % 3)
        tp, fp = tp + (yes and there), fp + (yes and not there)
        tn, fn = tn + (not yes and not there), fn + (not yes and there)
    precision, recall = tp / (tp + fp), tp / (tp + fn)
    found = table(BENCHMARK, rows)["random"]
    assert found["accuracy"] == pytest.approx(100 * (tp + tn) / QUESTIONS)
    assert (found["precision"], found["recall"]) == pytest.approx((100 * precision, 100 * recall))
    assert found["F1"] == pytest.approx(200 * precision * recall / (precision + recall))


def test_one_file_is_enough(data):
    (data / "coco_pope_random.json").unlink()
    assert {example.part for example in BENCHMARK.examples(data, {})} == {"popular", "adversarial"}
    assert {example.part for example in BENCHMARK.examples(data / "coco_pope_popular.json", {})} == {"popular"}


def test_missing_files_are_named(tmp_path):
    with pytest.raises(ValueError, match=r"expected coco_pope_random\.json .*it is from https://github.com/RUCAIBox"):
        list(BENCHMARK.examples(tmp_path, {}))
    with pytest.raises(ValueError, match=r"source: expected coco or aokvqa or gqa, got 'vg'"):
        list(BENCHMARK.examples(tmp_path, {"source": "vg"}))
    (tmp_path / "coco_pope_random.json").write_text("{}\n")
    with pytest.raises(ValueError, match="images: expected the folder of the images"):
        list(BENCHMARK.examples(tmp_path, {"images": str(tmp_path / "none")}))


def test_malformed_line_is_skipped(data):
    path = data / "coco_pope_random.json"
    path.write_text(
        path.read_text() + '{"image": "COCO_val2014_000000000001.jpg", "text": "Is it?", "label": "maybe"}\n'
    )
    (skipped,) = [found for found in BENCHMARK.examples(path, {}) if not hasattr(found, "part")]
    assert skipped.why == "label: expected yes or no, got 'maybe'"
