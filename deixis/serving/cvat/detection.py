"""Detection for CVAT: every label of a task is looked for in an image."""

from collections.abc import Iterator

import cvat_sdk.auto_annotation as aa
import PIL.Image
from cvat_sdk.masks import encode_mask
from cvat_sdk.models import LabeledShapeRequest

import deixis
from deixis.errors import InputError
from deixis.geometry import Region, rasterise
from deixis.geometry.outlines import mask_outlines
from deixis.inference import Model
from deixis.serving.wordings import mark

FORMS = ("mask", "box")


class Detection:
    """Looks for `labels`; gives masks, outlines where CVAT wants polygons, or rectangles. `spec` is what CVAT reads."""

    def __init__(self, model: Model, labels: list[str], form: str):
        if form not in FORMS:
            raise InputError(f"form: expected one of {', '.join(FORMS)}; got {form!r}")
        if not labels:
            raise InputError("labels: expected the names of at least one label, as labels=str:mug,car; got none")
        self.model, self.labels, self.form = model, labels, form
        kind = "mask" if form == "mask" else "rectangle"
        self.spec = aa.DetectionFunctionSpec(
            labels=[aa.label_spec(name, id, type=kind) for id, name in enumerate(labels)]
        )

    def detect(self, context: aa.DetectionFunctionContext, image: PIL.Image.Image) -> list[LabeledShapeRequest]:
        """The shapes of all labels in an image; of those with a score, the ones that reach CVAT's threshold."""
        upright, shapes = image.convert("RGB"), []
        for number, label in enumerate(self.labels):
            answer = self.model.ask(mark(label), upright, want=self.form)
            for region in answer.regions:
                if region.score is None or region.score >= (context.conf_threshold or 0):
                    shapes += self._shapes(number, region, (image.height, image.width), context.conv_mask_to_poly)
        return shapes

    def _shapes(
        self, label: int, region: Region, size_hw: tuple[int, int], as_polygons: bool
    ) -> Iterator[LabeledShapeRequest]:
        if region.box is not None:
            yield aa.rectangle(label, list(region.box))
            return
        mask = rasterise(region, size_hw)
        if not mask.any():
            return
        if not as_polygons:
            yield aa.mask(label, encode_mask(mask))
            return
        for outline in mask_outlines(mask):
            yield aa.polygon(label, outline.astype(float).ravel().tolist())


def create(labels: str, model: str = "bundled", form: str = "mask") -> Detection:
    """What CVAT's command calls: labels, comma-separated, a model as `deixis.load` takes it, and "mask" or "box"."""
    return Detection(deixis.load(model), [name.strip() for name in labels.split(",") if name.strip()], form)
