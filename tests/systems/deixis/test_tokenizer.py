"""The text tokenizer: numbers are single tokens, any text survives, and the chat template is that of training."""

import pytest

from deixis.systems.deixis.tokenizer import SPECIAL_TOKENS, build_tokenizer, number_tokens
from tests.toy import TEXTS


@pytest.fixture(scope="module")
def tokenizer():
    return build_tokenizer(TEXTS, 300)


def ids(tokenizer, text):
    return tokenizer(text, add_special_tokens=False)["input_ids"]


@pytest.mark.parametrize(
    ("text", "count"),
    [
        pytest.param("[0]", 3, id="one_digit"),
        pytest.param("[12, 40, 300, 999]", 9, id="box"),
        pytest.param("<p>mug</p>[7, 70] [700, 77]", None, id="phrase"),
    ],
)
def test_numbers_are_single_tokens(tokenizer, text, count):
    tokens = ids(tokenizer, text)
    first, numbers = number_tokens(tokenizer)
    values = [t - first for t in tokens if first <= t < first + numbers]
    assert values == [int(word) for word in "".join(c if c.isdigit() else " " for c in text).split()]
    assert count is None or len(tokens) == count


@pytest.mark.parametrize("token", [pytest.param(t, id=n) for n, t in SPECIAL_TOKENS.items()])
def test_special_tokens_are_one_id(tokenizer, token):
    assert len(ids(tokenizer, token)) == 1
    assert len(ids(tokenizer, f"a{token}{token}b")) == 2 + 2


@pytest.mark.parametrize(
    "text",
    [
        pytest.param("A red mug, a blue chair.", id="plain"),
        pytest.param("naïve 日本 🙂", id="unicode"),
        pytest.param("two  spaces\nand a line", id="spaces"),
    ],
)
def test_text_survives(tokenizer, text):
    assert tokenizer.decode(ids(tokenizer, text)) == text


def test_the_template_is_what_the_model_reads(tokenizer):
    messages = [
        {"role": "user", "content": [{"type": "image"}, {"type": "text", "text": "What is <region>?"}]},
        {"role": "assistant", "content": "A mug."},
        {"role": "user", "content": "And now?"},
    ]
    text = tokenizer.apply_chat_template(messages, tokenize=False, add_generation_prompt=True)
    assert text == "<bos><image><user>What is <region>?<assistant>A mug.<eos><user>And now?<assistant>"


def test_a_foreign_tokenizer_without_numbers_gets_none(tokenizer):
    assert number_tokens(tokenizer) == [ids(tokenizer, "0")[0], 1000]
    assert number_tokens(build_tokenizer(TEXTS, 300, numbers=10)) == [0, 0]
    assert number_tokens(build_tokenizer(TEXTS, 300, numbers=10), 10)[1] == 10
