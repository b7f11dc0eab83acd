"""The blind baseline: the same network, questions and regions, with every signal blanked before the encoder.

Its score is what text, token counts and region positions reveal; a score near it is no perception.
Prepared tensors are blanked: images, video frames, depth and normal maps become the mean that normalisation subtracts,
audio its noise floor, IMU recordings and fMRI responses zeros, point clouds uncoloured points uniform over their cube
(with a fixed seed). Frames stay, and with them regions and file units.
"""

from dataclasses import replace
from typing import Any

import numpy as np

from deixis.inference import Model
from deixis.model import DeixisProcessor
from deixis.model.prepared import Prepared
from deixis.signals import MODALITIES, Signal


class BlindProcessor(DeixisProcessor):
    """A processor that blanks every signal."""

    def prepare(self, signal: Signal) -> Prepared:
        return blanked(super().prepare(signal), self.spec(signal.modality))


def blanked(prepared: Prepared, spec: Any) -> Prepared:
    """The same preparation with values that carry no information; `spec` is how its modality is prepared."""
    sam = prepared.sam and replace(prepared.sam, values=np.zeros_like(prepared.sam.values))
    values = MODALITIES[prepared.modality].blank(prepared.values, spec)
    return replace(prepared, values=values, sam=sam)


def blind(model: Model) -> Model:
    """The same model with every signal blanked."""
    processor = BlindProcessor.__new__(BlindProcessor)
    processor.__dict__ |= model.processor.__dict__  # shares every field, so that nothing is built or loaded again
    return Model(model.network, processor, model.name)
