"""What is asked and answered about the world is written in the model's notation and read back, in every modality."""

import numpy as np
import pytest

from deixis.conversation import Row, mask_targets, render
from deixis.geometry import Reference, parse_answer, parse_markup, region_in_file, write_answer
from deixis.model import build_processor
from deixis.model.masks.cells import mask_cells
from deixis.systems import SYSTEMS
from deixis.training.dense import signal_of
from deixis.world.generate import WORLD, world_samples
from tests.toy import PIXELS, UNION, toy_config, toy_tokenizer

DEIXIS = SYSTEMS["deixis"]
VISION = {"model_type": "clip_vision_model", "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
WHOLE = {"video": {**PIXELS, "frames": 4}, "audio": UNION["audio"] | {"window_s": 8.0}}
WHOLE["imu"] = UNION["imu"] | {"window_s": 12.0}
GRID_SHARE = 0.004  # of a signal's extent, by which a number of the grid may be off


@pytest.fixture(scope="module")
def union():
    """(configuration, processor) of a model of all eight modalities."""
    tokenizer = toy_tokenizer()
    sizes = VISION | {"intermediate_size": 48, "image_size": 28, "patch_size": 14}
    config = toy_config(tokenizer, vision_config=sizes, **UNION | WHOLE)
    return config, build_processor(config, tokenizer)


@pytest.mark.parametrize("subject", [pytest.param(name, id=name) for name in WORLD])
def test_samples_are_rendered_and_answers_read_back(union, subject):
    config, processor = union
    tasks = set()
    for seed in range(3):
        samples = world_samples("train", seed, (subject,), number=10)
        prepared = [processor.prepare(signal_of(medium)) for medium in samples[0].signals]
        for sample in samples:
            tasks.add(sample.task)
            rendered = render(sample, prepared, processor, DEIXIS.label_rule)
            row = Row(prepared)
            row.add(rendered, mask_targets(rendered, sample.regions, prepared, mask_cells(config), DEIXIS))
            for turn in sample.turns:
                check_answer(turn.assistant, sample, [own.frame for own in prepared], processor.notation)
    assert len(tasks) >= min(6, len(WORLD[subject].tasks))


def check_answer(markup, sample, frames, notation):
    """Phrases, marks and coordinates of an answer are read as they were written."""
    raw, marked = write_answer(markup, sample.regions, frames, notation)
    parsed = parse_answer(raw, frames, notation)
    mentions = [piece for piece in parse_markup(markup) if isinstance(piece, Reference)]
    assert [phrase.text for phrase in parsed.phrases] == [piece.phrase or "" for piece in mentions]
    read = [found for phrase in parsed.phrases for found in phrase.regions]
    assert [found.seg_index for found in read if found.form == "seg"] == list(range(len(marked)))
    expected = [sample.regions[index] for piece in mentions for index in piece.indices]
    for found, region in zip(read, expected, strict=True):
        if found.form != "seg":
            bounds, own = bounds_of(region_in_file(found, frames)), bounds_of(region)
            extent = np.abs(np.array(frames[region.signal].extent)).max()
            np.testing.assert_allclose(bounds, own, atol=GRID_SHARE * extent)


def bounds_of(region):
    return [v for name in ("box", "span", "box3d", "time_s") for v in getattr(region, name) or ()]
