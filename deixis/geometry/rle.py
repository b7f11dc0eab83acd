"""COCO's run-length code of masks. Runs go down the columns, zeros first; compressed counts are ASCII text.

Written by pycocotools (imported when first used). Read here instead: pycocotools' reader trusts the code it is given,
warns on every call under numpy 2, and codes come from files that people made.
"""

import numpy as np
from jaxtyping import Bool, Int

from deixis.errors import InputError
from deixis.options import length_of, shown

MAX_MASK_PIXELS = 1 << 28
"""More than an image that is opened may have."""
MAX_CODE = 1 << 24
"""Characters or numbers of a code, whose reading takes 50 times as much memory: real outlines have a few thousand."""
MAX_DIGITS = 7  # of 5 bits: more than any run of so many pixels needs
MORE, SIGN = 0x20, 0x10  # bits of a character: another one follows; of the last one: the number is negative


def mask_to_rle(mask_hw: Bool[np.ndarray, "height width"]) -> dict:
    """``{"size": [height, width], "counts": ascii text}`` of one mask.

    >>> mask_to_rle(np.array([[False, True], [False, True]]))
    {'size': [2, 2], 'counts': '22'}
    """
    from pycocotools import mask as coco

    rle = coco.encode(np.asfortranarray(mask_hw, dtype=np.uint8))
    return {"size": [int(side) for side in rle["size"]], "counts": rle["counts"].decode("ascii")}


def _checked_size(rle: dict) -> list[int]:
    if not isinstance(rle, dict) or "size" not in rle or "counts" not in rle:
        raise InputError(f"a run-length code needs the keys 'size' and 'counts', got {shown(rle)}")
    try:
        height, width = (int(side) for side in rle["size"])
    except (TypeError, ValueError, OverflowError):
        raise InputError(f"'size' of a run-length code must be [height, width], got {shown(rle['size'])}") from None
    if height < 1 or width < 1:
        raise InputError(f"'size' of a run-length code must be two positive sides, got {shown([height, width])}")
    if height * width > MAX_MASK_PIXELS:
        got = f"{min(width, 10**12)} x {min(height, 10**12)}"
        raise InputError(f"'size' of a run-length code must be at most {MAX_MASK_PIXELS} pixels, got {got}")
    if (length := length_of(rle["counts"])) is None:
        raise InputError(f"'counts' of a run-length code must be text or a list, got {shown(rle['counts'])}")
    if length > MAX_CODE:
        raise InputError(f"'counts' of a run-length code must be at most {MAX_CODE} long, got {length}")
    return [height, width]


def run_lengths(counts: str) -> Int[np.ndarray, " run"]:
    """Run lengths of compressed counts: 5 bits a character, little end first, differences to the run before the last.

    Source: the format of cocoapi, ``rleFrString`` in common/maskApi.c, read here so that a broken code is refused
    before compiled code sees it. Raises InputError where the text is cut or holds foreign characters.
    """
    foreign = InputError("'counts' of a run-length code holds a character that is not of this code")
    if not counts.isascii():
        raise foreign
    codes = np.frombuffer(counts.encode("ascii"), np.uint8).astype(np.int64) - 48
    if not len(codes):
        return codes
    ends = (codes & MORE) == 0
    starts = np.flatnonzero(np.append(True, ends[:-1]))
    digits = np.diff(np.append(starts, len(codes)))
    if codes.min() < 0 or codes.max() > 63 or digits.max() > MAX_DIGITS:
        raise foreign
    if not ends[-1]:
        raise InputError("'counts' of a run-length code ends in the middle of a number")
    shifts = 5 * (np.arange(len(codes)) - np.repeat(starts, digits))
    runs = np.add.reduceat((codes & 0x1F) << shifts, starts)
    runs -= np.where(codes[ends] & SIGN, 1 << 5 * digits, 0)
    runs[1::2] = np.cumsum(runs[1::2])
    runs[2::2] = np.cumsum(runs[2::2])
    return runs


def checked_runs(rle: dict) -> tuple[list[int], Int[np.ndarray, " run"]]:
    """([height, width], run lengths, zeros first). Raises InputError if they are malformed or do not fill the size."""
    size = _checked_size(rle)
    counts = rle["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        runs = run_lengths(counts)
    else:
        try:
            runs = np.array([int(run) for run in counts], np.int64)
        except (TypeError, ValueError, OverflowError):
            raise InputError("'counts' of a run-length code must be text or a list of whole numbers") from None
    if (runs < 0).any() or (runs > MAX_MASK_PIXELS).any() or runs.sum() != size[0] * size[1]:
        raise InputError(f"the runs of a run-length code must fill its size {size}: {size[0] * size[1]} pixels")
    return size, runs


def rle_area(rle: dict) -> int:
    """How many pixels are set in ``{"size", "counts"}``, without making the mask. Raises InputError as `rle_to_mask`.

    >>> rle_area({"size": [2, 2], "counts": [1, 3]})
    3
    """
    return int(checked_runs(rle)[1][1::2].sum())


def rle_to_mask(rle: dict) -> Bool[np.ndarray, "height width"]:
    """The mask of ``{"size": [height, width], "counts": text | bytes | list of run lengths}``.

    Raises InputError if the code is malformed or its runs do not fill the size.

    >>> rle_to_mask({"size": [2, 2], "counts": [1, 3]}).tolist()
    [[False, True], [True, True]]
    """
    size, runs = checked_runs(rle)
    ones = np.arange(len(runs)) % 2 == 1
    return np.repeat(ones, runs).reshape(size[::-1]).T  # (width, height): columns first
