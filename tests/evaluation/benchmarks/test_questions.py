"""Sets of short questions in their official files, made small, with right, empty, wrong and odd answers."""

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from deixis.evaluation.benchmarks.questions import QUESTIONS
from deixis.samples.sample import Skipped
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, save_image, table

SETS = {benchmark.info.name: benchmark for benchmark in QUESTIONS}
ASKS_SHORTLY = "\nAnswer the question using a single word or phrase."


def dump(path: Path, value) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")


def vqav2(folder: Path) -> None:
    given_answers = [["yes"] * 10, ["2"] * 4 + ["two"] * 3 + ["3"] * 3, ["red"] * 2 + ["dark red"] * 8]
    kinds = ["yes/no", "number", "other"]
    questions = [{"question_id": n + 1, "image_id": 1, "question": f"Question {n} {{?}}"} for n in range(3)]
    annotations = [
        {"question_id": n + 1, "image_id": 1, "answer_type": kinds[n], "multiple_choice_answer": given_answers[n][-1],
         "answers": [{"answer": text, "answer_id": m} for m, text in enumerate(given_answers[n])]}
        for n in range(3)
    ]  # fmt: skip
    save_image(folder / "val2014" / f"COCO_val2014_{1:012d}.jpg", (24, 32))
    dump(folder / "v2_OpenEnded_mscoco_val2014_questions.json", {"questions": questions})
    dump(folder / "v2_mscoco_val2014_annotations.json", {"annotations": annotations})


def gqa(folder: Path) -> None:
    rows = {
        str(n): {"question": f"Question {n}?", "answer": answer, "fullAnswer": f"It is {answer}.", "imageId": "7",
                 "types": {"structural": structure}}
        for n, (answer, structure) in enumerate([("yes", "verify"), ("left", "choose"), ("table", "query")])
    }  # fmt: skip
    save_image(folder / "images" / "7.jpg", (24, 32))
    dump(folder / "testdev_balanced_questions.json", rows)


def sound(path: Path) -> None:
    import soundfile

    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, np.random.default_rng(0).normal(size=1600).astype(np.float32) / 9, 16_000)


def clotho_aqa(folder: Path) -> None:
    given_answers = [
        ("Is it raining?", ["yes", "yes", "no"]),
        ("What barks?", ["dog", "dog", "dog"]),
        ("Where?", ["a", "b", "c"]),
    ]
    sound(folder / "audio_files" / "rain 1.wav")
    with (folder / "clotho_aqa_test.csv").open("w", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(["file_name", "QuestionText", "answer", "confidence"])
        rows.writerows(
            ["rain 1.wav", question, answer, "yes"] for question, answers in given_answers for answer in answers
        )


def write_video(path: Path) -> None:
    import av

    path.parent.mkdir(parents=True, exist_ok=True)
    with av.open(str(path), "w") as container:
        stream = container.add_stream("mpeg4", rate=5)
        stream.width, stream.height = 32, 32
        for n in range(10):
            frame = av.VideoFrame.from_ndarray(np.full((32, 32, 3), 20 * n, np.uint8), format="rgb24")
            container.mux(stream.encode(frame))
        container.mux(stream.encode())


def music_avqa(folder: Path) -> None:
    rows = [
        ("Audio", "Counting", "How many {{<Object>}} are heard?", ["flute"], "two"),
        ("Visual", "Location", "Is the <Object> on the <LRer>?", ["cello", "left"], "yes"),
        ("Audio-Visual", "Temporal", "Which comes first?", [], "violin"),
    ]
    write_video(folder / "MUSIC-AVQA-videos-Real" / "00000001.mp4")
    sound(folder / "MUSIC-AVQA-videos-Real" / "00000001.wav")
    dump(folder / "avqa-test.json", [
        {"video_id": "00000001", "question_id": n, "type": json.dumps([about, kind]), "question_content": question,
         "templ_values": json.dumps(values), "question_deleted": 0, "anser": answer}
        for n, (about, kind, question, values, answer) in enumerate(rows)
    ])  # fmt: skip


def msvd_qa(folder: Path) -> None:
    rows = [("what is done?", "cook"), ("who dances?", "woman"), ("is it so?", "man")]
    write_video(folder / "YouTubeClips" / "abc_1_2.avi")
    dump(folder / "MSVD-QA" / "test_qa.json", [
        {"id": n, "video_id": 1301, "question": question, "answer": answer} for n, (question, answer) in enumerate(rows)
    ])  # fmt: skip
    (folder / "MSVD-QA" / "youtube_mapping.txt").write_text("abc_1_2 vid1301\n")


MAKE = {"vqav2": vqav2, "gqa": gqa, "clotho_aqa": clotho_aqa, "music_avqa": music_avqa, "msvd_qa": msvd_qa}
PARTS = {
    "vqav2": ["yes/no", "number", "other"],
    "gqa": ["binary", "binary", "open"],
    "clotho_aqa": ["binary", "single word", "single word"],
    "music_avqa": ["Audio Counting", "Visual Location", "Audio-Visual Temporal"],
    "msvd_qa": ["what", "who", "other"],
}


def metrics(name, tmp_path, given_answers, **options) -> tuple[list, list]:
    """(per-example metrics of each row, the questions as they were asked)."""
    if not (tmp_path / "data").is_dir():
        (tmp_path / "data").mkdir()
        MAKE[name](tmp_path / "data")
    rest = iter(given_answers)
    adapter = Scripted(lambda question: next(rest))
    rows = run_benchmark(SETS[name], tmp_path / "data", adapter, tmp_path / f"run {given_answers}", **options)
    assert [row.part for row in rows] == PARTS[name]
    return [dict(row.metrics) for row in rows], adapter.asked


CASES = [
    pytest.param("vqav2", ("yes", "2", "dark red"), {"accuracy": (1, 1, 1), "exact": (1, 1, 1)}, id="vqav2, right"),
    pytest.param("vqav2", ("", "", ""), {"accuracy": (0, 0, 0), "exact": (0, 0, 0)}, id="vqav2, empty"),
    pytest.param("vqav2", ("Yes.", "The two!", "red"), {"accuracy": (0, 1, 0.6), "exact": (0, 0, 0)}, id="vqav2, odd"),
    pytest.param("vqav2", ("no", "3", "blue"), {"accuracy": (0, 0.9, 0)}, id="vqav2, wrong"),
    pytest.param("gqa", ("yes", "left", "table"), {"correct": (1, 1, 1), "exact": (1, 1, 1)}, id="gqa, right"),
    pytest.param("gqa", ("Yes.", "to the left", ""), {"correct": (1, 0, 0), "exact": (0, 0, 0)}, id="gqa, odd"),
    pytest.param(
        "clotho_aqa", ("Yes.", "a dog", "b"),
        {"share": (2 / 3, 1, 1 / 3), "majority": (1, 1, None), "unanimous": (None, 1, None), "any": (1, 1, 1)},
        id="clotho_aqa, right",
    ),
    pytest.param(
        "clotho_aqa", ("no", "", "yes"),
        {"share": (1 / 3, 0, 0), "majority": (0, 0, None), "unanimous": (None, 0, None), "any": (1, 0, 0)},
        id="clotho_aqa, wrong",
    ),
    pytest.param("music_avqa", ("two", "yes", "violin"), {"correct": (1, 1, 1), "exact": (1, 1, 1)}, id="music, right"),
    pytest.param(
        "music_avqa", ("2", "Yes, it is.", "a violin"), {"correct": (1, 0, 1), "exact": (0, 0, 0), "loose": (0, 1, 1)},
        id="music, odd",
    ),
    pytest.param("music_avqa", ("", "no", "viola"), {"correct": (0, 0, 0), "loose": (1, 0, 0)}, id="music, wrong"),
    pytest.param("msvd_qa", ("cook", "woman", "man"), {"loose": (1, 1, 1), "correct": (1, 1, 1)}, id="msvd, right"),
    pytest.param(
        "msvd_qa", ("", "man", "man woman cook"), {"loose": (1, 1, 1), "correct": (0, 0, 0), "empty": (1, 0, 0)},
        id="msvd, the official rule counts an empty answer, a part of a word, and everything said",
    ),
]  # fmt: skip


@pytest.mark.parametrize(("name", "given_answers", "wanted"), CASES)
def test_example_metrics(tmp_path, name, given_answers, wanted):
    found, _ = metrics(name, tmp_path, given_answers)
    for key, values in wanted.items():
        assert tuple(mark[key] for mark in found) == pytest.approx(values), key


@pytest.mark.parametrize("name", MAKE)
def test_every_example_has_the_keys_of_all_metrics(tmp_path, name):
    found, _ = metrics(name, tmp_path, ("a", "b", "c"))
    for metric in SETS[name].info.metrics:
        assert all(key in mark for key in metric.keys if key for mark in found), metric.name
    alone = {*PARTS[name]} - {part for parts in SETS[name].info.combined_parts.values() for part in parts}
    assert alone <= {"other"}, "every part of the official files counts in the whole"


def test_score_is_the_mean_over_questions(tmp_path):
    clotho_aqa(tmp_path)
    rows = run_benchmark(SETS["clotho_aqa"], tmp_path, Scripted(lambda question: "dog"), tmp_path / "run")
    found = table(SETS["clotho_aqa"], rows)
    assert found["single word"] == {"accuracy": 50, "majority": 100, "unanimous": 100, "any": 50}
    assert found["binary"] == {"accuracy": 0, "majority": 0, "any": 0}, "nobody agrees on a binary question here"


def test_questions_of_the_sets(tmp_path):
    _, asked = metrics("music_avqa", tmp_path, ("", "", ""))
    assert asked[1].turns[-1].user == "Is the cello on the left?" + ASKS_SHORTLY
    assert [signal.modality for signal in asked[1].signals] == ["video", "audio"]
    _, asked = metrics("music_avqa", tmp_path, ("x", "", ""), media="video")
    assert [signal.modality for signal in asked[1].signals] == ["video"]
    _, asked = metrics("music_avqa", tmp_path, ("y", "", ""), media="audio")
    assert [signal.modality for signal in asked[1].signals] == ["audio"]


def test_braces_of_a_question_are_escaped(tmp_path):
    _, asked = metrics("vqav2", tmp_path, ("", "", ""))
    assert asked[0].turns[-1].user == "Question 0 {{?}}" + ASKS_SHORTLY


@pytest.mark.parametrize("name", MAKE)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ValueError, match=f"expected {SETS[name].info.required_files[0].path}".replace(".", r"\.")):
        list(SETS[name].examples(tmp_path, {}))


def test_malformed_files_are_reported(tmp_path):
    vqav2(tmp_path / "vqa")
    (tmp_path / "vqa" / "v2_mscoco_val2014_annotations.json").unlink()
    with pytest.raises(ValueError, match="annotations: expected the file of the answers"):
        list(SETS["vqav2"].examples(tmp_path / "vqa", {}))
    music_avqa(tmp_path / "music")
    (tmp_path / "music" / "MUSIC-AVQA-videos-Real" / "00000001.wav").unlink()
    with pytest.raises(ValueError, match=r"expected the audio of 00000001\.mp4 in a separate file.*media=video"):
        list(SETS["music_avqa"].examples(tmp_path / "music", {}))
    with pytest.raises(ValueError, match="media: expected both or video or audio, got 'x'"):
        list(SETS["music_avqa"].examples(tmp_path / "music", {"media": "x"}))


def test_unreadable_rows_are_skipped(tmp_path):
    music_avqa(tmp_path)
    rows = json.loads((tmp_path / "avqa-test.json").read_text())
    rows[0]["templ_values"] = "[]"
    del rows[1]["anser"]
    dump(tmp_path / "avqa-test.json", [*rows, 3])
    found = list(SETS["music_avqa"].examples(tmp_path, {"media": "video"}))
    whys = [item.why for item in found if isinstance(item, Skipped)]
    assert len(whys) == 3
    assert "expected one word per <...>" in whys[0]
    clotho_aqa(tmp_path)
    with (tmp_path / "clotho_aqa_test.csv").open("a") as file:
        file.write("rain 1.wav,,yes,no\n")
    skipped = [item for item in SETS["clotho_aqa"].examples(tmp_path, {}) if isinstance(item, Skipped)]
    assert [item.why for item in skipped] == ["expected a question and an answer, got an empty cell"]
