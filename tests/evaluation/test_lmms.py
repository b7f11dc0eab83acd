"""The adapter for lmms-eval: its functions on requests of the documented form; its class where lmms-eval is here."""

import numpy as np
import pytest
from PIL import Image

from deixis.conversation import answered
from deixis.evaluation import lmms
from deixis.inference import Model
from deixis.inference.generation_options import MAX_NEW_TOKENS
from deixis.signals import open_signal
from tests.toy import toy_image

IMAGE = Image.fromarray(toy_image(seed=0)) if isinstance(toy_image(seed=0), np.ndarray) else toy_image(seed=0)
SOUND = {"array": np.sin(np.arange(8_000) / 9).astype(np.float32), "sampling_rate": 16_000}
QUIET = {"max_new_tokens": 4, "temperature": 0, "until": ["\n\n"], "do_sample": False, "top_p": None, "num_beams": 1}


@pytest.fixture(scope="module")
def model(toy):
    return Model(*toy, "toy")


@pytest.mark.parametrize(
    ("kwargs", "expected"),
    [
        pytest.param({}, (MAX_NEW_TOKENS, {}, []), id="nothing_said"),
        pytest.param(QUIET, (4, {}, ["\n\n"]), id="a_tasks_usual"),
        pytest.param({"until": "."}, (MAX_NEW_TOKENS, {}, ["."]), id="one_stop"),
        pytest.param({"max_gen_toks": 7}, (7, {}, []), id="the_older_name"),
        pytest.param({"temperature": 0.7}, (MAX_NEW_TOKENS, {"temperature": 0.7, "top_p": 1.0}, []), id="drawn"),
        pytest.param({"temperature": 0.7, "do_sample": False}, (MAX_NEW_TOKENS, {}, []), id="not_drawn_after_all"),
    ],
)
def test_generation_kwargs(kwargs, expected):
    assert lmms.decoding_of(kwargs) == expected


def test_beam_search_is_refused():
    with pytest.raises(ValueError, match="num_beams: expected 1, for beam search is not supported, got 5"):
        lmms.decoding_of({"num_beams": 5})


def test_visuals_are_opened_as_signals():
    question = lmms.sample_of("  Which {word}? ", [IMAGE, None, SOUND])
    assert [signal.modality for signal in question.signals] == ["image", "audio"]
    assert question.signals[1].values.extent.duration_s == pytest.approx(0.5)
    assert question.turns[-1].user == "Which {{word}}?"
    assert lmms.sample_of("Hello", None).signals == ()


def test_texts_are_in_order_and_truncated(model):
    words = ("What is this?", "Where is it?", "Why?")
    asked = [(word, lambda: [IMAGE], QUIET) for word in words] + [("Loud?", lambda: [SOUND], {"max_new_tokens": 9})]
    texts = list(lmms.generate(model, asked, batch=2))
    alone = [model.ask(word, IMAGE, max_new_tokens=4).text.split("\n\n")[0] for word in words]
    assert texts[:3] == alone
    assert texts[3] == model.ask("Loud?", open_signal((SOUND["array"], 16_000.0), "audio"), max_new_tokens=9).text
    stopped = list(lmms.generate(model, [("What is this?", lambda: [IMAGE], {**QUIET, "until": texts[0][1:2]})]))
    assert stopped == [texts[0].split(texts[0][1:2])[0]]


def test_refusal_is_an_empty_answer_and_a_warning(model, caplog):
    asked = [("One?", lambda: [IMAGE], QUIET), ("Two?", lambda: ["gone.png"], QUIET)]
    first, second = lmms.generate(model, asked)
    assert first == model.ask("One?", IMAGE, max_new_tokens=4).text.split("\n\n")[0]
    assert second == ""
    assert "an empty answer to 'Two?'" in caplog.text
    assert "gone.png" in caplog.text


def test_log_likelihood_is_summed_over_the_continuation(model):
    written = model.ask("What is this?", IMAGE, max_new_tokens=3)
    total, is_greedy = lmms.log_likelihood(model, "What is this?", [IMAGE], " a red mug")
    scored = model.score([answered(lmms.sample_of("What is this?", [IMAGE]), "a red mug")])[0]
    one_by_one = [row.log_softmax(0)[token] for row, token in zip(scored.logits, scored.ids, strict=True)]
    assert model.processor.tokenizer.decode(scored.ids).strip() == "a red mug", "the end of turn is not among them"
    assert total == pytest.approx(float(sum(one_by_one)), rel=1e-5)
    assert total < 0
    assert not is_greedy
    if written.raw:
        likeliest, _ = lmms.log_likelihood(model, "What is this?", [IMAGE], written.raw)
        assert likeliest / len(written.raw) > total / len("a red mug")


def test_rounds_repeat_until_the_task_ends_them():
    asked = []

    def ask(words, visuals):
        asked.append((words, visuals))
        return f"answer {len(asked)}"

    def to_text(document, previous_output, round_idx, previous_round_info):
        assert previous_round_info == (None if round_idx == 1 else round_idx - 1)
        return [document], f"round {round_idx}", round_idx == 3, previous_output, round_idx

    assert lmms.answer_rounds(ask, "first", ["picture"], to_text, "document") == ["answer 1", "answer 2", "answer 3"]
    assert asked == [("first", ["picture"]), ("round 1", ["document"]), ("round 2", ["document"])]


def test_requests_of_lmms_eval(toy, tmp_path):
    """Runs where lmms-eval is installed: its base class, requests and registry are the real ones."""
    pytest.importorskip("lmms_eval.api.model")
    from lmms_eval.api.instance import Instance
    from lmms_eval.models.registry_v2 import ModelRegistryV2

    for part in toy:
        part.save_pretrained(tmp_path)
    registry = ModelRegistryV2()
    registry.register_manifest(lmms.manifest())
    made = registry.get_model_class("deixis").create_from_arg_string(
        f"pretrained={tmp_path}", {"batch_size": 2, "device": "cpu"}
    )
    documents = [{"picture": IMAGE, "sound": None}, {"picture": None, "sound": SOUND}]
    made.task_dict = {"mine": {"test": documents}}
    visuals = lambda document: [v for v in document.values() if v is not None]  # noqa: E731

    def request(kind, *arguments):
        return Instance(kind, arguments, 0, metadata={"task": "mine", "doc_id": 0, "repeats": 1})

    place = ("mine", "test")
    requests = [request("generate_until", "What is this?", dict(QUIET), visuals, n, *place) for n in range(2)]
    expected = [("What is this?", lambda d=d: visuals(d), QUIET) for d in documents]
    assert made.generate_until(requests) == list(lmms.generate(made.model, expected))
    given = request("loglikelihood", "What is this?", lambda document: "a mug", visuals, 0, *place)
    (total, _), (without, _) = made.loglikelihood([given, request("loglikelihood", "", "a mug")])
    assert total == lmms.log_likelihood(made.model, "What is this?", [IMAGE], "a mug")[0]
    assert without < 0
    ended = lambda document, previous_output, **state: ([], "", True, previous_output, None)  # noqa: E731
    rounds = request("generate_until_multi_round", "One?", QUIET, visuals, ended, 0, *place)
    one = list(lmms.generate(made.model, [("One?", lambda: [IMAGE], QUIET)]))
    assert made.generate_until_multi_round([rounds]) == [one]
