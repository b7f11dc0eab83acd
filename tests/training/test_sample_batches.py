"""Training on samples from files: rows, which are skipped and why, and runs that end as unbroken ones."""

import json
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from deixis.cli import main
from deixis.files.yaml_text import read_yaml
from deixis.geometry import Region
from deixis.samples.mixtures.mixture import Mixture, MixtureRecipe, Part
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.samples.shards import write_shard
from deixis.training.guidance import SAMPLE_IDS
from deixis.training.recipe_file import parse_recipe
from deixis.training.sample_batches import SampleBatches
from tests.rows import DEIXIS
from tests.toy import toy_audio, toy_image, toy_model_folder, toy_point_cloud, toy_recipe

REPLAY = {"share": 0.5, "data": [{"path": "a"}]}
CELLS = {"image": 64, "audio": 200, "point_cloud": 64}
SHIPPED = Path(__file__).parents[2] / "recipes" / "finetune.yaml"
pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")

MASK = np.zeros((24, 40), bool)
MASK[4:12, 8:20] = True


def about(number: int, name: str, *turns: tuple[str, str], kind: str = "image", **change) -> Sample:
    """A sample about medium `number` of a modality, with one region in all forms."""
    media = {
        "image": MediaReference(f"p/{number}", "image", size_hw=(24, 40), values=toy_image(seed=number)),
        "audio": MediaReference(
            f"s/{number}", "audio", duration_s=2.0, rate_hz=16000, values=toy_audio(seed=number)[0]
        ),
        "point_cloud": MediaReference(
            f"c/{number}", "point_cloud", point_count=100, values=toy_point_cloud(seed=number)
        ),
    }
    regions = {
        "image": Region(box=(8.0, 4.0, 20.0, 12.0), mask=MASK),
        "audio": Region(span=(0.5, 1.5)),
        "point_cloud": Region(points=np.arange(10, 60)),
    }
    pairs = tuple(Turn(*turn) for turn in turns or (("What is {0}?", "A mug."), ("Where?", "[Here]{0}.")))
    sample = Sample(f"{kind}/{number}/{name}", "made up", "refer", "train", pairs, (media[kind],), (regions[kind],))
    return replace(sample, **change)


GOOD = [
    *(about(number, name) for number in range(3) for name in "ab"),
    about(0, "mask", ("Mark it.", "[It]{0:mask}.")),
    about(0, "sound", kind="audio"),
    about(0, "cloud", ("Mark it.", "[It]{0}."), kind="point_cloud"),
    Sample("words", "made up", "talk", "train", (Turn("Hello", "Hello."),)),
]


@pytest.fixture
def batches(toy, tmp_path):
    """Batches of samples that are written to a shard first."""

    def make(samples, count=10, max_tokens=200, ending=".jsonl", least_crop=1.0, **part):
        path = tmp_path / f"data{ending}"
        written = write_shard(samples, path)
        if written.skipped:  # what is not written by us may be written by others
            with path.open("a") as file:
                file.write(json.dumps(samples[-1].to_json()) + "\n")
        mixture = Mixture(MixtureRecipe((Part(str(path), **part),)), 3)
        folder = tmp_path / "run"
        return SampleBatches(mixture, toy[1], DEIXIS, CELLS, count, max_tokens, None, folder, least_crop=least_crop)

    return make


def same(first: dict, second: dict) -> bool:
    first, second = ({**batch, **batch["signals"], "signals": torch.zeros(0)} for batch in (first, second))
    if first.pop(SAMPLE_IDS) != second.pop(SAMPLE_IDS):
        return False
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.parametrize("ending", [".jsonl", ".tar", ".parquet"])
def test_samples_of_all_kinds_and_forms_are_learnt(batches, toy, ending):
    batch = batches(GOOD, ending=ending)(0)
    assert len(batch["signals"]["image"]) == 3  # seven samples about three images
    assert len(batch["input_ids"]) == 6
    assert len(batch["seg_target"]) == 2
    assert len(batch["region_points"]) == 7
    network = toy[0]
    loss = network(**batch).losses
    assert {"text", "bce", "dice"} <= loss.keys()
    assert all(torch.isfinite(value) for value in loss.values())


def test_each_draw_of_an_image_is_another_part_and_a_step_always_the_same(batches):
    samples, other = GOOD[:1], GOOD[-3:]  # sound, points and words have no parts
    make = batches(samples, count=4, least_crop=0.5)
    assert len({values.numpy().tobytes() for values in make(0)["signals"]["image"]}) == 4
    assert same(make(0), batches(samples, count=4, least_crop=0.5)(0))
    assert same(batches(other, least_crop=0.5)(0), batches(other)(0))


def test_words_alone_are_learnt(batches, toy):
    batch = batches(GOOD[-1:], count=2)(0)
    assert torch.isfinite(toy[0](**batch).loss)


def test_masks_of_files_are_those_of_memory(batches, toy):
    from deixis.model.masks.cells import region_to_cells
    from deixis.signals import open_signal

    sample = GOOD[6]
    prepared = toy[1].prepare(open_signal(sample.signals[0].values))
    wanted = region_to_cells(sample.regions[0], prepared, CELLS["image"])
    assert np.array_equal(batches([sample], count=1)(0)["seg_target"][0].numpy(), wanted)


def test_a_full_row_makes_room_in_another(batches):
    one = batches([about(0, "a")], count=1)(0)["input_ids"].shape[1]
    made = batches([about(0, name) for name in "abcde"], count=5, max_tokens=one)
    assert len(made(0)["input_ids"]) == 5
    assert made.skipped.all() == []


def test_a_step_is_a_function_of_its_number(batches):
    first, second = batches(GOOD, count=4), batches(GOOD, count=4)
    whole = [first(step) for step in range(6)]
    assert all(same(second(step), whole[step]) for step in (5, 0, 3))
    assert not same(whole[0], whole[1])


def test_a_small_set_is_opened_once(batches, monkeypatch):
    made, again = batches(GOOD, count=4), batches(GOOD, count=4)
    monkeypatch.setattr("deixis.training.sample_batches.KEPT_BYTES", 0)
    opened = [again(step) for step in range(6)]
    monkeypatch.undo()
    kept = [made(step) for step in range(5)]  # two rounds
    monkeypatch.setattr("deixis.training.sample_batches.open_media", None)
    assert all(same(first, second) for first, second in zip([*kept, made(5)], opened, strict=True))


def test_a_mixture_that_ends_has_so_many_steps(batches):
    made = batches(GOOD, count=4, epochs=1)
    assert made.steps == 3
    lengths = [len(made(step)["input_ids"]) for step in range(3)]
    assert lengths[2] <= 2
    assert batches(GOOD, count=4).steps is None


def deep(number: int) -> Sample:
    medium = MediaReference(f"d/{number}", "depth", size_hw=(24, 40), path="gone.png")
    return about(number, "deep", signals=(medium,))


BAD = [
    pytest.param(
        about(9, "x", ("Hello <image>", "Hello.")), "turns[0].user: expected plain words, got <image>", id="token"
    ),
    pytest.param(about(9, "x", ("Hello", "Hello. " * 99)), "expected at most 120 tokens (max_tokens), got", id="long"),
    pytest.param(
        about(9, "x", ("Mark it.", "{0:mask}"), regions=(Region(box=(8, 4, 20, 12)),)),
        "turns[0].assistant: {0:mask} asks for a form that regions[0] has not: it has box",
        id="form",
    ),
]


@pytest.mark.parametrize(("bad", "why"), BAD)
def test_what_cannot_be_taken_is_noted_and_another_stands_in(bad, why, batches, caplog):
    made = batches([*GOOD[:5], bad], count=6, max_tokens=120)
    batch = made(0)
    assert sum(map(len, (batch["region_points"],))) == 6  # one each, the stand-in's too
    (skipped,) = made.skipped.all()
    assert skipped.where.endswith("data.jsonl:6") or skipped.where.endswith(f"byte {len_before(made)}")
    assert why in skipped.why
    assert caplog.text.count("skipped: ") == 1
    made.skipped.report()
    assert "1 samples were skipped, see" in caplog.text


@pytest.mark.parametrize("where", ["render", "open_media", "mask_targets"])
def test_a_bug_is_no_skipped_sample(batches, monkeypatch, where):
    """An internal ValueError while a sample is prepared stops training; the sample is not listed as skipped."""
    made = batches(GOOD)

    def fail(*arguments, **options):
        raise ValueError("zip() argument 2 is shorter than argument 1")

    monkeypatch.setattr(f"deixis.training.sample_batches.{where}", fail)
    with pytest.raises(ValueError, match="is shorter than argument 1"):
        made(0)
    assert made.skipped.all() == []


def len_before(made) -> int:
    """The place of the sixth line."""
    lines = made.mixture.sets[0].shards[0].read_bytes().splitlines(keepends=True)
    return sum(map(len, lines[:5]))


def broken(path: Path, change: dict) -> None:
    """Changes the last record of a shard behind the writer's back."""
    lines = path.read_text().splitlines()
    record = json.loads(lines[-1])
    for name, value in change.items():
        record["signals"][0][name] = value
    path.write_text("\n".join([*lines[:-1], json.dumps(record)]) + "\n")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        pytest.param({"path": "images/gone.png"}, "there is no such file", id="file_gone"),
        pytest.param({"size_hw": [40, 24]}, "mask.size: expected [40, 24]", id="record_of_another_size"),
        pytest.param({"kind": "depth"}, "signals[0].kind: expected image or audio or point_cloud, which", id="kind"),
        pytest.param({"kind": "nonsense"}, "signals[0].kind: expected one of image, depth", id="no_kind"),
    ],
)
def test_files_that_changed_are_noted(change, why, batches, tmp_path):
    made = batches(GOOD[:6], count=6)
    broken(tmp_path / "data.jsonl", change)
    made.kept.clear()  # the first was opened before the file changed
    assert len(made(0)["region_points"]) == 6
    (skipped,) = made.skipped.all()
    assert why in skipped.why


def test_a_picture_of_another_size_than_the_record_says(batches, tmp_path):
    made = batches(
        [
            about(number, "a", regions=(), signals=(medium,), turns=(Turn("What?", "A mug."),))
            for number, medium in enumerate([about(1, "").signals[0], about(2, "").signals[0]])
        ],
        count=2,
    )
    broken(tmp_path / "data.jsonl", {"size_hw": [12, 20]})
    made.kept.clear()
    made(0)
    assert "signals[0].size_hw: expected [24, 40], the file's, got [12, 20]" in made.skipped.all()[0].why


def test_data_of_which_nothing_can_be_taken_is_one_sentence(batches):
    with pytest.raises(
        ValueError,
        match=r"data.jsonl: expected samples that this model can be trained on, got none "
        r"among the 3 looked at; the first: .*data.jsonl.*: expected at most 20 tokens",
    ):
        batches(GOOD[:3], max_tokens=20)


def test_a_spare_stands_in_where_all_neighbours_are_bad(batches):
    bad = [about(9, str(n), ("Hello <image>", "Hello.")) for n in range(40)]
    made = batches([*bad, GOOD[0]], count=3)
    for step in range(14):
        assert len(made(step)["region_points"]) == 3
    assert len(made.skipped.all()) == 40


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    """A folder with a toy model, and samples beside it."""
    folder = tmp_path_factory.mktemp("start")
    toy_model_folder(folder / "model")
    write_shard(GOOD, folder / "data" / "train-00000.jsonl")
    write_shard(GOOD[:2], folder / "earlier.tar")
    return folder


def recipe(start: Path, **changes) -> dict:
    stage = toy_recipe()["stages"][1] | {"name": "tune", "data": [{"path": str(start / "data")}], "batch": {"data": 3}}
    stage = {k: v for k, v in (stage | {"dense_weight": 0.0} | changes).items() if v is not None}
    return {"seed": 3, "init": str(start / "model"), "stages": [stage]}


def run(plan: dict, out: Path) -> int:
    path = out.with_suffix(".yaml")
    path.write_text(yaml.safe_dump(plan))
    with pytest.raises(SystemExit) as ended:
        main(["train", str(path), "--out", str(out)])
    return ended.value.code


def test_data_and_the_world_share_a_step(start, tmp_path):
    plan = recipe(start, batch={"data": 2, "image": 1, "pair": 1}, steps=1, questions=2, max_tokens=400)
    assert parse_recipe(plan).uses_world
    assert not parse_recipe(recipe(start)).uses_world
    assert run(plan, tmp_path / "out") == 0


def test_epochs_say_how_many_steps(start, tmp_path, capsys):
    data = [{"path": str(start / "data"), "epochs": 2}]
    assert run(recipe(start, data=data, steps=None, save_steps=7, batch={"data": 3}), tmp_path / "out") == 0
    assert (tmp_path / "out" / "tune" / "checkpoint-7").is_dir()  # 20 samples
    assert run(recipe(start, data=data, steps=8), tmp_path / "more") == 2
    assert "steps: expected at most 7, as data end after 20 samples, got 8" in capsys.readouterr().err
    assert not (tmp_path / "more").exists()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        pytest.param({"data": None}, "got data in the batch and none in the stage", id="batch_alone"),
        pytest.param({"batch": {"image": 1}}, "got data in the stage and none in the batch", id="stage_alone"),
        pytest.param({"data": []}, "stage tune: data: expected a list of parts", id="no_parts"),
        pytest.param({"data": [{"path": "no/such"}]}, "no/such: expected a file of samples", id="no_such_set"),
        pytest.param({"replay": 0.1}, "replay: expected fields with values; got 0.1", id="replay"),
        pytest.param(
            {"data": None, "batch": {"image": 1}, "replay": REPLAY}, "replay: expected beside", id="only_replay"
        ),
        pytest.param({"dense_weight": 0.1}, "dense_weight: expected 0 beside data", id="dense"),
        pytest.param({"task": "dense"}, "stage tune: data: unknown field; known are", id="task"),
        pytest.param({"steps": None}, "steps: expected a number of steps, or data", id="no_end"),
        pytest.param({"batch": {"data": 0}}, "batch.data: expected a whole number from 1; got 0", id="none_a_step"),
        pytest.param({"batch": {"data": 1, "smell": 1}}, "batch.smell: unknown field; known are image", id="kind"),
    ],
)
def test_a_wrong_recipe_is_one_sentence_and_writes_nothing(changes, sentence, start, tmp_path, capsys):
    assert run(recipe(start, **changes), tmp_path / "out") == 2
    shown = capsys.readouterr().err
    assert sentence in shown
    assert shown.count("\n") == 1
    assert not (tmp_path / "out").exists()


def test_the_shipped_recipe_trains_the_bundled_model(start):
    from deixis.training import recipe as recipes
    from deixis.training.start import dense_heads, start_model

    values = read_yaml(SHIPPED)
    (stage,) = values["stages"]
    stage |= {"data": [{"path": str(start / "data" / "train-*")}], "batch": dict.fromkeys(stage["batch"], 1)}
    plan = parse_recipe(values)
    (stage,) = plan.stages
    model, processor = start_model(plan)
    mixture = Mixture(stage.mixture, 7)
    network, batches = recipes.stage_network(stage, model, dense_heads(model), processor, 7, start / "run", mixture)
    output = network.train()(**batches(0))
    output["loss"].backward()
    assert torch.isfinite(output["loss"])
    assert "guide" in output["losses"]
