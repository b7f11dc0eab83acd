"""Answers in the formats of other tools: a COCO data set, and `supervision.Detections`.

Both hold the regions of images alone. They read the regions of an answer and know nothing of how they were made.
"""

import warnings
from typing import TYPE_CHECKING, Any

import numpy as np

from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Region, bounding_box, box_xyxy_to_xywh, rasterise
from deixis.inference.answer import Answer

if TYPE_CHECKING:
    from supervision import Detections


def answer_to_coco(answer: Answer) -> dict[str, Any]:
    """See `Answer.to_coco`. Annotations have bbox (x, y, width, height), area, score and, of masks, run lengths."""
    images = [
        {"id": number, "file_name": signal.path, "height": signal.extent.size_hw[0], "width": signal.extent.size_hw[1]}
        for number, signal in enumerate(answer.signals)
        if signal.extent.axes == "xy"
    ]
    shown = [region for image in images for region in _with_area(answer, image["id"])]
    labels = list(dict.fromkeys(region.label for region in shown))
    annotations = [
        {
            "id": number,
            "image_id": region.signal,
            "category_id": 1 + labels.index(region.label),
            **_coco_shape(region, answer.signals[region.signal].extent),
            "iscrowd": int(region.crowd),
            "score": region.score,
        }
        for number, region in enumerate(shown, 1)
    ]
    categories = [{"id": number, "name": label} for number, label in enumerate(labels, 1)]
    return {"images": images, "annotations": annotations, "categories": categories}


def answer_to_supervision(answer: Answer, signal: int = 0) -> "Detections":
    """See `Answer.to_supervision`. A missing score is NaN; where some regions have masks, boxes get one of theirs."""
    images = [number for number, own in enumerate(answer.signals) if own.extent.axes == "xy"]
    if signal not in images:
        raise InputError(f"signal: expected the index of an image, one of {images}, got {signal}")
    try:
        with warnings.catch_warnings():  # that OpenCV is absent matters to its drawing functions only
            warnings.simplefilter("ignore", UserWarning)
            from supervision import Detections
    except ImportError:
        raise UnsupportedError("to_supervision: install supervision, pip install 'deixis[supervision]'") from None
    extent = answer.signals[signal].extent
    regions = _with_area(answer, signal)
    if not regions:
        return Detections.empty()
    labels = list(dict.fromkeys(region.label for region in regions))
    has_masks = any(region.mask is not None for region in regions)
    has_scores = any(region.score is not None for region in regions)
    return Detections(
        xyxy=np.stack([bounding_box(region, extent) for region in regions]).astype(np.float32),
        mask=np.stack([rasterise(region, extent.size_hw) for region in regions]) if has_masks else None,
        confidence=np.array([np.nan if r.score is None else r.score for r in regions]) if has_scores else None,
        class_id=np.array([labels.index(region.label) for region in regions]),
        data={
            "class_name": np.array([region.label for region in regions]),
            "phrase": np.array([region.phrase or "" for region in regions]),
        },
    )


def _with_area(answer: Answer, signal: int) -> list[Region]:
    """The regions of one image that cover some of it, masks decoded."""
    own = [region.decoded() for region in answer.regions if region.signal == signal]
    return [region for region in own if region.form != "point" and not region.is_empty]


def _coco_shape(region: Region, extent: Any) -> dict[str, Any]:
    box_xyxy = bounding_box(region, extent)
    (bbox,) = box_xyxy_to_xywh(box_xyxy[None]).tolist()
    if region.mask is None:
        return {"bbox": bbox, "area": bbox[2] * bbox[3]}
    return {"bbox": bbox, "area": int(region.mask_array.sum()), "segmentation": region.mask_rle}
