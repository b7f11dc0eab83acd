"""The parts that a language model writes, with a real server on the loopback that answers as a script says."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from deixis.data.build import dialogues, look_alikes, reasoning, rewording
from deixis.data.build.tools import Tools
from deixis.data.endpoint import CostCapReached, Endpoint, EndpointError
from deixis.data.plain import plain_samples
from deixis.data.read.source import Skipped
from deixis.data.sample import Sample, Turn
from deixis.data.validate import validate_record
from tests.data.build.scenes import kitchen, thing
from tests.data.language_server import Reply, language_server

GOOD = [
    {"user": "What is {0} holding?", "assistant": "[The man]{0} holds [a red mug]{1}."},
    {"user": "Where could more tea come from?", "assistant": "From [the kettle]{3} on [the table]{4}."},
]
RIDDLE = {
    "question": "what can bring water to the boil",
    "answer": "It is [the kettle]{3}.",
    "explanation": "Water is heated in it.",
    "follow_up": {"user": "And who uses {1}?", "assistant": "[The man]{0} holds [it]{1}."},
}


def turns(*records: dict) -> str:
    return json.dumps({"turns": list(records)})


def riddles(*records: dict) -> str:
    return json.dumps({"questions": list(records)})


def tools_for(url: str, folder: Path, **fields) -> Tools:
    settings = {"url": url, "model": "m", "max_cost_usd": 0, "cache": folder / "answers.sqlite", "retries": 0} | fields
    return Tools(language=Endpoint(**settings).open)


def made_by(make: Callable, reply: Callable, folder: Path, items: list, quota: int, options, seed: str = "7"):
    """(samples, reasons for what was left out, the server) of a part, every sample checked as a record."""
    with language_server(reply) as server:
        found = list(make(items, quota, seed, tools_for(server.url, folder), options))
    samples = [each for each in found if isinstance(each, Sample)]
    for sample in samples:
        record = sample.to_json()
        validate_record(record | {"signals": [{k: v for k, v in s.items() if k != "path"} for s in record["signals"]]})
        assert sample.author == "model"
    return samples, [each for each in found if isinstance(each, Skipped)], server


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
    assert sample.regions == tuple(item.things[number].region for number in (0, 1, 3, 4))
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
        kitchen(1, things=(thing("dog", (1, 1, 9, 9)),), relations=(), expressions=(), captions=()),
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
        "expected one picture, got none",
        "expected at least 2 things to speak of, got 1",
    ]


def test_items_are_gone_round_by_kind_until_the_quota(tmp_path):
    items = [kitchen(number) for number in range(3)]
    samples, skipped, server = made_by(
        dialogues.make, lambda request, n: turns(*GOOD), tmp_path, items, 99, dialogues.DialoguesOptions()
    )
    assert not skipped
    assert len({sample.id for sample in samples}) == len(samples) == 12
    assert [sample.id.split("/dialogue")[0] for sample in samples[:3]] == ["made/0", "made/1", "made/2"]
    assert len(server.requests) == 4  # the three pictures look the same in symbols: one answer for each kind
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
    with pytest.raises(ValueError, match=r"need.* a language model, and there is none"):
        list(make([kitchen()], 1, "7", Tools(), options))


@pytest.mark.parametrize(
    ("options", "fields", "sentence"),
    [
        pytest.param(
            dialogues.DialoguesOptions, {"kinds": ("jokes",)}, r"kinds: expected some of objects.*'jokes'", id="kind"
        ),
        pytest.param(dialogues.DialoguesOptions, {"kinds": ()}, "kinds: expected some of", id="no_kinds"),
        pytest.param(dialogues.DialoguesOptions, {"kinds": ("objects",) * 2}, "each once", id="kind_twice"),
        pytest.param(
            dialogues.DialoguesOptions, {"min_things": 20}, "min_things, max_things: .* got 20 and 16", id="things"
        ),
        pytest.param(dialogues.DialoguesOptions, {"min_turns": 0}, "min_turns, max_turns: .* got 0 and 6", id="turns"),
        pytest.param(dialogues.DialoguesOptions, {"at_once": 0}, "at_once: expected 1 or more, got 0", id="at_once"),
        pytest.param(
            reasoning.ReasoningOptions, {"explained": 0.9}, "together at most 1, got 0.9 and 0.2", id="shares"
        ),
        pytest.param(reasoning.ReasoningOptions, {"asked_why": -0.1}, "shares from 0", id="share"),
        pytest.param(
            reasoning.ReasoningOptions, {"questions": 0}, "questions: expected 1 or more, got 0", id="questions"
        ),
        pytest.param(rewording.RewordingOptions, {"wordings": 0}, "wordings: expected 1 or more, got 0", id="wordings"),
    ],
)
def test_options_are_checked(options, fields, sentence):
    with pytest.raises(ValueError, match=sentence):
        options(**fields)


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
    (sample,), skipped, _ = made_by(reasoning.make, lambda request, n: riddles(RIDDLE), tmp_path, [item], 9, options)
    assert not skipped
    *told, (asked, answered) = [(turn.user, turn.assistant) for turn in sample.turns]
    assert (asked, answered) == ("And who uses {1}?", "[The man]{2:mask} holds [it]{1:mask}.")
    assert len(told) == len(expected)
    for (user, assistant), (start, answer) in zip(told, expected, strict=True):
        assert user.startswith(start)
        assert assistant == answer
    assert sample.regions == tuple(item.things[number].region for number in (3, 1, 0))
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
        return riddles(RIDDLE | fault, RIDDLE)

    (sample,), (skip,), server = made_by(reasoning.make, reply, tmp_path, [kitchen()], 9, reasoning.ReasoningOptions())
    assert sample.id == "made/0/reason-0"
    assert skip.where == "made/0"
    assert re.search(f"^left out: .*{sentence}", skip.why)
    assert len(server.requests) == 1
    _, skipped, server = made_by(
        reasoning.make,
        lambda request, n: riddles(RIDDLE | fault),
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
    riddle = RIDDLE | {"question": "What would one drink from?", "answer": answer, "follow_up": None}
    samples, skipped, _ = made_by(
        reasoning.make, lambda request, n: riddles(riddle), tmp_path, [kitchen()], 9, reasoning.ReasoningOptions()
    )
    assert (len(samples), skipped) == (1, [])


def test_reasoning_needs_masks_and_keeps_to_its_quota(tmp_path):
    boxes = tuple(
        each if each.name == "kettle" else type(each)(each.name, type(each.region)(box=each.region.box))
        for each in kitchen().things
    )
    items = [
        kitchen(1, things=tuple(t for t in boxes if t.name != "kettle"), relations=(), expressions=(), captions=()),
        kitchen(2, captions=("Two.",)),
        kitchen(3, captions=("Three.",)),
    ]
    several = [RIDDLE | {"question": f"What would help on day {number}?"} for number in ("one", "two", "three", "four")]
    samples, skipped, _ = made_by(
        reasoning.make,
        lambda request, n: riddles(*several),
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
        ("made/1", "expected things that can be referred to, got none (with a mask)")
    ]


def sample(*pairs: tuple[str, str], **fields) -> Sample:
    regions = tuple(each.region for each in kitchen().things[:3])
    facts = {
        "id": "s/1",
        "source": "s",
        "task": "t",
        "split": "train",
        "signals": kitchen().signals,
        "regions": regions,
    }
    return Sample(**facts | {"turns": tuple(Turn(*pair) for pair in pairs)} | fields)


def test_questions_are_reworded_and_all_else_stays(tmp_path):
    old = sample(("What is {0}?", "A mug."), ("Where is every dog by [the red one]{1}?", "[dog]{}"))
    says = {
        "What is {0}?": ["{0}: what is it?", "Name {0}."],
        "Where is every dog by [the red one]{1}?": ["Show me every dog next to [the red one]{1}."],
    }

    def reply(request: dict, number: int) -> str:
        asked = request["messages"][-1]["content"].split("\n")[0].removeprefix("Question: ")
        return json.dumps({"wordings": says[asked]})

    (new,), skipped, server = made_by(rewording.make, reply, tmp_path, [old], 9, rewording.RewordingOptions())
    assert not skipped
    assert new.id == "s/1/reworded"
    assert new.turns[0].user in says["What is {0}?"]
    assert new.turns[1] == Turn("Show me every dog next to [the red one]{1}.", "[dog]{}")
    assert (new.regions, new.signals, new.task) == (old.regions, old.signals, old.task)
    assert "Keep: {0}\n" in server.requests[0]["messages"][-1]["content"]
    assert "Keep: [the red one]{1}, dog\n" in server.requests[1]["messages"][-1]["content"]
    drawn = {
        each.turns[0].user
        for each in rewording.make(
            [sample(("What is {0}?", "A mug."), id=f"s/{n}") for n in range(20)],
            20,
            "7",
            tools_for("http://127.0.0.1:9/v1", tmp_path),  # one question, so one answer, which is kept
            rewording.RewordingOptions(),
        )
    }
    assert drawn == set(says["What is {0}?"])


REWORDING_FAULTS = [
    pytest.param(
        "Where is {1}?", "[a dog]{2}.", "Where?", "the marks of the question, '{1}', got 'none'", id="mark_lost"
    ),
    pytest.param("Where is {1}?", "Here.", "Where is {2}?", "'{1}', got '{2}'", id="another_number"),
    pytest.param("Where is {1}?", "Here.", "{1}, where is {1}?", "'{1}', got '{1}, {1}'", id="mark_twice"),
    pytest.param("Where is [it]{1}?", "Here.", "Where is {1}?", "got '{1}'", id="phrase_lost"),
    pytest.param("Where is {1}?", "Here.", "Where is {1:box}?", "got '{1:box}'", id="form_added"),
    pytest.param("Where is {1}?", "Here.", "Where is {1?", "a single {", id="broken"),
    pytest.param("Where is {1}?", "Here.", "where is {1}", "other words than before", id="the_same"),
    pytest.param("Where is {1}?", "Here.", "", "expected words", id="empty"),
    pytest.param("Where is {1}?", "Here.", 7, "expected text, got 7", id="a_number"),
    pytest.param("Where is a dog?", "[A dog]{1}.", "Where is the animal?", "expected 'dog' to be kept", id="name_lost"),
    pytest.param("Are there 3 dogs?", "Yes.", "Are there dogs?", "expected '3' to be kept", id="number_lost"),
    pytest.param("What colour is {1}?", "Red.", "Is {1} red?", "answer not to be given away", id="given_away"),
    pytest.param("Which is not red?", "That.", "Which is red?", "no more and no fewer negations", id="turned_round"),
]


@pytest.mark.parametrize(("question", "answer", "wording", "sentence"), REWORDING_FAULTS)
def test_wordings_that_ask_something_else_are_left_out(question, answer, wording, sentence, tmp_path):
    old = sample((question, answer))
    samples, skipped, _ = made_by(
        rewording.make,
        lambda request, n: json.dumps({"wordings": [wording]}),
        tmp_path,
        [old],
        9,
        rewording.RewordingOptions(),
    )
    assert not samples
    assert [skip.why.split(":")[0] for skip in skipped] == ["asked again", "given up"]
    assert re.search(re.escape(sentence), skipped[0].why)


def test_choices_stay_and_long_dialogues_are_left_alone(tmp_path):
    old = sample(("Is it red or blue?", "Red."))
    chosen = Turn("Is it red or blue?", "Red.", choices=("red", "blue"))
    assert rewording.kept_words(chosen) == ("red", "blue")
    long = sample(*[("a", "b")] * 5)
    samples, (skip,), _ = made_by(
        rewording.make,
        lambda request, n: json.dumps({"wordings": ["Would you call it red or blue?"]}),
        tmp_path,
        [long, Sample(**vars(old) | {"turns": (chosen,)})],
        9,
        rewording.RewordingOptions(),
    )
    assert "at most 4 turns to reword, got 5" in skip.why
    assert samples[0].turns[0].user == "Would you call it red or blue?"


def test_of_annotations_the_plain_questions_are_reworded(tmp_path):
    def reply(request: dict, number: int) -> str:
        asked = request["messages"][-1]["content"].split("\n")[0].removeprefix("Question: ")
        return json.dumps({"wordings": [f"Please tell me this: {asked}"]})

    item = kitchen()
    options = rewording.RewordingOptions(tasks=("ground", "detect"), max_turns=2)
    samples, skipped, _ = made_by(rewording.make, reply, tmp_path, [item], 9, options)
    plain = {each.task: each for each in plain_samples(item)}
    assert not skipped
    assert [each.task for each in samples] == ["detect", "ground"]
    for each in samples:
        asked = [turn.user.removeprefix("Please tell me this: ") for turn in each.turns]
        assert len(asked) == 2
        assert set(asked) <= {turn.user for turn in plain[each.task].turns}


def test_look_alikes_are_asked_for_and_those_that_may_be_the_thing_are_left_out(tmp_path):
    says = {
        "mug": ["Mugs", "coffee mug", "glass", "vase", 7, "a thing of many words here", "glass"],
        "traffic light": ["light"],
    }
    with language_server(lambda request, n: json.dumps({"look_alikes": says})) as server:
        found = look_alikes.look_alikes(["mug", "traffic light", "mug"], tools_for(server.url, tmp_path))
    assert found["mug"] == ["glass", "vase"]
    assert found["traffic light"] == look_alikes.known_look_alikes("traffic light")
    assert server.requests[0]["messages"][-1]["content"] == "mug\ntraffic light"


@pytest.mark.parametrize("text", [pytest.param("no", id="prose"), pytest.param('{"look_alikes": []}', id="a_list")])
def test_where_the_model_fails_the_known_ones_serve(text, tmp_path):
    with language_server(lambda request, n: text) as server:
        tools = tools_for(server.url, tmp_path)
        assert look_alikes.look_alikes(["dog"], tools) == look_alikes.look_alikes(["dog"], Tools())
    assert len(server.requests) == 2


def test_without_a_model_the_table_and_siblings_serve():
    found = look_alikes.look_alikes(["tennis racket", "badminton racket", "racket", "zzz"], Tools())
    assert "badminton racket" in found["tennis racket"]
    assert "racket" not in found["tennis racket"]
    assert found["zzz"] == []
    assert found["racket"] == look_alikes.known_look_alikes("racket")
