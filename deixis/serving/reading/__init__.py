"""Files of strangers become signals in processes of their own, with limits: what a decoder does to one ends there."""

from deixis.serving.reading.limits import ReadingLimits
from deixis.serving.reading.reader import SignalReader

__all__ = ["ReadingLimits", "SignalReader"]
