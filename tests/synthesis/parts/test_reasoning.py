"""Reasoning questions written by a language model, with a server that answers from a script."""

import re

import pytest

from deixis.synthesis.parts import reasoning
from tests.synthesis.parts.written_parts import RIDDLE, accepted, made_by
from tests.synthesis.scenes import kitchen


@pytest.mark.parametrize(
    ("explained", "asked_why", "expected"),
    [
        pytest.param(
            1,
            0,
            [("what can bring water to the boil. ", "It is [the kettle]{0:mask}. Water is heated in it.")],
            id="at_once",
        ),
        pytest.param(
            0,
            1,
            [("what can bring water to the boil", "It is [the kettle]{0:mask}."), ("", "Water is heated in it.")],
            id="when_asked",
        ),
        pytest.param(0, 0, [("what can bring water to the boil", "It is [the kettle]{0:mask}.")], id="not"),
    ],
)
def test_a_question_that_needs_a_thought_has_masks_and_a_reason(explained, asked_why, expected, tmp_path):
    options = reasoning.ReasoningOptions(explained=explained, asked_why=asked_why)
    item = kitchen()
    (sample,), skipped, _ = made_by(reasoning.make, lambda request, n: accepted(RIDDLE), tmp_path, [item], 9, options)
    assert not skipped
    *told, (asked, answered) = [(turn.user, turn.assistant) for turn in sample.turns]
    assert (asked, answered) == ("And who uses {1}?", "[The man]{2:mask} holds [it]{1:mask}.")
    assert len(told) == len(expected)
    for (user, assistant), (start, answer) in zip(told, expected, strict=True):
        assert user.startswith(start)
        assert assistant == answer
    assert sample.regions == tuple(item.objects[number].region for number in (3, 1, 0))
    without = reasoning.ReasoningOptions(explained=explained, asked_why=asked_why, follow_ups=False)
    (sample,), _, server = made_by(reasoning.make, lambda request, n: "", tmp_path, [item], 9, without)
    assert (len(sample.turns), len(sample.regions), server.requests) == (len(expected), 1, [])


RIDDLE_FAULTS = [
    pytest.param(
        {"question": "Which kettle boils water?"}, "expected 'kettle', which is meant, not to be named", id="named"
    ),
    pytest.param({"question": "Which teapots boil?"}, "expected 'teapot', which is meant", id="synonym_named"),
    pytest.param(
        {"question": "What is {3} for?"}, r"questions\[0\].question: expected no braces", id="question_marked"
    ),
    pytest.param(
        {"explanation": "[It]{3} boils."}, r"questions\[0\].explanation: expected no braces", id="reason_marked"
    ),
    pytest.param({"explanation": None}, "explanation: expected text, got null", id="no_reason"),
    pytest.param({"answer": "The kettle."}, "expected what is meant to be marked", id="unmarked"),
    pytest.param({"answer": "It is {3}."}, "a name in front of each mark", id="unnamed"),
    pytest.param({"answer": "[The kettle]{3:mask}."}, "numbers of things alone in braces", id="form"),
    pytest.param({"answer": "[The lid]{3}."}, "does not name thing 3", id="wrong_name"),
    pytest.param({"answer": "[The mug]{2}."}, "expected every 'mug' to be meant", id="one_of_several"),
    pytest.param({"follow_up": "Why?"}, "follow_up: expected null or an object", id="follow_up_text"),
    pytest.param({"follow_up": {"user": "Why?"}}, "follow_up.assistant: expected text", id="follow_up_unanswered"),
]


@pytest.mark.parametrize(("fault", "sentence"), RIDDLE_FAULTS)
def test_a_faulty_question_is_left_out_and_the_others_stay(fault, sentence, tmp_path):
    def reply(request: dict, number: int) -> str:
        return accepted(RIDDLE | fault, RIDDLE)

    (sample,), (skip,), server = made_by(reasoning.make, reply, tmp_path, [kitchen()], 9, reasoning.ReasoningOptions())
    assert sample.id == "made/0/reason-0"
    assert skip.where == "made/0"
    assert re.search(f"^left out: .*{sentence}", skip.why)
    assert len(server.requests) == 1
    _, skipped, server = made_by(
        reasoning.make,
        lambda request, n: accepted(RIDDLE | fault),
        tmp_path / "never",
        [kitchen()],
        9,
        reasoning.ReasoningOptions(),
    )
    assert [skip.why.split(":")[0] for skip in skipped] == ["asked again", "given up"]
    assert len(server.requests) == 2


@pytest.mark.parametrize(
    "answer",
    [
        pytest.param("[The two mugs]{1,2}.", id="all_of_the_name"),
        pytest.param("[The red mug]{1}.", id="one_that_something_is_known_of"),
    ],
)
def test_several_of_a_name(answer, tmp_path):
    found = RIDDLE | {"question": "What would one drink from?", "answer": answer, "follow_up": None}
    samples, skipped, _ = made_by(
        reasoning.make,
        lambda request, n: accepted(found),
        tmp_path,
        [kitchen()],
        9,
        reasoning.ReasoningOptions(),
    )
    assert (len(samples), skipped) == (1, [])


def test_reasoning_needs_masks_and_keeps_to_its_quota(tmp_path):
    boxes = tuple(
        each if each.name == "kettle" else type(each)(each.name, type(each.region)(box=each.region.box))
        for each in kitchen().objects
    )
    items = [
        kitchen(1, objects=tuple(t for t in boxes if t.name != "kettle"), relations=(), expressions=(), captions=()),
        kitchen(2, captions=("Two.",)),
        kitchen(3, captions=("Three.",)),
    ]
    several = [RIDDLE | {"question": f"What would help on day {number}?"} for number in ("one", "two", "three", "four")]
    samples, skipped, _ = made_by(
        reasoning.make,
        lambda request, n: accepted(*several),
        tmp_path,
        items,
        4,
        reasoning.ReasoningOptions(questions=3),
    )
    assert [sample.id for sample in samples] == [
        "made/2/reason-0",
        "made/2/reason-1",
        "made/2/reason-2",
        "made/3/reason-0",
    ]
    assert [(skip.where, skip.why) for skip in skipped] == [
        ("made/1", "expected objects that can be referred to, got none (with a mask)")
    ]
