"""What runs leave behind and go on with, recipes, and questions as people and programs write them."""

import json
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from deixis.geometry import mask_to_rle
from deixis.options import plain_values
from tests.datasets.coco_sets import coco_set
from tests.evaluation.benchmarks.test_pope import write_data
from tests.fuzz import targets
from tests.fuzz.pool import Worker
from tests.fuzz.seeds import Seed, files_of, write_files
from tests.fuzz.signal_seeds import FILES
from tests.toy import toy_plan, toy_recipe

READ = ("data", "read", "coco", "set/instances_train.json", "out", "--images", "set/train", "--media", "copy")
EVAL = ("eval", "pope", "--model", targets.MODEL, "--data", "data", "--out", "run", "--no-blind", "--limit", "2")
BATCH = ("ask", "--model", targets.MODEL, "--batch", "questions.jsonl", "--out", "answers.jsonl")
BUILD = ("data", "build", "recipe.yaml", "out")
BUILD_RECIPE: dict[str, Any] = {
    "seed": 1,
    "sources": {"train": {"format": "coco", "path": "set/instances_train.json", "images": "set/train"}},
    "parts": [{"name": "objects", "kind": "objects", "from": ["train"], "samples": 4}],
    "shards": {"format": "jsonl", "samples": 20},
}
QUESTIONS: tuple[dict[str, Any], ...] = (
    {"files": ["a.png"], "question": "{0} or {1}?", "regions": [{"box": [1, 1, 9, 9]}, {"point": [3, 4]}], "id": "a"},
    {"files": ["a.wav"], "question": "When?", "regions": [{"span": [0.01, 0.1]}], "want": "text"},
    {"files": ["a.png", "a.ply"], "question": "Which?", "regions": [{"points": [1, 2], "signal": 1}]},
    {"files": ["a.png"], "question": "What?", "regions": [{"mask": mask_to_rle(np.eye(12, 16, dtype=bool))}]},
    {"files": ["a.png"], "question": "{0} or {1}?", "regions": [{"polygon": [[1, 1], [9, 1], [5, 9]]},
                                                               {"scribble": [[1, 1], [4, 4], [9, 3]]}]},
    {"files": ["a.png"], "question": "What?", "regions": [{"mask": "mask.png"}]},
)  # fmt: skip
TYPED = (
    ("a.png", "What is {0} by {1}?", "--box", "1,1,9,9", "--point", "3,4"),
    ("a.png", "What is {0} by {1}?", "--polygon", "1,1;9,1;5,9", "--scribble", "1,1;4,4;9,3", "--want", "text"),
    ("a.wav", "When is {0}?", "--span", "0.01,0.1@0", "--json"),
    ("a.ply", "Which?", "--points", "1,2", "--box3d", "0,0,0,1,1,1"),
    ("a.png", "a.wav", "What?", "--mask", "mask.png", "--out", "drawn.png"),
    ("a.png", "depth:b.png", "image:a.png", "What?", "--stream"),
)


def state_seeds(worker: Worker) -> list[Seed]:
    """Runs that are complete or half done, as the worker makes them, and the files of each that are damaged."""
    pictures = _laid(lambda folder: coco_set(folder / "set", 2))
    questions = _laid(lambda folder: write_data(folder / "data"))
    read = _after(pictures, READ, worker)
    half = {name: data for name, data in read.items() if name not in ("out/report.json", "out/skipped.csv")}
    evaluated = _after(questions, EVAL, worker)
    unfinished = {name: data for name, data in evaluated.items() if name != "run/report.json"}
    asked = _after(ask_files(), BATCH, worker)
    build = {**pictures, "recipe.yaml": yaml.safe_dump(BUILD_RECIPE).encode()}
    built = _after(build, BUILD, worker)
    training = {"recipe.yaml": yaml.safe_dump(toy_recipe()).encode()}
    training |= {"run/recipe.yaml": yaml.safe_dump(plain_values(toy_plan())).encode()}
    training |= {f"run/dense/checkpoint-2/{name}": b"" for name in ("done",)}
    return [
        _state("finished read", READ, read, "out/.run/run.json", "out/report.json"),
        _state("unfinished read", READ, half, "out/.run/run.json"),
        _state("read then checked", READ, half, "out/train-00000.jsonl", then=("data", "check", "out")),
        _state("eval", EVAL, unfinished, "run/run.json", "run/rows/00000.jsonl"),
        _state("answers", BATCH, asked, "answers.jsonl"),
        _state("recipe of a build", BUILD, build, "recipe.yaml"),
        _state("finished build", BUILD, built, "out/.run/run.json", "out/report.json"),
        Seed("state", "training", "start_of_training", training, damaged=("recipe.yaml", "run/recipe.yaml")),
    ]


def question_seeds() -> list[Seed]:
    """Lines of a batch, words of a command, and arguments in Python."""
    seeds = [
        Seed("question", "batch", "command", ask_files(), {"words": BATCH[:-2]}, ("questions.jsonl",)),
        Seed(
            "question",
            "each",
            "command",
            ask_files(),
            {"words": ("ask", "--model", targets.MODEL, "--each", ".", "What?")},
        ),
    ]
    for number, question in enumerate(QUESTIONS[:-1]):  # masks in files are for commands
        call = {**ask_files(), "arguments.call": json.dumps(question).encode()}
        seeds.append(Seed("question", f"python {number}", "ask_in_python", call, damaged=("arguments.call",)))
    for number, typed in enumerate(TYPED):
        words = {**ask_files(), "words.call": json.dumps(["ask", "--model", targets.MODEL, *typed]).encode()}
        seeds.append(Seed("question", f"typed {number}", "command", words, damaged=("words.call",)))
    return seeds


def ask_files() -> dict[str, bytes]:
    """Signals, a mask, and a file of questions about them."""
    makers = {
        "a.png": FILES["image"]["a.png"],
        "a.wav": FILES["audio"]["a.wav"],
        "a.ply": FILES["point_cloud"]["a.ply"],
    }
    makers |= {"b.png": FILES["depth"]["a.png"], "mask.png": FILES["image"]["a.png"]}
    lines = "".join(f"{json.dumps(question)}\n" for question in QUESTIONS)
    return {name: make() for name, make in makers.items()} | {"questions.jsonl": lines.encode()}


def _state(
    name: str, words: tuple[str, ...], files: dict[str, bytes], *damaged: str, then: tuple[str, ...] = ()
) -> Seed:
    return Seed("state", name, "command", files, {"words": words, "then": then}, damaged)


def _laid(lay: Any) -> dict[str, bytes]:
    with tempfile.TemporaryDirectory() as folder:
        lay(Path(folder))
        return files_of(Path(folder))


def _after(files: dict[str, bytes], words: tuple[str, ...], worker: Worker) -> dict[str, bytes]:
    """The files, and what a command made of them."""
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        write_files(files, folder)
        outcome = worker.run("command", folder, {"words": words})
        assert outcome.kind == "answered", outcome
        return files_of(folder)
