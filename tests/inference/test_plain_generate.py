"""transformers' own `generate` on the bundled model against `ask`: the same tokens, question by question."""

import numpy as np
import pytest
import torch

from deixis.evaluation.metrics.iou import mask_iou
from deixis.geometry import Box, Box3D, Span
from tests.inference.conftest import EXAMPLES

QUESTIONS = [
    pytest.param("What is {0}?", "scene.png", [Box(33, 329, 143, 434)], id="region"),
    pytest.param("Find everything.", "scene.png", [], id="boxes"),
    pytest.param("Mark the orange car.", "scene.png", [], id="mask"),
    pytest.param("What do you hear in {0}?", "sound.wav", [Span(1.5, 2.2)], id="span_in"),
    pytest.param("When do you hear the bell?", "sound.wav", [], id="span_out"),
    pytest.param("What is {0}?", "cloud.ply", [Box3D(-2, -2, 0, 2, 2, 1)], id="point_cloud"),
    pytest.param("Mark the table.", "cloud.ply", [], id="points_out"),
]


@pytest.mark.parametrize(("question", "name", "regions"), QUESTIONS)
def test_generate_gives_the_tokens_of_ask(bundled, question, name, regions):
    answer = bundled.ask(question, EXAMPLES / name, regions=regions, max_new_tokens=60)
    inputs = bundled.processor(question, [EXAMPLES / name], regions)
    ids = bundled.network.generate(**inputs, max_new_tokens=60, do_sample=False)
    generated = ids[0, inputs["input_ids"].shape[1] :].tolist()
    tokenizer = bundled.processor.tokenizer
    assert tokenizer.decode(generated).replace(tokenizer.eos_token, "") == answer.raw
    assert len(answer.raw) > 1


@pytest.mark.parametrize(("question", "name", "regions"), QUESTIONS)
def test_a_generated_sequence_is_read_as_ask_reads_it(bundled, question, name, regions):
    answer = bundled.ask(question, EXAMPLES / name, regions=regions, max_new_tokens=60)
    inputs = bundled.processor(question, [EXAMPLES / name], regions)
    output = bundled.network.generate(**inputs, max_new_tokens=60, do_sample=False, return_dict_in_generate=True)
    [read] = bundled.processor.post_process_generation(bundled.network, inputs, output)
    assert (read.text, read.raw) == (answer.text, answer.raw)
    assert len(read.regions) == len(answer.regions)
    for own, other in zip(read.regions, answer.regions, strict=True):
        assert (own.form, own.signal, own.phrase, own.label) == (other.form, other.signal, other.phrase, other.label)
        if own.form == "mask":
            assert mask_iou(np.asarray(own.mask), np.asarray(other.mask))[0] > 0.99
        elif own.form == "points":
            assert len(np.intersect1d(own.points, other.points)) > 0.99 * len(other.points)
        else:
            np.testing.assert_allclose(getattr(own, own.form), getattr(other, own.form), atol=1e-3)
        assert own.score == (None if other.score is None else pytest.approx(other.score, abs=1e-3))


def test_rows_and_samples_of_a_batch_are_read_each_with_its_signals(bundled):
    questions = ["Mark the orange car.", "Mark the table."]
    inputs = bundled.processor(questions, [[EXAMPLES / "scene.png"], [EXAMPLES / "cloud.ply"]])
    sequences = bundled.network.generate(**inputs, max_new_tokens=20, num_beams=2, num_return_sequences=2)
    read = bundled.processor.post_process_generation(bundled.network, inputs, sequences)
    assert len(read) == 4
    scene, points = bundled.ask(questions[0], EXAMPLES / "scene.png"), bundled.ask(questions[1], EXAMPLES / "cloud.ply")
    assert mask_iou(np.asarray(read[0].regions[0].mask), np.asarray(scene.masks[0]))[0] > 0.98
    assert len(np.intersect1d(read[2].regions[0].points, points.points[0])) > 0.98 * len(points.points[0])


def test_tokens_of_signals_and_regions_are_never_generated(toy):
    network, processor = toy
    inputs = processor("Hm?", [], [])
    suppressed = network.input_only_token_ids
    assert set(suppressed) == {*network.config.signal_token_ids.values(), network.config.region_token_id}
    output = network.generate(
        **inputs, max_new_tokens=4, min_new_tokens=4, output_scores=True, return_dict_in_generate=True, do_sample=False
    )
    assert torch.stack(output.scores)[..., list(suppressed)].eq(-torch.inf).all()
    first = network.config.seg_token_id

    def only_seg(ids, scores):
        return torch.full_like(scores, -torch.inf).index_fill(-1, torch.tensor([first]), 0.0)

    ids = network.generate(**inputs, max_new_tokens=3, do_sample=False, logits_processor=[only_seg])
    assert ids[0, -3:].tolist() == [first] * 3
