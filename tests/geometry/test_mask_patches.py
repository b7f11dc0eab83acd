"""Masks inside their boxes: the same pixels and codes as COCO's own functions give."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from deixis.errors import InputError
from deixis.geometry import mask_to_rle, rle_to_mask
from deixis.geometry.mask_patches import Patch, mask_patch
from deixis.geometry.rle import run_lengths

MASKS = st.tuples(st.integers(1, 9), st.integers(1, 9)).flatmap(lambda size: arrays(bool, size)).filter(np.any)


def whole(patch: Patch) -> np.ndarray:
    mask = np.zeros(patch.size_hw, dtype=bool)
    rows, columns = patch.pixels.shape
    mask[patch.top : patch.top + rows, patch.left : patch.left + columns] = patch.pixels
    return mask


@given(MASKS)
def test_a_patch_is_the_mask_and_goes_back_to_its_code(mask):
    code = mask_to_rle(mask)
    plain = {"size": code["size"], "counts": run_lengths(code["counts"]).tolist()}
    for patch in (mask_patch(code), mask_patch(mask), mask_patch(plain)):
        assert np.array_equal(whole(patch), mask)
        assert patch.pixels.any(axis=1)[[0, -1]].all()
        assert patch.pixels.any(axis=0)[[0, -1]].all()
        assert patch.to_rle() == code


@given(MASKS)
def test_run_lengths_are_those_of_the_code(mask):
    code = mask_to_rle(mask)
    runs = run_lengths(code["counts"])
    assert np.array_equal(rle_to_mask({"size": code["size"], "counts": runs.tolist()}), mask)


def test_a_patch_with_empty_borders_is_written_too():
    pixels = np.zeros((4, 3), dtype=bool)
    pixels[1, 1] = True
    patch = Patch(2, 5, pixels, (10, 20))
    assert np.array_equal(rle_to_mask(patch.to_rle()), whole(patch))


def test_large_runs():
    mask = np.zeros((2_000, 3_000), dtype=bool)
    mask[700:1_900, 1_000:2_900] = True
    code = mask_to_rle(mask)
    patch = mask_patch(code)
    assert (patch.top, patch.left, patch.pixels.shape) == (700, 1_000, (1_200, 1_900))
    assert patch.pixels.all()
    assert patch.to_rle() == code


@pytest.mark.parametrize(
    ("mask", "sentence"),
    [
        pytest.param({"size": [2, 2], "counts": ""}, r"must fill its size", id="no_text"),
        pytest.param({"size": [2, 2], "counts": "é"}, r"holds a character that is not of this code", id="foreign"),
        pytest.param({"size": [2, 2], "counts": "P"}, r"ends in the middle of a number", id="cut"),
        pytest.param(
            {"size": [2, 2], "counts": "P" * 30 + "0"},
            r"holds a character that is not of this code",
            id="too_long_a_number",
        ),
        pytest.param({"size": [2, 2], "counts": []}, r"must fill its size \[2, 2\]: 4 pixels", id="no_runs"),
        pytest.param({"size": [2, 2], "counts": [1, 2]}, r"must fill its size", id="short"),
        pytest.param({"size": [2, 2], "counts": [5, -1]}, r"must fill its size", id="negative"),
        pytest.param({"size": [2, 2], "counts": [4]}, "got an empty mask", id="empty"),
        pytest.param({"size": [2, 2], "counts": [2, 0, 2]}, "got an empty mask", id="runs_of_nothing"),
        pytest.param(np.zeros((2, 2), dtype=bool), "got an empty mask", id="empty_array"),
    ],
)
def test_a_bad_mask_is_one_sentence(mask, sentence):
    with pytest.raises(InputError, match=f"^mask: .*{sentence}" if "mask" not in sentence else sentence):
        mask_patch(mask)
