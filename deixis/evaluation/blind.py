"""The blind baseline: the same network, questions and regions, with every signal blanked before the encoder.

Its score is what text, token counts and region positions reveal; a score near it is no perception.
Prepared tensors are blanked: images, video frames, depth and normal maps become the mean that normalisation subtracts,
audio its noise floor, IMU recordings and fMRI responses zeros, point clouds uncoloured points uniform over their cube
(with a fixed seed). Frames stay, and with them regions and file units.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from deixis.errors import UnsupportedError
from deixis.inference import Model
from deixis.model import DeixisProcessor
from deixis.model.masks.mask_cells import Prepared
from deixis.signals import Signal

GREY = 0.5
SEED = 0
MEASURED_FROM_ZERO = ("video", "depth", "normal", "imu", "fmri")


class BlindProcessor(DeixisProcessor):
    """A processor that blanks every signal."""

    def prepare(self, signal: Signal) -> Prepared:
        return blanked(super().prepare(signal), self.spec(signal.modality))


def blanked(prepared: Prepared, spec: Any) -> Prepared:
    """The same preparation with values that say nothing about the signal; `spec` is how its kind is prepared."""
    values = prepared.values
    if prepared.modality in MEASURED_FROM_ZERO:
        return replace(prepared, values=np.zeros_like(values))
    if prepared.modality == "image":
        sam = prepared.sam and replace(prepared.sam, values=np.zeros_like(prepared.sam.values))
        return replace(prepared, values=np.zeros_like(values), sam=sam)
    if prepared.modality == "audio":
        silence = np.log(np.finfo(np.float32).eps)  # the value with which `deixis.signals.audio` pads
        return replace(prepared, values=np.full_like(values, (silence - spec.mean) / (2 * spec.std)))
    if prepared.modality == "point_cloud":
        places = np.random.default_rng(SEED).uniform(size=(len(values), 3))
        without = np.concatenate([places, np.full_like(places, GREY)], axis=1)
        return replace(prepared, values=without.astype(values.dtype))
    raise UnsupportedError(f"blank: expected a kind that can be blanked, got {prepared.modality}")


def blind(model: Model) -> Model:
    """The same model with every signal blanked."""
    processor = BlindProcessor.__new__(BlindProcessor)
    processor.__dict__ |= model.processor.__dict__  # shares every field, so that nothing is built or loaded again
    return Model(model.network, processor, model.name)
