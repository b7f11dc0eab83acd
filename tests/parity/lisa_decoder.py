"""LISA's mask decoder alone, on embeddings and prompts made by formulas. Part of `lisa.py`."""

from collections.abc import Iterator

import torch
from torch import Tensor

from deixis.model import DeixisForConditionalGeneration
from tests.parity.golden import Check, Golden

SHARE = 1e-4  # of the largest value
PLACED_HW, FILE_HW = (683, 1024), (100, 150)  # of the masks brought back to a file, as recorded


def checks(golden: Golden, network: DeixisForConditionalGeneration) -> Iterator[Check]:
    if not golden.has("outputs/samunit.iou"):
        return
    from tests.parity.lisa import in_file

    sam = network.sam_pointing.sam
    width, side = sam.config.prompt_encoder_config.hidden_size, sam.get_image_wide_positional_embeddings().shape[-1]
    count = golden["outputs/samunit.iou"].shape[0]
    embeddings, prompts = analytic_embeddings(width, side)[None], analytic_prompts(count, width)
    logits, scores = network.sam_pointing.decode(prompts, (embeddings.expand(count, -1, -1, -1),))
    cells = round(logits.shape[1] ** 0.5)
    size_px = sam.config.vision_config.image_size
    several, their_scores = every_mask(sam, embeddings, prompts[:1])
    computed = {
        "low_res_every4": logits.view(-1, 1, cells, cells)[..., ::4, ::4],
        "iou": scores[:, None],
        "multi_low_res_every4": several[..., ::4, ::4],
        "multi_iou": their_scores,
        "dense_pe_every4": sam.get_image_wide_positional_embeddings()[:, ::8, ::4, ::4],
        "post_every3": in_file(logits, PLACED_HW, size_px, FILE_HW)[:, None, ::3, ::3],
    }
    for name, values in computed.items():
        yield Check(f"outputs/samunit.{name}", values, SHARE, relative=True)


def analytic_embeddings(width: int, side: int) -> Tensor:
    c, y, x = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (width, side, side)], indexing="ij")
    return (torch.sin(0.37 * c + 0.11 * y * (1 + c % 5)) * torch.cos(0.053 * x * (1 + c % 7) - 0.2 * c)).float()


def analytic_prompts(count: int, width: int) -> Tensor:
    n, k = torch.meshgrid(*[torch.arange(n, dtype=torch.float64) for n in (count, width)], indexing="ij")
    return torch.sin(0.7123 * (width * n + k) + 0.1).float()[:, None]


def every_mask(sam, embeddings: Tensor, prompts: Tensor) -> tuple[Tensor, Tensor]:
    """SAM's three masks of an ambiguous prompt, and their scores."""
    _, dense = sam.prompt_encoder(input_points=None, input_labels=None, input_boxes=None, input_masks=None)
    logits, scores, *_ = sam.mask_decoder(
        image_embeddings=embeddings,
        image_positional_embeddings=sam.get_image_wide_positional_embeddings(),
        sparse_prompt_embeddings=prompts[:, None],
        dense_prompt_embeddings=dense.expand(1, -1, *embeddings.shape[2:]),
        multimask_output=True,
    )
    return logits[0], scores[0]
