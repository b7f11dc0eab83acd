"""The world benchmark: which questions it asks, and what right, shuffled, silent and adversarial players score."""

from dataclasses import replace

import numpy as np
import pytest

from deixis.evaluate import baselines, verdicts
from deixis.evaluate.loop import run_tasks
from deixis.evaluate.metrics import names_in
from deixis.evaluate.world import QUESTIONS, TASKS, chosen_tasks
from deixis.evaluate.world_questions import draw_samples, to_examples
from deixis.world.generate import PREFIX, every_question, task_name, world_facts
from deixis.world.objects import KIND_NAMES, PART_NAMES
from deixis.world.scene import scene_rng
from tests.evaluate.oracle import Oracle, Parrot, Refuser

LIMIT = 12
ROUNDED = ("grounded_caption", "phrase_box", "event_span")  # coordinates go through the text's grid
PLAIN = {name: replace(task, majority=None) for name, task in TASKS.items()}


@pytest.fixture(scope="module")
def samples():
    return draw_samples(QUESTIONS, "test", LIMIT, first_seed=500, supersample=1)[0]


@pytest.fixture(scope="module")
def examples(samples):
    return to_examples(samples)


@pytest.fixture(scope="module")
def oracle_scores(examples):
    return run_tasks(PLAIN, examples, Oracle(examples), Oracle(examples, shift=LIMIT // 2 + 1))


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in TASKS])
def test_the_truth_scores_one_and_anothers_truth_low(oracle_scores, name):
    result = oracle_scores[name]
    assert (result.n, result.score, result.failures) == (LIMIT, 1.0, [])
    assert result.ci95 == (1.0, 1.0)
    assert result.blind < 0.75


def test_shuffled_answers_score_low_on_the_whole(oracle_scores):
    assert np.mean([result.blind for result in oracle_scores.values()]) < 0.4


@pytest.mark.parametrize(
    ("raw", "highest"),
    [
        pytest.param("", {"absence": 0.5}, id="nothing"),
        pytest.param("<p>the</p>[] <seg", {"absence": 0.5}, id="broken"),
        pytest.param(" ".join(KIND_NAMES) + " yes no one two", {"absence": 0.5, "caption": 0.5}, id="all_words"),
        pytest.param("It<seg>" * 3, {"absence": 0.5, "mask": 0.5, "reasoning": 0.5, "event": 0.6}, id="all_marked"),
        pytest.param("[0, 0, 999, 999]" * 9, {"absence": 0.5, "phrase_box": 0.4, "sound": 0.5}, id="all_in_a_box"),
    ],
)
def test_players_who_do_not_look_score_low(examples, raw, highest):
    for name, result in run_tasks(PLAIN, examples, Parrot(raw)).items():
        allowed = max([score for part, score in highest.items() if part in name], default=0.0)
        assert result.score <= allowed, name


def test_a_refused_question_is_counted_and_named(examples):
    word = examples["count"][0].question.text.split()[-1]
    numbered = [replace(e, question=replace(e.question, text=f"{i} {word}")) for i, e in enumerate(examples["count"])]
    some = {"count": numbered}
    player = Refuser(Oracle(some), "3 ")
    result = run_tasks({"count": PLAIN["count"]}, some, player, batch=5)["count"]
    assert result.failures == [f"{some['count'][3].id}: the word 3  is not to be said"]
    assert result.score == pytest.approx((LIMIT - 1) / LIMIT)


def test_tasks_have_the_samples_own_names():
    for name, questions in QUESTIONS.items():
        plain = "reasoning" if "reasoning" in name else name.removeprefix("cloud_").removeprefix("sound_")
        plain = {f"{PREFIX[questions.kind]}_name": "name", "phrase_box_of_mask": "phrase_box"}.get(name, plain)
        plain = "name" if name == f"{PREFIX[questions.kind]}_name" else plain
        expected = "phrase_box_of_mask" if name == "phrase_box_of_mask" else task_name(questions.kind, plain)
        assert expected == name


def test_the_same_samples_come_again_alone(samples):
    again, _ = draw_samples({"exists": QUESTIONS["exists"]}, "test", LIMIT, first_seed=500, supersample=1)
    assert [s.to_json() for s in again["exists"]] == [s.to_json() for s in samples["exists"]]


def test_other_seeds_are_other_scenes(samples):
    other, last = draw_samples({"count": QUESTIONS["count"]}, "test", 3, first_seed=900, supersample=1)
    assert last >= 902
    assert {s.signals[0].id for s in other["count"]}.isdisjoint(s.signals[0].id for s in samples["count"])


def test_every_shown_thing_is_asked_about(samples):
    facts = world_facts("test", 500, "image", supersample=1)
    mine = [s for s in samples["region_name"] if s.signals[0].id == facts.medium.id]
    assert len(mine) == len(facts.shown)
    assert all(facts.share[number] >= 0.005 for number in facts.shown)


@pytest.mark.parametrize("kind", [pytest.param(kind, id=kind) for kind in ("", "sound_", "cloud_")])
def test_two_sides_are_half_and_half(samples, kind):
    assert [verdicts.wanted(s) for s in samples[f"{kind}exists"]].count("yes") == LIMIT // 2
    assert sum(bool(s.regions) for s in samples[f"{kind}absence"]) == LIMIT // 2


@pytest.mark.parametrize("name", [pytest.param(n, id=n) for n in QUESTIONS if "reasoning" in n])
def test_a_reasoning_question_does_not_name_what_it_wants(samples, name):
    for sample in samples[name]:
        asked = names_in(sample.turns[0].user, (*KIND_NAMES, *PART_NAMES))
        assert not set(asked) & set(names_in(sample.turns[0].assistant, (*KIND_NAMES, *PART_NAMES)))


def test_a_phrase_fits_one_event(samples):
    assert all(len(sample.regions) == 1 for sample in samples["event_span"])


def test_the_mask_twins_ask_for_the_same_things(samples):
    for box, mask in zip(samples["phrase_box"], samples["phrase_box_of_mask"], strict=True):
        assert box.regions[0].box == mask.regions[0].box
        assert mask.turns[0].assistant == box.turns[0].assistant.replace(":box}", ":mask}")


def test_no_answer_is_given_with_a_question(examples):
    for name in ("phrase_box", "phrase_mask", "event_span", "cloud_phrase_mask", "caption", "exists"):
        assert all(example.question.regions == () for example in examples[name])


def test_references_are_what_was_drawn():
    facts = world_facts("test", 500, "image", supersample=1)
    for sample in every_question(facts, scene_rng("test", 500, 0), "name"):
        assert sample.turns[0].references[0] in sample.turns[0].assistant


def test_baselines_on_samples_that_are_known(samples):
    words = [verdicts.wanted(s) for s in samples["region_name"]]
    assert baselines.most_frequent_word(samples["region_name"]) == max(map(words.count, words)) / LIMIT
    assert baselines.most_frequent_word(samples["exists"]) == 0.5
    assert 0 < baselines.best_caption(samples["caption"]) < 1
    one = samples["phrase_box"][:1]
    assert baselines.constant_bounds(one, one) == 1.0
    for name in ("phrase_mask", "event_mask", "cloud_phrase_mask"):
        assert 0.0 <= baselines.constant_region(samples[name], samples[name]) < 0.7
    assert baselines.constant_region(one, one) > 0.8


def test_an_unknown_task_is_refused():
    with pytest.raises(ValueError, match=r"task: expected some of region_name, .*; got 'smell'"):
        chosen_tasks(["count", "smell"])


def test_floors_are_those_promised():
    floors = {name: task.floor for name, task in TASKS.items() if task.floor is not None}
    assert floors == {
        "region_name": 0.70,
        "phrase_box": 0.40,
        "reasoning_mask": 0.40,
        "span_name": 0.80,
        "event_span": 0.60,
        "cloud_name": 0.60,
        "exists": 0.75,
    }
