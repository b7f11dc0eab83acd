"""A run that is killed again and again, at any moment, ends as an undisturbed one does, to the bit.

One process imports the package and forks a trainer for every attempt. Each is killed with its workers (SIGKILL) at the
next of the moments below, and the same command is given again until nothing kills it.
"""

import json
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import yaml

from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.training.run_folder import last_checkpoint
from tests.toy import toy_image, toy_network, toy_tokenizer

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="there is no fork, and no SIGKILL")
MOMENTS = (
    "save 3",  # of step 2: the weights and the state of the optimiser are whole, the next file is half there
    "batch 3",  # between two checkpoints
    "done 1",  # of step 4, all of which is written but for the mark
    "rename model",  # the trained model is whole under another name
)
ATTEMPTS = """
import os, signal, sys
from pathlib import Path
import peft, torch, torch._dynamo, torch.utils.tensorboard, transformers.trainer  # once, not in every attempt
import deixis.inference, deixis.training.recipe
from deixis.cli import main
from deixis.training.sample_batches import SampleBatches

def kill():
    os.killpg(os.getpgrp(), signal.SIGKILL)

def arm(kind, at):
    make, save, touch, rename = SampleBatches.__call__, torch.save, Path.touch, Path.rename
    counts = {"save": 0, "done": 0}
    def call(self, step):
        if kind == "batch" and step == int(at):
            kill()
        return make(self, step)
    def saved(value, file, *rest, **options):
        counts["save"] += 1
        save(value, file, *rest, **options)
        if kind == "save" and counts["save"] == int(at):
            os.truncate(file, os.path.getsize(file) // 2)
            kill()
    def touched(path, *rest, **options):
        counts["done"] += path.name == "done"
        if kind == "done" and counts["done"] == int(at):
            kill()
        touch(path, *rest, **options)
    def renamed(path, target):
        if kind == "rename" and Path(target).name == at:
            kill()
        return rename(path, target)
    SampleBatches.__call__, torch.save, Path.touch, Path.rename = call, saved, touched, renamed

torch.set_num_threads(1)
recipes, whole, killed, *moments = sys.argv[1:]
for number, moment in enumerate(["", *moments, ""]):
    if not (trainer := os.fork()):
        os.setpgid(0, 0)
        if moment:
            arm(*moment.split())
        main(["train", f"{recipes}/workers-{number % 2}.yaml", "--out", killed if number else whole])
    _, status = os.waitpid(trainer, 0)
    assert (os.WTERMSIG(status) == signal.SIGKILL) if moment else (status == 0), (moment, status)
"""


@pytest.fixture
def recipes(tmp_path) -> Path:
    """A folder with a toy model, samples, and the same recipe with and without a process that loads batches."""
    network, processor = toy_network(toy_tokenizer())
    for part in (network, processor):
        part.save_pretrained(tmp_path / "model")
    mask = np.zeros((24, 40), bool)
    mask[4:12, 8:20] = True
    samples = [
            Sample(
                f"{n}", "made up", "refer", "train", (Turn("What is {0}?", "A [mug]{0:mask}."),),
                (MediaReference(f"p/{n}", "image", size_hw=(24, 40), values=toy_image(seed=n)),), (Region(mask=mask),),
            )
            for n in range(9)
    ]  # fmt: skip
    write_shard(samples[:7], tmp_path / "data.jsonl")
    write_shard(samples[7:], tmp_path / "earlier.tar")
    stage = {"name": "tune", "task": "instruct", "data": [{"path": str(tmp_path / "data.jsonl")}], "batch": {"data": 3}}
    stage |= {"steps": 5, "save_steps": 2, "log_steps": 1, "warmup_steps": 1, "bf16": False}
    stage["replay"] = {"share": 0.25, "data": [{"path": str(tmp_path / "earlier.tar")}]}
    stage |= {"parts": {"language_model": "lora", "masks": "full"}, "lora": {"dropout": 0.3}}
    for workers in range(2):
        recipe = {"seed": 3, "init": str(tmp_path / "model"), "stages": [{**stage, "workers": workers}]}
        (tmp_path / f"workers-{workers}.yaml").write_text(yaml.safe_dump(recipe))
    return tmp_path


def losses(run: Path) -> list[dict]:
    """All that was logged of each step."""
    state = json.loads((run / "tune" / "checkpoint-5" / "trainer_state.json").read_text())
    names = ("step", "loss", "text", "bce", "dice", "grad_norm", "learning_rate")
    return [{name: line[name] for name in names} for line in state["log_history"] if "loss" in line]


def test_a_run_killed_at_every_moment_is_an_undisturbed_one(recipes):
    whole, killed = recipes / "whole", recipes / "killed"
    words = [str(own) for own in (recipes, whole, killed)]
    done = subprocess.run(
        [sys.executable, "-c", ATTEMPTS, *words, *MOMENTS], check=False, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    assert "removing the unfinished checkpoint" in done.stderr
    assert losses(killed) == losses(whole)
    assert len({line["loss"] for line in losses(whole)}) == 5
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert (killed / "tune" / name).read_bytes() == (whole / "tune" / name).read_bytes()
    assert not list(killed.rglob("*.part"))
    halves_count_for_nothing(whole / "tune")


def halves_count_for_nothing(stage: Path) -> None:
    """Whatever part of a checkpoint is there, cut anywhere, the one before it is the last."""
    # the clock of files ticks every few milliseconds: what was written in the same tick has the same time
    files = sorted((stage / "checkpoint-5").iterdir(), key=lambda path: (path.stat().st_mtime_ns, path.name == "done"))
    assert files[-1].name == "done"
    for written in range(len(files)):
        half = stage / "checkpoint-6"
        half.mkdir()
        for path in files[:written]:
            shutil.copy(path, half)
        (half / files[written].name).write_bytes(b"half") if written < len(files) - 1 else None
        assert last_checkpoint(stage) == stage / "checkpoint-5"
        assert not half.exists()
