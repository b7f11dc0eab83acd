"""COCO's run-length code of masks. Runs go down the columns, zeros first; compressed counts are ASCII text.

Written by pycocotools (imported when first used). Read here instead: pycocotools' reader trusts the code it is given,
warns on every call under numpy 2, and codes come from files that people made.
"""

import numpy as np
from jaxtyping import Bool

MAX_MASK_PIXELS = 1 << 30


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
        raise ValueError(f"a run-length code needs the keys 'size' and 'counts', got {rle!r:.80}")
    try:
        height, width = (int(side) for side in rle["size"])
    except (TypeError, ValueError):
        raise ValueError(f"'size' of a run-length code must be [height, width], got {rle['size']!r:.80}") from None
    if height < 1 or width < 1 or height * width > MAX_MASK_PIXELS:
        raise ValueError(f"'size' of a run-length code must be two positive sides, got {[height, width]}")
    return [height, width]


def _run_lengths(counts: str) -> list[int]:
    """Run lengths of compressed counts: 5 bits a character, little end first, differences to the run before the last.

    Source: the format of cocoapi, ``rleFrString`` in common/maskApi.c, read here so that a broken code is refused
    before compiled code sees it. Raises ValueError where the text is cut or holds foreign characters.
    """
    runs: list[int] = []
    value = shift = 0
    for character in counts:
        code = ord(character) - 48
        if not 0 <= code < 64 or shift > 60:
            raise ValueError("'counts' of a run-length code holds a character that is not of this code")
        value |= (code & 0x1F) << shift
        shift += 5
        if not code & 0x20:
            if code & 0x10:
                value -= 1 << shift
            runs.append(value + (runs[-2] if len(runs) > 2 else 0))
            value = shift = 0
    if shift:
        raise ValueError("'counts' of a run-length code ends in the middle of a number")
    return runs


def rle_to_mask(rle: dict) -> Bool[np.ndarray, "height width"]:
    """The mask of ``{"size": [height, width], "counts": text | bytes | list of run lengths}``.

    Raises ValueError if the code is malformed or its runs do not fill the size.

    >>> rle_to_mask({"size": [2, 2], "counts": [1, 3]}).tolist()
    [[False, True], [True, True]]
    """
    size = _checked_size(rle)
    counts = rle["counts"]
    if isinstance(counts, bytes):
        counts = counts.decode("latin-1")
    if isinstance(counts, str):
        runs = _run_lengths(counts)
    else:
        try:
            runs = [int(run) for run in counts]
        except (TypeError, ValueError):
            raise ValueError("'counts' of a run-length code must be text or a list of whole numbers") from None
    if any(run < 0 for run in runs) or sum(runs) != size[0] * size[1]:
        raise ValueError(f"the runs of a run-length code must fill its size {size}: {size[0] * size[1]} pixels")
    ones = np.arange(len(runs)) % 2 == 1
    return np.repeat(ones, runs).reshape(size[::-1]).T  # (width, height): columns first
