"""LVIS-ROC on a miniature in Ferret's format and on one sampled from LVIS's, with models that are right and wrong."""

import json
import re

import numpy as np
import pytest

from deixis.evaluation.benchmark import Example
from deixis.evaluation.benchmarks.lvis_objects import Draw, lvis_objects
from deixis.evaluation.benchmarks.region_classification import OBJECTS, RegionClassification
from deixis.geometry import Point, letterbox_frame, write_prompt
from deixis.samples.sample import Sample, Skipped
from deixis.systems import NOTATIONS
from tests.evaluation.benchmarks.scripted import Scripted, answer_of, run_benchmark, save_image, table

BENCHMARK = RegionClassification()
SIZE_HW = (40, 60)
NAMES = ("apple", "cup_(drink)", "dog", "book", "chair", "armchair")
"""LVIS's categories, by id from 1; the fifth lies in the sixth."""
OFFERED = re.compile(r"Is the object \{0\} a (.+) or a (.+)\?")


def ferret_record(number: int, name: str, other: str, synonyms: list[str]) -> dict:
    stroke = np.zeros(SIZE_HW[::-1], dtype=int)
    stroke[20:30, 10:14] = 1
    return {
        "id": number, "image_path": f"val2017/{number:012d}.jpg", "name": name, "synonyms": synonyms,
        "neg_class": other, "bbox": [6, 4, 24, 28], "bbox_norm": [0.1, 0.1, 0.5, 0.8], "width": 60, "height": 40,
        "sample_point": [20.5, 11.25], "free_shape_bbox_raw": [20, 10, 29, 13],
        "free_shape_segment_mask": stroke.tolist(),
    }  # fmt: skip


@pytest.fixture
def ferret_form(tmp_path):
    """Two objects in the form of Ferret's file."""
    records = [ferret_record(1, "dog", "cat", ["dog"]), ferret_record(2, "mug", "bowl", ["cup_(drink)", "mug"])]
    data = tmp_path / "data"
    for number in (1, 2):
        save_image(data / "val2017" / f"{number:012d}.jpg", SIZE_HW, number)
    (data / "lvis_roc.jsonl").write_text("".join(json.dumps(record) + "\n" for record in records))
    return data


def lvis_form(data, image_count: int = 12, subset: str = "val2017") -> None:
    """Each image has two objects, squares, with two names that are neighbours in the list."""
    images, annotations = [], []
    for number in range(1, image_count + 1):
        url = f"http://images.cocodataset.org/{subset}/{number:012d}.jpg"
        images.append({"id": number, "width": 60, "height": 40, "coco_url": url, "neg_category_ids": [],
                       "not_exhaustive_category_ids": []})  # fmt: skip
        save_image(data / subset / f"{number:012d}.jpg", SIZE_HW, number)
        for side in range(2):
            x, y = 5 + 25 * side, 6 + number
            annotations.append({
                "id": len(annotations) + 1, "image_id": number, "category_id": (number + side) % len(NAMES) + 1,
                "bbox": [x, y, 20, 20], "area": 400, "segmentation": [[x, y, x + 20, y, x + 20, y + 20, x, y + 20]],
            })  # fmt: skip
    categories = [
        {"id": number, "name": name, "synonyms": [name, "mug"] if name.startswith("cup") else [name]}
        for number, name in enumerate(NAMES, 1)
    ]
    written = {"images": images, "annotations": annotations, "categories": categories}
    (data / "lvis_v1_val.json").write_text(json.dumps(written))


def offered(text: str) -> tuple[str, str]:
    return OFFERED.fullmatch(text).groups()


@pytest.mark.parametrize(
    ("say", "accuracy", "strict"),
    [
        pytest.param(lambda right, other: f"It is a {right}.", 100, 100, id="right"),
        pytest.param(lambda right, other: "", 0, 0, id="empty"),
        pytest.param(lambda right, other: f"A {other}.", 0, 0, id="wrong"),
        pytest.param(lambda right, other: f"{other} or {right}", 100, 0, id="both_names"),
        pytest.param(lambda right, other: f"It is a {right}, not a {other}.", 100, 100, id="denies_the_other"),
        pytest.param(lambda right, other: f"It is not a {right}, but a {other}.", 0, 0, id="denies_the_right_one"),
        pytest.param(lambda right, other: right.title(), 0, 100, id="capitals"),
        pytest.param(lambda right, other: f"x{right}x", 100, 0, id="within_a_word"),
    ],
)
def test_answers_in_ferret_notation(ferret_form, tmp_path, say, accuracy, strict):
    rights = iter(["dog"] * 3 + ["mug"] * 3)

    def spoken(question):
        right = next(rights)
        first, second = offered(question.turns[-1].user)
        return say(right, second if first == right else first)

    rows = run_benchmark(BENCHMARK, ferret_form, Scripted(spoken), tmp_path / "run")
    assert table(BENCHMARK, rows) == {
        part: {"accuracy": accuracy, "strict accuracy": strict} for part in ("point", "box", "free_form")
    }


def test_synonym_is_correct(ferret_form, tmp_path):
    words = iter(["dog"] * 3 + ["cup", "drink", "cups"])
    rows = run_benchmark(BENCHMARK, ferret_form, Scripted(lambda question: f"a {next(words)}"), tmp_path)
    assert [row.metrics["correct"] for row in rows] == [1, 1, 1, 1, 1, 1]
    assert [row.metrics["strict"] for row in rows] == [1, 1, 1, 1, 1, 0]


def test_ferret_region_forms(ferret_form):
    examples = list(BENCHMARK.examples(ferret_form, {"notation": "ferret"}))
    assert [example.part for example in examples] == ["point", "box", "free_form"] * 2
    assert [example.text for example in examples[::3]] == [
        "Is the object {0} of the image a dog or a cat?",
        "Is the object {0} of the image a bowl or a mug?",
    ]
    point, box, stroke = (example.regions[0] for example in examples[:3])
    assert point == Point(20.5, 11.25)
    assert box.box == (6, 4, 30, 32)
    assert stroke.mask_array.sum() == 40
    assert stroke.mask_array[10:14, 20:30].all()


def test_official_prompts(shared_golden, tmp_path):
    """Ferret's recorded prompts of its LVIS-ROC, from the same records through this benchmark and our notation."""
    recorded = json.loads((shared_golden / "ferret_tiny" / "prompts.json").read_text())["lvis"]
    masks = np.load(shared_golden / "ferret_tiny" / "prompt_masks.npz")
    lines = []
    for record in recorded[:3]:
        shape = masks[f"lvis.free_shape.{record['index']}"].astype(int).tolist()
        names = re.fullmatch(r".*a (\w+) or a (\w+)\?", record["question"]).groups()[:: 1 - 2 * (record["index"] % 2)]
        lines.append(record | {
            "image_path": f"{record['index']:012d}.jpg", "name": names[0], "neg_class": names[1],
            "synonyms": [names[0]],
            "free_shape_segment_mask": shape,
        })  # fmt: skip
    (tmp_path / "lvis_roc.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    examples = list(BENCHMARK.examples(tmp_path, {"notation": "ferret"}))
    by_part = {(example.part, index // 3): example for index, example in enumerate(examples)}
    for record in recorded:
        example = by_part[record["format"].replace("free_shape", "free_form"), record["index"]]
        size_hw = (record["height"], record["width"])
        frames = [letterbox_frame(size_hw, (336, 336))]
        written, _ = write_prompt(example.text, example.regions, frames, NOTATIONS["ferret"])
        assert written == record["question"]


def test_sampled_objects_are_deterministic(tmp_path):
    lvis_form(tmp_path)
    one, again, other = (list(BENCHMARK.examples(tmp_path, {"seed": seed})) for seed in ("1", "1", "2"))
    assert [(e.id, e.text) for e in one] == [(e.id, e.text) for e in again]
    assert [e.regions for e in one] == [e.regions for e in again]
    assert [e.regions for e in one] != [e.regions for e in other]
    assert len(one) == 3 * 12
    few = list(BENCHMARK.examples(tmp_path, {"seed": "1", "objects": "5"}))
    assert len(few) == 15
    assert {e.group for e in few} < {e.group for e in one}


@pytest.mark.parametrize("negatives", ["any", "there"])
def test_sampled_shapes_lie_on_the_object_and_names_differ(tmp_path, negatives):
    lvis_form(tmp_path, image_count=30)
    first_is_right = 0
    examples = list(BENCHMARK.examples(tmp_path, {"negatives": negatives}))
    for point, box, stroke in zip(examples[::3], examples[1::3], examples[2::3], strict=True):
        assert (point.part, box.part, stroke.part) == ("point", "box", "free_form")
        (x, y), (x1, y1, x2, y2) = point.regions[0].point, box.regions[0].box
        assert x1 < x < x2
        assert y1 < y < y2
        rows, columns = np.nonzero(stroke.regions[0].mask_array)
        assert (rows.min() >= y1, rows.max() < y2) == (True, True)
        assert (columns.min() >= x1, columns.max() < x2) == (True, True)
        names = point.ground_truth
        first_is_right += offered(point.text)[0] == names.correct
        assert set(offered(point.text)) == {names.correct, names.other}
        assert names.correct not in names.other
        assert names.other not in names.correct
        number = int(point.group[-12:])
        there = [NAMES[(number + side) % len(NAMES)].split("_(")[0] for side in range(2)]
        assert names.correct in there
        if negatives == "there" and set(there) != {"chair", "armchair"}:
            assert names.other in there
    assert first_is_right == 15


def test_images_of_training_sets_are_excluded(tmp_path):
    lvis_form(tmp_path, subset="train2017")
    with pytest.raises(ValueError, match="expected objects with masks in images of val2017, got none"):
        list(BENCHMARK.examples(tmp_path, {}))
    assert len(list(BENCHMARK.examples(tmp_path, {"subset": "all"}))) == 36


@pytest.mark.parametrize(
    ("options", "message"),
    [
        pytest.param({}, r"expected lvis_v1_val\.json, LVIS's validation set.*from https://www\.lvis", id="no_file"),
        pytest.param({"objects": "0"}, "objects: expected a whole number from 1, got '0'", id="no_objects"),
        pytest.param({"negatives": "all"}, "negatives: expected any or there, got 'all'", id="negatives"),
        pytest.param({"notation": "latin"}, "notation: expected plain", id="notation"),
    ],
)
def test_refusals(tmp_path, options, message):
    with pytest.raises(ValueError, match=message):
        list(BENCHMARK.examples(tmp_path, options))


def test_malformed_record_is_skipped(ferret_form):
    path = ferret_form / "lvis_roc.jsonl"
    path.write_text(path.read_text() + '{"id": 3, "image_path": "a.jpg"}\nnot json\n')
    found = list(BENCHMARK.examples(ferret_form, {}))
    assert [type(one) for one in found].count(Example) == 6
    assert len([one for one in found if isinstance(one, Skipped)]) == 2


def test_real_lvis_records(shared_data):
    """Real categories, polygons and images of LVIS: each object gets three shapes and a name far from its own."""
    annotations = shared_data / "lvis_val_sample" / "lvis_val_sample.json"
    samples = [one for one in lvis_objects(annotations, None, Draw(OBJECTS, 0, subset="")) if isinstance(one, Sample)]
    assert len(samples) > 100
    for one in samples[::3]:
        first, second = (name.lower() for name in one.turns[0].choices)
        assert first not in second
        assert second not in first


def test_empty_answer_has_metrics(ferret_form):
    example = next(iter(BENCHMARK.examples(ferret_form, {})))
    assert BENCHMARK.example_metrics(example, answer_of("")) == {"correct": 0, "strict": 0}
