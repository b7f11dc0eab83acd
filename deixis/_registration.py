"""Registers the model with transformers' Auto classes without importing transformers or PyTorch.

`install` puts placeholders into the Auto mappings: at once where transformers has loaded them already, otherwise right
after it does (through a finder on `sys.meta_path` that removes itself). A placeholder imports `deixis.model` on its
first use, which registers the classes themselves. Importing them any earlier would be circular: transformers loads its
mappings in the middle of loading modules that the model needs.
"""

import importlib
import importlib.util
import sys
from collections.abc import Callable
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Any

MODEL_TYPE = "deixis"


class _Placeholder(type):
    """Type of classes that stand for the class of the same name in `deixis.model` until one of its members is used."""

    def __getattr__(cls, name: str) -> Any:
        # Dunder names are asked for by Python itself (pickling, copying, `inspect`), which is no use of the class.
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(getattr(importlib.import_module("deixis.model"), cls.__name__), name)


_CONFIG = _Placeholder("DeixisConfig", (), {"__module__": __name__})
_PROCESSOR = _Placeholder("DeixisProcessor", (), {"__module__": __name__})


def _register_config(module: ModuleType) -> None:
    if MODEL_TYPE not in module.CONFIG_MAPPING:
        module.AutoConfig.register(MODEL_TYPE, _CONFIG)


def _register_processor(module: ModuleType) -> None:
    # A processor is looked up by the name of its class in processor_config.json.
    module.AutoProcessor.register(_CONFIG, _PROCESSOR, exist_ok=True)


# Models need no placeholder: they are looked up by the class of a configuration, whose loading registers them.
_REGISTER: dict[str, Callable[[ModuleType], None]] = {
    "transformers.models.auto.configuration_auto": _register_config,
    "transformers.models.auto.processing_auto": _register_processor,
}


class _AfterImport(MetaPathFinder):
    """Finds the modules of `pending` as the other finders do, and calls their function once they are executed."""

    def __init__(self, pending: dict[str, Callable[[ModuleType], None]]):
        self.pending = pending
        self.finding: set[str] = set()

    def find_spec(self, fullname: str, path: Any, target: ModuleType | None = None) -> ModuleSpec | None:
        if fullname not in self.pending or fullname in self.finding:
            return None
        self.finding.add(fullname)  # the other finders are asked through this one again
        try:
            spec = importlib.util.find_spec(fullname)
        finally:
            self.finding.remove(fullname)
        if spec is not None and spec.loader is not None:
            self._hook(spec.loader, fullname)
        return spec

    def _hook(self, loader: Any, fullname: str) -> None:
        execute = loader.exec_module

        def exec_module(module: ModuleType) -> None:
            del loader.exec_module  # the method of its class again
            execute(module)
            self.pending.pop(fullname)(module)
            if not self.pending and self in sys.meta_path:
                sys.meta_path.remove(self)

        loader.exec_module = exec_module


def install() -> None:
    """Registers what transformers has loaded already, and arranges the rest; calling it again changes nothing."""
    pending = {}
    for name, register in _REGISTER.items():
        if name in sys.modules and not getattr(sys.modules[name].__spec__, "_initializing", False):
            register(sys.modules[name])
        else:
            pending[name] = register
    if pending and not any(isinstance(finder, _AfterImport) for finder in sys.meta_path):
        sys.meta_path.insert(0, _AfterImport(pending))
