"""CVAT's auto-annotation functions, called as its SDK calls them, with its own types."""

from dataclasses import dataclass

import cvat_sdk.auto_annotation as aa
import numpy as np
import PIL.Image
import pytest
from cvat_sdk.masks import decode_mask

from deixis.errors import InputError
from deixis.serving.cvat.detection import Detection
from deixis.serving.cvat.interaction import Interaction
from tests.serving.conftest import SCENE


@dataclass
class Asked(aa.DetectionFunctionContext):
    """What CVAT says of a call."""

    frame_name: str = "scene.png"
    conf_threshold: float | None = None
    conv_mask_to_poly: bool = False


@dataclass
class Drawn(aa.InteractionPrompts):
    """What an annotator drew."""

    pos_points: tuple = ()
    neg_points: tuple = ()
    bounding_box: tuple | None = None


class Context(aa.InteractionFunctionContext):
    pass


@pytest.fixture(scope="module")
def image() -> PIL.Image.Image:
    with PIL.Image.open(SCENE) as opened:
        return opened.copy()


def covered(points: list[float]) -> np.ndarray:
    return decode_mask(points, image_width=512, image_height=512)


def test_labels_become_masks_with_their_ids(bundled, image):
    detection = Detection(bundled, ["orange car", "blue mug"], "mask")
    assert [label.name for label in detection.spec.labels] == ["orange car", "blue mug"]
    shapes = {shape.label_id: shape for shape in detection.detect(Asked(), image)}
    assert {str(shape.type) for shape in shapes.values()} == {"mask"}
    assert covered(shapes[0].points)[230, 340]  # the car
    assert covered(shapes[1].points)[390, 90]  # the mug


def test_polygons_and_rectangles_are_in_pixels(bundled, image):
    (polygon,) = Detection(bundled, ["orange car"], "mask").detect(Asked(conv_mask_to_poly=True), image)[:1]
    (rectangle,) = Detection(bundled, ["orange car"], "box").detect(Asked(), image)
    assert (str(polygon.type), str(rectangle.type)) == ("polygon", "rectangle")
    assert rectangle.points == pytest.approx([268, 166, 411, 292], abs=25)
    assert min(polygon.points) > 100


def test_shapes_below_the_threshold_are_left_out(bundled, image):
    assert Detection(bundled, ["orange car"], "mask").detect(Asked(conf_threshold=1.0), image) == []


@pytest.mark.parametrize(
    "prompts",
    [
        pytest.param(Drawn(pos_points=((340, 230),)), id="point"),
        pytest.param(Drawn(pos_points=((320, 230), (340, 235), (360, 240))), id="points"),
        pytest.param(Drawn(bounding_box=((268, 166), (411, 292))), id="box"),
    ],
)
def test_what_an_annotator_points_at_becomes_a_mask(bundled, image, prompts):
    function = Interaction(bundled)
    (shape,) = function.detect(Context(), function.preprocess_image(Context(), image), prompts)
    assert covered(shape.points)[230, 340]
    assert 0 < float(shape.attributes[0].value) <= 1


def test_without_a_prompt_there_is_nothing(bundled, image):
    assert Interaction(bundled).detect(Context(), image, Drawn()) == []


def test_what_cannot_be_looked_for_is_a_sentence(bundled):
    with pytest.raises(InputError, match="labels: expected the names"):
        Detection(bundled, [], "mask")
    with pytest.raises(InputError, match="form: expected one of mask, box"):
        Detection(bundled, ["mug"], "poem")
