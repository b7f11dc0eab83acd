"""The formats that `deixis data read` and recipes know, by name."""

from deixis.data.read.coco import COCO
from deixis.data.read.source import Format

_ALL: tuple[Format, ...] = (COCO,)

FORMATS: dict[str, Format] = {known.name: known for known in _ALL}
