"""LISA (Lai et al., CVPR 2024): reasoning segmentation, masks out."""

from deixis.conversation.system import System
from deixis.systems.lisa.labels import LABEL_RULE
from deixis.systems.lisa.losses import image_mask_losses
from deixis.systems.lisa.notation import NOTATION

SYSTEM = System("lisa", NOTATION, LABEL_RULE, image_mask_losses)
