"""SAM's preprocessing of an image: the file's pixels to its input, and its mask logits back to the file's pixels.

SAM (Kirillov et al., ICCV 2023) reads a square of `size_px` pixels: the image reduced or enlarged until its longer
side fits, normalised, in the upper left corner, zeros elsewhere. Prepared with Pillow and numpy alone. It knows
neither SAM's weights nor prompts; sizes are arguments.
"""

from dataclasses import dataclass

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8
from torch import Tensor
from torch.nn.functional import grid_sample, interpolate

from deixis.geometry import Extent, Frame

MEAN_RGB = (0.485, 0.456, 0.406)  # of ImageNet, as SAM was trained
STD_RGB = (0.229, 0.224, 0.225)
ROWS_AT_ONCE = 512  # of the file's image, when a mask is brought back to it


@dataclass(frozen=True)
class SamImage:
    """SAM's input (3, size_px, size_px), and how much of it the image fills, from the upper left corner."""

    values: Float32[np.ndarray, "3 size size"]
    placed_hw: tuple[int, int]
    size_hw: tuple[int, int]  # of the file's upright image

    @property
    def frame(self) -> Frame:
        """The frame of SAM's square: unit coordinates to pixels of the file."""
        size = self.values.shape[1]
        extent = tuple(size * file / placed for file, placed in zip(self.size_hw, self.placed_hw, strict=True))[::-1]
        return Frame("image", (0.0, 0.0), extent, Extent("image", size_hw=self.size_hw))


def prepare_for_sam(pixels: UInt8[np.ndarray, "h w 3"], size_px: int, square: bool = False) -> SamImage:
    """SAM's input for the upright RGB pixels of a file; `square`: the image fills it, as SAM 2 was trained."""
    from PIL import Image

    size_hw = pixels.shape[:2]
    height, width = (size_px, size_px) if square else placed_size_hw(size_hw, size_px)
    if size_hw != (height, width):
        pixels = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BILINEAR))
    values = np.zeros((3, size_px, size_px), dtype=np.float32)
    normal = (pixels.astype(np.float32) / 255 - np.float32(MEAN_RGB)) / np.float32(STD_RGB)
    values[:, :height, :width] = normal.transpose(2, 0, 1)
    return SamImage(values, (height, width), size_hw)


def placed_size_hw(size_hw: tuple[int, int], size_px: int) -> tuple[int, int]:
    """The size at which an image fills SAM's square from the upper left corner: its longer side is `size_px`.

    >>> placed_size_hw((480, 640), 1024)
    (768, 1024)
    """
    scale = size_px / max(size_hw)
    height, width = (max(int(side * scale + 0.5), 1) for side in size_hw)
    return height, width


def sam_mask(logits: Float[Tensor, " cell"], image: SamImage) -> Bool[np.ndarray, "h w"]:
    """The mask in the file's pixels, as SAM makes it: logits to its input's size, padding cut off, to the file's size.

    Both steps are bilinear; the mask is where the result is above zero.
    """
    placed = placed_logits(logits.detach().cpu(), image.placed_hw, image.values.shape[1])
    return read_mask(placed, *(((torch.arange(n) + 0.5) / n) for n in image.size_hw))


def placed_logits(
    logits: Float[Tensor, " cell"], placed_hw: tuple[int, int], size_px: int
) -> Float[Tensor, "1 1 height width"]:
    """Logits over SAM's square of `size_px` pixels, cut to the part of it that the image fills."""
    side = round(len(logits) ** 0.5)
    low = logits.float().reshape(1, 1, side, side)
    height, width = placed_hw
    return interpolate(low, (size_px, size_px), mode="bilinear", align_corners=False)[..., :height, :width]


def read_mask(
    grid: Float[Tensor, "1 1 rows columns"], y: Float[Tensor, " h"], x: Float[Tensor, " w"]
) -> Bool[np.ndarray, "h w"]:
    """Where a grid, interpolated at every pair of unit coordinates `y` and `x`, is above zero; borders are extended."""
    mask = np.zeros((len(y), len(x)), dtype=bool)
    for top in range(0, len(y), ROWS_AT_ONCE):
        rows = y[top : top + ROWS_AT_ONCE]
        places = torch.stack(torch.broadcast_tensors(x[None, :] * 2 - 1, rows[:, None] * 2 - 1), -1)[None].float()
        read = grid_sample(grid, places, align_corners=False, padding_mode="border")
        mask[top : top + len(rows)] = (read[0, 0] > 0).numpy()
    return mask
