"""The questions of Ferret's own evaluations and of its demo, verbatim, with the region masks that go with them.

A mask is (W, H), x first. It knows no file and no network; a caller inserts the question into the conversation
template.

Source: apple/ml-ferret@3c9e5c93, ferret/eval/{model_lvis,model_gpt4eval_3newclass,model_refcoco,model_flickr}.py and
ferret/serve/gradio_web_server.py.
"""

import re
from collections.abc import Mapping, Sequence
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool

from deixis.geometry import GRID_CELLS
from deixis.geometry.pixel_grid import grid_numbers, shape_box
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.ferret.regions import painted_point, region_mask

REGION_TOKEN = NOTATION.region_token
RegionMask = Bool[np.ndarray, "w h"]


def bracketed(numbers: Sequence[int] | np.ndarray) -> str:
    """Numbers in brackets, as in Ferret's notation: "[12, 40]"."""
    return f"[{', '.join(str(int(number)) for number in numbers)}]"


def lvis_question(
    record: Mapping[str, Any], form: Literal["point", "box", "free_shape"], shape: RegionMask | None = None
) -> tuple[str, RegionMask]:
    """("Is the object .. a .. or a ..?" about one LVIS record, with placeholders for the names; mask of its region).

    record: width, height, and by form sample_point (pixels), bbox_norm (fractions of the image) or free_shape_bbox_raw
    (pixels; needs `shape`). The three are truncated by different formulas, as officially. The placeholders are <obj1>
    and <obj2> (`with_names`).
    """
    size_wh = (record["width"], record["height"])
    if form == "box":
        fractions = np.asarray(record["bbox_norm"], dtype=np.float64)
        place = [int(fraction * size_wh[axis % 2]) for axis, fraction in enumerate(fractions)]
        numbers = np.trunc(fractions * GRID_CELLS)
    else:
        place = record["sample_point" if form == "point" else "free_shape_bbox_raw"]
        numbers = grid_numbers(place, size_wh, "ratio")
    mask = region_mask(place, size_wh, shape if form == "free_shape" else None)
    return f"Is the object {bracketed(numbers)} {REGION_TOKEN} of the image a <obj1> or a <obj2>?", mask


def with_names(question: str, name: str, other: str, index: int) -> str:
    """The question with the correct name first for an even index and second for an odd one."""
    first, second = (name, other) if index % 2 == 0 else (other, name)
    return question.replace("<obj1>", first).replace("<obj2>", second)


def gpt4_question(text: str, size_wh: tuple[int, int]) -> tuple[str, list[RegionMask]]:
    """A question with boxes as fractions of the image, [0.1, 0.2, 0.5, 0.9], in Ferret's notation, and their masks."""
    question, masks = text, []
    for bracket in re.findall(r"\[.*?\]", text):
        fractions = [float(fraction) for fraction in bracket.strip("[]").split(",")]
        question = question.replace(
            bracket, f"{bracketed([int(fraction * GRID_CELLS) for fraction in fractions[:4]])} {REGION_TOKEN}"
        )
        place = [int(fraction * size_wh[axis % 2]) for axis, fraction in enumerate(fractions[:4])]
        masks.append(region_mask(place, size_wh))
    return question, masks


def refcoco_question(caption: str, template: str = "What is the location of <obj> in the image?") -> str:
    """The question for one referring expression.

    >>> refcoco_question("the man, left, in blue ")
    'What is the location of the man left in blue in the image?'
    """
    return template.replace("<obj>", _without_commas(caption))


def flickr_question(entities: Sequence[str], template: str = "What are the locations of <objs>?") -> str:
    """The question for the phrases of one caption.

    >>> flickr_question(["A woman", "the Blue car, old"])
    'What are the locations of a woman, the blue car old?'
    """
    return template.replace("<objs>", ", ".join(_without_commas(entity.lower()) for entity in entities))


def painted_region(painted: RegionMask, mode: Literal["Point", "Box", "Sketch"]) -> tuple[str, RegionMask]:
    """(coordinates in brackets, mask) of a region painted in the demo."""
    size_wh = (painted.shape[0], painted.shape[1])
    place = painted_point(painted) if mode == "Point" else shape_box(painted)
    mask = region_mask(place, size_wh, painted if mode == "Sketch" else None)
    return bracketed(grid_numbers(place, size_wh, "pixel")), mask


def demo_question(text: str, coordinates: Sequence[str]) -> tuple[str, list[int]]:
    """(question in Ferret's notation, index of the region of each region token); region 3 is [region3] in `text`.

    >>> demo_question("Is [region1] on [region0]?", ["[1, 2]", "[3, 4, 5, 6]"])
    ('Is [3, 4, 5, 6] <region_fea> on [1, 2] <region_fea>?', [1, 0])
    """
    words = [f"[region{index}]" for index in range(len(coordinates))]
    order = [int(number) for number in re.findall(r"\[region(\d+)\]", text) if f"[region{number}]" in words]
    for word, place in zip(words, coordinates, strict=True):
        text = text.replace(word, f"{place} {REGION_TOKEN}")
    return text, order


def _without_commas(text: str) -> str:
    return text.replace(",", "").strip()
