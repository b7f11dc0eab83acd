"""Models that annotate images for a build: masks of boxes, boxes of names, depth.

One module per model family; `open_annotators` makes the factories (`deixis.synthesis.annotator_types`) for the
workers of a build. Importing this package imports no PyTorch.
"""

from collections.abc import Callable
from functools import cache, partial
from pathlib import Path
from typing import Any

from deixis.synthesis.annotator_types import Annotators, ChatClient


def open_annotators(
    masks: str | Path | None = None,
    boxes: str | Path | None = None,
    depth: str | Path | None = None,
    language: Callable[[], ChatClient] | None = None,
    device: str | None = None,
    threshold: float = 0.3,
    best_of: int = 3,
) -> Annotators:
    """`Annotators` whose factories open the models named: folders or hub ids, None for none; `language` as it is given.

    A hub id is fetched here, once, so that workers only open folders; and a name, a device or a kind of model that will
    not do is refused before any worker starts. The factories can be pickled; called again in a process, one gives the
    model that is open there. `device`: of all of them; each worker takes the best it sees if not given. `threshold`: of
    boxes; `best_of`: of masks. Raises DataError.
    """
    if masks is boxes is depth is None:
        return Annotators(language)
    from deixis.model.devices import choose_device
    from deixis.synthesis.annotators import boxes as boxes_of_names
    from deixis.synthesis.annotators import depth as depth_of_pictures
    from deixis.synthesis.annotators import masks as masks_of_boxes
    from deixis.synthesis.annotators.model_loading import find_model

    if device is not None:
        choose_device(device)
    factories = {}
    for module, factory, name, options in (
        (masks_of_boxes, masks_of_boxes.sam_masks, masks, {"best_of": best_of}),
        (boxes_of_names, boxes_of_names.open_vocabulary_boxes, boxes, {"threshold": threshold}),
        (depth_of_pictures, depth_of_pictures.depth_maps, depth, {}),
    ):
        if name is not None:
            folder = find_model(name, module.WANTED).folder.resolve()
            factories[module.WANTED.what] = partial(_opened, factory, folder, device=device, **options)
    return Annotators(language, **factories)


@cache
def _opened(factory: Callable[..., Any], folder: Path, **options: Any) -> Any:
    """What a factory makes, once in a process: a build asks for its models in every unit."""
    return factory(folder, **options)
