"""The world benchmark: its questions, and the scores of right, shuffled, empty and adversarial answers."""

from pathlib import Path

import numpy as np
import pytest

from deixis.conversation import open_signals, question_sample
from deixis.errors import InputError
from deixis.evaluation.benchmark import GENERATED, Benchmark, ExampleResult
from deixis.evaluation.benchmarks.world import baselines
from deixis.evaluation.benchmarks.world.benchmark import World, chosen_tasks
from deixis.evaluation.benchmarks.world.sampling import sample_questions
from deixis.evaluation.benchmarks.world.tasks import TASKS
from deixis.evaluation.benchmarks.world.world_metrics import expected_word
from deixis.evaluation.metrics.answer_text import find_names
from deixis.evaluation.reports.summary import summarise
from deixis.evaluation.runner import EvaluationRun, run_examples
from deixis.geometry import Region
from deixis.inference import Answer, AnswerPhrase
from deixis.world.fmri import voxel_parcels
from deixis.world.generate import WORLD, every_question, task_name, world_facts
from deixis.world.objects import KIND_NAMES, PART_NAMES
from deixis.world.scene import scene_rng
from tests.evaluation.benchmarks.world.oracle import answer_of, right_answer

LIMIT = 8
MARKED = (
    "absence",
    "mask",
    "reasoning",
    "several",
    "find_other",
    "parcels",
    "responds",
)  # tasks whose regions may be everything
OPTIONS = {"limit": str(LIMIT), "seed-offset": "500"}


@pytest.fixture(scope="module")
def world():
    return World()


@pytest.fixture(scope="module")
def examples(world):
    assert isinstance(world, Benchmark)
    return list(world.examples(Path(), OPTIONS))


@pytest.fixture(scope="module")
def samples(examples):
    return {name: [e.ground_truth for e in examples if e.part == name] for name in TASKS}


@pytest.fixture(scope="module")
def questions(examples):
    """The questions by id, their signals open."""
    with open_signals([question_sample(e.text, e.media, e.regions) for e in examples]) as opened:
        return {example.id: question for example, question in zip(examples, opened, strict=True)}


def lines_of(world, examples, answered):
    """(part, metric) -> score, where `answered` gives the answer of an example."""
    rows = [
        ExampleResult(e.id, e.part, e.group, e.text, {}, "", world.example_metrics(e, answered(e))) for e in examples
    ]
    summary = summarise(EvaluationRun(world, Path(), OPTIONS, GENERATED), "script", rows, ())
    return {(line.part, line.metric.name): line.score for line in summary.scores}


def test_ground_truth_scores_one(world, examples, questions):
    lines = lines_of(world, examples, lambda e: right_answer(e.ground_truth, questions[e.id]))
    assert list(dict.fromkeys(part for part, _ in lines)) == list(TASKS)
    for cell, found in lines.items():
        spans = cell == ("image_audio_heard", "gIoU")  # seconds go through the text's grid
        assert (found.rows, *found.ci95) == pytest.approx((LIMIT, 1.0, 1.0), abs=0.02 if spans else 0), cell


def test_ground_truth_of_another_question_scores_low(world, examples, samples, questions):
    def shuffled(example):
        own = samples[example.part]
        place = next(number for number, sample in enumerate(own) if sample is example.ground_truth)
        return right_answer(own[(place + LIMIT // 2 + 1) % LIMIT], questions[example.id])

    lines = lines_of(world, examples, shuffled)
    assert np.mean([found.value < 0.75 for found in lines.values()]) > 0.95  # a few answers may be alike
    assert np.mean([found.value for found in lines.values()]) < 0.4


@pytest.mark.parametrize(
    ("raw", "highest"),
    [
        pytest.param("", {"absence": 0.5}, id="nothing"),
        pytest.param("<p>the</p>[] <seg", {"absence": 0.5}, id="broken"),
        pytest.param(" ".join(KIND_NAMES) + " yes no one two", {"absence": 0.5, "caption": 0.5}, id="all_words"),
        pytest.param("It<seg>" * 3, dict.fromkeys(MARKED, 0.5) | {"event": 0.6, "activity": 0.6}, id="all_marked"),
        pytest.param("[0, 0, 999, 999]" * 9, {"absence": 0.5, "phrase_box": 0.4, "sound": 0.5}, id="all_in_a_box"),
    ],
)
def test_answers_that_ignore_the_signal_score_low(world, examples, questions, raw, highest):
    for (part, metric), found in lines_of(world, examples, lambda e: answer_of(raw, questions[e.id], None, [])).items():
        allowed = max([score for name, score in highest.items() if name in part], default=0.0)
        assert found.value <= allowed, (part, metric)


def test_loop_asks_questions_from_seeds(tmp_path):
    class Refuses:
        name = "refuses"

        def answer(self, questions, max_new_tokens):
            assert max_new_tokens == 48
            raise InputError("nothing is said")

        def point(self, questions, given):
            raise AssertionError("no answer is given")

    options = {"tasks": "count, exists", "limit": "2"}
    rows, skipped = run_examples(EvaluationRun(World(), Path(), options, GENERATED), Refuses(), tmp_path)
    assert [row.part for row in rows] == ["count", "count", "exists", "exists"]
    assert {row.failure for row in rows} == {"nothing is said"}
    assert [row.metrics for row in rows] == [{"number": 0.0}] * 2 + [{"yes_no": 0.0}] * 2
    assert skipped == []


def test_tasks_have_the_samples_own_names():
    for name, task in TASKS.items():
        own = [task_name(task.questions.subject, plain) for plain in WORLD[task.questions.subject].tasks]
        assert any(name.startswith(plain) for plain in own), name


def test_samples_of_a_task_do_not_depend_on_other_tasks(samples):
    again, _ = sample_questions({"exists": TASKS["exists"].questions}, "test", LIMIT, first_seed=500)
    assert [s.to_json() for s in again["exists"]] == [s.to_json() for s in samples["exists"]]


def test_seeds_give_different_scenes(samples):
    other, last = sample_questions({"count": TASKS["count"].questions}, "test", 3, first_seed=900, supersample=1)
    assert last >= 902
    assert {s.signals[0].id for s in other["count"]}.isdisjoint(s.signals[0].id for s in samples["count"])


def test_every_visible_object_is_asked_about(samples):
    info = world_facts("test", 500, "image", supersample=1)
    mine = [s for s in samples["region_name"] if s.signals[0].id == info.medium.id]
    assert len(mine) == len(info.visible)
    assert all(info.share[number] >= 0.005 for number in info.visible)


@pytest.mark.parametrize(
    "kind",
    [
        pytest.param(kind, id=kind)
        for kind in ("", "sound_", "cloud_", "depth_", "normal_", "video_", "motion_", "simulated_fmri_")
    ],
)
def test_two_sided_questions_are_balanced(samples, kind):
    assert [expected_word(s) for s in samples[f"{kind}exists"]].count("yes") == LIMIT // 2
    assert sum(bool(s.regions) for s in samples[f"{kind}absence"]) == LIMIT // 2


@pytest.mark.parametrize("name", [pytest.param(n, id=n) for n in TASKS if "reasoning" in n])
def test_implicit_question_does_not_name_its_target(samples, name):
    for sample in samples[name]:
        asked = find_names(sample.turns[0].user, (*KIND_NAMES, *PART_NAMES))
        assert not set(asked) & set(find_names(sample.turns[0].assistant, (*KIND_NAMES, *PART_NAMES)))


def test_phrase_refers_to_one_event(samples):
    assert all(len(sample.regions) == 1 for sample in samples["event_span"])


def test_mask_requests_ask_for_the_objects_of_box_questions(samples):
    for box, mask in zip(samples["phrase_box"], samples["phrase_box_of_mask"], strict=True):
        assert box.regions[0].box == mask.regions[0].box
        assert mask.turns[0].assistant == box.turns[0].assistant.replace(":box}", ":mask}")


def test_questions_do_not_contain_their_answer(examples):
    for example in examples:
        if example.part in ("phrase_box", "phrase_mask", "event_span", "cloud_phrase_mask", "caption", "exists"):
            assert example.regions == ()


def test_references_are_the_sampled_objects():
    info = world_facts("test", 500, "image", supersample=1)
    for sample in every_question(info, scene_rng("test", 500, 0), "name"):
        assert sample.turns[0].references[0] in sample.turns[0].assistant


def test_baselines_on_known_samples(samples):
    words = [expected_word(s) for s in samples["region_name"]]
    assert baselines.most_frequent_word(samples["region_name"]) == max(map(words.count, words)) / LIMIT
    assert baselines.most_frequent_word(samples["exists"]) == 0.5
    assert 0 < baselines.best_caption(samples["caption"]) < 1
    one = samples["phrase_box"][:1]
    assert baselines.constant_bounds(one, one) == 1.0
    for name in ("phrase_mask", "event_mask", "cloud_phrase_mask"):
        assert 0.0 <= baselines.constant_region(samples[name], samples[name]) < 0.7
    assert baselines.constant_region(one, one) > 0.8


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"tasks": "count, smell"}, r"tasks: expected some of region_name, .*; got 'smell'", id="task"),
        pytest.param(
            {"modalities": "smell"}, r"tasks: expected those of the modalities smell; got none", id="modality"
        ),
        pytest.param(
            {"tasks": "count, depth_count", "modalities": "image"}, r"modalities image; got 'depth_count'", id="beyond"
        ),
        pytest.param({"split": "dev"}, r"split: expected train or val or test, got 'dev'", id="split"),
        pytest.param({"limit": "0"}, r"limit: expected a whole number from 1, got '0'", id="limit"),
        pytest.param({"seed-offset": "-1"}, r"seed-offset: expected a whole number from 0, got '-1'", id="seed"),
    ],
)
def test_a_wrong_option_is_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        next(World().examples(Path(), options))


def test_selected_tasks_keep_the_order_of_the_table():
    assert chosen_tasks(" exists,count") == ["count", "exists"]
    assert chosen_tasks("") == list(TASKS)


def test_steps_per_second_may_be_off_by_a_share(samples, questions, examples):
    example = next(e for e in examples if e.part == "motion_cadence")
    steps_hz = float(expected_word(example.ground_truth))

    def score(text):
        answer = answer_of(text, questions[example.id], None, [])
        return World().example_metrics(example, answer)["near_cadence"]

    assert [score(f"{steps_hz * by:.3f}.") for by in (1.0, 1.14, 0.86, 1.16, 0.84)] == [1, 1, 1, 0, 0]
    assert score("Fast.") == score(f"{steps_hz} or {steps_hz}.") == 0
    assert 1 / LIMIT <= baselines.best_number(samples["motion_cadence"], 0.15) < 1


def test_parcels_are_scored_as_a_set(samples, questions, examples):
    """Half of the right ones and as many wrong ones: precision and recall 1/2; a few voxels mark no parcel."""
    example = next(e for e in examples if e.part == "simulated_fmri_responds")
    sample, medium = example.ground_truth, questions[example.id].signals[0].values
    right = sorted(set(voxel_parcels()[sample.regions[0].points].tolist()))
    kept = right[: len(right) // 2]
    wrong = [parcel for parcel in range(64) if parcel not in right][: len(right) - len(kept)]
    marked = np.flatnonzero(np.isin(voxel_parcels(), [*kept, *wrong]))
    stray = np.flatnonzero(voxel_parcels() == 63)[:3]
    answer = Answer("", (AnswerPhrase("", 0, 0, (Region(points=[*marked, *stray]),)),), (medium,), raw="")
    expected = 2 * len(kept) / (2 * len(right))
    assert World().example_metrics(example, answer)["parcel_f1"] == pytest.approx(expected)
    own = samples["simulated_fmri_area_mask"][:1]
    assert baselines.constant_parcels(own, own) == 1.0
    assert baselines.constant_parcels(own, samples["simulated_fmri_area_mask"]) < 0.7


def test_a_model_is_asked_about_its_own_modalities():
    chosen = chosen_tasks("", "depth, image, smell")
    assert {"region_name", "depth_nearer"} <= set(chosen)
    assert {TASKS[name].questions.subject for name in chosen} == {"image", "depth", "image+depth"}
    assert chosen_tasks("depth_name, count", "image,depth") == ["count", "depth_name"]


def test_a_distance_may_be_off_by_a_tenth(samples, questions, examples):
    example = next(e for e in examples if e.part == "depth_distance")
    metres = float(expected_word(example.ground_truth))

    def score(text):
        answer = answer_of(text, questions[example.id], None, [])
        return World().example_metrics(example, answer)["near_distance"]

    assert [score(f"{metres * by:.2f} m.") for by in (1.0, 1.09, 0.91, 1.12, 0.88)] == [1, 1, 1, 0, 0]
    assert score("Far.") == score(f"{metres:.1f} or {metres:.1f} m.") == 0
    assert baselines.best_number(samples["depth_distance"], 0.1) >= 1 / LIMIT


def test_floors():
    floors = {name: m.floor for name, task in TASKS.items() for m in task.metrics if m.floor is not None}
    assert floors == {
        "region_name": 0.70,
        "phrase_box": 0.40,
        "reasoning_mask": 0.40,
        "span_name": 0.80,
        "event_span": 0.60,
        "cloud_name": 0.60,
        "exists": 0.75,
    }


def test_baseline_and_floor_columns(world, examples):
    some = [e for e in examples if e.part in ("region_name", "phrase_box", "caption")]
    columns = world.baselines(some)
    assert columns["floor"] == {("region_name", "name"): 0.70, ("phrase_box", "IoU ≥ 0.5"): 0.40}
    words = [expected_word(e.ground_truth) for e in some if e.part == "region_name"]
    assert columns["majority"]["region_name", "name"] == max(map(words.count, words)) / LIMIT
    assert set(columns["majority"]) == {("region_name", "name"), ("phrase_box", "IoU ≥ 0.5"), ("caption", "F1")}
