"""Interaction for CVAT: a mask of what lies at points, or in a box, that an annotator draws."""

import cvat_sdk.auto_annotation as aa
import PIL.Image
from cvat_sdk.masks import encode_mask
from cvat_sdk.models import AttributeValRequest

import deixis
from deixis.geometry import Box, Point, Region, Scribble, rasterise
from deixis.inference import Chat, Model
from deixis.serving.wordings import MARK_IT, WHAT


class Interaction:
    """Masks from prompts; negative points are not taken. `spec` is what CVAT reads."""

    def __init__(self, model: Model):
        self.model = model
        self.spec = aa.InteractionFunctionSpec(min_pos_points=0, min_bounding_boxes=0)

    def preprocess_image(self, context: aa.InteractionFunctionContext, image: PIL.Image.Image) -> PIL.Image.Image:
        """The image as it is asked about; the model caches what it computes of it."""
        return image.convert("RGB")

    def detect(
        self, context: aa.InteractionFunctionContext, pp_image: PIL.Image.Image, prompts: aa.InteractionPrompts
    ) -> list[aa.InteractionResultShape]:
        """The mask of what the prompts show: it is named first, then marked. None without a prompt."""
        region = prompted(prompts)
        if region is None:
            return []
        chat: Chat = self.model.chat(pp_image)
        chat.ask(WHAT, regions=[region])
        shapes = []
        for found in chat.ask(MARK_IT).regions:
            mask = rasterise(found, (pp_image.height, pp_image.width))
            if mask.any():
                score = AttributeValRequest(
                    spec_id=int(aa.InteractionResultAttributes.CONFIDENCE), value=f"{found.score or 1.0:.4f}"
                )
                shapes.append(aa.InteractionResultShape(type="mask", points=encode_mask(mask), attributes=[score]))
        return shapes


def prompted(prompts: aa.InteractionPrompts) -> Region | None:
    """The box of the prompts, or their positive points as one region."""
    if prompts.bounding_box is not None:
        (x1, y1), (x2, y2) = prompts.bounding_box
        return Box(x1, y1, x2, y2)
    points = [(float(x), float(y)) for x, y in prompts.pos_points]
    if len(points) == 1:
        return Point(*points[0])
    return Scribble(points) if points else None


def create(model: str = "bundled") -> Interaction:
    """What CVAT's command calls: a model as `deixis.load` takes it."""
    return Interaction(deixis.load(model))
