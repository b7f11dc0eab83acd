"""Guided attention: which tokens of an answer look where."""

import numpy as np
import pytest
import torch

from deixis.conversation import Row, collate, mask_targets, render
from deixis.errors import InputError
from deixis.geometry import (
    Box,
    Box3D,
    Mask,
    Point,
    PointSet,
    Polygon,
    Region,
    Scribble,
    Span,
    letterbox_frame,
    window_frame,
)
from deixis.geometry.frames import video_frame
from deixis.model.masks.cells import mask_cells
from deixis.model.prepared import Prepared
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import open_signal
from deixis.training.guidance import AttentionGuide, GuidedRow, collate_guided, first_look, guided_tokens, token_target
from deixis.training.instruct import Instructor
from tests.rows import DEIXIS, packed
from tests.toy import TEXT, toy_audio, toy_image, toy_network, toy_point_cloud, toy_tokenizer

NONE = []


@pytest.mark.parametrize(
    ("markup", "tokens", "expected"),
    [
        pytest.param("Yes.", "Yes .", NONE, id="no_region"),
        pytest.param("There is no [mug]{}.", "There is no <p> mug </p> [ ] .", NONE, id="there_is_none"),
        pytest.param(
            "[The mug]{1}.",
            "<p> The mug </p> [ 1 , 2 , 3 , 4 ] .",
            [(i, 1) for i in range(12)],
            id="box_up_to_its_last_number",
        ),
        pytest.param("{0:mask}", "<seg>", [(0, 0)], id="mask_without_phrase"),
        pytest.param(
            "[A mug]{2:mask} and [a car]{0:mask}",
            "<p> A mug </p> <seg> and <p> a car </p> <seg>",
            [*((i, 2) for i in range(5)), *((i, 0) for i in range(6, 11))],
            id="each_phrase_its_own_thing",
        ),
        pytest.param(
            "[Two mugs]{0,1:span}",
            "<p> Two mugs </p> [ 1 , 2 ] [ 3 , 4 ]",
            [*((i, 0) for i in range(8)), *((i, 1) for i in range(9, 13))],
            id="phrase_of_two_counts_for_the_first",
        ),
    ],
)
def test_tokens_of_an_answer_find_their_region(markup, tokens, expected):
    assert sorted(guided_tokens(markup, tokens.split(), "<p>", "<seg>")) == expected


@pytest.mark.parametrize(
    ("turns", "pairs", "regions", "expected"),
    [
        pytest.param([Turn("Find the mug.", "[The mug]{0:box}.")], [(0, 0), (1, 0)], 1, 0, id="what_the_answer_marks"),
        pytest.param([Turn("Is there a mug?", "Yes.")], [], 1, 0, id="what_the_answer_is_about"),
        pytest.param([Turn("Is there a mug?", "No.")], [], 0, -1, id="no"),
        pytest.param([Turn("Find the mug.", "There is no [mug]{}.")], [], 0, -1, id="there_is_none"),
        pytest.param([Turn("What is {0}?", "A mug.")], [], 1, None, id="asked_about_a_region"),
        pytest.param([Turn("How many mugs?", "Two.")], [], 0, None, id="not_known"),
        pytest.param(
            [Turn("What colour is it?", "Red."), Turn("What is {0}?", "A mug.")],
            [],
            1,
            None,
            id="named_in_another_turn",
        ),
    ],
)
def test_where_to_look_before_the_answer(turns, pairs, regions, expected):
    assert first_look(turns, 0, pairs, regions) == expected


def test_target_lies_on_the_tokens_that_the_mask_covers():
    mask = np.zeros((128, 128), bool)
    mask[32:48, 64:96] = True  # token row 2, columns 4 and 5 of an 8 x 8 grid
    prepared = Prepared("image", np.zeros((3, 128, 128), np.float32), letterbox_frame((128, 128), (128, 128)))
    target = token_target(Region(mask=mask), prepared, 1024, 64)
    assert np.flatnonzero(target).tolist() == [2 * 8 + 4, 2 * 8 + 5]
    assert target.sum() == pytest.approx(1.0)


def test_target_of_a_sound_lies_on_its_span():
    prepared = Prepared("audio", np.zeros((800, 64), np.float32), window_frame(8.0, 8.0))
    target = token_target(Region(span=(1.6, 2.4)), prepared, 200, 50)
    assert np.flatnonzero(target).tolist() == [10, 11, 12, 13, 14]


def test_target_of_a_video_lies_on_its_frames_and_its_pixels():
    place = video_frame(letterbox_frame((32, 32), (32, 32), "video"), 4.0)
    prepared = Prepared("video", np.zeros((4, 3, 32, 32), np.float32), place)
    tube = Region(box=(16.0, 0.0, 32.0, 16.0), time_s=(1.0, 3.0))
    target = token_target(tube, prepared, 4 * 64, 4 * 4)
    assert np.flatnonzero(target).tolist() == [1 * 4 + 1, 2 * 4 + 1]  # upper right of the second and third frame
    assert target.sum() == pytest.approx(1.0)


def test_a_region_that_covers_nothing_has_no_target():
    prepared = Prepared("audio", np.zeros((800, 64), np.float32), window_frame(8.0, 8.0))
    assert token_target(Region(span=(9.0, 9.5)), prepared, 200, 50) is None


def test_guiding_moves_attention_to_the_target():
    from transformers import LlamaConfig, LlamaModel

    torch.manual_seed(0)
    sizes = {"hidden_size": 16, "num_attention_heads": 2, "num_key_value_heads": 2, "intermediate_size": 16}
    decoder = LlamaModel(LlamaConfig(vocab_size=20, num_hidden_layers=1, **sizes)).train()
    guide = AttentionGuide(decoder, layers=(0,))
    allowed = torch.ones(2, 1, 9, 9, dtype=torch.bool).tril()
    ids = torch.randint(20, (2, 9))
    wanted = {
        "row": torch.tensor([0, 1]),
        "position": torch.tensor([8, 6]),
        "start": torch.tensor([1, 2]),
        "target": torch.tensor([[0.0, 0.0, 1.0], [1.0, 0.0, 0.0]]),
    }
    optimizer = torch.optim.Adam(decoder.parameters(), 0.02)
    losses = []
    for _ in range(60):
        decoder(input_ids=ids, attention_mask=allowed)
        loss = guide.loss(wanted, allowed)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.1 < losses[0]
    with pytest.raises(ValueError, match="more than 3 layers, got 1"):
        AttentionGuide(decoder)
    guide.close()
    decoder(input_ids=ids, attention_mask=allowed)
    assert guide.seen == []


def test_a_batch_without_guided_tokens_leaves_nothing_for_the_next():
    network, processor = toy_network(toy_tokenizer(), text_config={**TEXT, "num_hidden_layers": 4})
    prepared = [processor.prepare(open_signal(toy_image()))]
    about = MediaReference("p", "image", size_hw=(24, 40)), Turn("What is it?", "A mug.")
    sample = Sample("id", "test", "caption", "train", about[1:], about[:1], ())
    batch = collate([packed([sample], prepared, processor, {"image": 64})], 0, DEIXIS)
    assert "guide" not in batch
    instructor = Instructor(network, DEIXIS, guide_weight=0.5).train()
    assert set(instructor(**batch)["losses"]) >= {"text"}
    assert instructor.guide.seen == []


@pytest.fixture(scope="module")
def learner():
    """(instructor with guided attention, processor) of toy sizes."""
    changes = {"text_config": {**TEXT, "num_hidden_layers": 4}, "loss_weights": {"numbers": 1.0}}
    network, processor = toy_network(toy_tokenizer(), **changes)
    return Instructor(network, DEIXIS, guide_weight=0.5).train(), processor


MASKED, GUIDED = {"bce", "dice"}, {"guide"}
SHAPE = np.pad(np.ones((8, 12), bool), ((4, 12), (8, 20)))  # of a picture of 24 x 40
MEDIA = {
    "image": (toy_image(), MediaReference("p", "image", size_hw=(24, 40))),
    "audio": (toy_audio(), MediaReference("s", "audio", duration_s=2.0, rate_hz=16000)),
    "point_cloud": (toy_point_cloud(), MediaReference("c", "point_cloud", point_count=100)),
}


@pytest.mark.parametrize(
    ("modality", "region", "marked"),
    [
        pytest.param("image", Mask(SHAPE), MASKED, id="mask"),
        pytest.param("image", Polygon([(8, 4), (20, 4), (20, 12)]), MASKED, id="polygon"),
        pytest.param("image", Box(8, 4, 20, 12), None, id="box"),
        pytest.param("image", Scribble([(8, 4), (20, 12)]), None, id="scribble"),
        pytest.param("image", Point(8, 4), None, id="point"),
        pytest.param("audio", Span(0.5, 1.5), MASKED, id="span"),
        pytest.param("audio", Point(0.5), None, id="instant"),
        pytest.param("point_cloud", PointSet(range(10, 60)), MASKED, id="points"),
        pytest.param("point_cloud", Box3D(0, 0, 0, 0.5, 1, 1), MASKED, id="box3d"),
        pytest.param("point_cloud", Point(0.5, 0.5, 0.5), None, id="point_in_a_cloud"),
    ],
)
def test_every_form_of_region_goes_through_every_loss(learner, modality, region, marked):
    """`marked`: the losses where the answer marks the region by `<seg>`; None where its form is no exact outline."""
    instructor, processor = learner
    media, reference = MEDIA[modality]
    prepared = [processor.prepare(open_signal(media))]
    sizes = {"image": (64, 4), "audio": (200, 50)}  # points of a cloud belong to several tokens: not guided

    def losses(*turns):
        sample = Sample("id", "made up", "refer", "train", turns, (reference,), (region,))
        rendered = render(sample, prepared, processor, DEIXIS.label_rule)
        row = GuidedRow(Row(prepared))
        targets = mask_targets(rendered, sample.regions, prepared, mask_cells(instructor.model.config), DEIXIS)
        row.add(sample, rendered, targets, processor, sizes)
        instructor.zero_grad()
        result = instructor(**collate_guided([row], 0, DEIXIS))
        result["loss"].backward()
        assert all(p.grad.isfinite().all() for p in instructor.parameters() if p.grad is not None)
        return {name for name, value in result["losses"].items() if value > 0}

    guided = GUIDED if modality in sizes else set()
    assert losses(Turn("Is there a mug?", "Yes.")) == {"text"} | guided
    assert losses(Turn("What is {0}?", "A mug.")) == {"text"}
    if marked is None:
        with pytest.raises(InputError, match=f"region 0 has no mask to be marked as .*: it has {region.form}"):
            losses(Turn("Where?", "{0:mask}"))
    else:
        assert losses(Turn("Where?", "[The mug]{0:mask}.")) == {"text"} | marked | guided
    if region.form in ("box", "span") or (region.form == "point" and modality != "point_cloud"):
        assert losses(Turn("Where?", "[The mug]{0}.")) == {"text", "numbers"} | guided
