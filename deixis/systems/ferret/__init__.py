"""Ferret (You et al., ICLR 2024): any region of an image in, boxes out."""

from deixis.conversation.system import System
from deixis.systems.ferret.notation import NOTATION
from deixis.systems.ferret.template import STYLE
from deixis.systems.llava.labels import round_labels

SYSTEM = System("ferret", NOTATION, round_labels(STYLE.answer_open, strict=False))
