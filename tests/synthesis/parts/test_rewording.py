"""Questions reworded by a language model, with a server that answers from a script."""

import json
import re

import pytest

from deixis.datasets.plain_questions import plain_samples
from deixis.samples.sample import Sample, Turn
from deixis.synthesis.parts import rewording
from tests.synthesis.parts.written_parts import made_by, sample, tools_for
from tests.synthesis.scenes import kitchen


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
