"""Models that annotate images for a build: text, masks of boxes, boxes of names, depth.

One module per model family; `open_annotators` makes the factories for the workers of a build. Importing this package
imports no PyTorch.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float, UInt8

from deixis.errors import DataError

ChatClient = Callable[[list[dict]], str]
"""Chat messages, {"role", "content"}, in; the text of the answer out."""
MasksOfBoxes = Callable[[UInt8[np.ndarray, "h w 3"], Float[np.ndarray, "n 4"]], Bool[np.ndarray, "n h w"]]
"""An image and boxes_xyxy in pixels in; the mask of the object in each box out."""
BoxesOfNames = Callable[[UInt8[np.ndarray, "h w 3"], Sequence[str]], list[tuple[str, tuple[float, ...], float]]]
"""An image and names in; (name, box_xyxy in pixels, score in 0..1) of each detection out."""
DepthOf = Callable[[UInt8[np.ndarray, "h w 3"]], Float[np.ndarray, "h w"]]
"""An image in; the depth of each pixel, larger is farther, out: in metres if its attribute `metric` is true."""


@dataclass(frozen=True)
class Annotators:
    """Factories of models, which a worker calls once, so that a build can be sent to other processes.

    None: there is no such model, and the parts that need it are skipped and reported.
    """

    language: Callable[[], ChatClient] | None = None
    masks: Callable[[], MasksOfBoxes] | None = None
    boxes: Callable[[], BoxesOfNames] | None = None
    depth: Callable[[], DepthOf] | None = None

    def open(self, name: str, part: str) -> Any:
        """The model of the factory `name`, for a part. Raises DataError where there is no such model."""
        if (factory := getattr(self, name)) is None:
            noun = "a language model" if name == "language" else f"a model for {name}"
            raise DataError(f"{part}: needs {noun}, and there is none")
        return factory()


def open_annotators(
    masks: str | Path | None = None,
    boxes: str | Path | None = None,
    depth: str | Path | None = None,
    language: Callable[[], ChatClient] | None = None,
    device: str | None = None,
    threshold: float = 0.3,
    best_of: int = 3,
) -> Annotators:
    """`Annotators` of the models named: folders or hub ids, None for none; `language` as it is given.

    A hub id is fetched here, once, so that workers only open folders; a name, device or type of model that is invalid
    is refused before any worker starts. device: of all of them; if None, each worker takes the best it has. threshold:
    of boxes. best_of: of masks. Raises DataError.
    """
    if masks is boxes is depth is None:
        return Annotators(language)
    from deixis.model.devices import choose_device
    from deixis.synthesis.annotators import boxes as detectors
    from deixis.synthesis.annotators import depth as depth_models
    from deixis.synthesis.annotators import masks as mask_models
    from deixis.synthesis.annotators.model_loading import find_model

    if device is not None:
        choose_device(device)
    factories = {}
    for module, factory, name, options in (
        (mask_models, mask_models.sam_masks, masks, {"best_of": best_of}),
        (detectors, detectors.open_vocabulary_boxes, boxes, {"threshold": threshold}),
        (depth_models, depth_models.depth_maps, depth, {}),
    ):
        if name is not None:
            folder = find_model(name, module.WANTED).folder.resolve()
            factories[module.WANTED.what] = partial(_opened, factory, folder, device=device, **options)
    return Annotators(language, **factories)


@cache
def _opened(factory: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """The model of a factory, opened once per process: a build requests its models in every unit."""
    return factory(folder, **options)
