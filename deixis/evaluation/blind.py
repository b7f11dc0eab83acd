"""A model that sees nothing: the same network, questions and regions, with every signal blanked before the encoder.

What it scores is what words, numbers of tokens and the places of regions give away; a score near it is no perception.
Blanking happens on the prepared tensors: a picture, every frame of a film, a map of depths or normals become the mean
that they are measured from, a sound its floor of silence, traces and voxels zeros, a cloud points without colour,
spread evenly over its cube (from a fixed seed). Frames, and so regions and file units, stay.
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
    """A processor whose signals all say the same: nothing."""

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
        silence = np.log(np.finfo(np.float32).eps)  # the floor that `deixis.signals.audio` puts after the end
        return replace(prepared, values=np.full_like(values, (silence - spec.mean) / (2 * spec.std)))
    if prepared.modality == "point_cloud":
        places = np.random.default_rng(SEED).uniform(size=(len(values), 3))
        without = np.concatenate([places, np.full_like(places, GREY)], axis=1)
        return replace(prepared, values=without.astype(values.dtype))
    raise UnsupportedError(f"blank: expected a kind that can be blanked, got {prepared.modality}")


def blind(model: Model) -> Model:
    """The same model, seeing none of the signals that it is asked about."""
    processor = BlindProcessor.__new__(BlindProcessor)
    processor.__dict__ |= model.processor.__dict__  # the same in every field, and nothing is built or read again
    return Model(model.network, processor, model.name)
