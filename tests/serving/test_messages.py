"""Messages become the sample that `Model.answer` takes, and what cannot is one sentence."""

import pytest
from pydantic import ValidationError

from deixis.geometry import Region
from deixis.serving.chat.messages import check_turns, media_parts, options_of, sample_of
from deixis.serving.chat.schema import ChatRequest
from deixis.serving.errors import RequestError, of_validation
from deixis.serving.settings import ServerSettings
from deixis.signals import open_signal
from tests.serving.conftest import SCENE

SETTINGS = ServerSettings(max_signals=2, max_turns=3, max_new_tokens=100)
IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
SOUND = {"type": "input_audio", "input_audio": {"data": "AAAA", "format": "wav"}}


def text(words: str) -> dict:
    return {"type": "text", "text": words}


def box(*values: float, **more) -> dict:
    return {"type": "region", "box_xyxy": list(values), **more}


def user(*parts) -> dict:
    return {"role": "user", "content": list(parts)}


def said(content: str, *regions: dict) -> dict:
    return {"role": "assistant", "content": content, "regions": list(regions)}


def request(*messages, **fields) -> ChatRequest:
    return ChatRequest.model_validate({"messages": list(messages), **fields})


@pytest.fixture(scope="module")
def scene():
    return open_signal(str(SCENE))


def test_regions_are_named_in_the_order_of_their_message_and_follow_those_of_earlier_turns(scene):
    asked = request(
        user(IMAGE, text("What is {1}, and what is {0}?"), box(1, 2, 30, 40), box(5, 6, 70, 80)),
        said("A red mug.", {"box_xyxy": [1, 2, 30, 40], "signal": 0, "start": 0, "end": 9}),
        user(text("And this?"), {"type": "region", "point": [3, 4]}),
    )
    sample = sample_of(asked, [scene])
    assert [turn.user for turn in sample.turns] == ["What is {1}, and what is {0}?", "And this {3}?"]
    assert sample.turns[0].assistant == "[A red mug]{2:box}."
    assert sample.regions == (
        Region(box=(1, 2, 30, 40)),
        Region(box=(5, 6, 70, 80)),
        Region(box=(1, 2, 30, 40)),
        Region(point=(3, 4)),
    )


def test_several_regions_of_a_phrase_and_what_is_absent_are_one_reference_each(scene):
    mask = {"mask": {"size": [512, 512], "counts": [512 * 512]}, "start": 0, "end": 8}
    answer = said("Two mugs, no dog.", mask, mask, {"absent": True, "start": 13, "end": 16})
    sample = sample_of(request(user(IMAGE, text("Mark all.")), answer, user(text("Why?"))), [scene])
    assert sample.turns[0].assistant == "[Two mugs]{0,1:mask}, no [dog]{}."


def test_a_plain_string_is_a_text_part_and_files_are_counted_through_all_messages():
    asked = request(user(IMAGE, text("a")), said("b"), user(SOUND, text("c")))
    assert [field for field, _ in media_parts(asked)] == ["messages[0].content[0]", "messages[2].content[0]"]
    assert request({"role": "user", "content": "words"}).messages[0].text == "words"


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        pytest.param([{"role": "system", "content": "x"}, user(IMAGE)], "system prompt of their own", id="system"),
        pytest.param([user(text("What?"))], "expected at least one file", id="no-file"),
        pytest.param([user(IMAGE)], "expected a question as text", id="no-text"),
        pytest.param([user(IMAGE, text("a")), user(text("b"))], "expected assistant, as users", id="two-users"),
        pytest.param([user(IMAGE, text("a")), said("b")], "expected a user's question last", id="answer-last"),
        pytest.param([user(IMAGE, IMAGE, SOUND, text("a"))], "at most 2 files; got 3", id="files"),
        pytest.param(
            [user(IMAGE, text("a"))] + [said("b"), user(text("c"))] * 3, "at most 3 questions; got 4", id="turns"
        ),
    ],
)
def test_conversations_that_cannot_be_asked_are_refused(messages, sentence):
    with pytest.raises(RequestError, match=sentence):
        check_turns(request(*messages), SETTINGS)


@pytest.mark.parametrize(
    ("messages", "sentence"),
    [
        pytest.param([user(IMAGE, text("What is {1}?"), box(1, 2, 3, 4))], r"\{1\} in the question", id="no-region"),
        pytest.param([user(IMAGE, text("a"), box(1, 2, 3))], "Box needs", id="three-numbers"),
        pytest.param([user(IMAGE, text("a"), box(1, 2, 3, 4, signal=1))], "a signal below 1", id="signal"),
        pytest.param(
            [user(IMAGE, text("a")), said("b", {"box_xyxy": [1, 2, 3, 4], "start": 0, "end": 9}), user(text("c"))],
            "phrases of the content",
            id="phrase-beyond-the-answer",
        ),
    ],
)
def test_regions_that_do_not_fit_are_refused(scene, messages, sentence):
    with pytest.raises(RequestError, match=sentence):
        sample_of(request(*messages), [scene])


@pytest.mark.parametrize(
    ("body", "field", "sentence"),
    [
        pytest.param({}, "messages", "required", id="no-messages"),
        pytest.param({"messages": []}, "messages", "at least 1 item", id="empty"),
        pytest.param({"messages": [{"role": "x"}]}, "messages[0].role", "expected 'user'", id="role"),
        pytest.param(
            {"messages": [user({"type": "image_url", "image_url": {}})]},
            "messages[0].content[0].image_url.url",
            "required",
            id="no-url",
        ),
        pytest.param(
            {"messages": [user({"type": "region", "box": [1, 2, 3, 4]})]},
            "messages[0].content[0]",
            "expected one of point, box_xyxy",
            id="no-form",
        ),
        pytest.param(
            {"messages": [user({**IMAGE, "modality": "smell"})]},
            "messages[0].content[0].modality",
            "expected one of image, audio",
            id="modality",
        ),
        pytest.param({"messages": [user(text("a"))], "n": 2}, "n", "does not have it", id="several-answers"),
        pytest.param({"messages": [user(text("a"))], "tools": [{}]}, "tools", "does not have it", id="tools"),
        pytest.param({"messages": [user(text("a"))], "want": "poem"}, "want", "expected one of text", id="want"),
        pytest.param(
            {"messages": [user(text("a"))], "temperature": float("nan")}, "temperature", "finite number", id="nan"
        ),
    ],
)
def test_bodies_that_do_not_fit_the_schema_name_the_field(body, field, sentence):
    with pytest.raises(ValidationError) as refused:
        ChatRequest.model_validate(body)
    error = of_validation([dict(own, loc=("body", *own["loc"])) for own in refused.value.errors()])
    assert error.param == field
    assert sentence in str(error)
    assert "\n" not in str(error)


def test_options_are_greedy_unless_a_temperature_is_given():
    assert options_of(request(user(text("a"))), SETTINGS).temperature == 0
    own = options_of(request(user(text("a")), temperature=0.5, top_p=0.9, seed=3, max_completion_tokens=7), SETTINGS)
    assert (own.temperature, own.top_p, own.seed, own.max_new_tokens) == (0.5, 0.9, 3, 7)
    with pytest.raises(RequestError, match="max_tokens: expected at most 100; got 101"):
        options_of(request(user(text("a")), max_tokens=101), SETTINGS)
