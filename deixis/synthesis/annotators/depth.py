"""Depth of images by the depth models of transformers that say what their numbers are.

Metric ones (GLPN, ZoeDepth, the metric Depth Anything, DPT on DINOv2) give metres. Relative ones (Depth Anything,
MiDaS's DPT) give inverse depth up to a scale and a shift that nobody knows: nearer is larger. Of those the order can be
told, and what is flat; so the inverse is taken, with the image's nearest at `NEAR` and its farthest at `FAR`, which
keeps both, and is in no unit. Images are prepared by transformers' Pillow processors; where those add margins, the
map is read inside them, so that depth lies where the pixels are.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float32, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample, pad
from transformers import AutoModelForDepthEstimation, PreTrainedConfig, PreTrainedModel

from deixis.model.devices import choose_device
from deixis.synthesis.annotators import DepthOf
from deixis.synthesis.annotators.model_loading import Wanted, find_model

METRIC = ("glpn", "zoedepth")
SAYS_WHICH = ("depth_anything", "prompt_depth_anything")  # in `depth_estimation_type`
WANTED = Wanted("depth", "a depth model whose numbers are known", (*METRIC, *SAYS_WHICH, "dpt"))
NEAR, FAR = 1.0, 10.0  # what relative depth is put between: such as a room would have in metres
ZOE_MARGIN = 3  # times the root of half a side (transformers' ZoeDepth processor, after isl-org/ZoeDepth@edb6daf)


@dataclass(frozen=True)
class Prepared:
    """A network's input, and the part of it that the image fills: top, left, height, width, in the input's pixels."""

    values: Float32[Tensor, "1 3 rows columns"]
    window: tuple[float, float, float, float]


class DepthMaps:
    """`DepthOf` by a depth model; `metric`: whether it gives metres, else see this module's head."""

    def __init__(self, network: PreTrainedModel, image_processor: Any):
        self.network, self.image_processor = network, image_processor
        self.metric = is_metric(network.config)

    @torch.inference_mode()
    def __call__(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Float32[np.ndarray, "h w"]:
        """How far each pixel is, larger is farther."""
        prepared = self.prepare(pixels)
        depth = self.network(pixel_values=prepared.values.to(self.network.device)).predicted_depth
        depth = depth_in_picture(depth.float().cpu(), prepared, pixels.shape[:2])
        return depth.clip(min=0) if self.metric else farness(depth)

    def prepare(self, pixels: UInt8[np.ndarray, "h w 3"]) -> Prepared:
        """The network's input. ZoeDepth's margins come before the image is resized, DPT's after it."""
        processor, options = self.image_processor, {"images": pixels, "return_tensors": "pt"}
        if self.network.config.model_type == "zoedepth":
            values = processor(**options)["pixel_values"]
            margins = [int(math.sqrt(side / 2) * ZOE_MARGIN) * processor.do_pad for side in pixels.shape[:2]]
            whole = [side + 2 * margin for side, margin in zip(pixels.shape[:2], margins, strict=True)]
            scale = [inside / side for inside, side in zip(values.shape[2:], whole, strict=True)]
            top, left = (margin * one for margin, one in zip(margins, scale, strict=True))
            height, width = (side * one for side, one in zip(pixels.shape[:2], scale, strict=True))
            return Prepared(values, (top, left, height, width))
        values = processor(**options, do_pad=False)["pixel_values"]
        height, width = values.shape[2:]
        divisor = getattr(processor, "size_divisor", None) if processor.do_pad else None
        rows, columns = (-side % divisor if divisor else 0 for side in (height, width))
        values = pad(values, (columns // 2, columns - columns // 2, rows // 2, rows - rows // 2))
        return Prepared(values, (rows // 2, columns // 2, height, width))


def depth_in_picture(
    depth: Float32[Tensor, "1 rows columns"], prepared: Prepared, size_hw: tuple[int, int]
) -> Float32[np.ndarray, "h w"]:
    """A network's map, which covers its input, at the pixels of the image; bicubic, as transformers resizes it."""
    top, left, height, width = prepared.window
    rows, columns = prepared.values.shape[2:]
    y = (top + (torch.arange(size_hw[0]) + 0.5) * (height / size_hw[0])) / rows
    x = (left + (torch.arange(size_hw[1]) + 0.5) * (width / size_hw[1])) / columns
    places = torch.stack(torch.broadcast_tensors(x[None, :], y[:, None]), -1)[None] * 2 - 1
    read = grid_sample(depth[:, None], places, mode="bicubic", padding_mode="border", align_corners=False)
    return read[0, 0].numpy()


def is_metric(config: PreTrainedConfig) -> bool:
    """Whether a model's numbers are metres; else they are inverse depth of unknown scale and shift.

    DPT does not say. MiDaS's are relative (isl-org/DPT, issue 10); those on DINOv2, known by the projection before
    their head, were trained on the metres of NYUv2 or KITTI (Oquab et al., 2023, section 7.4).
    """
    if config.model_type in SAYS_WHICH:
        return config.depth_estimation_type == "metric"
    return config.model_type in METRIC or config.add_projection


def farness(inverse_depth: Float32[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """The inverse of inverse depth, from `NEAR` where it is most to `FAR` where it is least; `FAR` where all is even.

    A plane stays one: its inverse depth changes evenly over the image, whatever the scale and the shift.

    >>> farness(np.array([[0.0, 4.0, 9.0]], dtype=np.float32)).tolist()
    [[10.0, 2.0, 1.0]]
    """
    low, high = inverse_depth.min(), inverse_depth.max()
    nearness = (inverse_depth - low) / max(high - low, np.finfo(np.float32).tiny)
    return (1 / (nearness / NEAR + (1 - nearness) / FAR)).astype(np.float32)


def depth_maps(name: str | Path, device: str | None = None) -> DepthOf:
    """Depth of images by the model called `name`, a folder or a hub id ("depth-anything/Depth-Anything-V2-Small-hf").

    What it gives has `metric`: whether it is in metres. `device`: "cpu", "cuda", "mps"; the best there is if not given.
    Raises DataError for a name, a device or weights that are not there, and a model of another kind.
    """
    place = choose_device(device)
    found = find_model(name, WANTED)
    image_processor = found.image_processor()
    return DepthMaps(found.network(AutoModelForDepthEstimation, place), image_processor)
