"""Streaming: what was emitted is never revised, and all events together are the answer."""

from dataclasses import replace
from itertools import chain
from types import SimpleNamespace

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer, decoders, models
from transformers import PreTrainedTokenizerFast

from deixis.conversation import question_sample
from deixis.geometry import Region, parse_answer
from deixis.geometry.frames import letterbox_frame
from deixis.inference import Model
from deixis.inference.answer_reader import AnswerReader
from deixis.inference.generation import GenerationState
from deixis.inference.stream import StreamParser, settled
from deixis.systems import NOTATIONS
from tests.inference.test_model import END, SEG, saying
from tests.toy import toy_audio, toy_image

FRAMES = [letterbox_frame((64, 64), (64, 64)), letterbox_frame((30, 60), (64, 64))]
SCRAPS = [
    "<p>",
    "</p>",
    "<seg>",
    "[SEG]",
    "<region>",
    "[",
    "]",
    "[1, 2, 3, 4]",
    "@1",
    "@",
    "[]",
    "<",
    "\n",
    "and",
    "or",
]
SCRAPS += ["or", "a", "red mug", " ", "  ", ".", ",", ";", "12", "7.5", "…", "\ufffd", "Sure", "it is", "é", "[3"]
TEXTS = st.lists(st.sampled_from(SCRAPS), max_size=14).map("".join)


def as_region(found):
    """A parsed region as a region, without a network."""
    return Region(point=(found.unit or (found.seg_index,))[:3], signal=found.signal, label=repr(found))


@pytest.mark.parametrize("name", NOTATIONS)
@settings(deadline=None, max_examples=80)
@example(raw="Sure, <seg>.")
@example(raw="x .5")
@example(raw="dogs [1, 2, 3, 4] and [1, 2, 3, 5]")
@example(raw="dogs [1, 2, 3, 4] andy")
@example(raw="a<seg>@1 b")
@given(raw=TEXTS)
def test_emitted_text_is_final(name, raw):
    """Character by character, any text: what was emitted is a prefix of the clean text of the whole."""
    notation = NOTATIONS[name]
    whole = parse_answer(raw, FRAMES, notation)
    parser = StreamParser(
        notation, (), lambda text: parse_answer(text, FRAMES, notation), lambda found, _: [as_region(found)]
    )
    text, regions = "", []
    events = [parser.feed(raw[:end]) for end in range(len(raw) + 1)]
    for event in chain.from_iterable([*events, parser.finish(raw)]):
        text += event.text if event.kind == "text" else ""
        regions += [event.region] if event.kind == "region" else []
        assert whole.text.startswith(text)
    assert text == whole.text
    assert regions == [as_region(found) for phrase in whole.phrases for found in phrase.regions]


@pytest.mark.parametrize(
    ("raw", "shown"),
    [
        pytest.param("", "", id="nothing"),
        pytest.param("A mug", "A mug", id="words"),
        pytest.param("A m\ufffd", "A m", id="half_a_character"),
        pytest.param("A <", "A ", id="markup_begun"),
        pytest.param("A <p>mug</p", "A <p>mug", id="markup_half_there"),
        pytest.param("A mug[", "A mug", id="bracket"),
        pytest.param("A mug[12, 3", "A mug", id="half_a_box"),
        pytest.param("A mug[1, 2, 3, 4]", "A mug", id="a_reference_that_may_be_named"),
        pytest.param("A mug<seg>@", "A mug", id="a_reference_that_is_being_named"),
        pytest.param("A mug<seg>@1", "A mug", id="a_name_that_may_continue"),
        pytest.param("A mug<seg>.", "A mug<seg>.", id="a_reference_that_is_over"),
        pytest.param("A mug [see", "A mug [see", id="a_bracket_that_is_none"),
        pytest.param("A mug##", "A mug", id="end_begun"),
    ],
)
def test_what_is_settled(raw, shown):
    assert settled(raw, NOTATIONS["deixis"], ["###"]) == shown


def test_events_are_the_answer_of_ask(bundled, mixed):
    for question in mixed:
        whole = bundled.answer([question])[0]
        signals = [own.values for own in question.signals]
        *events, last = bundled.stream(question.turns[0].user, *signals, regions=question.regions)
        assert "".join(event.text for event in events if event.kind == "text") == whole.text == last.answer.text
        regions = [event.region for event in events if event.kind == "region"]
        for one, streamed, other in zip(regions, last.answer.regions, whole.regions, strict=True):
            assert one is streamed
            assert replace(one, score=None) == replace(other, score=None)
        phrases = [event.text for event in events if event.kind == "region"]
        assert phrases == [phrase.text for phrase in whole.phrases for _ in phrase.regions]
        assert not any(character in event.text for event in events for character in "<>[]")


def test_a_region_comes_as_soon_as_it_is_complete(toy):
    model = Model(*toy, "toy")
    with saying(model.network, model.processor.tokenizer, ["A", SEG, "A", SEG, END]):
        kinds = [(event.kind, event.text) for event in model.stream("Where?", toy_image(), max_new_tokens=9)]
    assert [kind for kind, _ in kinds] == ["text", "region", "text", "region", "answer"]


def test_a_question_is_refused_before_the_first_event(toy):
    with pytest.raises(ValueError, match="must not contain <image>"):
        Model(*toy, "toy").stream("What is <image>?", toy_image())


def test_an_abandoned_stream_leaves_its_prefix_cached(toy):
    model = Model(*toy, "toy")
    events = model.stream("What is it?", toy_image(), max_new_tokens=30)
    next(events)
    events.close()
    assert len(list(model.engine.cache.entries("prefix"))) == 1


def test_a_chat_remembers_a_turn_that_was_streamed_to_its_end(toy):
    model = Model(*toy, "toy")
    asked, streamed = (model.chat(toy_image(), toy_audio()) for _ in range(2))
    for turn in ("What is it?", "Where?"):
        asked.ask(turn, max_new_tokens=6)
        *_, last = streamed.stream(turn, max_new_tokens=6)
        assert last.answer is streamed.answers[-1]
    assert [answer.raw for answer in asked.answers] == [answer.raw for answer in streamed.answers]
    left = streamed.stream("How many?", max_new_tokens=6)
    next(left)
    left.close()
    assert len(streamed.answers) == 2


def test_a_byte_is_held_back_until_its_character_is_known(toy):
    """Tokens of single bytes: the second byte begins a character that the next token may complete."""
    network, processor = toy
    letter, first_byte = 2 + 0x56, 2 + 0xC8
    reading = AnswerReader(
        Model(network, processor, "toy").engine,
        question_sample("What?", ()),
        (),
        GenerationState(ids=[1, letter, first_byte]),
    )
    vocabulary = {"<unk>": 0, "word": 1} | {f"<0x{byte:02X}>": 2 + byte for byte in range(256)}
    tokenizer = Tokenizer(models.BPE(vocab=vocabulary, merges=[], unk_token="<unk>", byte_fallback=True))
    tokenizer.decoder = decoders.Sequence([decoders.ByteFallback(), decoders.Fuse()])
    reading.processor = SimpleNamespace(tokenizer=PreTrainedTokenizerFast(tokenizer_object=tokenizer))
    assert (reading.raw, reading.raw_settled) == ("wordV\ufffd", "word")
