"""Conversations, word for word: as the published code writes them."""

import json

import pytest
from jinja2 import Environment

from deixis.checkpoints.tokenizer import read_tokenizer
from deixis.systems.chat_style import chat_template
from deixis.systems.ferret.template import STYLE as FERRET
from deixis.systems.lisa.template import LLAMA_2_STYLE, STYLE, V0_STYLE
from deixis.systems.onellm.template import STYLE as ONELLM
from tests.checkpoints.checkpoints import VOCABULARY, write_tokenizer

SYSTEM = (
    "A chat between a curious human and an artificial intelligence assistant. The assistant gives helpful, detailed, "
    "and polite answers to the human's questions."
)

CONVERSATIONS = {
    "llava_v1": STYLE,
    "vicuna_v1": V0_STYLE,
    "llava_llama_2": LLAMA_2_STYLE,
    "ferret_v1": FERRET,
    "onellm": ONELLM,
}


@pytest.fixture(scope="module")
def tokenizer(tmp_path_factory):
    folder = tmp_path_factory.mktemp("tokenizer")
    write_tokenizer(folder, ())
    return read_tokenizer(folder / "tokenizer.model", (), VOCABULARY, ("<image>", "<audio>"))


def written(tokenizer, name, turns, start_end=True, modalities=("image",)):
    """The conversation as text, up to the next answer where the last turn is a question."""
    tokenizer.chat_template = chat_template(CONVERSATIONS[name], start_end)
    messages, first = [], [{"type": modality} for modality in modalities]
    for number, turn in enumerate(turns):
        if number % 2:
            messages.append({"role": "assistant", "content": turn})
        else:
            messages.append({"role": "user", "content": [*first, {"type": "text", "text": turn}]})
            first = []
    return tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=len(turns) % 2 == 1)


@pytest.mark.parametrize(
    ("name", "start_end", "expected"),
    [
        pytest.param(
            "llava_v1",
            True,
            f"<s>{SYSTEM} USER: <im_start><image><im_end>\nQ1 ASSISTANT: A1</s>USER: Q2 ASSISTANT:",
            id="lisa",
        ),
        pytest.param(
            "llava_v1", False, f"<s>{SYSTEM} USER: <image>\nQ1 ASSISTANT: A1</s>USER: Q2 ASSISTANT:", id="plain"
        ),
        pytest.param(
            "vicuna_v1",
            True,
            f"<s>{SYSTEM.replace('human', 'user')} USER: <im_start><image><im_end> Q1 ASSISTANT: A1</s>USER: Q2 "
            "ASSISTANT:",
            id="lisa_v0",
        ),
        pytest.param(
            "onellm",
            True,
            f"<s><image>{SYSTEM}\n\n###Human: Q1\n###Assistant: A1\n###Human: Q2\n###Assistant:",
            id="onellm",
        ),
    ],
)
def test_two_rounds(tokenizer, name, start_end, expected):
    assert written(tokenizer, name, ("Q1", "A1", "Q2"), start_end) == expected


def test_a_question_may_be_a_text_alone(tokenizer):
    tokenizer.chat_template = chat_template(STYLE)
    messages = [{"role": "user", "content": "Q1"}]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == f"<s>{SYSTEM} USER: Q1 ASSISTANT:"


def test_several_signals_each_have_their_placeholder(tokenizer):
    assert "<im_start><image><im_end>\n<im_start><audio><im_end>\nQ" in written(
        tokenizer, "ferret_v1", ("Q",), modalities=("image", "audio")
    )
    assert written(tokenizer, "onellm", ("Q",), modalities=("audio",)).startswith("<s><audio>A chat")


@pytest.mark.parametrize("name", [pytest.param(name, id=name) for name in CONVERSATIONS])
def test_braces_and_line_breaks_in_a_question_stay(tokenizer, name):
    answer = "{{ 1 }} {% if %}\n\n  indented\n"
    assert answer in written(tokenizer, name, (answer,))
    Environment().parse(chat_template(CONVERSATIONS[name]))


def test_prompts_recorded_from_ferret(shared_golden, tokenizer):
    cases = json.loads((shared_golden / "ferret_tiny" / "model_cases.json").read_text())
    rounds = json.loads((shared_golden / "ferret_tiny" / "prompts.json").read_text())
    for form, start_end in (("startend", True), ("plain", False)):
        prompt = cases[form]["prompt"]
        question = prompt.split("\n", 1)[1].removesuffix(" ASSISTANT:")
        assert written(tokenizer, "ferret_v1", (question,), start_end) == f"<s>{prompt}"
    turns = ("Q one?", "A one.", "Q two?", "A two.")
    assert written(tokenizer, "ferret_v1", turns, False) == f"<s>{rounds['template_two_rounds']}"


def test_prompts_recorded_from_lisa(shared_golden, tokenizer):
    prompts = json.loads((shared_golden / "lisa_tiny" / "units.json").read_text())["prompts"]
    assert written(tokenizer, "llava_v1", ("What is this?",)) == f"<s>{prompts['llava_v1_open']}"
    assert written(tokenizer, "llava_llama_2", ("What is this?",)) == f"<s>{prompts['llava_llama_2_open']}"


def test_ids_of_recorded_prompts(shared_golden):
    """The template's text through the tokenizer gives the ids that the official code gave the network."""
    folder = shared_golden / "ferret_tiny"
    own = read_tokenizer(folder / "tokenizer.model", ("<region_fea>",), 603, ("<image>",))
    cases = json.loads((folder / "model_cases.json").read_text())
    for form, start_end in (("startend", True), ("plain", False)):
        question = cases[form]["prompt"].split("\n", 1)[1].removesuffix(" ASSISTANT:")
        ids = own(written(own, "ferret_v1", (question,), start_end), add_special_tokens=False)["input_ids"]
        assert [-200 if token == 603 else token for token in ids] == cases[form]["input_ids"]
