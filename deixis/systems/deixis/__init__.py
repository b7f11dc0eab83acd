"""The union: any region of any signal in; text, boxes, spans and masks out."""

from deixis.conversation.system import System
from deixis.systems.deixis.notation import NOTATION

SYSTEM = System("deixis", NOTATION)
