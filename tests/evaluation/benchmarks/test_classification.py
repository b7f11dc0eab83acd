"""Classification sets in miniatures of their official files; class names in answers, and point-cloud classifiers."""

import csv
import json
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from deixis.evaluation.benchmark import Example
from deixis.evaluation.benchmarks.class_files import SUN_SCENES, sun_depth_m
from deixis.evaluation.benchmarks.classification import CLASSIFICATION, first_class, named_classes
from deixis.evaluation.reports.example_samples import ground_truth_sample
from deixis.evaluation.runner import EvaluationRun, ModelAdapter, run_examples
from deixis.inference.classifier import Classifier
from deixis.model.tokenizers.pointmlp import PointMLP, PointMLPConfig
from deixis.samples.sample import Skipped
from deixis.systems.pointmlp.classifier import CloudClassifier
from tests.evaluation.benchmarks.scripted import Scripted, run_benchmark, save_image, table

SETS = {benchmark.info.name: benchmark for benchmark in CLASSIFICATION}


def answers_in_turn(given_answers):
    rest = iter(given_answers)
    return Scripted(lambda question: next(rest))


def images(folder: Path) -> None:
    for name in ("cat", "dog", "hot_dog"):
        for number in range(2 if name == "cat" else 1):
            save_image(folder / name / f"{number}.png", (24, 32), number)


def h5(path: Path, clouds: int, classes: int, points: int = 64) -> np.ndarray:
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)
    xyz = np.random.default_rng(clouds).normal(size=(clouds, points, 3)).astype(np.float32)
    with h5py.File(path, "w") as file:
        file["data"], file["label"] = xyz, np.arange(clouds)[:, None] % classes
    return xyz


def modelnet40(folder: Path) -> None:
    place = folder / "modelnet40_ply_hdf5_2048"
    h5(place / "ply_data_train0.h5", 2, 3)
    h5(place / "ply_data_test0.h5", 4, 3)
    (place / "shape_names.txt").write_text("airplane\nnight_stand\nchair\n")


def scanobjectnn(folder: Path) -> None:
    for split in ("training", "test"):
        h5(folder / "main_split" / f"{split}_objectdataset_augmentedrot_scale75.h5", 4, 15)


def nyuv2(folder: Path) -> None:
    import h5py
    from scipy.io import savemat

    folder.mkdir(parents=True, exist_ok=True)
    scenes = ["bedroom", "home_office", "cafe", "living_room"]
    noise = np.random.default_rng(0)
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w") as file:
        file["images"] = noise.integers(0, 255, (4, 3, 32, 24), dtype=np.uint8)
        file["depths"] = noise.uniform(1, 9, (4, 32, 24)).astype(np.float32)
        references = file.create_dataset("sceneTypes", (1, 4), dtype=h5py.ref_dtype)
        for number, scene in enumerate(scenes):
            text = file.create_dataset(f"#refs#/{number}", data=np.array([[ord(c)] for c in scene], np.uint16))
            references[0, number] = text.ref
    savemat(folder / "splits.mat", {"testNdxs": np.array([[2], [3], [4]]), "trainNdxs": np.array([[1]])})


def sun_rgbd(folder: Path) -> None:
    from PIL import Image
    from scipy.io import savemat

    names = ["kv1/NYUdata/NYU0001", "kv2/kinect2data/a", "xtion/b"]
    for number, (name, scene) in enumerate(zip(names, ("living_room", "office", "idk"), strict=True)):
        place = folder / "SUNRGBD" / name
        save_image(place / "image" / "a.jpg", (24, 32), number)
        (place / "depth_bfx").mkdir()
        steps = np.full((24, 32), 2000, np.uint16)  # 2 m
        Image.fromarray((steps << 3) | (steps >> 13)).save(place / "depth_bfx" / "a.png")
        (place / "scene.txt").write_text(scene)
    cells = np.empty((1, 4), dtype=object)
    cells[0] = [f"/n/fs/sun3d/data/SUNRGBD/{name}" for name in (*names, "kv1/none")]
    split = folder / "SUNRGBDtoolbox" / "traintestSUNRGBD" / "allsplit.mat"
    split.parent.mkdir(parents=True)
    savemat(split, {"alltest": cells, "alltrain": cells[:, :0]})


def motion(folder: Path) -> None:
    noise = np.random.default_rng(0)
    windows = [":".join([*(",".join(f"{v:.3f}" for v in noise.normal(size=20)) for _ in range(6)), name])
               for name in ("Walking", "Running", "Walking")]  # fmt: skip
    head = ["#made up", "@problemName BasicMotions", "@dimensions 6", "@classLabel true Running Walking", "@data"]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "BasicMotions_TEST.ts").write_text("\n".join([*head, *windows, ""]))


MAKE = {
    "class_folders": images, "modelnet40": modelnet40, "scanobjectnn": scanobjectnn, "nyuv2_scenes": nyuv2,
    "sun_rgbd_scenes": sun_rgbd, "motion_classes": motion,
}  # fmt: skip
TRUTH = {
    "class_folders": ["cat", "cat", "dog", "hot dog"],
    "modelnet40": ["airplane", "night stand", "chair", "airplane"],
    "scanobjectnn": ["bag", "bin", "box", "cabinet"],
    "nyuv2_scenes": ["home office", "others", "living room"],
    "sun_rgbd_scenes": ["living room", "office"],
    "motion_classes": ["walking", "running", "walking"],
}
KINDS = {
    "class_folders": ["image"], "modelnet40": ["point_cloud"], "scanobjectnn": ["point_cloud"],
    "nyuv2_scenes": ["image", "depth"], "sun_rgbd_scenes": ["image", "depth"], "motion_classes": ["imu"],
}  # fmt: skip


def asked_and_scored(name: str, tmp_path: Path, adapter, **options: str):
    if not (tmp_path / "data").is_dir():
        MAKE[name](tmp_path / "data")
    run = tmp_path / f"run{len(list(tmp_path.iterdir()))}"
    rows, skipped = run_examples(EvaluationRun(SETS[name], tmp_path / "data", options, "generated"), adapter, run)
    assert [row.failure for row in rows if row.failure] == []
    return list(SETS[name].corpus_metrics(rows)), skipped


@pytest.mark.parametrize("name", MAKE)
def test_right_empty_shuffled_and_listed_answers(tmp_path, name):
    ground_truth = TRUTH[name]
    adapter = answers_in_turn(f"It is a {word.upper()}." for word in ground_truth)
    rows, skipped = asked_and_scored(name, tmp_path, adapter)
    assert [row.metrics["class"] for row in rows] == ground_truth
    assert [[signal.modality for signal in question.signals] for question in adapter.asked] == [KINDS[name]] * len(
        ground_truth
    )
    (found,) = table(SETS[name], rows).values()
    assert set(found.values()) == {100.0}
    assert [one.where for one in skipped] == (["kv1/none"] if name == "sun_rgbd_scenes" else [])

    rows, _ = asked_and_scored(name, tmp_path, answers_in_turn([""] * len(ground_truth)))
    assert set(next(iter(table(SETS[name], rows).values())).values()) == {0.0}

    others = ground_truth[1:] + ground_truth[:1]
    rows, _ = asked_and_scored(name, tmp_path, answers_in_turn(others))
    same = [one == other for one, other in zip(ground_truth, others, strict=True)]
    (found,) = table(SETS[name], rows).values()
    assert found["accuracy"] == pytest.approx(100 * np.mean(same), abs=1e-5)
    by_class = [
        np.mean([correct for correct, one in zip(same, ground_truth, strict=True) if one == word])
        for word in set(ground_truth)
    ]
    assert found["mean class accuracy"] == pytest.approx(100 * np.mean(by_class), abs=1e-5)

    all_names = adapter.asked[0].turns[-1].user.partition("Choose one: ")[2]
    rows, _ = asked_and_scored(name, tmp_path, answers_in_turn([all_names] * len(ground_truth)))
    (found,) = table(SETS[name], rows).values()
    assert (found["accuracy"], found["loose accuracy"], found["named"]) == (0, 100, 100), "a list of all is no answer"


def test_a_report_expects_the_names_of_the_class(tmp_path):
    images(tmp_path)
    expected = [ground_truth_sample(one).turns[0] for one in SETS["class_folders"].examples(tmp_path, {})]
    assert {turn.assistant for turn in expected} == {"cat", "dog", "hot dog"}
    assert all(turn.references == () and "Choose one: " in turn.user for turn in expected)


def test_question_lists_the_classes(tmp_path):
    images(tmp_path)
    with_classes = next(SETS["class_folders"].examples(tmp_path, {}))
    assert isinstance(with_classes, Example)
    assert with_classes.text == "What is in this picture? Choose one: cat, dog or hot dog."
    assert next(SETS["class_folders"].examples(tmp_path, {"choices": "open", "question": "Which?"})).text == "Which?"


@pytest.mark.parametrize(
    ("text", "named"),
    [
        pytest.param("", set(), id="empty"),
        pytest.param("a hot dog", {2}, id="the longest name counts"),
        pytest.param("hot, a dog", {1}, id="apart"),
        pytest.param("cats", set(), id="a part of a word"),
        pytest.param("kitty", {0}, id="a synonym"),
        pytest.param("a cat and a dog", {0, 1}, id="two"),
    ],
)
def test_names_are_whole_words(text, named):
    assert named_classes(text, [["cat", "kitty"], ["dog"], ["hot dog"]]) == named


@pytest.mark.parametrize(
    ("text", "first"),
    [
        pytest.param("", "", id="empty"),
        pytest.param("chair (0.60), table (0.30), sofa (0.10)", "chair", id="ranked"),
        pytest.param("night_stand (1.00)", "night stand", id="alone, with an underscore"),
        pytest.param("class 1 (0.51), class 0 (0.49)", "table", id="numbers"),
        pytest.param("class 7 (0.51)", "class 7", id="a number of no class"),
        pytest.param("a chair (or a table)", "a chair (or a table)", id="a sentence"),
    ],
)
def test_first_class_of_a_ranked_list_counts(text, first):
    assert first_class(text, [["chair"], ["table"]]) == first


def test_synonyms_commas_and_number_words(tmp_path):
    for name in ("3", "cup, mug", "car"):
        save_image(tmp_path / "data" / name / "a.png", (24, 32))
    (tmp_path / "synonyms.json").write_text(json.dumps({"car": ["Auto"]}))
    adapter = answers_in_turn(["three", "an auto", "a mug"])
    benchmark = SETS["class_folders"]
    rows = run_benchmark(
        benchmark, tmp_path / "data", adapter, tmp_path / "run", synonyms=str(tmp_path / "synonyms.json")
    )
    assert [row.metrics["correct"] for row in rows] == [1, 1, 1]
    with pytest.raises(ValueError, match=r"synonyms: expected a JSON file \{class: \[names\]\}"):
        list(benchmark.examples(tmp_path / "data", {"synonyms": str(tmp_path / "none.json")}))


def test_one_split_of_folders(tmp_path):
    for split, name in (("train", "cat"), ("test", "cat"), ("test", "dog")):
        save_image(tmp_path / split / name / "a.png", (24, 32))
    found = list(SETS["class_folders"].examples(tmp_path, {"split": "test"}))
    assert [example.part for example in found if isinstance(example, Example)] == ["test", "test"]
    with pytest.raises(ValueError, match="split: expected a split with signals, got 'val'"):
        list(SETS["class_folders"].examples(tmp_path, {"split": "val"}))


@pytest.mark.parametrize(
    ("options", "kinds"),
    [
        pytest.param({"view": "depth", "image": "without"}, ["depth"], id="depth alone"),
        pytest.param({"view": "image"}, ["image"], id="the picture"),
        pytest.param({"view": "normal"}, ["image", "normal"], id="normals"),
    ],
)
def test_views_of_scenes(tmp_path, options, kinds):
    nyuv2(tmp_path / "data")
    (tmp_path / "data" / "normal").mkdir()
    for number in (2, 3, 4):
        save_image(tmp_path / "data" / "normal" / f"{number:04d}.png", (24, 32), number)
    found = list(SETS["nyuv2_scenes"].examples(tmp_path / "data", options))
    assert [[medium.modality for medium in example.media] for example in found if isinstance(example, Example)] == [
        kinds
    ] * 3
    shutil.rmtree(tmp_path / "data" / "normal")
    skipped = list(SETS["nyuv2_scenes"].examples(tmp_path / "data", {"view": "normal"}))
    assert all(isinstance(one, Skipped) and "expected normals in" in one.why for one in skipped)
    assert len(skipped) == 3


def test_sun_rgbd_depth_bits_are_rotated_back(tmp_path):
    from PIL import Image

    metres = np.array([[0.0, 0.5, 2.345, 7.999, 65.0]] * 2)
    steps = np.rint(metres * 1000).astype(np.uint16)
    Image.fromarray((steps << 3) | (steps >> 13)).save(tmp_path / "a.png")
    assert sun_depth_m(tmp_path / "a.png") == pytest.approx(np.minimum(metres, 8.0), abs=1e-4)
    Image.new("RGB", (4, 4)).save(tmp_path / "b.png")
    with pytest.raises(ValueError, match="expected a depth map of 16 bits"):
        sun_depth_m(tmp_path / "b.png")
    assert len(SUN_SCENES) == 19


def test_point_cloud_classifier_is_scored_by_its_first_class(tmp_path):
    modelnet40(tmp_path)
    torch.manual_seed(0)
    config = PointMLPConfig(points=32, class_num=3, embed_dim=8, dim_expansion=(2, 1), pre_blocks=(1, 1),
                            pos_blocks=(1, 1), k_neighbors=(6, 4), reducers=(2, 2))  # fmt: skip
    network = PointMLP(config).eval()
    adapter = ModelAdapter(Classifier(CloudClassifier(network, ("airplane", "night_stand", "chair"), False), "toy"))
    benchmark = SETS["modelnet40"]
    rows, skipped = run_examples(
        EvaluationRun(benchmark, tmp_path, {"points": "32"}, "generated"), adapter, tmp_path / "run"
    )
    assert not skipped
    xyz = np.random.default_rng(4).normal(size=(4, 64, 3)).astype(np.float32)[:, :32]
    with torch.no_grad():
        best = network(torch.from_numpy(xyz)).argmax(1).tolist()
    assert [row.metrics["correct"] for row in rows] == [int(found == n % 3) for n, found in enumerate(best)]


@pytest.mark.parametrize("name", MAKE)
def test_a_missing_file_is_named(tmp_path, name):
    with pytest.raises(ValueError, match="expected "):
        list(SETS[name].examples(tmp_path / "none", {}))


def test_malformed_imu_windows_are_reported(tmp_path):
    motion(tmp_path)
    path = tmp_path / "BasicMotions_TEST.ts"
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines, "1,2:3,4:Walking", lines[-1].replace("Walking", "Flying")]))
    found = list(SETS["motion_classes"].examples(tmp_path, {}))
    whys = [one.why for one in found if isinstance(one, Skipped)]
    assert len(found) == 5
    assert "expected 6 dimensions, got 2" in whys[0]
    assert "Flying" in whys[1]
    path.write_text("1,2:a\n")
    with pytest.raises(ValueError, match="expected @classLabel true NAMES and @data"):
        list(SETS["motion_classes"].examples(tmp_path, {}))


def test_real_motion(shared_data, tmp_path):
    found = list(SETS["motion_classes"].examples(shared_data / "imu_basicmotions", {}))
    ground_truth = [
        example.ground_truth[1][example.ground_truth[0]][0] for example in found if isinstance(example, Example)
    ]
    assert {name: ground_truth.count(name) for name in set(ground_truth)} == dict.fromkeys(
        ("standing", "running", "walking", "badminton"), 10
    )
    rows = run_benchmark(
        SETS["motion_classes"], shared_data / "imu_basicmotions", answers_in_turn(ground_truth), tmp_path / "run"
    )
    assert {row.metrics["correct"] for row in rows} == {1}


def test_real_audio_by_its_list(shared_data, tmp_path):
    with (shared_data / "fsdd" / "labels.csv").open() as file:
        ground_truth = {Path(row["file"]).name: row["digit"] for row in csv.DictReader(file)}
    words = ("zero", "one", "two", "three", "four", "five", "six", "seven", "eight", "nine")
    benchmark = SETS["class_folders"]
    found = [one for one in benchmark.examples(shared_data / "fsdd", {"label": "digit"}) if isinstance(one, Example)]
    assert len(found) == len(ground_truth) == 210
    given_answers = [f"I hear {words[int(ground_truth[one.id.rpartition('/')[2]])]}." for one in found]
    rows = run_benchmark(
        benchmark, shared_data / "fsdd", answers_in_turn(given_answers), tmp_path / "run", label="digit"
    )
    assert table(benchmark, rows)["all"]["accuracy"] == 100
