"""Deixis: ask about anything you can point at, in any signal, and get answers that point back.

The names below are the package's public face. They are loaded when first asked for (PEP 562), so that
`import deixis` costs milliseconds and PyTorch comes only with a model. transformers' Auto classes know the model from
here on, whether transformers is imported before or after.
"""

import importlib
from typing import TYPE_CHECKING

from deixis._registration import install as _install

if TYPE_CHECKING:
    from deixis.geometry import Box, Box3D, Mask, Point, PointSet, Polygon, Region, Scribble, Span, Tube
    from deixis.inference import Answer, Chat, load
    from deixis.model import DeixisConfig, DeixisForConditionalGeneration, DeixisProcessor
    from deixis.serving.client import Client
    from deixis.signals import open_signal

__version__ = "0.1.0"

__all__ = [
    "Answer",
    "Box",
    "Box3D",
    "Chat",
    "Client",
    "DeixisConfig",
    "DeixisForConditionalGeneration",
    "DeixisProcessor",
    "Mask",
    "Point",
    "PointSet",
    "Polygon",
    "Region",
    "Scribble",
    "Span",
    "Tube",
    "__version__",
    "load",
    "open_signal",
]

# public name -> the module it is taken from
_EXPORTS = {
    "Region": "deixis.geometry",
    "Point": "deixis.geometry",
    "Box": "deixis.geometry",
    "Scribble": "deixis.geometry",
    "Polygon": "deixis.geometry",
    "Mask": "deixis.geometry",
    "Span": "deixis.geometry",
    "Box3D": "deixis.geometry",
    "PointSet": "deixis.geometry",
    "Tube": "deixis.geometry",
    "open_signal": "deixis.signals",
    "DeixisConfig": "deixis.model",
    "DeixisForConditionalGeneration": "deixis.model",
    "DeixisProcessor": "deixis.model",
    "load": "deixis.inference",
    "Answer": "deixis.inference",
    "Chat": "deixis.inference",
    "Client": "deixis.serving.client",
}

_install()


def __getattr__(name: str) -> object:
    module = _EXPORTS.get(name)
    if module is None:
        raise AttributeError(f"module 'deixis' has no attribute {name!r}")
    value = getattr(importlib.import_module(module), name)
    globals()[name] = value  # the next look-up is an ordinary one
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_EXPORTS})
