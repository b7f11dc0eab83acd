"""Ferret without its network: official readers of answers and their score, prompts and masks. Part of `ferret.py`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from deixis.geometry import Notation, Region, letterbox_frame, write_answer, write_prompt
from deixis.geometry.notations import grid_numbers, shape_box
from deixis.systems.ferret import scoring as official
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.ferret.sampling import ferret_mask
from deixis.systems.ferret.template import STYLE
from deixis.systems.ferret.wording import flickr_question, refcoco_question
from tests.parity.golden import Check, Golden

OFFICIAL_TRAINING = replace(NOTATION, cell_of="ratio")
"""As the official training wrote numbers; asking, there and here, rounds by another formula."""
READERS = {
    "eval_refexp_decode": official.decode_boxes,
    "eval_flickr_decode": official.decode_boxes,
}
ROUNDINGS = {"ratio": "ratio_then_trunc_sum", "pixel": "serve_sum", "share": "norm_then_trunc_sum"}
SEGMENTS = {  # as the folder describes the two segments that training was given
    "ellipse: ((x-0.4w)/(0.2w))^2+((y-0.5h)/(0.25h))^2<1 on integer pixel grid": lambda x, y, w, h: (
        ((x - 0.4 * w) / (0.2 * w)) ** 2 + ((y - 0.5 * h) / (0.25 * h)) ** 2 < 1
    ),
    "rectangle x>=int(0.6w), y>=int(0.7h)": lambda x, y, w, h: (x >= int(0.6 * w)) & (y >= int(0.7 * h)),
}
PLACE = re.compile(r"\[\d+(?:, \d+)*\](?: <region_fea>)?")


def checks(golden: Golden) -> Iterator[Check]:
    if golden.has("text_parse"):
        yield from answers_read(golden)
    if golden.has("refexp_metric"):
        yield from refexp(golden)
    if golden.has("prompts"):
        yield from lvis(golden)
        yield from gpt4(golden)
        yield from rules(golden)
        yield from demo(golden)
        yield from training(golden)
        yield from rounding(golden)


def answers_read(golden: Golden) -> Iterator[Check]:
    size_wh = (golden["text_parse/image_w"], golden["text_parse/image_h"])
    for case in golden.keys("text_parse/cases"):
        text = golden[f"text_parse/cases/{case}/text"]
        for name, reader in READERS.items():
            if golden.has(f"text_parse/cases/{case}/{name}"):
                yield Check(f"text_parse/cases/{case}/{name}", outcome(reader, text, size_wh))
    for case in golden.keys("text_parse/phrases_similar"):
        a, b = (golden[f"text_parse/phrases_similar/{case}/{side}"] for side in "ab")
        yield Check(f"text_parse/phrases_similar/{case}/result", official.similar_phrases(a, b))
    for case in golden.keys("text_parse/resize_bbox"):
        box, *size = (golden[f"text_parse/resize_bbox/{case}/{name}"] for name in ("box", "w", "h"))
        yield Check(f"text_parse/resize_bbox/{case}/result", official.box_in_pixels(box, tuple(size)))


def outcome(reader: Callable, text: str, size_wh: tuple[int, int]) -> dict[str, Any]:
    """What a reader finds, or the exception that it raises."""
    try:
        entities, boxes = reader(text, size_wh)
    except (ValueError, IndexError) as error:
        return {"exception": type(error).__name__, "message": str(error)}
    return {"entities": entities, "boxes": boxes}


def refexp(golden: Golden) -> Iterator[Check]:
    images, annotations = (golden[f"refexp_metric/annotations/{name}"] for name in ("images", "annotations"))
    threshold = golden["refexp_metric/thresh_iou"]
    scores = official.score_refexp(images, annotations, golden["refexp_metric/predictions"], threshold=threshold)
    yield Check("refexp_metric/results_by_k", scores)
    # the script prints the values of each data set in ascending order, without their ranks
    yield Check("refexp_metric/results_sorted", {name: sorted(own.values()) for name, own in scores.items()})
    short = [{"image_id": images[0]["id"], "text": "dog [100, 200, 300]."}]
    raised = outcome(lambda *_: official.score_refexp(images, annotations, short), "", (1, 1))
    yield Check("refexp_metric/three_number_box_raises", raised.get("exception"))


def lvis(golden: Golden) -> Iterator[Check]:
    """The region of each LVIS question, whose numbers its script truncates by a formula of its own for boxes."""
    for case in golden.keys("prompts/lvis"):
        record = golden[f"prompts/lvis/{case}"]
        form, size_wh = record["format"], (record["width"], record["height"])
        stored = f"prompt_masks/lvis.{form}.{record['index']}"
        if form == "point":
            region = Region(point=tuple(record["sample_point"]))
        elif form == "box":
            region = Region(box=boxes_of(record["bbox_norm"], size_wh))
        else:
            # the shape was not stored, but its mask inside of its box, which is the result: a shape cut twice stays
            region = Region(box=tuple(record["free_shape_bbox_raw"]), mask=golden[stored].T)
        mask = ferret_mask(region, size_wh[::-1])
        yield Check(f"prompts/lvis/{case}/mask_nonzero", int(mask.sum()))
        yield Check(stored, mask)
        if form != "box":
            asked = re.sub(r"\[.*?\] <region_fea>", "{0}", record["question"])
            yield Check(f"prompts/lvis/{case}/question", question(asked, [region], size_wh, OFFICIAL_TRAINING)[0])


def boxes_of(fractions: list[float], size_wh: tuple[int, int]) -> tuple[int, ...]:
    """A box in fractions of the image in whole pixels, truncated."""
    return tuple(int(fraction * size_wh[axis % 2]) for axis, fraction in enumerate(fractions))


def question(markup: str, regions: list[Region], size_wh: tuple[int, int], notation: Notation) -> tuple[str, list[int]]:
    """(a question, which region each of its tokens stands for), written by the renderer's own function."""
    frame = letterbox_frame(size_wh[::-1], (336, 336))
    return write_prompt(markup, regions, [frame], notation)


def gpt4(golden: Golden) -> Iterator[Check]:
    size_wh = (golden["prompts/gpt4eval/width"], golden["prompts/gpt4eval/height"])
    for index, box in enumerate(re.findall(r"\[(.*?)\]", golden["prompts/gpt4eval/text"])):
        region = Region(box=boxes_of([float(fraction) for fraction in box.split(",")], size_wh))
        yield Check(f"prompt_masks/gpt4eval.{index}", ferret_mask(region, size_wh[::-1]))


def rules(golden: Golden) -> Iterator[Check]:
    yield Check("prompts/stop_str", STYLE.answered)
    caption, entities = (golden[f"prompts/{name}"] for name in ("refcoco_question_rule", "flickr_question_rule"))
    yield Check("prompts/refcoco_question_rule/question", refcoco_question(caption["caption"]))
    yield Check("prompts/flickr_question_rule/question", flickr_question(entities["entities"]))
    for case in golden.keys("prompts/regulate_box"):
        box, *size = (golden[f"prompts/regulate_box/{case}/{name}"] for name in ("box", "w", "h"))
        yield Check(f"prompts/regulate_box/{case}/result", list(regulated(box, tuple(size))))


def regulated(box_xyxy: list[float], size_wh: tuple[int, int]) -> tuple[float, ...]:
    """The box with its corners moved onto pixels of the image, as training does with its objects."""
    return tuple(max(0, min(value, size_wh[axis % 2] - 1)) for axis, value in enumerate(box_xyxy))


def demo(golden: Golden) -> Iterator[Check]:
    """The demo's regions, which are painted: their masks, and the prompt as an asked question is written."""
    for case in golden.keys("prompts/serve"):
        name = f"prompts/serve/{case}"
        size_wh = (golden[f"{name}/width"], golden[f"{name}/height"])
        regions = []
        for step in golden.keys(f"{name}/steps"):
            mode = golden[f"{name}/steps/{step}/mode"]
            stored = f"prompt_masks/serve.{case}.{mode}"
            x1, y1, x2, y2 = golden[f"{name}/steps/{step}/painted_xyxy"]
            if mode == "Point":  # the lower medians of what is painted
                regions.append(Region(point=((x1 + x2) // 2, (y1 + y2) // 2)))
            else:  # the scribble of a sketch is stored only as the resulting mask
                sketch = golden[stored] if mode == "Sketch" else None
                box = (x1, y1, x2, y2) if sketch is None else tuple(shape_box(sketch))
                regions.append(Region(box=box, mask=None if sketch is None else sketch.T))
            text, _ = question("{0}", regions[-1:], size_wh, NOTATION)
            yield Check(f"{name}/steps/{step}/coordinates", text.removesuffix(" <region_fea>"))
            yield Check(stored, ferret_mask(regions[-1], size_wh[::-1]))
        markup = re.sub(r"\[region(\d+)\]", r"{\1}", golden[f"{name}/raw_prompt"])
        prompt, order = question(markup, regions, size_wh, NOTATION)
        yield Check(f"{name}/prompt", prompt)
        yield Check(f"{name}/mask_order", order)


def training(golden: Golden) -> Iterator[Check]:
    """Places of training's conversations, written by the renderer's own functions in the notation of training."""
    for case in golden.keys("prompts/train"):
        name = f"prompts/train/{case}"
        record = golden[name]
        size_wh = (record["width"], record["height"])
        size_hw = size_wh[::-1]
        _, form, masked = record["key"].split(".")
        segments = [segment(words, size_wh) for words in golden["prompts/train_segment_masks"]]
        masks: list[np.ndarray] = []
        frames = [letterbox_frame(size_hw, (336, 336))]
        for number, (turn, boxes) in enumerate(zip(record["conversations"], record["boxes"], strict=True)):
            indices = iter(range(len(boxes)))
            markup = PLACE.sub(lambda _, left=indices: f"{{{next(left)}}}", turn["value"])
            regions = [trained_region(box, size_wh, form) for box in boxes]
            if turn["from"] == "human":
                if masked == "mask":
                    regions = [replace(own, mask=cut.T) for own, cut in zip(regions, segments, strict=False)]
                text, _ = write_prompt(markup, regions, frames, OFFICIAL_TRAINING)
                masks += [ferret_mask(own, size_hw) for own in regions]
            else:
                boxes_only = [trained_region(box, size_wh, "box") for box in boxes]
                text, _ = write_answer(markup, boxes_only, frames, OFFICIAL_TRAINING)
            yield Check(f"{name}/conversations/{number}/value", text)
        yield Check(f"{name}/mask_nonzero", [int(mask.sum()) for mask in masks])
        for index, mask in enumerate(masks):
            yield Check(f"prompt_masks/{record['key']}.{index}", mask)


def trained_region(box: list[float], size_wh: tuple[int, int], form: str) -> Region:
    """An object of training: its box moved into the image, pointed at by its centre or by the box."""
    x1, y1, x2, y2 = regulated(box, size_wh)
    point = ((x1 + x2) / 2, (y1 + y2) / 2) if form == "point" else None
    return Region(point=point, box=(x1, y1, x2, y2))


def segment(words: str, size_wh: tuple[int, int]) -> np.ndarray:
    """A segment by the text that describes it."""
    x, y = np.mgrid[0 : size_wh[0], 0 : size_wh[1]]
    return SEGMENTS[words](x, y, *size_wh)


def rounding(golden: Golden) -> Iterator[Check]:
    for case in golden.keys("prompts/coordinate_rounding/table"):
        name = f"prompts/coordinate_rounding/table/{case}"
        size, count = golden[f"{name}/size"], golden[f"{name}/n"]
        numbers = {rule: grid_numbers(np.arange(count), (size, size), rule) for rule in ROUNDINGS}
        for rule, entry in ROUNDINGS.items():
            yield Check(f"{name}/{entry}", int(numbers[rule].sum()))
        differ = [x for x in range(count) if len({int(numbers[rule][x]) for rule in ROUNDINGS}) > 1]
        listed = [  # the recorded rules are named by the first word of their entry
            {"x": x, **{entry.split("_")[0]: int(numbers[rule][x]) for rule, entry in ROUNDINGS.items()}}
            for x in differ
        ]
        yield Check(f"{name}/x_where_they_differ", listed)
