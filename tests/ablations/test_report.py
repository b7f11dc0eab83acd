"""Verdicts of a comparison from stored answers: what differs, what was never learnt, and slices of questions."""

import pytest

from deixis.ablations.answers import AnsweredQuestion, Settings
from deixis.ablations.comparison import Claim, Comparison, Measure, Variant
from deixis.ablations.report import Results, report_lines

NAME, MASK = Measure("region_name", "name"), Measure("phrase_mask", "gIoU")
BY_BOX = Measure("region_name", "name", "by box")
COMPARISON = Comparison(
    name="made_up",
    question="Which is better?",
    finding="the first",
    source="nowhere",
    recipe={},
    variants={"first": Variant(), "second": Variant()},
    claims=(Claim("first", "second", (NAME, MASK)),),
    beside=(BY_BOX,),
)


def answered(share, iou):
    """Answers to 40 questions of two tasks, `share` of the names right, in twenty scenes; half of the names by box."""
    rows = []
    for number in range(40):
        about, slices = ("x", f"scene {number // 2}"), ("by box",) if number % 2 else ()
        names = {"name": float(number % 10 < 10 * share)}
        rows.append(
            AnsweredQuestion(
                f"n{number}", "region_name", about[1], ["mug", "ball", "car", "pan"][number % 4], slices, names
            )
        )
        rows.append(
            AnsweredQuestion(f"m{number}", "phrase_mask", about[1], "present", (), {"iou": iou + 0.01 * (number % 3)})
        )
    return rows


def results(first, second):
    return Results(COMPARISON, Settings(seeds=2), {"first": [answered(*first)] * 2, "second": [answered(*second)] * 2})


@pytest.mark.parametrize(
    ("first", "second", "verdicts"),
    [
        pytest.param((0.9, 0.6), (0.5, 0.2), ["held", "held"], id="better"),
        pytest.param((0.5, 0.2), (0.9, 0.6), ["did not hold", "did not hold"], id="worse"),
        pytest.param((0.9, 0.6), (0.9, 0.6), ["inconclusive", "inconclusive"], id="equal"),
        pytest.param((0.2, 0.6), (0.0, 0.2), ["inconclusive", "held"], id="names_at_the_constant_answer"),
    ],
)
def test_a_claim_holds_measure_by_measure(first, second, verdicts):
    own = results(first, second)
    assert [verdict for *_, verdict in own.findings] == verdicts
    assert own.constant(NAME) == 0.25
    assert own.constant(MASK) is None


def test_the_report_shows_slices_means_and_differences():
    text = "\n".join(report_lines(results((0.9, 0.6), (0.5, 0.2))))
    assert "| region_name, name, by box | 20 | 0.50 | 0.80 (" in text
    assert "| first | second | phrase_mask, gIoU | +0.40 (+0.40 to +0.40) | held |" in text
