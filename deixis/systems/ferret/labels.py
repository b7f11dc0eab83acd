"""Ferret's label rule: LLaVA's count per turn; a conversation whose counts do not add up has no labels."""

from deixis.systems.ferret.template import STYLE
from deixis.systems.llava.labels import round_labels

LABEL_RULE = round_labels(STYLE.answer_open, strict=False)
