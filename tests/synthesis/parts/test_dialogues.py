"""Dialogues written by a language model, with a real server on the loopback that answers from a script."""

import re

import pytest

from deixis.language.endpoint import CostCapReached, EndpointError
from deixis.samples.sample import Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts import dialogues, reasoning, rewording
from tests.language.language_server import Reply, language_server
from tests.synthesis.parts.written_parts import GOOD, made_by, sample, tools_for, turns
from tests.synthesis.scenes import kitchen, obj


def test_a_dialogue_keeps_its_marks_under_the_numbers_of_its_own_regions(tmp_path):
    item = kitchen()
    (sample,), skipped, server = made_by(
        dialogues.make,
        lambda request, number: turns(*GOOD),
        tmp_path,
        [item],
        1,
        dialogues.DialoguesOptions(kinds=("objects",)),
    )
    assert not skipped
    assert (sample.id, sample.task, sample.source) == ("made/0/dialogue-objects", "dialogue-objects", "made")
    assert sample.turns == (
        Turn("What is {0} holding?", "[The man]{0} holds [a red mug]{1}."),
        Turn("Where could more tea come from?", "From [the kettle]{2} on [the table]{3}."),
    )
    assert sample.regions == tuple(item.objects[number].region for number in (0, 1, 3, 4))
    system, *_, asked = server.requests[0]["messages"]
    assert "single things" in system["content"]
    assert "1 mug (red): 366 500 466 749" in asked["content"]


DIALOGUE_FAULTS = [
    pytest.param("", "expected a JSON object with the field 'turns', got ''", id="empty"),
    pytest.param("I would love to!", "expected a JSON object with the field 'turns'", id="prose"),
    pytest.param('{"turns": "none"}', "turns: expected a list of objects", id="no_list"),
    pytest.param('{"turns": ["Hi", "Hello"]}', "turns: expected a list of objects", id="no_objects"),
    pytest.param(turns(), "turns: expected 2 to 6, got 0", id="no_turns"),
    pytest.param(turns(GOOD[0]), "turns: expected 2 to 6, got 1", id="one_turn"),
    pytest.param(turns(*[GOOD[0]] * 7), "turns: expected 2 to 6, got 7", id="many_turns"),
    pytest.param(turns(GOOD[0], {"user": "Hm?"}), r"turns\[1\].assistant: expected text, got null", id="unanswered"),
    pytest.param(turns(GOOD[0], GOOD[0]), "turns: expected no question twice", id="twice"),
    pytest.param(turns(GOOD[1], GOOD[0] | {"user": "What?"}), "question that points at a thing", id="no_pointing"),
    pytest.param(
        turns({"user": "{0}?", "assistant": "A man."}, {"user": "{1}?", "assistant": "A mug."}),
        "an answer that marks what it names",
        id="missing_markup",
    ),
    pytest.param(turns(GOOD[0], GOOD[1] | {"user": "And {9}?"}), r"\{9\} is no thing of this picture", id="number"),
    pytest.param(turns(GOOD[0], GOOD[1] | {"assistant": "[A cat]{3}."}), "does not name thing 3", id="name"),
    pytest.param(turns(GOOD[0], GOOD[1] | {"assistant": "It is {3}."}), "a name in front of each mark", id="bare"),
    pytest.param(turns(GOOD[0], GOOD[1] | {"user": "Is it at [1, 2, 3, 4]?"}), "no coordinates", id="coordinates"),
    pytest.param(
        turns(GOOD[0], GOOD[1] | {"user": "What is in this region?"}), "what is meant by 'this region'", id="unmarked"
    ),
]


@pytest.mark.parametrize(("bad", "sentence"), DIALOGUE_FAULTS)
def test_a_faulty_dialogue_is_asked_for_again_with_the_complaint_and_counted(bad, sentence, tmp_path):
    options = dialogues.DialoguesOptions(kinds=("objects",))

    def reply(request: dict, number: int) -> str:
        return bad if number == 0 else f"Sure:\n```json\n{turns(*GOOD)}\n```"

    samples, skipped, server = made_by(dialogues.make, reply, tmp_path, [kitchen()], 5, options)
    assert len(samples) == 1
    assert [skip.where for skip in skipped] == ["made/0"]
    assert re.search(f"^asked again: .*{sentence}", skipped[0].why)
    assert skipped[0].why.removeprefix("asked again: ") in server.requests[1]["messages"][-1]["content"]

    folder = tmp_path / "never"
    samples, skipped, server = made_by(dialogues.make, lambda request, n: bad, folder, [kitchen()], 5, options)
    assert not samples
    assert [skip.why.split(":")[0] for skip in skipped] == ["asked again", "given up"]
    assert len(server.requests) == 2


def test_a_dialogue_on_relations_is_on_more_than_one_thing(tmp_path):
    alone = turns({"user": "{3}?", "assistant": "[A kettle]{3}."}, {"user": "Is it hot?", "assistant": "[It]{3} is."})
    _, skipped, _ = made_by(
        dialogues.make,
        lambda request, n: alone,
        tmp_path,
        [kitchen()],
        1,
        dialogues.DialoguesOptions(kinds=("relations",)),
    )
    assert "expected relations between things" in skipped[-1].why


def test_items_without_enough_to_speak_of_are_left_out_unasked(tmp_path):
    items = [
        sample(("Hello?", "Hello.")),
        kitchen(0, signals=()),
        kitchen(1, objects=(obj("dog", (1, 1, 9, 9)),), relations=(), expressions=(), captions=()),
    ]
    samples, skipped, server = made_by(
        dialogues.make,
        lambda request, n: turns(*GOOD),
        tmp_path,
        items,
        9,
        dialogues.DialoguesOptions(kinds=("objects",)),
    )
    assert (samples, server.requests) == ([], [])
    assert [skip.why for skip in skipped] == [
        "expected annotations, got a dialogue",
        "expected one image, got none",
        "expected at least 2 objects to speak of, got 1",
    ]


def test_items_are_gone_round_by_kind_until_the_quota(tmp_path):
    items = [kitchen(number) for number in range(3)]
    samples, skipped, server = made_by(
        dialogues.make, lambda request, n: turns(*GOOD), tmp_path, items, 99, dialogues.DialoguesOptions()
    )
    assert not skipped
    assert len({sample.id for sample in samples}) == len(samples) == 12
    assert [sample.id.split("/dialogue")[0] for sample in samples[:3]] == ["made/0", "made/1", "made/2"]
    assert len(server.requests) == 4  # the three images have the same scene text: one answer for each type
    fewer, _, _ = made_by(
        dialogues.make, lambda request, n: turns(*GOOD), tmp_path, items, 5, dialogues.DialoguesOptions()
    )
    assert fewer == samples[:5]


def test_a_run_that_is_stopped_by_the_cap_goes_on_with_what_it_has(tmp_path):
    items = [kitchen(n, captions=(f"Picture {n}.",)) for n in range(6)]
    options = dialogues.DialoguesOptions(kinds=("objects",), at_once=1)
    prices = {"usd_per_million_in": 0.0, "usd_per_million_out": 1_000.0, "max_tokens": 100}

    def reply(request: dict, number: int) -> Reply:
        return Reply(turns(*GOOD), tokens=(0, 100))  # 0.10 USD

    with language_server(reply) as server:
        stopped = dialogues.make(items, 6, "7", tools_for(server.url, tmp_path, max_cost_usd=0.45, **prices), options)
        first = [next(stopped) for _ in range(4)]
        with pytest.raises(CostCapReached, match=r"0.4000 of 0.4500 USD are spent"):
            next(stopped)
        whole = list(dialogues.make(items, 6, "7", tools_for(server.url, tmp_path, max_cost_usd=9, **prices), options))
        assert len(server.requests) == 6
    assert whole[:4] == first
    kept = tools_for("http://127.0.0.1:9/v1", tmp_path, **prices)  # nobody listens there
    assert list(dialogues.make(items, 6, "7", kept, dialogues.DialoguesOptions(kinds=("objects",), at_once=3))) == whole


def test_a_server_that_is_gone_stops_the_part(tmp_path):
    with pytest.raises(EndpointError, match="expected a server that answers"):
        list(
            dialogues.make(
                [kitchen()], 1, "7", tools_for("http://127.0.0.1:9/v1", tmp_path), dialogues.DialoguesOptions()
            )
        )


@pytest.mark.parametrize(
    ("make", "options"),
    [
        pytest.param(dialogues.make, dialogues.DialoguesOptions(), id="dialogues"),
        pytest.param(reasoning.make, reasoning.ReasoningOptions(), id="reasoning"),
        pytest.param(rewording.make, rewording.RewordingOptions(), id="rewording"),
    ],
)
def test_parts_that_need_a_language_model_say_so(make, options):
    with pytest.raises(ValueError, match="needs a language model, and there is none"):
        list(make([kitchen()], 1, "7", Annotators(), options))


@pytest.mark.parametrize(
    ("options", "fields", "sentence"),
    [
        pytest.param(
            dialogues.DialoguesOptions, {"kinds": ("jokes",)}, r"kinds: expected .*one of objects.*'jokes'", id="kind"
        ),
        pytest.param(dialogues.DialoguesOptions, {"kinds": ()}, "kinds: expected some of", id="no_kinds"),
        pytest.param(dialogues.DialoguesOptions, {"kinds": ("objects",) * 2}, "each once", id="kind_twice"),
        pytest.param(
            dialogues.DialoguesOptions,
            {"min_objects": 20},
            "max_objects: expected at least min_objects, which is 20; got 16",
            id="things",
        ),
        pytest.param(
            dialogues.DialoguesOptions, {"min_turns": 0}, "min_turns: expected a whole number from 1; got 0", id="turns"
        ),
        pytest.param(
            dialogues.DialoguesOptions, {"at_once": 0}, "at_once: expected a whole number from 1; got 0", id="at_once"
        ),
        pytest.param(
            reasoning.ReasoningOptions, {"explained": 0.9}, "together at most 1; got 0.9 and 0.2", id="shares"
        ),
        pytest.param(
            reasoning.ReasoningOptions, {"asked_why": -0.1}, "asked_why: expected a number from 0", id="share"
        ),
        pytest.param(
            reasoning.ReasoningOptions,
            {"questions": 0},
            "questions: expected a whole number from 1; got 0",
            id="questions",
        ),
        pytest.param(
            rewording.RewordingOptions,
            {"wordings": 0},
            "wordings: expected a whole number from 1; got 0",
            id="wordings",
        ),
    ],
)
def test_options_are_checked(options, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        options(**fields)
