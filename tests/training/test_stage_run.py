"""Running a recipe: a run that was stopped ends as an unbroken one, half a checkpoint counts for nothing."""

import json
import os
import shutil
import signal
import sys

import pytest
import torch
import yaml
from safetensors.torch import load_file

from deixis.checkpoints import open_pretrained
from deixis.cli import main
from deixis.errors import CheckpointError, ConfigError, DataError, OutputError
from deixis.files.locks import alone_in
from deixis.model import DeixisForConditionalGeneration
from deixis.training import recipe as recipes
from deixis.training.recipe import train
from deixis.training.run_folder import last_checkpoint
from deixis.training.stage_run import TrainingOptions, run_stage, runs_mixed
from tests.toy import cut_short, toy_plan, toy_recipe

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")


@pytest.fixture(autouse=True)
def few_words(monkeypatch):
    monkeypatch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)


def weights(folder):
    state = {}
    for path in sorted(folder.glob("*.safetensors")):
        state |= load_file(path)
    return state


def interrupt(monkeypatch, step):
    """Interrupts the stage of instructions at `step`."""
    stage = recipes.stage_network

    def stopping(options, *rest):
        network, batches = stage(options, *rest)
        return network, cut_short(step)(batches) if options.task == "instruct" else batches

    monkeypatch.setattr(recipes, "stage_network", stopping)
    return lambda: monkeypatch.setattr(recipes, "stage_network", stage)


@pytest.fixture(scope="module")
def unbroken(tmp_path_factory):
    """The folder of a run from beginning to end."""
    out = tmp_path_factory.mktemp("unbroken")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)
        assert train(toy_plan(), out) == out / "instruct" / "model"
    return out


def test_a_run_leaves_a_model_for_every_stage(unbroken):
    for stage in ("dense", "instruct"):
        network, processor = open_pretrained(unbroken / stage / "model")
        assert not network.training
        assert processor.specs["image"]["size_px"] == 32
        assert list((unbroken / stage / "logs").glob("events*"))
    dense, instruct = (weights(unbroken / stage / "model") for stage in ("dense", "instruct"))
    learnt = {name for name in dense if not torch.equal(dense[name], instruct[name])}
    assert any(name.startswith("language_model") for name in learnt)
    assert any(name.startswith("field_encoder") for name in learnt)
    assert not list(unbroken.rglob("*.part"))


def test_every_loss_is_logged_by_its_name(unbroken):
    state = json.loads((unbroken / "instruct" / "checkpoint-4" / "trainer_state.json").read_text())
    names = {name for record in state["log_history"] for name in record}
    assert {"loss", "text", "image/kind", "audio/loss", "point_cloud/box", "learning_rate"} <= names


def test_a_stopped_run_ends_as_an_unbroken_one(unbroken, tmp_path, monkeypatch):
    restore = interrupt(monkeypatch, step=3)
    with pytest.raises(KeyboardInterrupt):
        train(toy_plan(), tmp_path)
    restore()
    half = tmp_path / "instruct" / "checkpoint-3"  # as a kill leaves it: written in part, not marked as done
    half.mkdir()
    (half / "model.safetensors").write_bytes(b"half")
    assert last_checkpoint(tmp_path / "instruct") == tmp_path / "instruct" / "checkpoint-2"
    assert not half.exists()
    train(toy_plan(), tmp_path)
    ours, theirs = (weights(out / "instruct" / "model") for out in (tmp_path, unbroken))
    assert ours.keys() == theirs.keys()
    for name, weight in theirs.items():
        torch.testing.assert_close(ours[name], weight, atol=1e-6, rtol=1e-5, msg=name)


@pytest.fixture(scope="module")
def stopped(tmp_path_factory):
    """The folder of a run that was stopped after the second step of its last stage."""
    out = tmp_path_factory.mktemp("stopped")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("deixis.training.new_model.TEXT_SIGNALS", 6)
        interrupt(patch, step=3)
        with pytest.raises(KeyboardInterrupt):
            train(toy_plan(), out)
    return out


@pytest.mark.parametrize(
    ("name", "content"),
    [
        pytest.param("trainer_state.json", b"", id="state_empty"),
        pytest.param("trainer_state.json", b"{}", id="state_object"),
        pytest.param("optimizer.pt", b"", id="optimizer_empty"),
        pytest.param("optimizer.pt", bytes(2_000), id="optimizer_zeros"),
        pytest.param("scheduler.pt", b"{}", id="scheduler_object"),
        pytest.param("rng_state.pth", bytes(2_000), id="random_numbers_zeros"),
        pytest.param("model.safetensors", b"", id="weights_empty"),
        pytest.param("model.safetensors", bytes(2_000), id="weights_zeros"),
    ],
)
def test_a_damaged_checkpoint_is_named_and_can_be_removed(stopped, tmp_path, name, content):
    out = tmp_path / "out"
    shutil.copytree(stopped, out)
    checkpoint = out / "instruct" / "checkpoint-2"
    assert (checkpoint / name).is_file()
    (checkpoint / name).write_bytes(content)
    told = f"'{checkpoint}': expected a checkpoint to go on from, got a damaged one .*; remove it, and the same command"
    with pytest.raises(CheckpointError, match=told):
        train(toy_plan(), out)


@pytest.mark.parametrize(
    "content", [b"", b"stages: 5", b"\x00", b"a: b: c"], ids=["empty", "field", "zeros", "no_yaml"]
)
def test_a_damaged_copy_of_the_recipe_is_named(stopped, tmp_path, content):
    out = tmp_path / "out"
    out.mkdir()
    (out / "recipe.yaml").write_bytes(content)
    with pytest.raises(DataError, match=r"recipe.yaml': .* got a damaged file .*; put the recipe there again"):
        train(toy_plan(), out)


def test_damaged_heads_of_the_stage_before_are_named(stopped, tmp_path):
    out = tmp_path / "out"
    shutil.copytree(stopped, out)
    (out / "dense" / "model" / "dense_heads.safetensors").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"dense_heads.safetensors': .* got a damaged file .*that stage again"):
        train(toy_plan(), out)


def test_one_process_at_a_time_trains_in_a_folder(tmp_path):
    with alone_in(tmp_path), pytest.raises(OutputError, match="is writing it now"):
        train(toy_plan(), tmp_path)


def test_a_finished_run_is_not_run_again(unbroken, monkeypatch):
    monkeypatch.setattr(recipes, "run_stage", None)
    assert train(toy_plan(), unbroken) == unbroken / "instruct" / "model"


def stages(**changes):
    """The stages of the toy recipe; `changes` of fields by the name of a stage."""
    return [{**stage, **changes.get(stage["name"], {})} for stage in toy_recipe()["stages"]]


@pytest.mark.parametrize(
    ("change", "named"),
    [
        pytest.param({"seed": 4}, ["its seed is 3, now it is 4"], id="seed"),
        pytest.param({"vocab_size": 301}, ["its vocab_size is 300, now it is 301"], id="vocab_size"),
        pytest.param(
            {"model": {**toy_recipe()["model"], "number_spread": 1.0}},
            ["its model.number_spread is 12.0, now it is 1.0"],
            id="network",
        ),
        pytest.param(
            {"stages": stages(dense={"batch": {"image": 1}}, instruct={"learning_rate": 0.5, "steps": 3})},
            [
                "its stages.dense.batch.image is 2, now it is 1",
                "its stages.dense.batch.audio is 1, now it is null",
                "its stages.dense.batch.point_cloud is 1, now it is null",
                "its stages.instruct.learning_rate is 0.001, now it is 0.5",
                "its stages.instruct.steps is 4, now it is 3",
            ],
            id="every_field_is_named",
        ),
        pytest.param(
            {"stages": stages(dense={"steps": 5})},
            ["its stages.dense.steps is 4, now it is 5"],
            id="more_steps_below_a_stage_that_began_from_it",
        ),
        pytest.param(
            {"stages": stages()[1:]}, ["its stages are dense, instruct, now they are instruct"], id="fewer_stages"
        ),
        pytest.param(
            {"stages": [{**stages()[0], "name": "first"}, *stages()]},
            ["its stages are dense, instruct, now they are first, dense, instruct"],
            id="a_stage_before",
        ),
    ],
)
def test_a_folder_of_another_recipe_is_refused(unbroken, change, named):
    before = {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")}
    with pytest.raises(ConfigError, match="holds a run of another recipe") as refused:
        train(toy_plan(**change), unbroken)
    assert f"({'; '.join(named)}); choose another folder" in str(refused.value)
    assert {path: path.stat().st_mtime_ns for path in unbroken.rglob("*")} == before


def test_a_finished_run_goes_on_with_more_steps(unbroken, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(unbroken, out)
    more = {"steps": 6, "workers": 1, "save_steps": 5, "log_steps": 1}
    plan = toy_plan(stages=[*stages(instruct=more), {**stages()[1], "name": "last", "steps": 1}])
    assert train(plan, out) == out / "last" / "model"
    assert last_checkpoint(out / "instruct") == out / "instruct" / "checkpoint-6"
    assert weights(out / "dense" / "model").keys() == weights(unbroken / "dense" / "model").keys()
    before, kept, after = (weights(folder / "instruct" / name) for folder, name in (
        (unbroken, "model"), (out, "model-4"), (out, "model")
    ))  # fmt: skip
    assert all(torch.equal(kept[name], weight) for name, weight in before.items())
    assert any(not torch.equal(after[name], weight) for name, weight in before.items())
    state = json.loads((out / "instruct" / "checkpoint-6" / "trainer_state.json").read_text())
    assert [line["step"] for line in state["log_history"] if "loss" in line] == [2, 4, 5, 6]


def test_more_steps_require_the_last_checkpoint(unbroken, tmp_path):
    out = tmp_path / "run"
    shutil.copytree(unbroken, out, ignore=shutil.ignore_patterns("checkpoint-4"))
    with pytest.raises(ConfigError, match="expected the checkpoint of step 4 to go on from, got none; train further"):
        train(toy_plan(stages=stages(instruct={"steps": 6})), out)
    assert train(toy_plan(), out) == out / "instruct" / "model"


def test_a_run_in_which_nothing_was_trained_takes_any_recipe(tmp_path, monkeypatch):
    restore = interrupt(monkeypatch, step=0)
    only = {"stages": stages()[1:]}
    with pytest.raises(KeyboardInterrupt):
        train(toy_plan(**only), tmp_path)
    restore()
    changed = toy_plan(stages=stages(instruct={"steps": 1, "learning_rate": 0.5})[1:], seed=9)
    assert train(changed, tmp_path) == tmp_path / "instruct" / "model"


def test_training_goes_on_from_a_trained_model(unbroken, tmp_path):
    start = unbroken / "instruct" / "model"
    stage = {**toy_recipe()["stages"][1], "name": "more", "steps": 1, "learning_rate": 0.0, "weight_decay": 0.0}
    recipe = toy_plan(model=None, vocab_size=None, init=str(start), stages=[stage])
    done = train(recipe, tmp_path)
    trained, before = DeixisForConditionalGeneration.from_pretrained(done), weights(start)
    assert all(torch.equal(before[name], w) for name, w in trained.state_dict().items() if name in before)


@pytest.mark.parametrize("missing", [pytest.param(True, id="none"), pytest.param(False, id="only_halves")])
def test_without_a_whole_checkpoint_there_is_none(tmp_path, missing):
    folder = tmp_path / "stage"
    if not missing:
        (folder / "checkpoint-10").mkdir(parents=True)
        (folder / "checkpoint-20").mkdir()
    assert last_checkpoint(folder) is None
    assert not list(tmp_path.rglob("checkpoint-*"))


@pytest.fixture
def command(capsys):
    """Runs `deixis train WORDS` in this process; returns (exit code, stdout, stderr)."""

    def run(*words):
        with pytest.raises(SystemExit) as ended:
            main(["train", *map(str, words)])
        return ended.value.code, *capsys.readouterr()

    return run


def test_the_command_trains_and_goes_on_after_an_interrupt(command, tmp_path, monkeypatch):
    path, out = tmp_path / "toy.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(toy_recipe(stages=toy_recipe()["stages"][1:])))
    restore = interrupt(monkeypatch, step=3)
    code, printed, shown = command(path, "--out", out)
    assert (code, "model is in" in printed) == (130, False)
    assert f"\nstopped; to resume: deixis train {path} --out {out}\n" in shown
    assert "Traceback" not in shown
    restore()
    code, printed, shown = command(path, "--out", out)
    assert code == 0
    assert printed.endswith(f"the model is in {out / 'instruct' / 'model'}\n")
    assert "4/4" in shown
    assert command(path, "--out", out)[1].endswith("model, trained before: nothing was left to do\n")


@pytest.mark.skipif(sys.platform == "win32", reason="there it ends the process at once")
def test_the_command_tells_how_it_goes_on_after_a_signal_too(command, tmp_path, monkeypatch):
    path, out = tmp_path / "toy.yaml", tmp_path / "run"
    path.write_text(yaml.safe_dump(toy_recipe()))
    monkeypatch.setattr(recipes, "stage_network", lambda *arguments: os.kill(os.getpid(), signal.SIGTERM))
    code, printed, shown = command(path, "--out", out)
    assert (code, printed) == (143, "")
    assert shown.endswith(f"\nstopped; to resume: deixis train {path} --out {out}\n")


@pytest.mark.parametrize(
    ("text", "words", "sentence"),
    [
        pytest.param(None, [], "toy.yaml: expected a recipe, got no such file", id="no_file"),
        pytest.param("a: 1", [], "expected a recipe with `stages` and `model` or `init`", id="no_recipe"),
        pytest.param("a: 1", ["--out", "TOY"], "--out: expected a folder, got the file", id="out_is_a_file"),
        pytest.param("a: 1", ["--steps", "3"], "--steps", id="unknown_option"),
    ],
)
def test_a_mistake_is_one_sentence_and_writes_nothing(command, tmp_path, text, words, sentence):
    path = tmp_path / "toy.yaml"
    if text is not None:
        path.write_text(text)
    before = sorted(tmp_path.rglob("*"))
    code, printed, shown = command(path, *(word.replace("TOY", str(path)) for word in words))
    assert (code, printed) == (2, "")
    assert sentence in shown
    assert shown.count("\n") == 1
    assert sorted(tmp_path.rglob("*")) == before


class Slope(torch.nn.Module):
    """A network of one weight."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, x):
        return {"loss": (self.weight * x).sum(), "losses": {}}


@pytest.mark.parametrize(
    ("bf16", "is_fast", "dtype", "expected", "told"),
    [
        pytest.param(True, True, torch.float32, True, "", id="fast"),
        pytest.param(False, True, torch.float32, False, "", id="not wanted"),
        pytest.param(True, False, torch.float32, False, "matrix products run in float32", id="slow"),
        pytest.param(True, False, torch.bfloat16, True, "dtype: float32 would be faster", id="slow, held in bfloat16"),
    ],
)
def test_bfloat16_where_the_processor_is_fast_in_it(monkeypatch, caplog, bf16, is_fast, dtype, expected, told):
    monkeypatch.setattr("torch.ops.mkldnn._is_mkldnn_bf16_supported", lambda: is_fast)
    with caplog.at_level("INFO", "deixis"):
        assert runs_mixed(torch.nn.Linear(2, 2, dtype=dtype), TrainingOptions(bf16=bf16)) == expected
    assert told in caplog.text
    assert bool(told) == bool(caplog.text)


def gone(step):
    if step == 2:
        raise DataError("data/train.jsonl: expected a file, got none")
    return {"x": torch.ones(1)}


@pytest.mark.parametrize("workers", [0, 1])
def test_an_error_while_batches_are_made_is_one_sentence(tmp_path, workers):
    options = TrainingOptions(workers=workers, bf16=False)
    with pytest.raises(DataError, match=r"^data/train\.jsonl: expected a file, got none$"):
        run_stage(Slope(), gone, 4, options, tmp_path, seed=1)


@pytest.mark.skipif(sys.platform == "win32", reason="there are no limits on the sizes of files")
def test_a_checkpoint_without_room_is_one_sentence_and_the_one_before_stays(tmp_path):
    import resource

    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)

    def batches(step):
        if step == 3:  # the states of random numbers do not fit any more
            resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, hard))
        return {"x": torch.ones(1)}

    options = TrainingOptions(workers=0, bf16=False, save_steps=2, log_steps=100)
    try:
        with pytest.raises(OutputError, match="the file is larger than the system allows"):
            run_stage(Slope(), batches, 6, options, tmp_path, seed=1)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert (tmp_path / "checkpoint-4").is_dir()
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-2"
    run_stage(model := Slope(), batches_without_end, 6, options, tmp_path, seed=1)
    assert last_checkpoint(tmp_path) == tmp_path / "checkpoint-6"
    assert model.weight < 1


def batches_without_end(step):
    return {"x": torch.ones(1)}
