"""LISA's label rule: LLaVA's count per turn; a conversation whose counts do not add up is refused."""

from deixis.systems.lisa.template import STYLE
from deixis.systems.llava.labels import round_labels

LABEL_RULE = round_labels(STYLE.answer_open, strict=True)
