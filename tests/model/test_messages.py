"""The processor as people who live in transformers call it: keywords of media, messages of content parts, refusals."""

import numpy as np
import pytest
import torch

from deixis import Box, Span
from deixis.errors import InputError
from tests.toy import toy_audio, toy_image, toy_point_cloud

IMAGE, AUDIO = {"type": "image", "image": toy_image()}, {"type": "audio", "audio": toy_audio()}


def user(*parts):
    return {"role": "user", "content": list(parts)}


def text(words):
    return {"type": "text", "text": words}


def same(one, other):
    assert one.keys() == other.keys()
    one, other = ({**own, **own["signals"]} for own in (one, other))
    assert one.pop("signals").keys() == other.pop("signals").keys()
    assert all(torch.equal(one[name], other[name]) for name in one)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        pytest.param({"images": toy_image()}, [toy_image()], id="one_image"),
        pytest.param({"images": [toy_image(), toy_image(seed=1)]}, [toy_image(), toy_image(seed=1)], id="images"),
        pytest.param({"audio": toy_audio()}, [toy_audio()], id="audio_with_its_rate"),
        pytest.param({"audio": toy_audio()[0], "sampling_rate": 16000}, [toy_audio()], id="sampling_rate"),
        pytest.param(
            {"images": toy_image(), "signals": [toy_point_cloud()]},
            [toy_image(), toy_point_cloud()],
            id="beside_signals",
        ),
        pytest.param(
            {"images": toy_image(), "return_tensors": "pt", "padding": True}, [toy_image()], id="usual_options"
        ),
    ],
)
def test_media_come_by_transformers_keywords(toy, given, expected):
    processor = toy[1]
    same(processor(text="What is it?", **given), processor("What is it?", expected))


def test_several_questions_have_their_own_media_and_regions(toy):
    processor = toy[1]
    box = [Box(2, 3, 20, 20)]
    given = processor(
        text=["What is {0}?", "Hm?"], images=[toy_image(), None], audio=[None, toy_audio()], regions=[box, []]
    )
    same(given, processor(["What is {0}?", "Hm?"], [[toy_image()], [toy_audio()]], [box, []]))
    assert [[own.modality for own in row] for row in given.prepared] == [["image"], ["audio"]]


@pytest.mark.parametrize(
    ("given", "match"),
    [
        pytest.param(
            {"image": toy_image()}, r"image: expected no argument of this name, .*mean 'images'", id="singular"
        ),
        pytest.param({"truncation": True}, "truncation: expected no argument of this name, got True", id="truncation"),
        pytest.param({"return_tensors": "np"}, "return_tensors: expected 'pt', got 'np'", id="framework"),
        pytest.param({"padding": "max_length"}, "padding: expected True, got 'max_length'", id="padding"),
        pytest.param({"videos": toy_image()}, "picture|film|video|image", id="wrong_modality"),
        pytest.param(
            {"text": ["a", "b"], "images": [toy_image()]}, "images: expected a list .* each of 2 questions", id="few"
        ),
        pytest.param(
            {"text": ["a", "b"], "images": toy_image()}, "images: .* each of 2 questions, got a ndarray", id="no_list"
        ),
        pytest.param({"text": ["a"], "regions": [[], []]}, "regions: .* each of 1 questions, got 2", id="regions"),
    ],
)
def test_what_is_not_understood_is_refused(toy, given, match):
    with pytest.raises(InputError, match=match):
        toy[1](**{"text": "What is it?", **given})


def test_a_message_of_parts_is_a_question(toy):
    processor = toy[1]
    box = [Box(2, 3, 20, 20)]
    options = {"tokenize": True, "add_generation_prompt": True, "regions": box}
    messages = [user(IMAGE, AUDIO, text("What is {0}?"))]
    inputs = processor.apply_chat_template(messages, return_dict=True, **options)
    expected = processor("What is {0}?", [toy_image(), toy_audio()], box)
    same(inputs, expected)
    assert torch.equal(processor.apply_chat_template(messages, **options), expected["input_ids"])
    with torch.no_grad():
        assert toy[0](**inputs).logits.isfinite().all()


def test_earlier_turns_and_their_regions_are_fed(toy):
    processor = toy[1]
    messages = [user(AUDIO, text("What is {0}?")), {"role": "assistant", "content": "Yes."}, user(text("And {1}?"))]
    regions = [Span(0.5, 1.2), Span(0.1, 0.4)]
    options = {"regions": regions, "add_generation_prompt": True}
    inputs = processor.apply_chat_template(messages, tokenize=True, return_dict=True, **options)
    assert inputs["region_points"].shape[0] == 2
    written = processor.apply_chat_template(messages, **options)
    assert written.index("Yes.") < written.index("And ")
    assert processor.apply_chat_template(messages, regions=regions) + "<assistant>" == written
    both = processor.apply_chat_template([messages, [user(text("Hm?"))]], regions=[regions, []], tokenize=True)
    assert both.shape[0] == 2


@pytest.mark.parametrize(
    ("messages", "options", "match"),
    [
        pytest.param([], {}, "messages: expected at least one, got none", id="none"),
        pytest.param([{"role": "system", "content": "Be kind."}], {}, r"\[0\].role: expected 'user'", id="system"),
        pytest.param([user(text("a")), user(text("b"))], {}, r"\[1\].role: expected 'assistant'", id="twice"),
        pytest.param([{"role": "user", "content": 3}], {}, "expected a text or a list of parts, got int", id="number"),
        pytest.param([user("a")], {}, r"content\[0\]: expected a part with a type, got str", id="bare_text"),
        pytest.param([user({"type": "imag"})], {}, r"content\[0\].type: .* did you mean 'image'", id="type"),
        pytest.param([user({"type": "image", "url": "x"})], {}, "expected type, image, path; got 'url'", id="url"),
        pytest.param([user({"type": "image"})], {}, "expected one source, as 'image' or 'path', got 0", id="no_source"),
        pytest.param(
            [user(text("a")), {"role": "assistant", "content": "b"}, user(IMAGE)],
            {},
            r"messages\[2\].content: .* belong to its first message",
            id="late_signal",
        ),
        pytest.param([{**user(text("a")), "name": "Ann"}], {}, "expected role, content; got 'name'", id="key"),
        pytest.param([user(text("a"))], {"tools": [1]}, "tools: expected no argument of this name", id="tools"),
        pytest.param(
            [user(text("a")), {"role": "assistant", "content": "b"}],
            {"add_generation_prompt": True},
            "add_generation_prompt: expected the last message to be the user's",
            id="prompt_behind_an_answer",
        ),
    ],
)
def test_messages_that_are_not_understood_are_refused(toy, messages, options, match):
    conversation = messages or [[]]
    with pytest.raises(InputError, match=match):
        toy[1].apply_chat_template(conversation, **options)


def test_a_path_is_a_source(toy, tmp_path):
    from PIL import Image

    Image.fromarray(toy_image()).save(tmp_path / "a.png")
    messages = [user({"type": "image", "path": str(tmp_path / "a.png")}, text("Hm?"))]
    inputs = toy[1].apply_chat_template(messages, tokenize=True, return_dict=True, add_generation_prompt=True)
    np.testing.assert_allclose(inputs["signals"]["image"], toy[1]("Hm?", [toy_image()])["signals"]["image"])
