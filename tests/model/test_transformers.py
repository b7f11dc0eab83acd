"""As people who live in transformers use it: Auto classes, processor, generate, PEFT and Trainer."""

import pytest
import torch
from transformers import AutoConfig, AutoModelForImageTextToText, AutoProcessor, Trainer, TrainingArguments

from deixis import Box, Span
from deixis.model import DeixisConfig, DeixisForConditionalGeneration, DeixisProcessor
from tests.rows import DEIXIS, packed
from tests.toy import toy_audio, toy_image, toy_network, toy_point_cloud


@pytest.fixture(scope="module")
def folder(toy, tmp_path_factory):
    path = tmp_path_factory.mktemp("model")
    for part in toy:
        part.save_pretrained(path)
    return path


def test_the_auto_classes_know_it(folder, toy):
    assert isinstance(AutoConfig.from_pretrained(folder), DeixisConfig)
    assert isinstance(AutoModelForImageTextToText.from_pretrained(folder), DeixisForConditionalGeneration)
    processor = AutoProcessor.from_pretrained(folder)
    assert isinstance(processor, DeixisProcessor)
    question = ("What is {0}?", [toy_image(), toy_audio()], [Box(2, 3, 20, 20)])
    before, after = toy[1](*question), processor(*question)
    assert before.keys() == after.keys()
    signals, again = before.pop("signals"), after.pop("signals")
    assert all(torch.equal(signals[name], again[name]) for name in ("image", "audio"))
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert (processor.specs, processor.token_counts) == (toy[1].specs, toy[1].token_counts)


def test_generate_takes_what_the_processor_makes(folder):
    model = AutoModelForImageTextToText.from_pretrained(folder)
    processor = AutoProcessor.from_pretrained(folder)
    inputs = processor(text="What is {0}?", signals=[toy_image()], regions=[Box(2, 3, 20, 20)])
    length = inputs["input_ids"].shape[1]
    ids = model.generate(**inputs, max_new_tokens=6, min_new_tokens=6, do_sample=False)
    assert ids.shape == (1, length + 6)
    assert torch.equal(ids[:, :length], inputs["input_ids"])
    assert isinstance(processor.batch_decode(ids[:, length:])[0], str)
    step = inputs["input_ids"]
    for _ in range(6):  # the same one token at a time, without a cache
        with torch.no_grad():
            logits = model(**{**inputs, "input_ids": step, "attention_mask": torch.ones_like(step)}).logits
        step = torch.cat([step, logits[:, -1:].argmax(-1)], 1)
    assert torch.equal(step, ids)


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"num_beams": 3}, id="beams"),
        pytest.param({"num_return_sequences": 2, "do_sample": True}, id="several_answers"),
    ],
)
def test_generate_repeats_signals_and_regions(toy, options):
    model, processor = toy
    questions = ["What is {0}?", "Hello.", "When? {0}"]
    signals, regions = [[toy_image(), toy_point_cloud()], [], [toy_audio()]], [[Box(2, 3, 20, 20)], [], [Span(0.5, 1)]]
    inputs = processor(questions, signals, regions)
    count = 3 * options.get("num_return_sequences", 1)
    assert (
        len(
            model.generate(
                **inputs,
                max_new_tokens=3,
                do_sample=options.get("do_sample", False),
                **{k: v for k, v in options.items() if k != "do_sample"},
            )
        )
        == count
    )
    encoded = model.encode_inputs(inputs)
    with pytest.raises(ValueError, match="encoded: expected the signals themselves for several beams or answers"):
        model.generate(**inputs, encoded=encoded, max_new_tokens=3, num_beams=2, do_sample=False)


def test_beams_of_one_answer_are_what_greedy_search_finds(toy):
    model, processor = toy
    questions, signals = ["What is it?", "Hm?"], [[toy_image(seed=1)], [toy_audio(), toy_point_cloud()]]
    inputs = processor(questions, signals, [[], []])
    with torch.no_grad():
        alone = model(**inputs).logits[:, -1]
        _, repeated = model._expand_inputs_for_generation(
            2, input_ids=inputs["input_ids"], **{k: v for k, v in inputs.items() if k != "input_ids"}
        )
        both = model(input_ids=inputs["input_ids"].repeat_interleave(2, 0), **repeated).logits[:, -1]
    torch.testing.assert_close(both, alone.repeat_interleave(2, 0), atol=1e-5, rtol=0)


def batches(processor, config):
    """Two packed batches as the trainer of the package makes them."""
    from deixis.conversation import collate
    from deixis.geometry import Region
    from deixis.samples.sample import MediaReference, Sample, Turn
    from deixis.signals import open_signal

    medium = MediaReference("m", "image", size_hw=(24, 40))
    box = Region(box=(2, 3, 20, 20))
    samples = [
        Sample(f"s{i}", "test", "name", "train", (Turn("What is {0}?", f"A {w} mug."),), (medium,), (box,))
        for i, w in enumerate(("red", "blue"))
    ]
    cells = {"image": 64, "audio": 200, "point_cloud": 64}
    for seed in range(2):
        prepared = [processor.prepare(open_signal(toy_image(seed=seed)))]
        yield collate([packed(samples, prepared, processor, cells, 200)] * 2, config.pad_token_id or 0, DEIXIS)


def trainer(model, data, folder, **options):
    arguments = TrainingArguments(
        output_dir=str(folder),
        max_steps=2,
        per_device_train_batch_size=1,
        report_to=[],
        use_cpu=True,
        remove_unused_columns=False,
        save_strategy="no",
        learning_rate=1e-2,
        disable_tqdm=True,
        logging_steps=1,
        gradient_accumulation_steps=2,
        **options,
    )
    return Trainer(model=model, args=arguments, train_dataset=data * 2, data_collator=lambda items: items[0])


def test_plain_trainer_takes_packed_batches(toy, tmp_path):
    model, processor = toy_network(toy[1].tokenizer)
    data = list(batches(processor, model.config.text_config))
    with torch.no_grad():
        before = [model(**batch).loss.item() for batch in data]
    run = trainer(model, data, tmp_path)
    run.train()
    with torch.no_grad():
        after = [model.eval()(**batch).loss.item() for batch in data]
    assert all(b < a for a, b in zip(before, after, strict=True))
    # the mean over accumulated batches, not their sum
    assert run.state.log_history[0]["loss"] == pytest.approx(sum(before) / 2, rel=0.05)


@pytest.mark.filterwarnings("ignore:.gradient_checkpointing.* is deprecated:FutureWarning")  # by its new name
def test_activation_checkpointing_recomputes_the_same_gradients(toy, tmp_path):
    model, processor = toy_network(toy[1].tokenizer)
    batch = next(batches(processor, model.config.text_config))
    model.train()(**batch).loss.backward()
    expected = {name: weight.grad.clone() for name, weight in model.named_parameters() if weight.grad is not None}
    model.zero_grad()
    model.gradient_checkpointing_enable()
    layers = model.language_model.get_decoder().layers
    assert all(layer.gradient_checkpointing for layer in layers)
    model(**batch).loss.backward()
    for name, gradient in expected.items():
        torch.testing.assert_close(model.get_parameter(name).grad, gradient, msg=lambda text, name=name: name + text)
    model.gradient_checkpointing_disable()
    run = trainer(model, [batch], tmp_path, gradient_checkpointing=True)
    run.train()
    assert all(layer.gradient_checkpointing for layer in layers)
    assert run.state.log_history[0]["loss"] > 0


@pytest.mark.filterwarnings("ignore:.is_gradient_checkpointing. is deprecated:FutureWarning")  # what PEFT asks
def test_peft_trains_a_step(toy, tmp_path):
    from peft import LoraConfig, PeftModel, get_peft_model

    model, processor = toy_network(toy[1].tokenizer)
    data = list(batches(processor, model.config.text_config))
    frozen = {name: weight.clone() for name, weight in model.named_parameters()}
    tuned = get_peft_model(model, LoraConfig(r=2, target_modules=["q_proj", "v_proj"], init_lora_weights=False))
    trainer(tuned, data, tmp_path).train()
    for name, weight in tuned.get_base_model().named_parameters():
        if "lora" not in name:
            assert torch.equal(weight, frozen[name.replace("base_layer.", "")]), name
    tuned.save_pretrained(tmp_path / "lora")
    fresh, _ = toy_network(toy[1].tokenizer)
    loaded = PeftModel.from_pretrained(fresh, tmp_path / "lora").eval()
    inputs = processor(text="What is {0}?", signals=[toy_image()], regions=[Box(2, 3, 20, 20)])
    with torch.no_grad():
        torch.testing.assert_close(loaded(**inputs).logits, tuned.eval()(**inputs).logits, atol=1e-5, rtol=0)
    assert loaded.generate(**inputs, max_new_tokens=2, do_sample=False).shape[0] == 1


def test_the_processor_takes_one_question_or_several(toy):
    processor = toy[1]
    one = processor("What is it?", [toy_image()])
    several = processor(["What is it?"], [[toy_image()]])
    assert one["input_ids"].tolist() == several["input_ids"].tolist()
    assert len(processor(["Yes.", "No."])["input_ids"]) == 2
