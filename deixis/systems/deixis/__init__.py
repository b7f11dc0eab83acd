"""The union: any region of any signal in; text, boxes, spans and masks out."""

from deixis.conversation.system import ALL_BUT_ENCODERS, System
from deixis.systems.deixis.notation import NOTATION

SYSTEM = System("deixis", NOTATION, trained_parts={"encoder": "full", **ALL_BUT_ENCODERS})
