"""Training a classifier of clouds: recipes, the published loss and augmentation, and real clouds that are learnt."""

import json
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
import yaml

from deixis.cli import main
from deixis.datasets.classification.class_clouds import ClassClouds
from deixis.datasets.classification.cloud_files import read_points
from deixis.errors import CheckpointError
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.systems.pointmlp.classifier import CloudClassifier, load_classifier
from deixis.training.classifier import ClassBatches, ClassifyRecipe, CloudData, augment, score, smoothed_loss
from deixis.training.recipe import train
from deixis.training.recipe_file import parse_recipe, read_recipe
from tests.clouds import ball, class_folders, modelnet_h5, stick

pytestmark = pytest.mark.filterwarnings("ignore:.*pin_memory.*:UserWarning")
SHIPPED = sorted((Path(__file__).parents[2] / "recipes").glob("pointmlp*.yaml"))
MODEL = {
    "preset": "pointmlp-elite",
    "points": 32,
    "embed_dim": 8,
    "dim_expansion": [2, 2],
    "pre_blocks": [1, 1],
    "pos_blocks": [1, 1],
    "k_neighbors": [8, 8],
    "reducers": [2, 2],
}


def toy(folder, **changes):
    recipe = {"task": "classify", "model": MODEL, "data": {"folder": str(folder)}, "epochs": 6, "batch": 4}
    recipe |= {"learning_rate": 0.05, "workers": 0, "evaluate_epochs": 3, **changes}
    return {name: value for name, value in recipe.items() if value is not None}


def written(path, recipe):
    path.write_text(yaml.safe_dump(recipe))
    return path


@pytest.mark.parametrize(
    ("changes", "match"),
    [
        pytest.param({"steps": 3}, "steps: unknown field; known are data, model, task", id="unknown_field"),
        pytest.param({"data": None}, "data: expected fields of CloudData; got none", id="no_data"),
        pytest.param({"data": {"path": "x"}}, "data.path: unknown field; known are folder, variant", id="data_field"),
        pytest.param({"model": None}, "model: expected fields of PointMLPConfig; got none", id="no_model"),
        pytest.param(
            {"model": {"preset": "mlp"}}, "model.preset: expected one of pointmlp, pointmlp-elite", id="preset"
        ),
        pytest.param({"model": {"depth": 2}}, "model.depth: unknown field", id="model_field"),
        pytest.param({"epochs": 0}, "epochs: expected a whole number from 1; got 0", id="no_epoch"),
        pytest.param({"batch": 2.5}, "batch: expected a whole number from 1; got 2.5", id="half_a_cloud"),
        pytest.param({"learning_rate": "1e-1"}, "got '1e-1'; YAML requires 1.0e-3 for 1e-3", id="word"),
        pytest.param(
            {"label_smoothing": 1.0}, "label_smoothing: expected a number from 0 and below 1; got 1.0", id="smoothing"
        ),
        pytest.param({"scale": 0.5}, "scale: expected a number from 1; got 0.5", id="scale"),
    ],
)
def test_a_wrong_recipe_is_refused(tmp_path, changes, match):
    with pytest.raises(ValueError, match=match):
        read_recipe(written(tmp_path / "toy.yaml", toy(tmp_path, **changes)))


@pytest.mark.parametrize("path", [pytest.param(path, id=path.stem) for path in SHIPPED])
def test_shipped_recipes_are_whole(path):
    recipe = read_recipe(path)
    assert isinstance(recipe, ClassifyRecipe)
    assert recipe.model.points == 1024


def test_data_that_does_not_fit_leaves_nothing(tmp_path):
    modelnet_h5(tmp_path / "data")
    with pytest.raises(ValueError, match="batch: expected at most the 8 clouds there are, got 9"):
        train(parse_recipe(toy(tmp_path / "data", batch=9)), tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_loss_is_the_published_one():
    """One minus smoothing on the class, the rest shared out among the others (helper.py, cal_loss)."""
    logits, labels = torch.randn(5, 4, generator=torch.Generator().manual_seed(0)), torch.tensor([0, 3, 1, 1, 2])
    target = torch.full((5, 4), 0.2 / 3)
    target[torch.arange(5), labels] = 0.8
    expected = -(target * logits.log_softmax(1)).sum(1).mean()
    torch.testing.assert_close(smoothed_loss(logits, labels, 0.2), expected)


def test_clouds_are_stretched_and_moved_along_each_axis():
    recipe = ClassifyRecipe(data=CloudData(folder="a"), model=PointMLPConfig(), scale=1.5, shift=0.2)
    clouds = np.random.default_rng(0).normal(size=(400, 30, 3)).astype(np.float32)
    moved = augment(clouds, recipe, np.random.default_rng(1))
    assert moved.dtype == np.float32
    assert not np.array_equal(moved, augment(clouds, recipe, np.random.default_rng(2)))
    ratio = moved.std(1) / clouds.std(1)
    assert 0.66 < ratio.min() < 0.68
    assert 1.48 < ratio.max() < 1.51
    shift = moved.mean(1) - clouds.mean(1) * ratio
    assert 0.19 < np.abs(shift).max() < 0.2001
    # the points are the same ones in another order, along each axis
    order = clouds[0, :, 0].argsort()[moved[0, :, 0].argsort().argsort()]
    np.testing.assert_allclose(clouds[0, order] * ratio[0] + shift[0], moved[0], atol=1e-4)
    assert not np.array_equal(order, np.arange(30))


def test_an_epoch_goes_through_the_clouds_once():
    clouds = ClassClouds(np.zeros((10, 4, 3), np.float32), np.arange(10))
    batches = ClassBatches(clouds, ClassifyRecipe(data=CloudData(folder="a"), model=PointMLPConfig(), batch=3, seed=5))
    assert batches.steps_per_epoch == 3
    epochs = [[int(label) for step in range(3) for label in batches(3 * epoch + step)["labels"]] for epoch in (0, 1)]
    assert all(len(set(epoch)) == 9 for epoch in epochs)
    assert epochs[0] != epochs[1]
    assert torch.equal(batches(4)["points"], batches(4)["points"])


class Told(torch.nn.Module):
    """Predicts for each cloud the class that its first coordinate is."""

    def __init__(self):
        super().__init__()
        self.weight = torch.nn.Parameter(torch.ones(()))

    def forward(self, points):
        return torch.nn.functional.one_hot(points[:, 0, 0].long(), 3) * self.weight


def test_scores_are_over_all_clouds_and_over_classes():
    told, labels = [0, 0, 1, 2, 0], np.array([0, 0, 0, 0, 1])
    points = np.zeros((5, 2, 3), np.float32)
    points[:, :, 0] = np.array(told)[:, None]
    scores = score(Told(), ClassClouds(points, labels), ("a", "b", "c"), 2)
    assert scores == {"overall": 0.4, "mean_class": 0.25, "classes": {"a": 0.5, "b": 0.0}}


@pytest.fixture(scope="module")
def trained(tmp_path_factory):
    """The folder of a run on balls and sticks, in ModelNet40's layout, through the command line."""
    folder = tmp_path_factory.mktemp("trained")
    modelnet_h5(folder / "data", times=6)
    recipe = written(folder / "toy.yaml", toy(folder / "data", epochs=20, batch=8, evaluate_epochs=5))
    with pytest.raises(SystemExit, match=r"^0$"):
        main(["train", str(recipe), "--out", str(folder / "out")])
    return folder / "out"


def test_a_run_leaves_a_classifier_that_tells_new_clouds(trained):
    classifier = load_classifier(trained / "classify" / "model")
    assert classifier.classes == ("ball", "night_stand")
    assert classifier.unit_sphere
    right = 0
    for make, name in ((ball, "ball"), (stick, "night_stand")):
        for seed in range(2000, 2010):  # at other places, of other sizes and numbers of points
            told = classifier.predict(make(30 + seed % 20, seed) * 30 + 7)
            right += next(iter(told)) == name
            assert sum(told.values()) == pytest.approx(1, abs=1e-5)
            assert list(told.values()) == sorted(told.values(), reverse=True)
    assert right >= 17  # of 20


def test_a_run_says_its_scores_and_its_losses(trained):
    scores = json.loads((trained / "classify" / "scores.json").read_text())
    assert scores["test"]["overall"] == scores["test"]["mean_class"] > 0.85  # as many clouds of each class
    assert set(scores["train"]["classes"]) == {"ball", "night_stand"}
    newest = max((trained / "classify").glob("checkpoint-*"), key=lambda path: int(path.name.split("-")[1]))
    history = json.loads((newest / "trainer_state.json").read_text())["log_history"]
    losses = [row["class"] for row in history if "class" in row]
    assert np.mean(losses[-4:]) < 0.9 * np.mean(losses[:4])
    assert [row["step"] for row in history if "test_mean_class" in row] == [30, 60, 90, 120]
    rates = [row["learning_rate"] for row in history if "learning_rate" in row]
    assert rates[0] == pytest.approx(0.05, rel=0.05)
    assert rates[-1] == pytest.approx(0.005, rel=0.1)


def test_a_finished_run_is_left_alone_and_another_recipe_refused(trained, capsys):
    before = (trained / "classify" / "model" / "model.safetensors").stat().st_mtime_ns
    recipe = read_recipe(trained / "recipe.yaml")
    assert train(recipe, trained) == trained / "classify" / "model"
    assert (trained / "classify" / "model" / "model.safetensors").stat().st_mtime_ns == before
    with pytest.raises(ValueError, match=r"holds a run of another recipe \(its epochs is 20, now it is 21"):
        train(replace(recipe, epochs=21), trained)


@pytest.mark.parametrize(
    ("content", "why"),
    [
        pytest.param('{"test": {"overall": 0.5', "Expecting", id="cut"),
        pytest.param('{"test": {"overall": 0.5}}', "'mean_class'", id="lacks_a_score"),
        pytest.param('{"test": {"overall": "half", "mean_class": 1}}', "could not convert", id="text_for_a_score"),
        pytest.param("[1]", "no attribute 'items'", id="list"),
    ],
)
def test_damaged_scores_of_a_finished_run_are_one_sentence(trained, tmp_path, capsys, content, why):
    run = shutil.copytree(trained, tmp_path / "run")
    (run / "classify" / "scores.json").write_text(content)
    with pytest.raises(SystemExit, match=r"^2$"):
        main(["train", str(trained / "recipe.yaml"), "--out", str(run)])
    told = capsys.readouterr().err
    assert f"'{run / 'classify' / 'scores.json'}': expected what an earlier run stored there, got a damaged" in told
    assert why in told
    assert told.endswith("; remove it; the model beside it is whole\n")


def test_a_run_that_was_stopped_ends_as_an_unbroken_one(tmp_path, monkeypatch):
    class_folders(tmp_path / "data")
    recipe = parse_recipe(toy(tmp_path / "data", epochs=12))
    train(recipe, tmp_path / "unbroken")
    make = ClassBatches.__call__

    def until(self, step):
        if step == 22:  # after the checkpoint of step 20
            raise KeyboardInterrupt
        return make(self, step)

    monkeypatch.setattr(ClassBatches, "__call__", until)
    with pytest.raises(KeyboardInterrupt):
        train(recipe, tmp_path / "broken")
    monkeypatch.undo()
    train(recipe, tmp_path / "broken")
    whole, resumed = (load_classifier(tmp_path / name / "classify" / "model") for name in ("unbroken", "broken"))
    for mine, other in zip(whole.network.state_dict().values(), resumed.network.state_dict().values(), strict=True):
        torch.testing.assert_close(mine, other, rtol=0, atol=1e-5)


def test_real_animals_are_learnt(tmp_path, shared_data):
    """Five scans, one class each, cut into disjoint clouds: clouds that were never trained on are classified."""
    for path in sorted((shared_data / "pcl_animals").glob("*.pcd")):
        points = read_points(path)
        for part in range(12):
            place = tmp_path / "data" / path.stem.removeprefix("ism_train_") / ("test" if part % 3 == 2 else "train")
            place.mkdir(parents=True, exist_ok=True)
            np.save(place / f"{part}.npy", points[part::12])
    model = {**MODEL, "points": 128, "embed_dim": 16}
    recipe = parse_recipe(toy(tmp_path / "data", model=model, epochs=20, batch=8, scale=1.1, shift=0.05))
    train(recipe, tmp_path / "out")
    scores = json.loads((tmp_path / "out" / "classify" / "scores.json").read_text())
    assert scores["train"]["overall"] > 0.6  # guessing gives 0.2
    assert scores["test"]["mean_class"] > 0.5
    classifier = load_classifier(tmp_path / "out" / "classify" / "model")
    assert set(classifier.classes) == {"cat", "horse", "lioness", "michael", "wolf"}


def edited(folder, **changes):
    record = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**record, **changes}))


@pytest.mark.parametrize(
    ("spoil", "match"),
    [
        pytest.param(lambda f: (f / "config.json").unlink(), "expected a file config.json", id="no_config"),
        pytest.param(lambda f: (f / "config.json").write_text("[]"), "is no JSON object", id="no_object"),
        pytest.param(
            lambda f: edited(f, model_type="deixis"), "expected model_type 'pointmlp' .*got 'deixis'", id="type"
        ),
        pytest.param(lambda f: edited(f, embed_dim=4), "model.safetensors does not fit config.json", id="sizes"),
        pytest.param(lambda f: edited(f, classes=["a"]), "classes: expected 2 names, got 1", id="names"),
        pytest.param(lambda f: (f / "model.safetensors").write_bytes(b"x" * 9), "does not fit", id="damaged"),
    ],
)
def test_a_folder_that_is_no_classifier(tmp_path, spoil, match):
    network = PointMLP(PointMLPConfig.of({**MODEL, "class_num": 2}))
    CloudClassifier(network, ("a", "b")).save(tmp_path / "model")
    spoil(tmp_path / "model")
    with pytest.raises(CheckpointError, match=match) as told:
        load_classifier(tmp_path / "model")
    assert str(told.value).startswith(f"classifier '{tmp_path / 'model'}': ")


def test_classes_without_names_are_numbers(tmp_path):
    CloudClassifier(PointMLP(PointMLPConfig.of({**MODEL, "class_num": 3})), ("a", "b", "c")).save(tmp_path / "model")
    record = json.loads((tmp_path / "model" / "config.json").read_text())
    del record["classes"], record["unit_sphere"]
    (tmp_path / "model" / "config.json").write_text(json.dumps(record))
    assert load_classifier(tmp_path / "model").classes == ("0", "1", "2")


@pytest.mark.parametrize(
    "cloud", [pytest.param(np.zeros((0, 3)), id="no_points"), pytest.param(np.full((4, 3), np.nan), id="not_finite")]
)
def test_a_cloud_that_cannot_be_told(cloud):
    classifier = CloudClassifier(PointMLP(PointMLPConfig.of({**MODEL, "class_num": 2})), ("a", "b"))
    with pytest.raises(ValueError, match="cloud: expected points with finite x, y, z"):
        classifier.predict(cloud)


def test_where_a_cloud_lies_and_how_large_it_is_make_no_difference(tmp_path):
    torch.manual_seed(0)
    classifier = CloudClassifier(PointMLP(PointMLPConfig.of({**MODEL, "class_num": 2})), ("a", "b"))
    cloud = ball(70, 1).astype(np.float64)
    told = classifier.predict(cloud)
    assert classifier.predict(cloud * 1000 + 50_000) == pytest.approx(told, abs=1e-4)
    classifier.unit_sphere = False
    assert classifier.predict(cloud * 3 + 1) != pytest.approx(told, abs=1e-4)
    classifier.save(tmp_path / "model")
    assert load_classifier(tmp_path / "model").predict(cloud) == pytest.approx(classifier.predict(cloud))
