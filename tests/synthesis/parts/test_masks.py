"""Masks from boxes: by a model, only where there are none, and only where they are such."""

from dataclasses import replace

import numpy as np
import pytest
from PIL import Image

from deixis.datasets.annotated import Object
from deixis.geometry import rle_to_mask
from deixis.samples.sample import MediaReference, Sample, Skipped, Turn
from deixis.synthesis.annotators import Annotators
from deixis.synthesis.parts.masks import with_masks
from tests.synthesis.pictures import SIZE_HW, ellipse, farm, made, marks, picture, region, turns


def filled(pixels: np.ndarray, boxes_xyxy: np.ndarray) -> np.ndarray:
    """The ellipse in each box, as far as the pixels are bright."""
    return np.stack(
        [
            ellipse((x1 + x2) / 2, (y1 + y2) / 2, (x2 - x1) / 2, (y2 - y1) / 2) & (pixels[..., 0] > 100)
            for x1, y1, x2, y2 in boxes_xyxy
        ]
    )


TOOLS = Annotators(masks=lambda: filled)


def placed(item, folder, dark: np.ndarray | None = None):
    """The item with its image as a file, all bright but where it is dark."""
    values = np.full((*SIZE_HW, 3), 200, dtype=np.uint8)
    if dark is not None:
        values[dark] = 0
    path = folder / f"{item.id.replace('/', '-')}.png"
    Image.fromarray(values).save(path)
    return replace(item, signals=(replace(item.signals[0], path=str(path)),))


def test_things_get_the_masks_of_their_boxes(tmp_path):
    (item,) = with_masks([placed(farm(masked=False), tmp_path)], TOOLS)
    for obj, other in zip(item.objects, farm().objects, strict=True):
        assert obj.region == replace(other.region, mask=obj.region.mask)
        assert np.array_equal(rle_to_mask(obj.region.mask), rle_to_mask(other.region.mask))
    assert {mark.form for _, turn in turns(made("classes", [item])) for mark in marks(turn.assistant)} == {"mask"}


def test_what_has_a_mask_or_no_box_stays(tmp_path):
    objects = [
        Object("dog", region(30, 30)),
        Object("smell"),
        Object("cat", region(80, 30, masked=False)),
    ]
    item = placed(picture(1, objects), tmp_path)
    (changed,) = with_masks([item], TOOLS)
    assert changed.objects[:2] == item.objects[:2]
    assert changed.objects[0].region.mask is item.objects[0].region.mask
    assert changed.objects[2].region.mask is not None


def test_an_empty_mask_is_none(tmp_path):
    item = placed(picture(1, [Object("dog", region(30, 30, masked=False))]), tmp_path, dark=ellipse(30, 30, 20, 20))
    (changed,) = with_masks([item], TOOLS)
    assert changed == item


def test_pictures_are_not_opened_for_nothing():
    item = farm()
    dialogue = Sample("a", "llava", "chat", "train", (Turn("Hello", "Hello."),))
    assert list(with_masks([item, dialogue], TOOLS)) == [item, dialogue]


def test_a_picture_that_is_missing_or_of_another_size_is_said(tmp_path):
    missing = farm(1, masked=False)
    small = placed(farm(2, masked=False), tmp_path)
    small = replace(small, signals=(replace(small.signals[0], size_hw=(60, 80)),))
    good = placed(farm(3, masked=False), tmp_path)
    found = list(with_masks([missing, small, good], TOOLS))
    assert [type(each) for each in found] == [Skipped, Skipped, type(good)]
    assert (found[0].where, found[1].where) == (missing.id, small.id)
    assert "1.jpg" in found[0].why
    assert found[1].why == "masks: size_hw of 'coco/000000000002': expected [120, 160], got [60, 80]"


def test_without_a_model_it_is_an_error():
    with pytest.raises(ValueError, match="masks_from_boxes: needs a model for masks, and there is none"):
        list(with_masks([farm()], Annotators()))


def test_other_signals_stay(tmp_path):
    item = replace(farm(masked=False), signals=(MediaReference("a", "audio", duration_s=1.0),))
    assert list(with_masks([item], TOOLS)) == [item]
