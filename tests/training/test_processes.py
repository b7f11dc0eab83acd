"""Training by several processes: the same losses as by one, and going on with another number of them."""

import json
import multiprocessing
import os
import shutil
import time
from pathlib import Path
from threading import Thread

import psutil
import pytest
import soundfile
from accelerate import debug_launcher
from accelerate.state import AcceleratorState, DistributedType
from PIL import Image
from safetensors.torch import load_file

from deixis.errors import ConfigError, InputError
from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.training.processes import by_first
from deixis.training.recipe import train
from deixis.training.recipe_file import Recipe
from deixis.training.run_folder import DONE
from tests.toy import toy_audio, toy_image, toy_model_folder, toy_plan

pytestmark = [
    pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning"),
    pytest.mark.skipif("fork" not in multiprocessing.get_all_start_methods(), reason="its processes are forked"),
]
STEPS, BEFORE = 8, 4


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with a model, and with samples of two modalities to train on and to hold out."""
    folder = tmp_path_factory.mktemp("start")
    toy_model_folder(folder / "model")
    Image.fromarray(toy_image(32, 32)).save(folder / "image.png")
    sound, rate = toy_audio(1.0)
    soundfile.write(folder / "audio.wav", sound, rate)
    for name, numbers in {"images": range(0, 8, 2), "recordings": range(1, 7, 2), "val": range(3)}.items():
        write_shard((_sample(folder, number) for number in numbers), folder / f"{name}.jsonl")
    return folder


def _sample(folder, number):
    """An image or a recording, so that every batch leaves some part of the network without a gradient."""
    turn = Turn("What is {0}?", f"It is the number {number}.")
    if number % 2:
        medium, region = MediaReference("a", "audio", str(folder / "audio.wav")), Region(span=(0.1, 0.8))
    else:
        medium, region = MediaReference("i", "image", str(folder / "image.png")), Region(box=(2, 3, 20, 24))
    return Sample(str(number), "made up", "describe", "train", (turn,), (medium,), (region,))


def plan(start: Path, accumulate: int = 2) -> Recipe:
    stage = {"name": "tune", "task": "instruct", "batch": {"data": 1}, "max_tokens": 300, "steps": STEPS, "workers": 0}
    data = [{"path": str(start / f"{name}.jsonl")} for name in ("images", "recordings")]  # taken in turn
    stage |= {"data": data, "save_steps": BEFORE, "log_steps": 2, "bf16": False}
    stage |= {"parts": {"tokenizers": "full", "projection": "full", "sampler": "full", "language_model": "lora"}}
    stage |= {"held_out": {"path": str(start / "val.jsonl")}, "accumulate": accumulate, "warmup_steps": 2}
    stage |= {"weight_decay": 0.0}  # which with sharded weights works on parts that no batch uses too
    stage |= {"learning_rates": {"projection": 0.003}, "lora": {"dropout": 0.3}}
    return toy_plan(model=None, vocab_size=None, init=str(start / "model"), stages=[stage])


def tune(start: Path, out: Path, accumulate: int = 2) -> None:
    AcceleratorState._reset_state(reset_partial_state=True)  # a forked process has that of the one it comes from
    train(plan(start, accumulate), out)


def losses(out, name="loss"):
    state = json.loads((out / "tune" / f"checkpoint-{STEPS}" / "trainer_state.json").read_text())
    return [record[name] for record in state["log_history"] if name in record]


def assert_same_weights(out, other):
    ours, theirs = (load_file(run / "tune" / "model" / "model.safetensors") for run in (out, other))
    for name, weight in theirs.items():
        if not name.endswith("k_proj.bias"):  # no answer depends on it: its gradient is rounding, which Adam enlarges
            assert (ours[name] - weight).abs().max() < 1e-5, name


@pytest.fixture(scope="module")
def one(start, tmp_path_factory):
    """The folder of the run by one process."""
    tune(start, out := tmp_path_factory.mktemp("one"))
    return out


@pytest.fixture(scope="module")
def two(start, tmp_path_factory):
    """The folder of the run by two processes."""
    debug_launcher(tune, (start, out := tmp_path_factory.mktemp("two")), num_processes=2)
    return out


def test_two_processes_learn_what_one_does(one, two):
    assert len(losses(two)) == STEPS // 2
    for name in ("loss", "grad_norm", "text", "eval_loss"):
        assert losses(two, name) == pytest.approx(losses(one, name), rel=1e-5), name
    assert_same_weights(two, one)


def test_another_number_of_processes_goes_on_with_the_samples_not_yet_seen(start, one, two, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(two, out, ignore=shutil.ignore_patterns("model", f"checkpoint-{STEPS}"))  # as if killed
    tune(start, out)
    assert losses(out) == pytest.approx(losses(one), rel=1e-5)


def tune_sharded(start: Path, out: Path) -> None:
    """FSDP2 on CPUs, where accelerate itself shards on GPUs alone."""
    prepared = AcceleratorState.__init__

    def sharding(self, *arguments, fsdp_plugin=None, **options):
        prepared(self, *arguments, fsdp_plugin=fsdp_plugin, **options)
        if fsdp_plugin is not None:
            self.distributed_type, self.fsdp_plugin = DistributedType.FSDP, fsdp_plugin

    AcceleratorState.__init__ = sharding  # of this process alone
    os.environ |= {"ACCELERATE_USE_FSDP": "true", "FSDP_VERSION": "2"}
    os.environ |= {"FSDP_AUTO_WRAP_POLICY": "TRANSFORMER_BASED_WRAP"}
    tune(start, out)
    halved = out.with_name("halved")
    by_first(lambda: shutil.copytree(out, halved, ignore=shutil.ignore_patterns("model", f"checkpoint-{STEPS}")))
    tune(start, halved)


def test_two_processes_that_share_the_weights_too_learn_what_one_does_and_go_on(start, one, tmp_path):
    debug_launcher(tune_sharded, (start, tmp_path / "sharded"), num_processes=2)
    for out in (tmp_path / "sharded", tmp_path / "halved"):
        for name in ("loss", "grad_norm", "eval_loss"):
            assert losses(out, name) == pytest.approx(losses(one, name), rel=1e-5), name
        assert_same_weights(out, one)
    plain = tmp_path / "plain"
    shutil.copytree(tmp_path / "sharded", plain, ignore=shutil.ignore_patterns("model", f"checkpoint-{STEPS}"))
    tune(start, plain)
    assert losses(plain) == pytest.approx(losses(one), rel=1e-5), "one process went on, with whole weights"
    kept, alone = (load_file(run / "tune" / f"checkpoint-{STEPS}" / "model.safetensors") for run in (out, one))
    assert kept.keys() == alone.keys()


@pytest.mark.filterwarnings("ignore")
def test_a_worker_of_a_ray_cluster_that_is_killed_is_replaced(start, one, tmp_path, monkeypatch, capfd):
    ray = pytest.importorskip("ray")
    from deixis.training.ray_workers import RayWorkers, train_on_ray

    monkeypatch.setenv("RAY_worker_niceness", "0")
    monkeypatch.setenv("RAY_TRAIN_HEALTH_CHECK_INTERVAL_S", "0.2")
    out = tmp_path / "run"
    killer = Thread(target=kill_a_worker_after, args=(out / "tune" / f"checkpoint-{BEFORE}" / DONE,), daemon=True)
    killer.start()
    try:
        assert train_on_ray(plan(start), out, RayWorkers(2)) == out / "tune" / "model"
        with pytest.raises(InputError, match=r"--ray: expected at most \d+ workers, one for each .PU of the cluster"):
            train_on_ray(plan(start, accumulate=1000), out, RayWorkers(1000))
    finally:
        ray.shutdown()
    killer.join()
    told = capfd.readouterr().err
    assert told.count("weights are trained") == 2, "all began again"
    assert "TrainingReport" not in told, "of Ray's own log"
    assert losses(out) == pytest.approx(losses(one), rel=1e-5)
    assert_same_weights(out, one)
    assert {path.name for path in out.iterdir()} == {path.name for path in one.iterdir()}


def kill_a_worker_after(checkpoint: Path) -> None:
    workers: list[psutil.Process] = []
    while not workers or not checkpoint.exists():
        if not workers:  # found beforehand, as the steps behind the checkpoint take less time than looking
            workers = [own for own in psutil.Process().children(recursive=True) if is_worker(own)]
        time.sleep(0.01 if workers else 0.2)
    workers[0].kill()


def is_worker(process: psutil.Process) -> bool:
    try:
        return "RayTrainWorker" in " ".join(process.cmdline())
    except psutil.Error:  # it has just ended, or was never waited for
        return False


def refused(start: Path, out: Path) -> None:
    with pytest.raises(ConfigError, match="stage tune: accumulate: expected a multiple of 2, for so many processes"):
        tune(start, out, accumulate=3)


def test_processes_that_cannot_share_a_step_are_refused(start, tmp_path):
    debug_launcher(refused, (start, tmp_path / "run"), num_processes=2)
    assert not (tmp_path / "run").exists()
