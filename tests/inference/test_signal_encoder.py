"""Signals are prepared and encoded once, and put together as if they had been encoded together."""

from dataclasses import fields

import numpy as np
import pytest
import torch

from deixis.conversation import question_sample
from deixis.geometry import Box
from deixis.inference import Model
from deixis.inference.lru_cache import LRUCache
from deixis.inference.signal_encoder import SignalEncoder, joined
from deixis.model.fusion import SignalBatch
from deixis.model.prepared import signal_tensors
from deixis.signals import open_signal
from tests.toy import SAM_SIZES, toy_audio, toy_image, toy_network, toy_point_cloud, toy_tokenizer

ROWS = (
    (toy_audio(), toy_image(seed=1)),
    (toy_image(seed=2), toy_point_cloud(), toy_image(seed=1)),
    (),
    (toy_audio(1.0, seed=3),),
)


@pytest.fixture(scope="module")
def sam():
    changes = {"pointing": {"dim": 16, "backbone": "sam"}, "mask_config": SAM_SIZES}
    return toy_network(toy_tokenizer(), **changes)


def counted(network, monkeypatch):
    """(modality, count) of each batch of signals that goes through the encoder, in order."""
    seen = []
    encode = network.encode
    monkeypatch.setattr(
        network, "encode", lambda values, batch, sam: seen.append(len(batch.modality)) or encode(values, batch, sam)
    )
    return seen


def test_signals_put_together_are_as_encoded_together(toy):
    network, processor = toy
    eye = SignalEncoder(network, processor, LRUCache(1 << 30))
    sights = [[eye.prepare(open_signal(value)) for value in row] for row in ROWS]
    eye.encode([sight for own in sights for sight in own])
    ours = joined(sights)
    inputs = signal_tensors([[sight.prepared for sight in own] for own in sights])
    with torch.inference_mode():
        theirs = network.encode_inputs(dict(inputs))
    assert isinstance(ours.batch, SignalBatch)
    assert torch.equal(ours.batch.modality, theirs.batch.modality)
    assert torch.equal(ours.batch.sample, theirs.batch.sample)
    assert set(ours.tokens) == set(theirs.tokens) == {"image", "audio", "point_cloud"}
    for kind, field in theirs.fields.items():
        torch.testing.assert_close(ours.tokens[kind], theirs.tokens[kind], atol=1e-5, rtol=1e-5)
        for name in (f.name for f in fields(field)):
            one, other = getattr(ours.fields[kind], name), getattr(field, name)
            if isinstance(other, torch.Tensor):
                torch.testing.assert_close(one, other, atol=1e-5, rtol=1e-5)
            else:
                assert one == other


def test_no_signals_give_none():
    assert joined([[], []]) is None


def test_a_signal_is_encoded_once_for_all_questions(toy, monkeypatch):
    model = Model(*toy, "toy")
    seen = counted(model.network, monkeypatch)
    model.ask("What is it?", toy_image(), max_new_tokens=2)
    model.ask("Where is it?", np.array(toy_image()), max_new_tokens=2)  # the same content from elsewhere
    chat = model.chat(toy_image())
    chat.ask("How many?", max_new_tokens=2)
    chat.ask("And {0}?", [Box(1, 2, 20, 20)], max_new_tokens=2)
    assert seen == [1]
    signals = [open_signal(value) for value in (toy_image(), toy_image(seed=9), toy_image(seed=9), toy_audio())]
    model.answer([question_sample("What?", (signal,)) for signal in signals], 2)
    assert seen == [1, 1, 1]


@pytest.mark.parametrize(
    ("cache_bytes", "times"), [pytest.param(0, 2, id="nothing_kept"), pytest.param(1 << 30, 1, id="kept")]
)
def test_what_is_not_kept_is_encoded_again(toy, monkeypatch, cache_bytes, times):
    model = Model(*toy, "toy", cache_bytes)
    seen = counted(model.network, monkeypatch)
    answers = [model.ask("What is {0}?", toy_image(), regions=[Box(1, 2, 20, 20)], max_new_tokens=4) for _ in range(2)]
    assert len(seen) == times
    assert answers[0].raw == answers[1].raw
    model.clear_cache()
    assert model.engine.cache.bytes == 0


def test_another_dtype_is_another_sight():
    network, processor = toy_network(toy_tokenizer())
    model = Model(network, processor, "toy")
    model.ask("What is it?", toy_image(), max_new_tokens=2)
    kept = len(model.engine.cache)
    network.to(torch.float64)
    model.ask("What is it?", toy_image(), max_new_tokens=2)
    assert len(model.engine.cache) == 2 * kept


def test_sam_looks_at_a_picture_when_a_mask_is_asked_for_and_once(sam, monkeypatch):
    network, processor = sam
    eye = SignalEncoder(network, processor, LRUCache(1 << 30))
    looks = []
    encode = network.sam_pointing.encode
    monkeypatch.setattr(network.sam_pointing, "encode", lambda values: looks.append(len(values)) or encode(values))
    sight = eye.prepare(open_signal(toy_image()))
    eye.encode([sight])
    assert (looks, sight.encoded.sam.values is None) == ([], False)
    before = eye.cache.bytes
    states = torch.randn(2, network.config.text_config.hidden_size, generator=torch.Generator().manual_seed(0))
    first = eye.point(sight, states)
    second = eye.point(eye.prepare(open_signal(toy_image())), states)
    assert looks == [1]
    assert sight.encoded.sam.values is None
    assert eye.cache.bytes != before
    for one, other in zip(first, second, strict=True):
        torch.testing.assert_close(one, other)
