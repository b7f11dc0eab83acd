"""`Prepared`: one signal ready for the network, and the tensors of a batch of signals, regions and prompts."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import torch
from einops import rearrange
from jaxtyping import Float32, Int

from deixis.geometry import Frame
from deixis.model.chat_template import left_padded
from deixis.model.fusion import modality_index
from deixis.model.masks.sam_image import SamImage
from deixis.model.regions.sampled_points import SampledPoints
from deixis.signals import Signal, to_tensor


@dataclass(frozen=True)
class Prepared:
    """One signal ready for the network.

    Attributes:
        modality: its name in `deixis.signals.MODALITIES`.
        values: the network's input, without the batch dimension.
        frame: from unit coordinates to the file's units.
        sam: an image's second preparation, where SAM makes the masks.
        indices: for modalities whose cells are elements of the file (`Modality.indices`): the chosen point of each
            cell of a point cloud, or the parcel of each voxel of an fMRI response.
    """

    modality: str
    values: np.ndarray
    frame: Frame
    sam: SamImage | None = None
    indices: Int[np.ndarray, " element"] | None = None

    @property
    def mask_frame(self) -> Frame:
        """The frame that the cells of a mask divide."""
        return self.frame if self.sam is None else self.sam.frame


def prepare_tiles(signal: Signal, spec: Any, tiles: int) -> tuple[Float32[np.ndarray, "view 3 side side"], Frame]:
    """(thumbnail, then the tiles row by row; the frame of the square) of an image, each of the encoder's input size.

    The image is fitted into a square of `tiles` x `tiles` inputs, which is cut into them. Positions in the square are
    positions in the image, so regions and masks need no special case. (OneLLM names lost detail as its limit; tiles
    beside a thumbnail are LLaVA-NeXT's remedy.)
    """
    whole, frame = to_tensor(signal, replace(spec, size_px=spec.size_px * tiles))
    thumbnail, _ = to_tensor(signal, spec)
    cut = rearrange(whole, "c (row h) (column w) -> (row column) c h w", row=tiles, column=tiles)
    return np.concatenate([thumbnail[None], cut]), frame


def to_device(inputs: Mapping[str, Any], device: torch.device) -> dict[str, Any]:
    """Tensors, and mappings of tensors, on a device."""
    return {k: to_device(v, device) if isinstance(v, Mapping) else v.to(device) for k, v in inputs.items()}


def signal_tensors(prepared: Sequence[Sequence[Prepared]]) -> dict[str, Any]:
    """The signals of a batch as the network takes them: values by modality, modalities and samples in order."""
    flat = [(p, sample) for sample, own in enumerate(prepared) for p in own]
    tensors: dict[str, Any] = {}
    rows: dict[str, list[np.ndarray]] = {}
    for own, _ in flat:
        rows.setdefault(own.modality, []).append(own.values)
    if rows:
        tensors["signals"] = {name: torch.from_numpy(np.stack(values)) for name, values in rows.items()}
    if images := [p.sam.values for p, _ in flat if p.sam is not None]:
        tensors["sam_values"] = torch.from_numpy(np.stack(images))
    if flat:
        tensors["signal_modality"] = torch.tensor([modality_index(p.modality) for p, _ in flat])
        tensors["signal_sample"] = torch.tensor([sample for _, sample in flat])
    return tensors


def region_tensors(points: Sequence[SampledPoints], signal: Sequence[int]) -> dict[str, torch.Tensor]:
    """The regions of a batch as the network takes them, in the order of their tokens; `signal` is each one's signal."""
    if not points:
        return {}
    tensors = {"region_points": np.stack([p.points for p in points])}
    if places := [p.places for p in points if p.places is not None]:
        tensors["region_places"] = np.stack(places)
    tensors = {name: torch.from_numpy(values) for name, values in tensors.items()}
    return tensors | {"region_signal": torch.tensor(list(signal))}


def prompt_tensors(
    ids: Sequence[Sequence[int]],
    points: Sequence[Sequence[tuple[SampledPoints, int]]],
    signal_counts: Sequence[int],
    pad_id: int,
) -> dict[str, torch.Tensor]:
    """Left-padded input_ids and attention_mask (batch, position), and the tensors of the regions.

    points: (sampled points, signal of its row) of each row's region tokens. signal_counts: signals of each row.
    """
    padded, mask = left_padded(ids, pad_id)
    first = np.cumsum([0, *signal_counts]).tolist()  # of each row's signals among those of the batch
    signal = [first[row] + which for row, own in enumerate(points) for _, which in own]
    inputs = {"input_ids": torch.from_numpy(padded), "attention_mask": torch.from_numpy(mask)}
    return inputs | region_tensors([sampled for own in points for sampled, _ in own], signal)
