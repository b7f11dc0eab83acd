"""Ferret-Bench in its official layout, with a judge behind a real server on this machine, and without one."""

import json
import re

import numpy as np
import pytest

from deixis.evaluation.benchmark import Example, JudgedBenchmark
from deixis.evaluation.benchmarks.ferret_bench import FerretBench
from deixis.geometry import Box
from deixis.samples.sample import Skipped
from tests.evaluation.benchmarks.scripted import Scripted, answer_of, box, run_benchmark, save_image, table
from tests.language.language_server import Reply, language_server

BENCHMARK = FerretBench()
SIZE_HW = (50, 100)
FOLDERS = {"refer_caption": "refer_desc", "refer_reason": "refer_reason", "ground_conv": "ground_conv"}
HERE = "http://localhost/v1"
QUESTIONS = {
    "refer_desc": "What is [0.100, 0.200, 0.500, 0.900] near?",
    "refer_reason": "What is the use of [0.100, 0.200, 0.500, 0.900] and [0.600, 0.100, 0.900, 0.400]?",
    "ground_conv": "What is there, and where?",
}


def write(path, lines) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(json.dumps(line) + "\n" for line in lines))


def write_data(folder) -> None:
    """Two questions per folder about two images, with texts of this test."""
    names = [f"{number:012d}.jpg" for number in (1, 2)]
    for number, name in enumerate(names):
        save_image(folder / "val2017" / name, SIZE_HW, number)
    for part, category in FOLDERS.items():
        heads = [{"question_id": n + 1, "image": name, "category": category} for n, name in enumerate(names)]
        write(folder / part / "question.jsonl", [head | {"text": QUESTIONS[category]} for head in heads])
        write(folder / part / "answer.jsonl", [head | {"text": f"reference of {part}"} for head in heads])
        write(folder / part / "context.jsonl", [head | {"text": f"seen in {head['image']}"} for head in heads])
    rules = {category: {"role": "Helper", "prompt": f"judge {category}"} for category in FOLDERS.values()}
    (folder / "rule.json").write_text(json.dumps(rules))


@pytest.fixture
def data(tmp_path):
    write_data(tmp_path / "data")
    return tmp_path / "data"


def judge(request: dict, number: int) -> str:
    """8 for the reference, 4 for an answer with "good" in it, 2 for others, and 1 more for the one shown first."""
    answers = re.findall(r"\[Helper \d\]\n(.*?)\n\n\[End", request["messages"][1]["content"], re.DOTALL)
    scores = [8 if text.startswith("reference") else 4 if "good" in text else 2 for text in answers]
    return f"{scores[0] + 1} {scores[1]}\nBecause."


def test_questions_refer_to_regions(data):
    examples = list(BENCHMARK.examples(data, {}))
    assert [(e.part, e.text) for e in examples[::2]] == [
        ("refer_caption", "What is {0} near?"),
        ("refer_reason", "What is the use of {0} and {1}?"),
        ("ground_conv", "What is there, and where?"),
    ]
    assert examples[2].regions == (Box(10, 10, 50, 45), Box(60, 5, 90, 20))
    assert examples[4].regions == ()


def test_a_judge_in_both_orders(data, tmp_path):
    rows = run_benchmark(BENCHMARK, data, Scripted(lambda question: "good"), tmp_path)
    assert isinstance(BENCHMARK, JudgedBenchmark)
    with language_server(judge) as server:
        options = {"judge_url": server.url, "judge_model": "m"}
        found, notes = BENCHMARK.judge(rows, options, tmp_path)
        asked = len(server.requests)
        again, _ = BENCHMARK.judge(rows, options, tmp_path)
        assert (len(server.requests), again) == (asked, found), "what it said is kept"
    assert notes == []
    assert asked == 3 * 2 * 2 * 3  # parts, questions, orders, tries
    # official: 4 / 9; both orders: (4 + 5) / (9 + 8); ours read first 5 / 8, last 4 / 9
    expected = {
        "score": 100 * 4 / 9, "score, both orders": 100 * 9 / 17, "between tries": 0,
        "order": 100 * (5 / 8 - 4 / 9), "unparsed": 0,
    }  # fmt: skip
    assert table(BENCHMARK, found) == {part: pytest.approx(expected, abs=1e-4) for part in FOLDERS}
    assert {(request["temperature"], request["max_tokens"]) for request in server.requests} == {(0.2, 1024)}
    prompts = [request["messages"][1]["content"] for request in server.requests]
    assert sum("seen in 000000000001.jpg" in text for text in prompts) == asked // 2


def test_inconsistent_and_unparsable_judge(data, tmp_path):
    rows = run_benchmark(BENCHMARK, data, Scripted(lambda question: "answer"), tmp_path)
    with language_server(lambda request, number: f"8 {(2, 4, 6)[number // 12]}") as server:
        options = {"judge_url": server.url, "judge_model": "m"}
        found, _ = BENCHMARK.judge(rows, options, tmp_path / "one")
    # this judge goes by the place alone: in each try both orders together give 1, and the order is all
    assert table(BENCHMARK, found)["ground_conv"]["between tries"] == 0
    assert table(BENCHMARK, found)["ground_conv"]["order"] == pytest.approx(100 * (24 / 12 - 12 / 24))
    with language_server(lambda request, number: (judge(request, 0), "9 4", "9 2")[number // 12]) as server:
        found, _ = BENCHMARK.judge(rows, {"judge_url": server.url, "judge_model": "m"}, tmp_path / "three")
    shares = [(2 + 3) / (9 + 8), (4 + 9) / (9 + 4), (2 + 9) / (9 + 2)]
    spread = pytest.approx(100 * np.std(shares, ddof=1), abs=1e-4)
    assert table(BENCHMARK, found)["ground_conv"]["between tries"] == spread
    with language_server(lambda request, number: "Well, both are fine.") as server:
        found, notes = BENCHMARK.judge(rows, {"judge_url": server.url, "judge_model": "m"}, tmp_path / "two")
    assert notes == []
    assert table(BENCHMARK, found)["ground_conv"] == {"score": 100, "unparsed": 100}, "-1 for both is how it is scored"


def test_answers_without_a_judge(data, tmp_path):
    rows = run_benchmark(BENCHMARK, data, Scripted(lambda question: "good"), tmp_path)
    found, notes = BENCHMARK.judge(rows, {}, tmp_path)
    assert found == rows
    assert notes == [
        "The answers are complete but not judged, for no judge is configured: the same command with judge_url and "
        "judge_model resumes here."
    ]
    assert table(BENCHMARK, found) == {part: {} for part in FOLDERS}
    again = run_benchmark(
        BENCHMARK, data, Scripted(lambda question: "not asked"), tmp_path, judge_model="m", judge_url=HERE
    )
    assert again == rows


def test_judge_failure_is_reported(data, tmp_path):
    rows = run_benchmark(BENCHMARK, data, Scripted(lambda question: "good"), tmp_path)
    options = {"judge_model": "m", "judge_key_env": "NO_SUCH_KEY_IS_SET"}
    with language_server(judge) as server:
        found, notes = BENCHMARK.judge(rows, options | {"judge_url": server.url}, tmp_path)
    assert found == rows
    assert len(notes) == 1
    assert re.match(r"Of 6 answers 6 are not judged and excluded from all scores: key_env: .*NO_SUCH_KEY", notes[0])

    def refusing(request: dict, number: int) -> Reply | str:
        too_long = "seen in 000000000002" in request["messages"][1]["content"]
        return Reply("the context is too long: maximum context length", 400) if too_long else judge(request, number)

    with language_server(refusing) as server:
        found, notes = BENCHMARK.judge(rows, {"judge_url": server.url, "judge_model": "m"}, tmp_path)
    assert ["ours" in row.metrics for row in found] == [True, False] * 3
    assert notes[0].startswith("Of 6 answers 3 are not judged")
    assert table(BENCHMARK, found)["refer_reason"]["score"] == pytest.approx(100 * 4 / 9, abs=1e-4)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({"judge_model": "m"}, "judge_url: expected OpenAI-compatible endpoint", id="no_url"),
        pytest.param({"judge_url": "http://localhost/v1"}, "judge_model: expected model name", id="no_model"),
        pytest.param({"judge_url": "x", "judge_model": "m"}, "judge_url: expected an address such as", id="url"),
        pytest.param({"judge_url": "http://a.org/v1", "judge_model": "m"},
                     "judge_usd_per_million_in: expected the price", id="price"),
        pytest.param({"judge_url": "http://localhost/v1", "judge_model": "m", "judge_temperature": "hot"},
                     "judge_temperature: expected a number, got 'hot'", id="number"),
        pytest.param({"judge_url": "http://localhost/v1", "judge_model": "m", "judge_mood": "good"},
                     "judge_mood: unknown option; known are judge_url, judge_model", id="unknown"),
    ],
)  # fmt: skip
def test_judge_options(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        BENCHMARK.judge([], options, tmp_path)
    with pytest.raises(ValueError, match=message):
        next(iter(BENCHMARK.examples(tmp_path, options)))


@pytest.mark.parametrize(
    ("notation", "refer", "grounded"),
    [
        pytest.param("ferret", "a cup here", "a cup [0.100, 0.200, 0.300, 0.400] here", id="ferret_as_it_writes"),
        pytest.param("deixis", "a cup here", "a cup [0.100, 0.200, 0.500, 0.800] here", id="others_by_their_boxes"),
    ],
)
def test_judge_messages(data, notation, refer, grounded):
    answer = answer_of("a cup here", [("a cup", [box(10, 10, 50, 40)])], raw="a cup [100, 200, 300, 400] here")
    candidates = {
        example.part: BENCHMARK.example_metrics(example, answer)["judge_input"]["candidate"]
        for example in BENCHMARK.examples(data, {"notation": notation})
    }
    assert candidates == {"refer_caption": refer, "refer_reason": refer, "ground_conv": grounded}


def test_missing_and_broken_files(data, tmp_path):
    with pytest.raises(ValueError, match=r"expected \*/question.jsonl, the folders refer_caption.*apple/ml-ferret"):
        list(BENCHMARK.examples(tmp_path / "data" / "val2017", {}))
    (data / "val2017" / "000000000002.jpg").unlink()
    path = data / "ground_conv" / "question.jsonl"
    path.write_text(path.read_text() + '{"question_id": 9, "image": "000000000001.jpg", "category": "x"}\nnot json\n')
    found = list(BENCHMARK.examples(data, {}))
    whys = [one.why for one in found if isinstance(one, Skipped)]
    assert len([one for one in found if isinstance(one, Example)]) == 3
    assert all("000000000002.jpg: expected the " in why for why in whys[:3])
    assert whys[3].startswith("expected its field or its line, got none: 'x'")
    assert whys[4].startswith("expected one JSON object a line, got 'not json'")
    (data / "ground_conv" / "answer.jsonl").unlink()
    with pytest.raises(ValueError, match=r"answer\.jsonl: expected the file that goes with question\.jsonl"):
        list(BENCHMARK.examples(data, {}))


def test_the_real_files(shared_data, tmp_path):
    """All questions of the official files, about placeholder images; every box is a region of them."""
    folder = shared_data / "ferret_bench"
    lines = [line for path in folder.glob("*/question.jsonl") for line in path.read_text().splitlines()]
    for line in lines:
        save_image(tmp_path / json.loads(line)["image"], (240, 320))
    examples = list(BENCHMARK.examples(folder, {"images": str(tmp_path)}))
    assert len(examples) == len(lines) == 84
    for example in examples:
        boxes = re.findall(r"\[[\d., ]+\]", example.ground_truth["judge_input"]["question"])
        assert len(example.regions) == len(set(boxes))
        assert "[" not in example.text
        assert example.ground_truth["judge_input"]["context"].startswith("Objects:")
