"""`Answer`: the result of a question, its text and the regions it points at, in the units of the files asked about."""

import io
import warnings
from base64 import b64encode
from dataclasses import dataclass, field
from html import escape
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image

from deixis.errors import InputError, UnsupportedError
from deixis.geometry import Region, bounding_box, rasterise
from deixis.geometry.region_json import region_to_json
from deixis.signals import Signal

if TYPE_CHECKING:
    from supervision import Detections

JSON_VERSION = 2
DIGITS = 7  # of coordinates in JSON: float32 is not exact beyond
SCORE_DECIMALS = 4


@dataclass(frozen=True)
class AnswerPhrase:
    """A phrase of the answer, `text[start:end]`, and the regions it refers to; none means "there is none"."""

    text: str
    start: int
    end: int
    regions: tuple[Region, ...]


@dataclass(frozen=True)
class Answer:
    """The answer to one question: its text, the phrases that refer to regions, and what was asked about.

    `regions` is the one sequence of all regions, in the order of the phrases; `masks`, `boxes`, `spans`, `points`,
    `to_dict()`, `to_coco()`, `to_supervision()` and `to_fiftyone()` are views of it.
    """

    text: str
    phrases: tuple[AnswerPhrase, ...]
    signals: tuple[Signal, ...] = field(repr=False)
    model: str = ""
    seconds: float = 0.0
    raw: str = field(default="", repr=False)
    question: str = field(default="", repr=False)  # as it was asked, in markup
    asked: tuple[Region, ...] = field(default=(), repr=False)  # the regions {0}, {1}, ... of the question
    warnings: tuple[str, ...] = ()  # reasons to doubt the answer, a sentence each

    @property
    def regions(self) -> tuple[Region, ...]:
        """Every region of every phrase, in order, each with its signal, label, score and phrase."""
        return tuple(region for phrase in self.phrases for region in phrase.regions)

    def _values(self, form: str) -> list[Any]:
        return [value for region in self.regions if (value := getattr(region, form)) is not None]

    @property
    def masks(self) -> list[np.ndarray]:
        """The masks among the regions, bool (h, w), in pixels of the upright image."""
        return [region.mask_array for region in self.regions if region.mask is not None]

    @property
    def boxes(self) -> list[tuple[float, ...]]:
        """The boxes among the regions, (x1, y1, x2, y2) in pixels."""
        return self._values("box")

    @property
    def boxes3d(self) -> list[tuple[float, ...]]:
        """The 3-D boxes among the regions, (x1, y1, z1, x2, y2, z2) in the cloud's units."""
        return self._values("box3d")

    @property
    def spans(self) -> list[tuple[float, float]]:
        """The spans among the regions, (start, end) in seconds."""
        return self._values("span")

    @property
    def points(self) -> list[np.ndarray]:
        """The point sets among the regions, int64 (k,), indices of the file's points."""
        return self._values("points")

    def to_dict(self) -> dict[str, Any]:
        """The answer as plain JSON values, as `deixis ask --json` prints it; the first field versions the layout.

        A region is an object of the sample format with its label, score and phrase; phrases name regions by index.
        """
        first, phrases = 0, []
        for phrase in self.phrases:
            last = first + len(phrase.regions)
            indices = list(range(first, last))
            phrases.append({"text": phrase.text, "start": phrase.start, "end": phrase.end, "regions": indices})
            first = last
        return {
            "version": JSON_VERSION,
            "text": self.text,
            "signals": [describe(signal) for signal in self.signals],
            "regions": [answer_region_to_json(region) for region in self.regions],
            "phrases": phrases,
            "model": self.model,
            "seconds": round(self.seconds, 3),
            "warnings": list(self.warnings),
        }

    def to_coco(self) -> dict[str, Any]:
        """The regions of images as a COCO data set: "images", "annotations" with scores, "categories" by label.

        Annotations have bbox (x, y, width, height), area, of masks run lengths, and the score where there is one. Image
        ids are the indices of the signals. Regions without area (points, empty masks) and those of other signals are
        not part of it.
        """
        images = [
            {"id": number, "file_name": own.path, "height": own.extent.size_hw[0], "width": own.extent.size_hw[1]}
            for number, own in enumerate(self.signals)
            if own.extent.axes == "xy"
        ]
        drawn = [region for image in images for region in self._with_area(image["id"])]
        labels = list(dict.fromkeys(region.label for region in drawn))
        annotations = [
            {
                "id": number,
                "image_id": region.signal,
                "category_id": 1 + labels.index(region.label),
                **_coco_shape(region, self.signals[region.signal].extent),
                "iscrowd": int(region.crowd),
                **({} if region.score is None else {"score": region.score}),
            }
            for number, region in enumerate(drawn, 1)
        ]
        categories = [{"id": number, "name": label} for number, label in enumerate(labels, 1)]
        return {"images": images, "annotations": annotations, "categories": categories}

    def to_supervision(self, signal: int = 0) -> "Detections":
        """The regions of one image as `supervision.Detections`, aligned: boxes, masks if there are any, scores, labels.

        A missing score is NaN; where some regions have masks, boxes get one of theirs. Raises InputError if `signal` is
        no image of the answer, UnsupportedError if supervision is not installed.
        """
        self._check_shown(signal, ("xy",), "an image")
        try:
            with warnings.catch_warnings():  # that OpenCV is absent matters to its drawing functions only
                warnings.simplefilter("ignore", UserWarning)
                from supervision import Detections
        except ImportError:
            raise UnsupportedError("to_supervision: install supervision, pip install 'deixis[supervision]'") from None
        extent = self.signals[signal].extent
        regions = self._with_area(signal)
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

    def to_fiftyone(self, signal: int = 0) -> dict[str, Any]:
        """The regions of one image or video as labels of FiftyOne, for `fiftyone.Sample.update_fields`.

        Boxes and masks are in "detections", points in "keypoints", outlines and scribbles in "polylines", spans of a
        video in "temporal_detections", and what lies in the frames of a video under "frames", by frame. Only fields
        with labels are there; each label has its `phrase`. Raises InputError if `signal` is no image or video of the
        answer, UnsupportedError if FiftyOne is not installed.
        """
        from deixis.inference.fiftyone_labels import fiftyone_labels

        self._check_shown(signal, ("xy", "xyt"), "an image or video")
        return fiftyone_labels([region for region in self.regions if region.signal == signal], self.signals[signal])

    def _check_shown(self, signal: int, axes: tuple[str, ...], expected: str) -> None:
        shown = [number for number, own in enumerate(self.signals) if own.extent.axes in axes]
        if signal not in shown:
            raise InputError(f"signal: expected the index of {expected}, one of {shown}, got {signal}")

    def _with_area(self, signal: int) -> list[Region]:
        """The regions of one image that cover some of it, masks decoded."""
        own = [region.decoded() for region in self.regions if region.signal == signal]
        return [region for region in own if region.form != "point" and not region.is_empty]

    def draw(self, path: str | Path | None = None) -> Image.Image:
        """An RGB image of the files asked about with the regions drawn on them; written to `path` if one is given.

        The ending of `path` gives the format: PNG, JPEG, WebP, or SVG, in which regions are shapes over the files'
        pixels and texts are text. Raises InputError for another ending.
        """
        from deixis.visualize.answer_image import draw_answer

        return draw_answer(self, None if path is None else Path(path))

    def _repr_html_(self) -> str:
        """The drawing as HTML, which notebooks show for an answer."""
        file = io.BytesIO()
        self.draw().save(file, format="PNG")
        content = b64encode(file.getvalue()).decode("ascii")
        return f'<img src="data:image/png;base64,{content}" alt="{escape(self.text)}" style="max-width: 100%">'


def answer_region_to_json(region: Region) -> dict[str, Any]:
    """A region of an answer: the object of the sample format, coordinates rounded, with label, score and phrase."""
    values = region_to_json(region)
    for name in values.keys() & {"point", "box", "span", "box3d", "time_s"}:
        values[name] = [float(f"{number:.{DIGITS}g}") for number in values[name]]
    score = None if region.score is None else round(region.score, SCORE_DECIMALS)
    return values | {"label": region.label, "score": score, "phrase": region.phrase}


def describe(signal: Signal) -> dict[str, Any]:
    """A signal in JSON: path, kind, its size in its own units, and what was not read of its file if anything."""
    extent = signal.extent
    size: dict[str, Any] = {}
    if extent.size_hw is not None:
        size["size_hw"] = list(extent.size_hw)
    if extent.duration_s is not None:
        size["duration_s"] = round(float(extent.duration_s), 4)
    if extent.points_xyz is not None:
        size["point_count"] = len(extent.points_xyz)
    if extent.count is not None:  # of numbers without places
        size["value_count"] = extent.count
    ignored = signal.info.get("ignored")
    return {"path": signal.path, "kind": signal.modality, **size, **({"ignored": list(ignored)} if ignored else {})}


def _coco_shape(region: Region, extent: Any) -> dict[str, Any]:
    x1, y1, x2, y2 = bounding_box(region, extent).tolist()
    bbox = [x1, y1, x2 - x1, y2 - y1]
    if region.mask is None:
        return {"bbox": bbox, "area": bbox[2] * bbox[3]}
    return {"bbox": bbox, "area": int(region.mask_array.sum()), "segmentation": region.mask_rle}
