"""`Prepared`: one signal ready for the network."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Int

from deixis.geometry import Frame
from deixis.model.masks.sam_image import SamImage


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
