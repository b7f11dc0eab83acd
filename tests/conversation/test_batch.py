"""Packing: blocks that do not see each other, positions, labels on answers alone, regions and masks in order."""

import numpy as np
import pytest
import torch

from deixis.conversation.batch import block_attention, collate
from deixis.geometry import Region
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import open_signal
from tests.rows import DEIXIS, packed
from tests.toy import toy_audio, toy_image, toy_network, toy_tokenizer

CELLS = {"image": 64, "audio": 200, "point_cloud": 64}
MEDIA = (MediaReference("p", "image", size_hw=(24, 40)), MediaReference("s", "audio", duration_s=2.0))
LEFT, RIGHT = np.zeros((24, 40), bool), np.zeros((24, 40), bool)
LEFT[:, :20], RIGHT[:, 20:] = True, True
REGIONS = (
    Region(mask=LEFT, box=(0, 0, 20, 24)),
    Region(mask=RIGHT, box=(20, 0, 40, 24)),
    Region(signal=1, span=(0.5, 1.5)),
)


def sample(*turns, regions=REGIONS):
    pairs = tuple(Turn(user, answer) for user, answer in turns)
    return Sample("id", "test", "name", "train", pairs, MEDIA, regions)


@pytest.fixture(scope="module")
def packer(toy):
    """Packs samples about an image and an audio clip."""
    processor = toy[1]
    prepared = [processor.prepare(open_signal(toy_image())), processor.prepare(open_signal(toy_audio()))]

    def run(*samples, max_tokens=400):
        return packed(samples, prepared, processor, CELLS, max_tokens)

    return run


FIRST = sample(("What is {0}?", "A [red mug]{0:mask}."))
SECOND = sample(("Where is the bell?", "At [the bell]{2}."), ("And {1}?", "[Right]{1:mask} of {0}, [heard]{2:mask}."))


def logits_of(network, *rows):
    batch = collate(rows, 0, DEIXIS)
    labels = batch.pop("labels")
    batch = {name: value for name, value in batch.items() if not name.startswith("seg_")}
    with torch.no_grad():
        return network(**batch).logits, labels


def test_a_block_never_sees_another(toy, packer):
    row = packer(FIRST, SECOND)
    other = packer(sample(("Count {1}, {0}!", "Two, I think, and [none]{}.")), SECOND)
    ours, theirs = (logits_of(toy[0], r)[0][0, np.array(r.blocks) == 2] for r in (row, other))
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=0)
    prefix = (logits_of(toy[0], r)[0][0, np.array(r.blocks) == 0] for r in (row, other))
    torch.testing.assert_close(*prefix, atol=1e-5, rtol=0)


def test_a_block_is_trained_as_if_it_were_alone(toy, packer):
    """Also in a batch whose first or last row is shorter, and with plain causal attention."""
    alone = packer(SECOND)
    for rows in (
        [packer(FIRST, SECOND)],
        [packer(FIRST), packer(FIRST, SECOND)],
        [packer(FIRST, SECOND), packer(FIRST)],
    ):
        where = next(i for i, row in enumerate(rows) if 2 in row.blocks)
        packed = logits_of(toy[0], *rows)[0][where, : len(rows[where].ids)]
        own = np.isin(rows[where].blocks, [0, 2])
        plain = {n: v for n, v in collate([alone], 0, DEIXIS).items() if not n.startswith("seg_")}
        plain["attention_mask"] = torch.ones_like(plain["input_ids"])
        del plain["labels"], plain["position_ids"]
        with torch.no_grad():
            expected = toy[0](**plain).logits[0]
        torch.testing.assert_close(packed[own], expected, atol=1e-4, rtol=0)


def test_positions_count_on_from_the_signals(packer):
    row = packer(FIRST, SECOND)
    blocks, positions = np.array(row.blocks), np.array(row.positions)
    start = (blocks == 0).sum()
    assert positions[blocks == 0].tolist() == list(range(start))
    for block in (1, 2):
        assert positions[blocks == block].tolist() == list(range(start, start + (blocks == block).sum()))


def test_labels_are_the_answers_alone(toy, packer):
    decode = toy[1].tokenizer.decode
    row = packer(FIRST, SECOND)
    learnt = [i for i, label in zip(row.ids, row.labels, strict=True) if label != -100]
    assert all(label in (-100, i) for i, label in zip(row.ids, row.labels, strict=True))
    assert decode(learnt).replace(" ", "") == (
        "A<p>redmug</p><seg>.<eos>At<p>thebell</p>[62,187]@1.<eos>"
        "<p>Right</p><seg>of[0,187,500,781],<p>heard</p><seg>@1.<eos>"
    )


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        pytest.param("7", "", id="a_label"),
        pytest.param("7 of {0}, 3 and [12 bells]{2}.", "0 187 500 781 62 187", id="numbers_beside_coordinates"),
        pytest.param("[A mug]{0:mask} and [5, 6, 7] in brackets.", "", id="brackets_that_are_no_region"),
        pytest.param("[A mug]{}, none of 4.", "", id="none"),
    ],
)
def test_only_numbers_of_regions_are_coordinates(toy, packer, answer, expected):
    row = packer(sample(("How many of 9, {0}?", answer)))
    words = [toy[1].tokenizer.decode([token]).strip() for token in row.ids]
    marked = [word for word, is_marked in zip(words, row.coordinates, strict=True) if is_marked]
    assert " ".join(word for word in marked if word.isdigit()) == expected
    batch = collate([row, packer(FIRST, SECOND)], 0, DEIXIS)
    assert batch["coordinates"].shape == batch["labels"].shape
    assert batch["coordinates"][0].sum() == len(marked)


def test_a_number_that_is_text_has_no_soft_target(packer):
    """As a class label, or a digit that is spoken: the loss is the cross entropy of any other word."""
    network, _ = toy_network(toy_tokenizer(), loss_weights={"numbers": 1.0})
    losses = {}
    for spread in (0.0, 12.0):
        network.config.number_spread = spread
        for name, answer in (("label", "7"), ("box", "{0}")):
            with torch.no_grad():
                losses[name, spread] = network(**collate([packer(sample(("What is it?", answer)))], 0, DEIXIS)).losses
    assert losses["label", 0.0] == losses["label", 12.0]
    assert losses["label", 12.0]["numbers"] == 0 < losses["box", 12.0]["numbers"]
    assert losses["box", 0.0]["text"] != losses["box", 12.0]["text"]


def test_regions_and_masks_are_in_the_order_of_their_tokens(toy, packer):
    network, processor = toy
    row = packer(FIRST, SECOND)
    assert row.ids.count(network.config.region_token_id) == len(row.region_points) == 2
    assert row.region_signal == [0, 0]
    assert row.region_points[0].points[:, 0].max() < 0.5 < row.region_points[1].points[:, 0].min()  # left, then right
    assert [mask.signal for mask in row.masks] == [0, 0, 1]
    left, right = (mask.values.reshape(8, 8) for mask in row.masks[:2])
    assert left[3, :4].min() == right[3, 4:].min() == 1.0
    assert left[:, 4:].max() == right[:, :4].max() == 0.0
    np.testing.assert_allclose(row.masks[2].values.nonzero()[0][[0, -1]] / 25, [0.5, 1.46], atol=0.05)


def test_a_batch_numbers_the_signals_of_all_rows(packer):
    batch = collate([packer(FIRST), packer(SECOND, FIRST)], 0, DEIXIS)
    assert batch["signal_modality"].tolist() == [0, 1, 0, 1]
    assert batch["signal_sample"].tolist() == [0, 0, 1, 1]
    assert batch["region_signal"].tolist() == [0, 2, 2]
    assert batch["seg_signal"].tolist() == [0, 2, 3, 2]
    assert batch["seg_target"].shape == (4, 200)
    assert batch["seg_target"][0, 64:].max() == 0


def test_what_does_not_fit_is_left_out_whole(packer):
    small = packer(FIRST)
    row = packer(SECOND, FIRST, max_tokens=len(small.ids))
    assert (row.ids, set(row.blocks)) == (small.ids, {0, 1})
    assert len(row.masks) == len(small.masks) == 1


def test_rows_without_any_question_still_give_a_loss(toy, packer):
    row = packer(FIRST, max_tokens=3)
    assert set(row.labels) == {-100}
    assert toy[0](**collate([row], 0, DEIXIS)).loss.item() == 0.0


def test_who_looks_at_whom():
    seen = block_attention(torch.tensor([[0, 0, 1, 2, 2, -1]]))[0, 0].int().tolist()
    assert seen == [
        [1, 0, 0, 0, 0, 0],
        [1, 1, 0, 0, 0, 0],
        [1, 1, 1, 0, 0, 0],
        [1, 1, 0, 1, 0, 0],
        [1, 1, 0, 1, 1, 0],
        [1, 1, 0, 0, 0, 1],
    ]
