"""Every weight of a network belongs to one part."""

import pytest

from deixis.model.parts import PARTS, named_parts
from tests.toy import SAM2_SIZES, SAM_SIZES, toy_network

SAM = {"pointing": {"dim": 16, "backbone": "sam"}, "mask_config": SAM_SIZES}
SAM2 = {"pointing": {"dim": 16, "backbone": "sam2"}, "mask_config": SAM2_SIZES}


@pytest.mark.parametrize(
    ("changes", "absent"),
    [
        pytest.param({}, {"mask_encoder"}, id="shared"),
        pytest.param(SAM, set(), id="sam"),
        pytest.param(SAM2, set(), id="sam2"),
        pytest.param({"pointing": {"backbone": None}}, {"masks", "mask_encoder"}, id="no_masks"),
        pytest.param({"sampler": {"type": None}}, {"sampler", "mask_encoder"}, id="no_regions"),
    ],
)
def test_each_weight_belongs_to_one_part(toy, changes, absent):
    network, _ = toy_network(toy[1].tokenizer, **changes)
    parts = named_parts(network)
    assert set(parts) == set(PARTS) - absent
    names = [name for weights in parts.values() for name in weights]
    assert sorted(names) == sorted(name for name, _ in network.named_parameters())


@pytest.mark.parametrize("tied", [True, False])
def test_words_are_no_part_of_the_language_model(toy, tied):
    from tests.toy import TEXT

    network, _ = toy_network(toy[1].tokenizer, text_config={**TEXT, "tie_word_embeddings": tied})
    parts = named_parts(network)
    assert len(parts["embeddings"]) == (1 if tied else 2)
    assert not any("embed_tokens" in name or "lm_head" in name for name in parts["language_model"])


def test_the_mask_decoder_is_no_part_of_its_encoder(toy):
    network, _ = toy_network(toy[1].tokenizer, **SAM)
    parts = named_parts(network)
    assert any("mask_decoder" in name for name in parts["masks"])
    assert any("vision_encoder" in name for name in parts["mask_encoder"])
    assert not any("mask_decoder" in name for name in parts["mask_encoder"])
