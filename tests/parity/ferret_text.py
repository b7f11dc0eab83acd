"""Ferret without its network: official readers of answers and their score, prompts and masks. Part of `ferret.py`."""

import re
from collections.abc import Callable, Iterator
from dataclasses import replace
from typing import Any

import numpy as np

from deixis.geometry import Region, letterbox_frame, write_answer, write_prompt
from deixis.geometry.pixel_grid import grid_numbers
from deixis.systems.ferret import prompts
from deixis.systems.ferret import scoring as official
from deixis.systems.ferret.notation import OFFICIAL_TRAINING
from deixis.systems.ferret.regions import box_in_picture
from deixis.systems.ferret.sampling import ferret_mask
from deixis.systems.ferret.template import STYLE
from tests.parity.golden import Check, Golden

READERS = {
    "eval_refexp_decode": official.decode_boxes,
    "eval_flickr_decode": official.decode_boxes,
    "model_refcoco_template": official.refcoco_boxes,
    "model_flickr_template": official.flickr_boxes,
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
    yield Check("refexp_metric/results_sorted", official.reported_refexp(scores))
    short = [{"image_id": images[0]["id"], "text": "dog [100, 200, 300]."}]
    raised = outcome(lambda *_: official.score_refexp(images, annotations, short), "", (1, 1))
    yield Check("refexp_metric/three_number_box_raises", raised.get("exception"))


def lvis(golden: Golden) -> Iterator[Check]:
    for case in golden.keys("prompts/lvis"):
        record = golden[f"prompts/lvis/{case}"]
        form, index = record["format"], record["index"]
        stored = f"prompt_masks/lvis.{form}.{index}"
        # the shape was not stored, but its mask inside of its box, which is the result: a shape cut twice stays itself
        shape = golden[stored] if form == "free_shape" else None
        question, mask = prompts.lvis_question(record, form, shape)
        first, second = re.search(r"of the image a (.+) or a (.+)\?$", record["question"]).groups()
        names = (first, second) if index % 2 == 0 else (second, first)
        yield Check(f"prompts/lvis/{case}/question", prompts.with_names(question, *names, index))
        yield Check(f"prompts/lvis/{case}/mask_nonzero", int(mask.sum()))
        yield Check(stored, mask)


def gpt4(golden: Golden) -> Iterator[Check]:
    size_wh = (golden["prompts/gpt4eval/width"], golden["prompts/gpt4eval/height"])
    question, masks = prompts.gpt4_question(golden["prompts/gpt4eval/text"], size_wh)
    yield Check("prompts/gpt4eval/question", question)
    for index, mask in enumerate(masks):
        yield Check(f"prompt_masks/gpt4eval.{index}", mask)


def rules(golden: Golden) -> Iterator[Check]:
    yield Check("prompts/stop_str", STYLE.answered)
    refcoco, flickr = golden["prompts/refcoco_question_rule"], golden["prompts/flickr_question_rule"]
    yield Check(
        "prompts/refcoco_question_rule/question", prompts.refcoco_question(refcoco["caption"], refcoco["template"])
    )
    yield Check(
        "prompts/flickr_question_rule/question", prompts.flickr_question(flickr["entities"], flickr["template"])
    )
    for case in golden.keys("prompts/regulate_box"):
        box, *size = (golden[f"prompts/regulate_box/{case}/{name}"] for name in ("box", "w", "h"))
        yield Check(f"prompts/regulate_box/{case}/result", box_in_picture(box, tuple(size)))


def demo(golden: Golden) -> Iterator[Check]:
    for case in golden.keys("prompts/serve"):
        name = f"prompts/serve/{case}"
        size_wh = (golden[f"{name}/width"], golden[f"{name}/height"])
        coordinates = []
        for step in golden.keys(f"{name}/steps"):
            mode = golden[f"{name}/steps/{step}/mode"]
            stored = f"prompt_masks/serve.{case}.{mode}"
            x1, y1, x2, y2 = golden[f"{name}/steps/{step}/painted_xyxy"]
            painted = np.zeros(size_wh, dtype=bool)
            painted[x1 : x2 + 1, y1 : y2 + 1] = True
            if mode == "Sketch":  # its scribble is stored only as the resulting mask
                painted &= golden[stored]
            text, mask = prompts.painted_region(painted, mode)
            coordinates.append(text)
            yield Check(f"{name}/steps/{step}/coordinates", text)
            yield Check(f"{name}/steps/{step}/placeholder", f"[region{step}]")
            yield Check(stored, mask)
        prompt, order = prompts.demo_question(golden[f"{name}/raw_prompt"], coordinates)
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
                text, _ = write_prompt(markup, regions, frames, [frames[0].size], OFFICIAL_TRAINING)
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
    x1, y1, x2, y2 = box_in_picture(box, size_wh)
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
