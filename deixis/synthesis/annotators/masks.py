"""Masks of boxes by SAM or SAM 2: an image is encoded once, then each box prompts a mask.

(Kirillov et al., ICCV 2023; Ravi et al., ICLR 2025.) The network is transformers' `SamModel` or `Sam2Model`; images
go in and masks come out as `deixis.model.masks.sam_image` does it for pointing, without torchvision. It asks for boxes
alone and knows no names.
"""

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor
from transformers import PreTrainedModel, Sam2Config, Sam2Model, SamModel

from deixis.errors import DataError
from deixis.model.devices import choose_device
from deixis.model.masks.sam import sam_size_px
from deixis.model.masks.sam_image import SamImage, prepare_for_sam, read_mask, sam_mask
from deixis.synthesis.annotators import MasksOfBoxes
from deixis.synthesis.annotators.model_loading import Wanted, find_model

MODELS = {"sam": SamModel, "sam2": Sam2Model, "sam2_video": Sam2Model}
"""By the type in config.json; SAM 2's published ones say sam2_video, of which the memory of videos is skipped here."""
SAM2_PARTS = ("vision_config", "prompt_encoder_config", "mask_decoder_config")
BOXES_AT_ONCE = 32
WANTED = Wanted("masks", "a SAM or SAM 2", tuple(MODELS))


class SamMasks:
    """`MasksOfBoxes` by a SAM or SAM 2.

    best_of: 3: the mask of the three for which the network predicts the highest IoU; 1: its one mask for clear prompts.
    """

    def __init__(self, network: PreTrainedModel, best_of: int = 3):
        self.network, self.best_of = network, best_of
        self.fills_square = isinstance(network, Sam2Model)  # SAM pads below and to the right

    @torch.inference_mode()
    def __call__(
        self, pixels: UInt8[np.ndarray, "h w 3"], boxes_xyxy: Float[np.ndarray, "n 4"]
    ) -> Bool[np.ndarray, "n h w"]:
        """The mask of what each box (in the image's pixels) holds, in the image's pixels."""
        masks = np.zeros((len(boxes_xyxy), *pixels.shape[:2]), dtype=bool)
        if len(boxes_xyxy) == 0:
            return masks
        image = prepare_for_sam(pixels, sam_size_px(self.network.config), self.fills_square)
        values = torch.from_numpy(image.values)[None].to(self.network.device)
        embeddings = self.network.get_image_embeddings(values)
        prompts = torch.from_numpy(boxes_in_sam(boxes_xyxy, image)).to(values)
        for start in range(0, len(prompts), BOXES_AT_ONCE):
            logits = self._low_resolution(embeddings, prompts[start : start + BOXES_AT_ONCE])
            for number, one in enumerate(logits, start):
                # SAM reads its masks at its input's size and then at the image's; SAM 2 at the image's straight away.
                if self.fills_square:
                    grid = ((torch.arange(n) + 0.5) / n for n in image.size_hw)
                    masks[number] = read_mask(one[None, None], *grid)
                else:
                    masks[number] = sam_mask(one.flatten(), image)
        return masks

    def _low_resolution(
        self, embeddings: Tensor | list[Tensor], prompts: Float[Tensor, "n 4"]
    ) -> Float[Tensor, "n side side"]:
        """The chosen mask's logits of each box, over SAM's square."""
        answer = self.network(
            image_embeddings=embeddings, input_boxes=prompts[None], multimask_output=self.best_of == 3
        )
        best = answer.iou_scores[0].argmax(-1)  # (box,)
        return answer.pred_masks[0, torch.arange(len(best), device=best.device), best].cpu()


def boxes_in_sam(boxes_xyxy: Float[np.ndarray, "n 4"], image: SamImage) -> Float[np.ndarray, "n 4"]:
    """Boxes in the pixels of SAM's input, from those of the file."""
    (height, width), (high, wide) = image.placed_hw, image.size_hw
    return (boxes_xyxy * np.array([width / wide, height / high] * 2)).astype(np.float32)


def sam_masks(name: str | Path, device: str | None = None, best_of: int = 3) -> MasksOfBoxes:
    """Masks of boxes by the SAM or SAM 2 called `name`, a folder or a hub id ("facebook/sam-vit-base").

    `device`: "cpu", "cuda", "mps"; the best there is if not given. `best_of`: see `SamMasks`. Raises DataError, one
    sentence, for a name, a device or weights that are not there, and a model of another kind.
    """
    if best_of not in (1, 3):
        raise DataError(f"best_of: expected 3, the best of SAM's three masks, or 1, its single one, got {best_of}")
    place = choose_device(device)
    found = find_model(name, WANTED)
    model, config = MODELS[found.config.model_type], found.config
    if config.model_type == "sam2_video":
        config = Sam2Config(**{part: getattr(config, part) for part in SAM2_PARTS})
    return SamMasks(found.network(model, place, config), best_of)
