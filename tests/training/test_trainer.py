"""The training loop: steps of several batches, samples held out, what is not finite, and what a checkpoint holds."""

import json
import time

import pytest
import torch
from PIL import Image
from safetensors.torch import load_file
from torch import nn

from deixis.checkpoints import open_pretrained
from deixis.errors import ConfigError, DataError
from deixis.geometry import Region
from deixis.model import DeixisForConditionalGeneration
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.training.drawings import first_question
from deixis.training.recipe import train
from deixis.training.speed import SpeedLog
from deixis.training.stage_run import TrainingOptions, run_stage
from tests.toy import toy_image, toy_model_folder, toy_plan

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with a model, and with samples to train on and to hold out."""
    folder = tmp_path_factory.mktemp("start")
    toy_model_folder(folder / "model")
    for split, names in {"train": "abcd", "val": "ef"}.items():
        write_shard((_sample(folder, name) for name in names), folder / f"{split}.jsonl")
    return folder


def _sample(folder, name):
    path = folder / f"{name}.png"
    Image.fromarray(toy_image(32, 32)).save(path)
    turn = Turn("What is {0}?", f"It is a {name * 3}.")
    medium = MediaReference(name, "image", str(path), size_hw=(32, 32))
    return Sample(name, "made up", "describe", "train", (turn,), (medium,), (Region(box=(2, 3, 20, 24)),))


def tuned(start, tmp_path, *, dtype="float32", **changes):
    return trained(start, tmp_path / "run", [changes], dtype)


def trained(start, out, stages, dtype="float32", **fields):
    """The model of a run of stages, each given by what it changes of a common one."""
    stages = [_stage(start, own) for own in stages]
    return train(
        toy_plan(model=None, vocab_size=None, init=str(start / "model"), stages=stages, dtype=dtype, **fields), out
    )


def _stage(start, changes):
    stage = {"name": "tune", "task": "instruct", "batch": {"data": 2}, "max_tokens": 300, "steps": 4, "workers": 0}
    stage |= {"data": [{"path": str(start / "train.jsonl")}], "save_steps": 1, "log_steps": 1, "warmup_steps": 0}
    return stage | {"bf16": False, "parts": {"projection": "full"}, **changes}


def history(model):
    last = max(model.parent.glob("checkpoint-*"), key=lambda path: int(path.name.removeprefix("checkpoint-")))
    return json.loads((last / "trainer_state.json").read_text())


class Linear(nn.Module):
    """y = w x, trained to be 0."""

    def __init__(self):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(1))

    def forward(self, x):
        loss = (self.weight * x).square().mean()
        return {"loss": loss, "losses": {"square": loss.detach()}}


def test_the_gradients_of_the_batches_of_a_step_are_averaged(tmp_path):
    asked = []

    def make(number):
        asked.append(number)
        return {"x": torch.tensor([1.0 + number])}

    model = Linear()
    options = TrainingOptions(
        learning_rate=0.01, warmup_steps=0, schedule="constant", max_grad_norm=0, workers=0, bf16=False, accumulate=2
    )
    run_stage(model, make, 2, options, tmp_path, 1, torch.optim.SGD(model.parameters(), lr=0.01))
    weight = 1.0
    for pair in ((1, 2), (3, 4)):
        weight -= 0.01 * sum(2 * weight * x * x for x in pair) / 2
    assert asked == [0, 1, 2, 3]
    assert model.weight.item() == pytest.approx(weight)


def test_the_best_checkpoint_on_held_out_samples_is_kept(start, tmp_path):
    held_out = {"path": str(start / "val.jsonl"), "patience": 2}
    model = tuned(start, tmp_path, held_out=held_out, steps=40, log_steps=40, learning_rate=0.3, schedule="constant")
    state = history(model)
    losses = [record["eval_loss"] for record in state["log_history"] if "eval_loss" in record]
    best = losses.index(min(losses))
    assert len(losses) == best + 3 < 40  # two without a better one, then it stops
    kept = load_file(model.parent / f"checkpoint-{best + 1}" / "model.safetensors")
    final = DeixisForConditionalGeneration.from_pretrained(model).state_dict()
    assert kept
    assert all(torch.equal(final[name.removeprefix("model.")], weight) for name, weight in kept.items())


def test_the_last_checkpoint_is_kept_where_that_is_asked_for(start, tmp_path):
    held_out = {"path": str(start / "val.jsonl"), "keep": "last"}
    model = tuned(start, tmp_path, held_out=held_out, steps=3, learning_rate=0.3, schedule="constant")
    losses = [record["eval_loss"] for record in history(model)["log_history"] if "eval_loss" in record]
    kept = load_file(model.parent / "checkpoint-3" / "model.safetensors")
    final = DeixisForConditionalGeneration.from_pretrained(model).state_dict()
    assert len(losses) == 3
    assert losses[1] < losses[-1]  # at this rate
    assert all(torch.equal(final[name.removeprefix("model.")], weight) for name, weight in kept.items())


def test_a_run_that_stopped_early_and_was_killed_ends_with_the_same_model(start, tmp_path):
    arguments = {
        "held_out": {"path": str(start / "val.jsonl"), "patience": 1},
        "steps": 40,
        "log_steps": 40,
        "learning_rate": 0.3,
    }
    model = tuned(start, tmp_path, **arguments)
    before, steps = load_file(model / "model.safetensors"), history(model)["global_step"]
    model.rename(tmp_path / "aside")
    after = load_file(tuned(start, tmp_path, **arguments) / "model.safetensors")
    assert all(torch.equal(before[name], weight) for name, weight in after.items())
    assert not (model.parent / f"checkpoint-{steps + 1}").exists()


def test_held_out_samples_are_drawn_while_training_and_change_nothing_of_it(start, tmp_path):
    losses, held_out = {}, {"path": str(start / "val.jsonl"), "samples": 2}
    lora = {"parts": {"projection": "full", "language_model": "lora"}}
    for drawings in (0, 1):
        own = {"held_out": {**held_out, "drawings": drawings}, "steps": 2, **lora}
        model = trained(start, tmp_path / str(drawings), [own])
        losses[drawings] = [record["loss"] for record in history(model)["log_history"] if "loss" in record]
        drawn = sorted(path.relative_to(model.parent).as_posix() for path in model.parent.glob("drawings/*/*"))
        assert drawn == [f"drawings/step-{step}/0.png" for step in (1, 2) if drawings]
    assert losses[0] == losses[1]
    with Image.open(model.parent / "drawings" / "step-2" / "0.png") as image:
        assert min(image.size) > 100


def test_a_question_is_drawn_without_its_answer():
    boxes = (Region(box=(0, 0, 1, 1)), Region(box=(1, 1, 2, 2)))
    turns = (Turn("And {1}?", "[A dog]{0}."), Turn("More?", "No."))
    asked = first_question(Sample("a", "made up", "refer", "train", turns, (), boxes))
    assert (asked.turns, asked.regions) == ((Turn("And {0}?"),), boxes[1:])


def test_speed_is_logged(start, tmp_path):
    records = [record for record in history(tuned(start, tmp_path, steps=2))["log_history"] if "loss" in record]
    assert [record["tokens_per_s"] > 0 for record in records] == [True, True]
    assert [0 < record["tflop_per_s"] and 0 < record["mfu"] < 1 for record in records] == [True, True]


def test_waiting_is_the_share_of_time_without_batches(tmp_path):
    def make(number):
        time.sleep(0.2)
        return {"x": torch.ones(1)}

    options = TrainingOptions(warmup_steps=0, workers=0, bf16=False, log_steps=2)
    run_stage(Linear(), make, 2, options, tmp_path, 1)
    state = json.loads((tmp_path / "checkpoint-2" / "trainer_state.json").read_text())
    (record,) = (record for record in state["log_history"] if "loss" in record)
    assert 0.5 < record["waiting"] <= 1
    assert "tokens_per_s" not in record


def test_padding_is_no_token(start):
    network, processor = open_pretrained(start / "model")
    log = SpeedLog(module := nn.ModuleDict({"model": network}).train())
    pad = processor.tokenizer.pad_token_id
    for length in (3, 5):
        log._count(module, (), {"input_ids": torch.tensor([[7] * length + [pad] * (6 - length)])})
    assert int(log.tokens) == 8


def test_a_loss_that_is_not_finite_names_the_samples_and_keeps_the_last_checkpoint(start, tmp_path):
    with pytest.raises(
        DataError, match=r"step \d: expected a finite \w+, got nan or infinity from the samples ([a-d], [a-d])"
    ):
        tuned(start, tmp_path, learning_rate=1e30, max_grad_norm=0.0)
    (kept,) = (tmp_path / "run" / "tune").glob("checkpoint-*")
    assert all(torch.isfinite(weight).all() for weight in load_file(kept / "model.safetensors").values())


def test_a_gradient_that_is_not_finite_stops_before_the_step(tmp_path):
    class Root(Linear):
        def __init__(self):
            super().__init__()
            self.other = nn.Parameter(torch.ones(1))

        def forward(self, x):
            # the slope of the first is finite, that of the second at 0 infinite
            loss = self.weight.sum() + (self.other * x).abs().sqrt().sum() + (self.other - 1).abs().sqrt().sum()
            return {"loss": loss, "losses": {}}

    model, options = Root(), TrainingOptions(warmup_steps=0, workers=0, bf16=False)
    with pytest.raises(
        DataError, match=r"step 1: expected a finite gradient, .* of this step; there is no checkpoint yet"
    ):
        run_stage(model, lambda step: {"x": torch.zeros(1)}, 2, options, tmp_path, 1)
    assert model.weight.item() == 1


def test_adapters_of_a_later_stage_begin_alike_whatever_ran_before(start, tmp_path):
    stages = [{"steps": 1}, {"name": "adapt", "steps": 1, "parts": {"language_model": "lora"}}]
    whole = trained(start, tmp_path / "whole", stages)
    trained(start, tmp_path / "stopped", stages[:1])
    stopped = trained(start, tmp_path / "stopped", stages)
    for name in ("model/model.safetensors", "adapter/adapter_model.safetensors"):
        assert (whole.parent / name).read_bytes() == (stopped.parent / name).read_bytes()


def test_a_checkpoint_holds_what_is_trained_alone(start, tmp_path):
    model = tuned(start, tmp_path, steps=1)
    network, _ = open_pretrained(model)
    kept = load_file(model.parent / "checkpoint-1" / "model.safetensors")
    assert {name.removeprefix("model.") for name in kept} == {
        name for name, _ in network.named_parameters() if name.startswith("projection.")
    }


def test_frozen_weights_may_be_bfloat16(start, tmp_path):
    parts = {"projection": "full", "language_model": "lora"}
    model = tuned(start, tmp_path, dtype="bfloat16", parts=parts, bf16=True, checkpointing=True)
    assert load_file(model.parent / "checkpoint-4" / "model.safetensors").values()
    trained = load_file(model.parent / "checkpoint-4" / "model.safetensors")
    assert {weight.dtype for weight in trained.values()} == {torch.float32}
    assert {weight.dtype for weight in load_file(model / "model.safetensors").values()} == {torch.bfloat16}


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param(
            {"held_out": {"path": "x", "patience": 0}}, "held_out.patience: expected a whole number", id="patience"
        ),
        pytest.param({"held_out": {}}, "held_out.path", id="no_path"),
        pytest.param(
            {"held_out": {"path": "x", "patience": 1, "keep": "last"}},
            "patience: expected beside keep: best",
            id="keep",
        ),
        pytest.param({"accumulate": 0}, "accumulate: expected a whole number from 1", id="accumulate"),
        pytest.param({"checkpointing": True, "guide_weight": 0.1}, "checkpointing: expected false beside", id="guided"),
        pytest.param({"report_to": ["wandbb"]}, "report_to: .* did you mean 'wandb'", id="tracker"),
        pytest.param(
            {"accumulate": 3, "steps": None, "data": [{"path": "train.jsonl", "epochs": 1}]},
            "steps: expected at most 0, as data end after 4 samples",
            id="fewer_than_a_step",
        ),
    ],
)
def test_wrong_options_are_refused(start, tmp_path, changes, match, monkeypatch):
    monkeypatch.chdir(start)
    with pytest.raises(ConfigError, match=match):
        tuned(start, tmp_path, **changes)
    assert not (tmp_path / "run").exists()


def test_adapters_beside_quantized_weights_are_added_to_the_whole_ones(start, tmp_path):
    changes = {"parts": {"language_model": "lora"}, "lora": {"dropout": 0.0}, "learning_rate": 0.01}
    model = trained(start, tmp_path / "run", [changes], quantization="int8")
    before, after = (load_file(folder / "model.safetensors") for folder in (start / "model", model))
    lora = load_file(model.parent / "adapter" / "adapter_model.safetensors")
    targets = [name for name in before if name.endswith(("q_proj.weight", "v_proj.weight")) and "language" in name]
    assert targets
    for name, weight in before.items():
        if name in targets:
            down, up = (lora[f"base_model.model.{name.removesuffix('.weight')}.lora_{end}.weight"] for end in "AB")
            assert up.abs().max() > 1e-3
            weight = weight + 2 * up @ down  # alpha / rank
        torch.testing.assert_close(after[name], weight)
