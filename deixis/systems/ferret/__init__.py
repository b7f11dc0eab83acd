"""Ferret (You et al., ICLR 2024): any region of an image in, boxes out."""

from deixis.conversation.system import System
from deixis.systems.ferret.labels import LABEL_RULE
from deixis.systems.ferret.notation import NOTATION

SYSTEM = System("ferret", NOTATION, LABEL_RULE)
