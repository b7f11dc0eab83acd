"""LISA (Lai et al., CVPR 2024): reasoning segmentation, masks out."""

from deixis.conversation.system import System
from deixis.systems.lisa.losses import image_mask_losses
from deixis.systems.lisa.notation import NOTATION
from deixis.systems.lisa.template import STYLE
from deixis.systems.llava.labels import round_labels

SYSTEM = System(
    "lisa",
    NOTATION,
    round_labels(STYLE.answer_open, strict=True),
    image_mask_losses,
    {"language_model": "lora", "embeddings": "full", "masks": "full"},  # LISA, section 3.2, "Trainable Parameters"
)
