"""The decoding loop: which token is chosen, when an answer ends, and which state prompts its masks."""

import pytest
import torch

from deixis.conversation import answered, question_sample
from deixis.inference import GenerationOptions, Model
from deixis.inference.sampling import TokenSampler, choose_tokens
from deixis.signals import open_signal
from tests.inference.test_model import END, SEG, WORD, saying
from tests.toy import toy_audio, toy_image, toy_network, toy_tokenizer

LOGITS = torch.tensor([[0.0, 3.0, 2.0, 1.0]])


def chosen(how, logits=LOGITS, never=(), times=200):
    sampler = TokenSampler(how)
    return [choose_tokens(logits, [sampler], torch.tensor(never, dtype=torch.int64))[0] for _ in range(times)]


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        pytest.param({"max_new_tokens": 0}, "max_new_tokens: expected a whole number from 1; got 0", id="no_tokens"),
        pytest.param({"temperature": -1.0}, "temperature: expected a number from 0; got", id="below_zero"),
        pytest.param({"temperature": float("inf")}, "temperature: expected a number from 0; got", id="endless"),
        pytest.param({"top_p": 0.0}, "top_p: expected a number above 0 and at most 1; got", id="no_chance"),
        pytest.param({"top_p": 1.1}, "top_p: expected a number above 0 and at most 1; got", id="more_than_certain"),
    ],
)
def test_impossible_ways_to_draw_are_refused(options, sentence):
    with pytest.raises(ValueError, match=sentence):
        GenerationOptions(**options)


@pytest.mark.parametrize(
    ("how", "never", "tokens"),
    [
        pytest.param(GenerationOptions(), (), {1}, id="likeliest"),
        pytest.param(GenerationOptions(), (1,), {2}, id="likeliest_of_the_allowed"),
        pytest.param(GenerationOptions(temperature=0.01), (), {1}, id="cold"),
        pytest.param(GenerationOptions(temperature=50.0), (), {0, 1, 2, 3}, id="hot"),
        pytest.param(GenerationOptions(temperature=50.0), (0, 3), {1, 2}, id="hot_of_the_allowed"),
        pytest.param(GenerationOptions(temperature=1.0, top_p=0.6), (), {1}, id="within_the_first"),
        pytest.param(GenerationOptions(temperature=1.0, top_p=0.7), (), {1, 2}, id="the_one_that_reaches_it_counts"),
    ],
)
def test_what_may_be_chosen(how, never, tokens):
    assert set(chosen(how, never=never)) == tokens


def test_tokens_are_drawn_as_often_as_their_chance():
    counts = torch.bincount(torch.tensor(chosen(GenerationOptions(temperature=1.0), times=4000)), minlength=4) / 4000
    torch.testing.assert_close(counts, LOGITS[0].softmax(-1), atol=0.03, rtol=0)


def test_draws_hang_on_the_seed_and_on_nothing_beside_it():
    one, same, other = (chosen(GenerationOptions(temperature=1.0, seed=seed)) for seed in (1, 1, 2))
    assert one == same != other
    never = torch.tensor([], dtype=torch.int64)
    first, middle, last = (TokenSampler(GenerationOptions(temperature=1.0, seed=1)) for _ in range(3))
    together = [choose_tokens(LOGITS.expand(3, -1), [first, middle, last], never) for _ in range(100)]
    together += [
        choose_tokens(LOGITS.expand(2, -1), [first, last], never) for _ in range(100)
    ]  # the middle one is over
    assert [row[0] for row in together] == [row[-1] for row in together] == one


def test_every_row_has_options_of_its_own():
    """Greedy rows among rows that sample, each with its own temperature and top_p."""
    every = [GenerationOptions(), GenerationOptions(temperature=1.0, top_p=0.7), GenerationOptions(temperature=50.0)]
    never, samplers = torch.tensor([], dtype=torch.int64), [TokenSampler(own) for own in every]
    steps = [choose_tokens(LOGITS.expand(3, -1), samplers, never) for _ in range(200)]
    assert [[step[row] for step in steps] for row in range(3)] == [chosen(own) for own in every]


def test_a_drawn_answer_is_the_same_alone_and_in_a_batch(toy):
    model = Model(*toy, "toy")
    questions = [question_sample("What?", (open_signal(v),)) for v in (toy_image(), toy_audio(), toy_image(seed=5))]
    drawing = {"temperature": 1.0, "top_p": 0.9, "seed": 7}
    together = model.answer(questions, 8, **drawing)
    assert [a.raw for a in together] == [model.answer([q], 8, **drawing)[0].raw for q in questions]
    assert together[0].raw != model.answer(questions[:1], 8)[0].raw


def test_greedy_answers_are_those_of_generate(bundled, mixed):
    """The same tokens as transformers' own loop, for one question and for a batch."""
    network, processor = bundled.network, bundled.processor
    for questions in (mixed[:1], mixed):
        ours = [answer.raw for answer in bundled.answer(questions, 40)]
        signals = [[own.values for own in sample.signals] for sample in questions]
        texts = [sample.turns[-1].user for sample in questions]
        inputs = processor(texts, signals, [sample.regions for sample in questions])
        never = [*network.config.signal_token_ids.values(), network.config.region_token_id]
        ids = network.generate(**inputs, max_new_tokens=40, do_sample=False, suppress_tokens=never)
        new = ids[:, inputs["input_ids"].shape[1] :]
        theirs = processor.tokenizer.batch_decode(new, skip_special_tokens=False)
        assert [text.split(END)[0] for text in theirs] == ours


@pytest.fixture(params=["at", "before"])
def pointing(request):
    """(model, its `pointing.state`)."""
    tokenizer = toy_tokenizer()
    network, processor = toy_network(tokenizer, pointing={"dim": 16, "state": request.param})
    return Model(network, processor, "toy"), request.param


def test_the_state_of_a_mask_is_where_the_configuration_says(pointing):
    model, state = pointing
    question = question_sample("Where is it?", (open_signal(toy_image()),))
    with saying(model.network, model.processor.tokenizer, [WORD, SEG, SEG, WORD, SEG]):
        prompts = model.engine.encode([question])
        *_, (said,) = model.engine.generate(prompts, GenerationOptions(max_new_tokens=5))
    whole = model.engine.encode([answered(question, f"{WORD}{SEG}{SEG}{WORD}{SEG}")])
    hidden = model.engine.forward(whole)[0]
    first = len(prompts.ids[0])
    places = [first + n - (state == "before") for n in (1, 2, 4)]
    assert whole.ids[0, first:].tolist()[:-1] == said.ids
    torch.testing.assert_close(torch.stack(said.seg_states), hidden[places], atol=1e-5, rtol=1e-5)


def test_an_answer_ends_at_a_text_that_ends_answers(toy, monkeypatch):
    network, processor = toy
    monkeypatch.setattr(network.generation_config, "stop_strings", ["..", "AB"])
    model = Model(network, processor, "toy")
    with saying(network, processor.tokenizer, [WORD, ".", WORD, "B", WORD]):
        answer = model.ask("What?", toy_image(), max_new_tokens=9)
    assert answer.raw == "A."
    with saying(network, processor.tokenizer, [WORD, ".", WORD, "B", WORD]):
        pieces = list(model.stream("What?", toy_image(), max_new_tokens=9))
    assert "".join(piece.text for piece in pieces[:-1]) == answer.text == "A."


@pytest.mark.parametrize("ends", [pytest.param(7, id="one"), pytest.param([7, 8], id="several")])
def test_an_answer_ends_at_any_end_of_the_generation_config(toy, monkeypatch, ends):
    network, processor = toy
    monkeypatch.setattr(network.generation_config, "eos_token_id", ends)
    assert Model(network, processor, "toy").engine._end_ids() == {processor.tokenizer.eos_token_id, 7} | (
        {8} if ends != 7 else set()
    )


def test_the_end_of_a_prompt_may_be_forgotten_as_onellm_forgets_it(bundled, mixed):
    """Alone and in a batch the answer is that of a loop which takes two tokens off the cache after the first choice."""
    network, processor = bundled.network, bundled.processor
    asked = [mixed[1], mixed[4]]
    expected = []
    for question in asked:
        inputs = processor(question.turns[-1].user, [own.values for own in question.signals])
        with torch.no_grad():
            output = network(**inputs, use_cache=True)
            ids = [int(output.logits[0, -1].argmax())]
            output.past_key_values.crop(-2)
            while len(ids) < 8:
                output = network(
                    input_ids=torch.tensor([ids[-1:]]), past_key_values=output.past_key_values, use_cache=True
                )
                ids.append(int(output.logits[0, -1].argmax()))
        expected.append(processor.tokenizer.decode(ids).split(END)[0])
    never = [answer.raw for answer in bundled.answer(asked, 8)]
    alone = [bundled.answer([question], 8, drop_prompt_tokens=2)[0].raw for question in asked]
    assert alone == expected != never
    assert [answer.raw for answer in bundled.answer(asked, 8, drop_prompt_tokens=2)] == alone
    assert [bundled.answer([question], 8)[0].raw for question in asked] == never  # what was forgotten is not kept
