"""The regions of an answer as labels of FiftyOne, which is imported when they are made and needs no database for it."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from deixis.errors import UnsupportedError
from deixis.geometry import Region, mask_to_box_xyxy, video_parts
from deixis.signals import Signal

CLASSES = {
    "detections": ("Detection", "Detections", "detections"),
    "keypoints": ("Keypoint", "Keypoints", "keypoints"),
    "polylines": ("Polyline", "Polylines", "polylines"),
    "temporal_detections": ("TemporalDetection", "TemporalDetections", "detections"),
}
"""Field of a sample -> FiftyOne's class of one label, its class of several, and what that one calls their list."""
FRAMES = "frames"  # the field of a video's sample with the labels of each frame
Fields = dict[str, list[dict[str, Any]]]  # field -> the values of each of its labels


def fiftyone_labels(regions: Sequence[Region], signal: Signal) -> dict[str, Any]:
    """Field -> labels of FiftyOne, of regions of one image or video (see `Answer.to_fiftyone`).

    Raises UnsupportedError if FiftyOne is not installed.
    """
    try:
        import fiftyone
    except ImportError:
        raise UnsupportedError("to_fiftyone: install FiftyOne, pip install 'deixis[fiftyone]'") from None

    def labels(fields: Fields) -> dict[str, Any]:
        built = {}
        for field, rows in fields.items():
            one, several, items = CLASSES[field]
            own = [getattr(fiftyone, one)(**values) for values in rows]
            built[field] = getattr(fiftyone, several)(**{items: own})
        return built

    fields, frames = label_values(regions, signal)
    in_frames = {number: fiftyone.Frame(**labels(own)) for number, own in frames.items()}
    return labels(fields) | ({FRAMES: in_frames} if in_frames else {})


def label_values(regions: Sequence[Region], signal: Signal) -> tuple[Fields, dict[int, Fields]]:
    """(labels of the whole image or video, frame of the video -> labels of what lies in it).

    Places are shares of width and height; frames are counted from 1. Empty regions are not among them.
    """
    whole: Fields = {}
    frames: dict[int, Fields] = {}
    for region in regions:
        named = {"label": region.label, "phrase": region.phrase or ""}
        if signal.extent.axes == "xy":
            _add(whole, region, named, signal)
            continue
        place, interval = video_parts(region, signal.extent)
        first, last = _support(interval, signal)
        if region.form == "span":
            values = named | {"support": [first, last], "confidence": region.score}
            whole.setdefault("temporal_detections", []).append(values)
            continue
        for number in range(first, last + 1):
            _add(frames.setdefault(number, {}), place, named, signal)
    return whole, dict(sorted(frames.items()))


def _add(fields: Fields, region: Region, named: dict[str, Any], signal: Signal) -> None:
    """Adds the label of a region in pixels to its field."""
    height, width = signal.extent.size_hw
    size = np.array([width, height])
    values: dict[str, Any] = {"confidence": region.score}

    def shares(places: Any) -> list[list[float]]:
        return (np.asarray(places, dtype=np.float64) / size).tolist()

    match region.form:
        case "point":
            field, values["points"] = "keypoints", shares([region.point])
            values["confidence"] = None if region.score is None else [region.score]  # of each point
        case "scribble" | "polygon":
            field, values["points"] = "polylines", [shares(getattr(region, region.form))]
            values["closed"] = values["filled"] = region.form == "polygon"
        case _:
            mask = None if region.mask is None else region.mask_array
            box = np.array(region.box) if mask is None else mask_to_box_xyxy(mask)
            if box is None:
                return
            (left, top), (right, bottom) = box[:2], box[2:]
            corner, sides = shares([(left, top), (right - left, bottom - top)])
            field, values["bounding_box"] = "detections", corner + sides
            if mask is not None:  # of the box alone
                values["mask"] = mask[int(top) : int(bottom), int(left) : int(right)]
    fields.setdefault(field, []).append(named | values)


def _support(interval: Region, signal: Signal) -> tuple[int, int]:
    """(first, last) frame of a video that is seen in an interval, or at an instant, counted from 1."""
    start_s, end_s = interval.span or (interval.point[0], interval.point[0])
    times_s = signal.info["table"].times_s
    # a frame is seen until the next one comes
    first = max(1, int(np.searchsorted(times_s, start_s, side="right")))
    last = int(np.searchsorted(times_s, end_s, side="left"))
    return first, max(first, last)
