"""The public functions of a model, called with what they do not take: one sentence that names the argument."""

import numpy as np
import pytest
from PIL import Image

from deixis import Box, load
from deixis.errors import DeixisError, InputError
from deixis.inference import GenerationOptions

IMAGE = Image.new("RGB", (64, 48), (200, 30, 30))

OF_LOAD = [
    pytest.param({"model": 5}, "model: expected text or a Path or a Opened; got 5", id="model"),
    pytest.param({"model": ["a"]}, r"model: expected .*; got \['a'\]", id="model_list"),
    pytest.param({"model": "a" * 5000}, "model: expected 'bundled', a folder or a hub id", id="model_long"),
    pytest.param({"model": "a\0b"}, "model: expected 'bundled', a folder or a hub id", id="model_null"),
    pytest.param({"device": 5}, "device: expected text or none; got 5", id="device"),
    pytest.param({"dtype": 5}, "dtype: expected text or a dtype or none; got 5", id="dtype"),
    pytest.param({"quantization": 5}, "quantization: expected int8 or int4 or a configuration", id="quantization"),
    pytest.param({"cache_bytes": "a"}, "cache_bytes: expected a whole number; got 'a'$", id="cache_bytes"),
]
OF_ASK = [
    pytest.param((None,), {}, "question: expected text; got None", id="question"),
    pytest.param((["What?"],), {}, r"question: expected text; got \['What\?'\]", id="question_list"),
    pytest.param(("What?",), {"regions": None}, "regions: expected a list; got None", id="regions"),
    pytest.param(("What?",), {"want": 5}, "want: expected text or none; got 5", id="want"),
    pytest.param(("What?",), {"seed": 1.5}, r"seed: expected a whole number .*; got 1.5", id="seed"),
    pytest.param(("What?",), {"seed": True}, r"seed: expected a whole number .*; got True", id="seed_flag"),
    pytest.param(
        ("What?",), {"max_new_tokens": "3"}, "max_new_tokens: expected a whole number.*; got '3'$", id="tokens_text"
    ),
    pytest.param(("What?",), {"temperature": float("nan")}, "temperature: expected a number from 0; got nan", id="nan"),
    pytest.param(("What?",), {"top_p": None}, "top_p: expected a number above 0 and at most 1; got None", id="top_p"),
    pytest.param(
        ("What?",), {"max_tokens": 3}, "max_tokens: unknown field; .*did you mean 'max_new_tokens'", id="name"
    ),
]


@pytest.mark.parametrize(("arguments", "sentence"), OF_LOAD)
def test_load_names_the_argument(arguments, sentence):
    with pytest.raises(DeixisError, match=sentence):
        load(**arguments)


@pytest.mark.parametrize(("arguments", "keywords", "sentence"), OF_ASK)
@pytest.mark.parametrize("way", ["ask", "stream", "chat"])
def test_a_question_names_the_argument(bundled, way, arguments, keywords, sentence):
    if way == "chat" and "want" in keywords:
        pytest.skip("a conversation has no such argument")
    ask = (
        bundled.chat(IMAGE).ask
        if way == "chat"
        else lambda question, **own: getattr(bundled, way)(question, IMAGE, **own)
    )
    with pytest.raises(InputError, match=sentence):
        ask(*arguments, **keywords)


@pytest.mark.parametrize(
    ("call", "sentence"),
    [
        pytest.param(lambda model: model.answer(5), "samples: expected a list, each item a Sample; got 5", id="answer"),
        pytest.param(
            lambda model: model.answer(["What?"]),
            r"samples: expected a list, each item a Sample; got \['What\?'\]",
            id="answer_text",
        ),
        pytest.param(
            lambda model: model.score([5]), r"samples: expected a list, each item a Sample; got \[5\]", id="score"
        ),
        pytest.param(lambda model: model.chat(IMAGE).check(5), "region: expected a Region; got 5", id="check"),
        pytest.param(
            lambda model: model.ask("What?", *["a.png"] * 5000), "at most 256 in one .*, got 5000", id="files"
        ),
        pytest.param(lambda model: model.chat(*["a.png"] * 5000), "at most 256 in one .*, got 5000", id="chat_files"),
        pytest.param(lambda model: model.ask("a" * 10**7, "a.png"), "at most 1000000 characters", id="question"),
    ],
)
def test_other_calls_name_the_argument(bundled, call, sentence):
    with pytest.raises(InputError, match=sentence):
        call(bundled)


def test_files_of_one_question_share_one_budget(bundled, monkeypatch):
    monkeypatch.setenv("DEIXIS_MAX_DECODED_MB", "4")
    image = Image.new("RGB", (600, 600))
    with pytest.raises(InputError, match=r"got file 4 of 5, which takes 4 MB"):
        bundled.ask("What?", *[image] * 5)


def test_numbers_and_boxes_of_numpy_are_taken(bundled):
    own = {"max_new_tokens": np.int32(2), "seed": np.int64(3), "temperature": np.float32(0.5), "top_p": np.float64(1)}
    answer = bundled.ask("What is it?", IMAGE, regions=np.array([[1, 2, 30, 30]]), **own)
    assert answer.raw == bundled.ask("What is it?", IMAGE, regions=[Box(1, 2, 30, 30)], **own).raw
    assert type(GenerationOptions(seed=np.int64(3)).seed) is int
