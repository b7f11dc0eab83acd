"""Metrics on perfect, empty, shuffled and adversarial predictions."""

import numpy as np
import pytest

from deixis.evaluation.metrics import overlap as metrics

KINDS = ("mug", "car", "pan")
SQUARE = (0.0, 0.0, 10.0, 10.0)


@pytest.mark.parametrize(
    ("predicted", "hit"),
    [
        pytest.param(None, 0.0, id="nothing"),
        pytest.param((0.0, 0.0, 0.0, 0.0), 0.0, id="no_area"),
        pytest.param(SQUARE, 1.0, id="perfect"),
        pytest.param((0.0, 0.0, 10.0, 5.0), 1.0, id="exactly_half"),
        pytest.param((0.0, 0.0, 10.0, 4.9), 0.0, id="a_little_less"),
        pytest.param((0.0, 0.0, 128.0, 128.0), 0.0, id="everything"),
        pytest.param((20.0, 20.0, 30.0, 30.0), 0.0, id="elsewhere"),
    ],
)
def test_a_box_is_a_hit_from_half_overlap(predicted, hit):
    assert metrics.is_hit(predicted, SQUARE) == hit


@pytest.mark.parametrize(
    ("first", "second", "iou"),
    [
        pytest.param((1.0, 2.0), (1.0, 2.0), 1.0, id="span"),
        pytest.param((0, 0, 0, 2, 2, 2), (0, 0, 1, 2, 2, 3), 1 / 3, id="box3d"),
    ],
)
def test_overlap_works_in_any_dimension(first, second, iou):
    assert metrics.bounds_iou(first, second) == pytest.approx(iou)


def mask(*cells):
    return np.isin(np.arange(6), cells).reshape(2, 3)


@pytest.mark.parametrize(
    ("predicted", "true", "overlap"),
    [
        pytest.param(mask(), mask(), (1.0, 0.0), id="both_empty"),
        pytest.param(mask(1), mask(), (0.0, 1.0), id="marked_where_nothing_is"),
        pytest.param(mask(), mask(1, 2), (0.0, 2.0), id="missed"),
        pytest.param(mask(1, 2), mask(1, 2), (1.0, 2.0), id="perfect"),
        pytest.param(mask(*range(6)), mask(1), (1 / 6, 6.0), id="everything"),
        pytest.param(mask(0, 1), mask(1, 2), (1 / 3, 3.0), id="partly"),
    ],
)
def test_masks_overlap(predicted, true, overlap):
    assert metrics.mask_overlap(predicted, true) == pytest.approx(overlap)


def test_giou_and_ciou_treat_empty_targets_as_said():
    pairs = [metrics.mask_overlap(a, b) for a, b in [(mask(), mask()), (mask(0), mask(0, 1, 2, 3))]]
    values, unions = zip(*pairs, strict=True)
    assert metrics.weighted_mean(values, [1.0, 1.0]) == pytest.approx((1 + 0.25) / 2)  # gIoU
    assert metrics.weighted_mean(values, unions) == pytest.approx(0.25)  # cIoU: one shared of four joined
    assert metrics.weighted_mean([1.0], [0.0]) == 1.0
    assert metrics.weighted_mean([], []) == 0.0


@pytest.mark.parametrize(
    ("predicted", "true", "overlap"),
    [
        pytest.param([], [], (1.0, 0.0), id="both_empty"),
        pytest.param([(0.0, 1.0)], [], (0.0, 1.0), id="heard_where_nothing_is"),
        pytest.param([], [(1.0, 3.0)], (0.0, 2.0), id="missed"),
        pytest.param([(1.0, 2.0), (3.0, 4.0)], [(3.0, 4.0), (1.0, 2.0)], (1.0, 2.0), id="in_another_order"),
        pytest.param([(0.0, 2.0), (0.0, 2.0)], [(0.0, 2.0)], (1.0, 2.0), id="said_twice"),
        pytest.param([(0.0, 8.0)], [(1.0, 3.0)], (0.25, 8.0), id="everything"),
    ],
)
def test_spans_overlap(predicted, true, overlap):
    assert metrics.spans_overlap(predicted, true) == pytest.approx(overlap)


@pytest.mark.parametrize(
    ("text", "right"),
    [
        pytest.param("", 0.0, id="empty"),
        pytest.param("A red mug.", 1.0, id="in_a_sentence"),
        pytest.param("MUG", 1.0, id="capitals"),
        pytest.param("mug mug mug", 1.0, id="repeated"),
        pytest.param("mugs and smug", 0.0, id="part_of_a_word"),
        pytest.param("A mug or a car.", 0.0, id="two_names"),
        pytest.param(" ".join(KINDS), 0.0, id="all_names"),
        pytest.param("A red thing.", 0.0, id="no_name"),
    ],
)
def test_a_name_is_right_alone_and_whole(text, right):
    assert metrics.name_match(text, "mug", KINDS) == right


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("Yes.", "yes", id="yes"),
        pytest.param("No, there is none.", "no", id="no"),
        pytest.param("yes no", None, id="both"),
        pytest.param("Nothing; yesterday", None, id="inside_words"),
    ],
)
def test_yes_and_no(text, said):
    assert metrics.yes_no(text) == said


@pytest.mark.parametrize(
    ("text", "number"),
    [
        pytest.param("", None, id="empty"),
        pytest.param("Two.", 2, id="word"),
        pytest.param("None.", 0, id="none"),
        pytest.param("There are 3 mugs, three.", 3, id="digits_and_word"),
        pytest.param("One, two, three, four.", None, id="several"),
        pytest.param("9" * 5000, None, id="no_number_a_person_would_say"),
    ],
)
def test_counts(text, number):
    assert metrics.count_in(text) == number


@pytest.mark.parametrize(
    ("predicted", "true", "score"),
    [
        pytest.param([], [], 1.0, id="both_empty"),
        pytest.param([], ["mug"], 0.0, id="empty"),
        pytest.param(["mug", "car"], ["car", "mug"], 1.0, id="in_another_order"),
        pytest.param(["mug"] * 3, ["mug"], 0.5, id="repeated"),
        pytest.param(["pan"], ["mug"], 0.0, id="wrong"),
    ],
)
def test_f1_of_collections(predicted, true, score):
    assert metrics.multiset_f1(predicted, true) == score


@pytest.mark.parametrize(
    ("fits", "score"),
    [
        pytest.param(np.zeros((0, 0), bool), 1.0, id="nothing_to_find"),
        pytest.param(np.zeros((0, 3), bool), 0.0, id="nothing_given"),
        pytest.param(np.ones((3, 3), bool), 1.0, id="perfect"),
        pytest.param(np.ones((9, 1), bool), 0.2, id="one_thing_found_nine_times"),
        pytest.param(np.array([[True, True], [True, False]]), 1.0, id="paired_with_foresight"),
    ],
)
def test_f1_of_pairs(fits, score):
    assert metrics.matched_f1(fits) == pytest.approx(score)


@pytest.mark.parametrize(
    ("answers", "groups", "share"),
    [
        pytest.param([], None, 0.0, id="none"),
        pytest.param(["yes", "no", "yes", "no"], None, 0.5, id="half_and_half"),
        pytest.param(["mug", "car", "mug", "pan"], None, 0.5, id="most_frequent"),
        pytest.param(["small", "small", "matte", "shiny"], ["s", "s", "m", "m"], 0.75, id="by_group"),
    ],
)
def test_majority(answers, groups, share):
    assert metrics.majority_share(answers, groups) == share
