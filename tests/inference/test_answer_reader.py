"""Parsed regions in the units of the files of each modality."""

import numpy as np
import pytest
import torch

from deixis.cli.answers import signal_line
from deixis.geometry import ParsedRegion, region_in_file
from deixis.inference import Model
from deixis.inference.answer import answer_region_to_json, describe
from deixis.model.masks.cells import logits_to_regions
from deixis.model.prepared import Prepared
from deixis.signals import open_signal
from tests.model.test_union import VISION
from tests.toy import PIXELS, UNION, toy_image, toy_network


@pytest.fixture(scope="module")
def union(toy):
    vision = {**VISION, "model_type": "clip_vision_model", "intermediate_size": 48}
    return toy_network(toy[1].tokenizer, vision_config=vision, **{**UNION, "depth": PIXELS})


def film():
    return open_signal((np.stack([toy_image(20, 30, seed=i) for i in range(4)]), 2.0), "video")


def test_a_written_box_of_a_film_has_its_time(union):
    prepared: Prepared = union[1].prepare(film())
    found = ParsedRegion("tube", 0, (0.1, 0.2, 0.25, 0.5, 0.8, 0.75), None)
    region = region_in_file(found, [prepared.frame])
    assert (region.form, region.time_s) == ("box", pytest.approx((0.5, 1.5)))
    assert region.box == pytest.approx(tuple(prepared.frame.to_file([[0.1, 0.2, 0], [0.5, 0.8, 0]])[:, :2].ravel()))
    assert answer_region_to_json(region)["time_s"] == pytest.approx((0.5, 1.5))


def test_masks_of_a_film_hold_for_their_frames(union):
    prepared = union[1].prepare(film())
    logits = torch.full((3, 49), -1.0)
    logits[0], logits[2] = 1.0, 1.0
    regions = logits_to_regions(logits.flatten(), prepared)
    assert [region.form for region in regions] == ["mask", "mask"]
    assert regions[0].time_s[0] == 0.0
    assert regions[1].time_s[1] == pytest.approx(prepared.frame.size.duration_s)


def test_every_kind_is_answered_about(union):
    network, processor = union
    model = Model(network, processor, "toy")
    depth = open_signal(np.full((30, 40), 2.5, np.float32), "depth")
    for signal in (film(), depth, open_signal(toy_image())):
        assert model.ask("What?", signal, max_new_tokens=3).signals == (signal,)


def test_a_brain_without_places_is_described_by_its_number_of_values():
    signal = open_signal(np.linspace(0, 1, 40, dtype=np.float32), "fmri")
    assert describe(signal) == {"path": None, "kind": "fmri", "value_count": 40}
    assert signal_line(signal).endswith(", 40 values")
    assert describe(film()).keys() == {"path", "kind", "size_hw", "duration_s"}
