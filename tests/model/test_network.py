"""The whole network in toy sizes: mixed batches, questions alone and together, masks, losses, saving."""

import numpy as np
import pytest
import torch

from deixis import Box, Box3D, Mask, Point, PointSet, Span
from deixis.model import DeixisForConditionalGeneration
from deixis.model.fusion import SignalBatch
from tests.toy import toy_audio, toy_image, toy_network, toy_point_cloud, toy_tokenizer

MASK = np.zeros((24, 40), bool)
MASK[5:15, 8:30] = True
# text, signals, regions
QUESTIONS = {
    "picture": ("What is {0}?", [toy_image()], [Box(2, 3, 20, 20)]),
    "sound": ("What do you hear in {0}?", [toy_audio()], [Span(0.5, 1.2)]),
    "cloud": ("Is {0} next to {1}?", [toy_point_cloud()], [Box3D(0, 0, 0, 0.5, 0.5, 0.5), PointSet([1, 5, 9])]),
    "three": (
        "Is {1} left of {0}?",
        [toy_audio(3.0, 1), toy_image(50, 30, 1), toy_point_cloud(70, 1)],
        [Point(5.0, 5.0, signal=1), Mask(np.ones((50, 30), bool), signal=1)],
    ),
    "text": ("Hello.", [], []),
}


def inputs(processor, *names):
    texts, signals, regions = zip(*(QUESTIONS[name] for name in names), strict=True)
    return processor(list(texts), list(signals), list(regions))


@pytest.fixture(scope="module")
def alone(toy):
    """The last logits of every question by itself."""
    network, processor = toy
    with torch.no_grad():
        return {name: network(**inputs(processor, name)).logits[0, -1] for name in QUESTIONS}


@pytest.mark.parametrize(
    "names",
    [
        pytest.param(["picture", "sound"], id="two_kinds"),
        pytest.param(["text", "picture", "three"], id="first_is_short"),
        pytest.param(["three", "cloud", "text"], id="last_is_short"),
        pytest.param(["cloud", "three", "sound", "three", "picture"], id="five"),
    ],
)
def test_a_question_has_the_same_answer_in_any_batch(toy, alone, names):
    network, processor = toy
    with torch.no_grad():
        logits = network(**inputs(processor, *names)).logits[:, -1]
    for row, name in zip(logits, names, strict=True):
        torch.testing.assert_close(row, alone[name], atol=1e-4, rtol=0)


def test_every_signal_and_region_matters(toy, alone):
    network, processor = toy
    text, _, regions = QUESTIONS["picture"]
    for signals, marked in (([toy_image(seed=5)], regions), (QUESTIONS["picture"][1], [Box(30, 10, 39, 20)])):
        with torch.no_grad():
            other = network(**processor(text, signals, marked)).logits[0, -1]
        assert (other - alone["picture"]).abs().max() > 1e-4


def test_pointing_gives_the_cells_of_each_signal(toy):
    network, processor = toy
    batch = inputs(processor, "three", "picture")
    with torch.no_grad():
        encoded = network.encode_inputs(batch)
        states = torch.randn(4, 32, generator=torch.Generator().manual_seed(0))
        marks = network.point(encoded, states, torch.tensor([0, 1, 2, 3]))
        again = network.point(encoded, states[[3, 1]], torch.tensor([3, 1]))
    assert [len(mark) for mark in marks] == [200, 64, 64, 64]
    torch.testing.assert_close(again, [marks[3], marks[1]])
    assert not {"signals", "signal_modality"} & batch.keys()


def trained_inputs(network, processor):
    """Two samples; the first answer points into its second signal, the last one into its only signal twice."""
    batch = inputs(processor, "three", "picture")
    seg = network.config.seg_token_id
    answers = torch.tensor([[0, 25, seg], [seg, 26, seg]])  # on the left, the padding stays where it is
    ids = torch.cat([batch.pop("input_ids"), answers], 1)
    labels = torch.where(torch.arange(ids.shape[1]) >= ids.shape[1] - 3, ids, -100)
    mask = torch.cat([batch.pop("attention_mask"), torch.ones(2, 3, dtype=torch.long)], 1)
    target = (torch.rand(3, 200, generator=torch.Generator().manual_seed(2)) > 0.5).float()
    return {
        **batch,
        "input_ids": ids,
        "attention_mask": mask,
        "labels": labels,
        "seg_signal": torch.tensor([1, 3, 3]),
        "seg_target": target,
    }


def test_the_loss_is_the_weighted_sum_and_reaches_every_part(toy):
    network, processor = toy
    network.zero_grad()
    output = network(**trained_inputs(network, processor))
    assert set(output.losses) == {"text", "bce", "dice"}
    weighted = output.losses["text"] + 2 * output.losses["bce"] + 0.5 * output.losses["dice"]
    torch.testing.assert_close(output.loss, weighted)
    output.loss.backward()
    silent = [name for name, weight in network.named_parameters() if weight.grad is None or not weight.grad.any()]
    other_signals = (".audio.", ".point_cloud.")  # nothing is marked in them, and no region of the cloud is there
    assert [name for name in silent if not any(n in name for n in other_signals) and "k_proj.bias" not in name] == []
    network.zero_grad()


def test_mask_losses_read_the_right_signal(toy):
    network, processor = toy
    batch = trained_inputs(network, processor)
    with torch.no_grad():
        before = network(**batch).losses
        unused = {**batch, "seg_target": torch.cat([batch["seg_target"][:, :64], torch.ones(3, 136)], 1)}
        other = {**batch, "seg_signal": torch.tensor([0, 3, 3])}
        assert network(**unused).losses["bce"] == before["bce"]  # an image of 64 cells has no more neighbours
        assert network(**other).losses["bce"] != before["bce"]


@pytest.mark.parametrize(
    ("change", "match"),
    [
        pytest.param(
            {"seg_signal": torch.tensor([1, 3])}, "seg_signal: expected .* each of 3 <seg> .*; got 2", id="few"
        ),
        pytest.param(
            {"seg_signal": torch.tensor([3, 3, 3])}, "seg_signal: expected a signal of its own sample", id="other"
        ),
        pytest.param({"signal_modality": None}, "sample 0 has 6 image placeholder", id="no_signals"),
        pytest.param(
            {"image": None}, r"signals: expected 2 row\(s\) of image, as in signal_modality, got 0", id="none"
        ),
        pytest.param(
            {"audio": torch.zeros(2, 800, 16)}, r"signals: expected 1 row\(s\) of audio, .* got 2", id="surplus"
        ),
        pytest.param({"region_points": None}, "sample 0 has 2 region placeholder.* but 0 region", id="no_regions"),
    ],
)
def test_inputs_that_do_not_fit_are_refused(toy, change, match):
    network, processor = toy
    inputs = trained_inputs(network, processor)
    signals = inputs["signals"] | {name: change[name] for name in ("image", "audio") if name in change}
    inputs["signals"] = {name: values for name, values in signals.items() if values is not None}
    with pytest.raises(ValueError, match=match):
        network(**inputs | {name: value for name, value in change.items() if name not in inputs["signals"] | signals})


def test_a_region_without_signals_is_refused(toy):
    network, _ = toy
    ids = torch.tensor([[network.config.region_token_id]])
    with pytest.raises(ValueError, match="region_points: expected signals beside the regions, got none"):
        network(input_ids=ids, region_points=torch.zeros(1, 4, 3), region_signal=torch.tensor([0]))


def test_saving_and_loading_gives_identical_logits(toy, tmp_path):
    network, processor = toy
    network.save_pretrained(tmp_path, max_shard_size="100KB")
    assert len(list(tmp_path.glob("*.safetensors"))) > 1
    loaded = DeixisForConditionalGeneration.from_pretrained(tmp_path)
    assert (loaded.config.projection, loaded.config.sampler) == (network.config.projection, network.config.sampler)
    same = loaded.state_dict()
    assert all(torch.equal(weight, same[name]) for name, weight in network.state_dict().items())
    for weight in loaded.parameters():  # out of the mapped file, whose odd addresses round sums differently
        weight.data = weight.data.clone()
    batch = inputs(processor, "three", "cloud", "sound")
    with torch.no_grad():
        assert torch.equal(loaded(**batch).logits, network(**batch).logits)


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"projection": {"type": "linear"}}, id="linear"),
        pytest.param({"projection": {"queries": 3, "keep_tokens": False, "router": "sparse"}}, id="queries_alone"),
        pytest.param({"projection": {"router": "constant", "depth": 2}}, id="constant"),
        pytest.param(
            {
                "vision_config": {
                    "model_type": "siglip_vision_model",
                    "hidden_size": 32,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 2,
                    "intermediate_size": 48,
                }
            },
            id="siglip",
        ),
        pytest.param({"audio": None, "point_cloud": None}, id="pictures_alone"),
        pytest.param(
            {
                "sampler": {
                    "points": 9,
                    "in_dim": 8,
                    "anchors": [3],
                    "neighbours": [2],
                    "pooling": "mean",
                    "coordinates": False,
                }
            },
            id="one_stage",
        ),
        pytest.param(
            {
                "text_config": {
                    "model_type": "qwen2",
                    "hidden_size": 32,
                    "num_hidden_layers": 1,
                    "num_attention_heads": 2,
                    "num_key_value_heads": 1,
                    "intermediate_size": 48,
                    "tie_word_embeddings": False,
                }
            },
            id="another_language_model",
        ),
    ],
)
def test_every_choice_of_the_configuration_builds_and_answers(toy, changes):
    network, processor = toy_network(toy[1].tokenizer, **changes)
    with torch.no_grad():
        logits = network(**inputs(processor, "text", "picture")).logits
    assert torch.isfinite(logits).all()
    counts = processor.token_counts
    assert logits.shape[1] >= counts["image"]


def test_signals_are_taken_in_half_precision(toy):
    network, processor = toy_network(toy[1].tokenizer)
    batch = inputs(processor, "three", "picture")
    with torch.no_grad():
        before = network.region_tokens(
            network.encode_inputs(dict(batch)), batch["region_points"], batch["region_signal"]
        )
        half = network.to(torch.bfloat16)
        encoded = half.encode_inputs(dict(batch))
        after = half.region_tokens(encoded, batch["region_points"], batch["region_signal"])
        assert half(**batch).logits.dtype == torch.bfloat16
        assert half.point(encoded, torch.randn(1, 32).bfloat16(), torch.tensor([2]))[0].dtype == torch.bfloat16
    torch.testing.assert_close(after.float(), before, atol=0.05, rtol=0.05)


def test_the_fields_hold_the_signals_of_their_kind_in_order(toy):
    network, processor = toy
    batch = inputs(processor, "three", "picture", "cloud")
    with torch.no_grad():
        encoded = network.encode_inputs(dict(batch))
        second = network.field_encoder(batch["signals"]["image"][1:], "image")
    assert isinstance(encoded.batch, SignalBatch)
    assert {kind: len(field.tokens) for kind, field in encoded.fields.items()} == {
        "image": 2,
        "audio": 1,
        "point_cloud": 2,
    }
    torch.testing.assert_close(encoded.fields["image"].fine[1:], second.fine)


def test_a_video_through_convolutions_of_its_own_is_encoded_as_a_whole():
    options = {"tokenizer": "stem", "size_px": 32, "patch_px": 16, "early_dim": 8, "frames": 3}
    network, _ = toy_network(toy_tokenizer(), video=options)
    values = torch.randn(2, 3, 3, 32, 32)
    field = network.field_encoder(values, "video")
    assert (field.grid, field.fine_grid) == ((3, 2, 2), (3, 8, 8))
    assert (field.tokens.shape[:2], field.fine.shape[:2]) == ((2, 12), (2, 192))
    torch.testing.assert_close(field.positions[0, 5], torch.tensor([0.75, 0.25, 0.5]))  # frame 1, row 0, column 1
    moved = values.clone()
    moved[1, 0] += 1  # the first frame of the second video
    changed = (network.field_encoder(moved, "video").tokens - field.tokens).abs().amax(-1) > 1e-6
    assert (changed[0].any(), changed[1].all()) == (False, True)  # its last frame has looked at the first


def test_a_video_is_read_by_the_convolutions_of_images():
    options = {"tokenizer": "image", "size_px": 32, "patch_px": 16, "early_dim": 16, "frames": 3}
    network, _ = toy_network(toy_tokenizer(), video=options)
    encoder, frame = network.field_encoder, torch.randn(1, 3, 32, 32)
    own = [name for name, _ in encoder.named_parameters() if ".video" in name and "position" not in name]
    assert own == ["tokenizers.video.change.weight", "tokenizers.video.change.bias"]
    still = frame[:, None].expand(-1, 3, -1, -1, -1)
    video, image = (encoder.tokenizers["video"](still, encoder.tokenizers["image"]), encoder.tokenizers["image"](frame))
    torch.testing.assert_close(video.tokens, image.tokens.repeat(1, 3, 1))  # what changes adds nothing yet
    field = encoder(still, "video")
    assert (field.grid, field.fine_grid, field.fine.shape[:2]) == ((3, 2, 2), (3, 8, 8), (1, 192))
    field.fine.sum().backward()
    assert encoder.upsamples["image"].out.weight.grad.any()


def test_a_map_through_convolutions_of_its_own():
    options = {"tokenizer": "stem", "size_px": 32, "patch_px": 16, "early_dim": 8}
    network, _ = toy_network(toy_tokenizer(), depth=options)
    field = network.field_encoder(torch.randn(2, 3, 32, 32), "depth")
    assert (field.grid, field.tokens.shape[:2], field.fine.shape[:2]) == ((2, 2), (2, 4), (2, 64))
