"""The network of a configuration without values, and how many parts one may have: sizes are looked at before memory.

A configuration is a few lines, and a network of a million layers is as easily written as one of twelve.
"""

import warnings
from collections.abc import Generator
from contextlib import contextmanager
from threading import get_ident
from typing import Any

import torch
from torch.nn.modules import module as torch_module

from deixis.errors import ConfigError, DeixisError, one_line
from deixis.model.loading import one_load

MAX_PARTS = 20_000
"""Modules and tensors of a network; one of 80 layers has a tenth of that."""


@contextmanager
def limited_parts() -> Generator[None]:
    """While the block runs, a network that this thread builds may have `MAX_PARTS` parts; ConfigError."""
    thread, count = get_ident(), 0

    def more(*_: Any) -> None:
        nonlocal count
        if get_ident() == thread:
            count += 1
            if count > MAX_PARTS:
                raise ConfigError(f"expected a network of at most {MAX_PARTS} modules and tensors, got more")

    hooks = [
        torch_module.register_module_module_registration_hook(more),
        torch_module.register_module_parameter_registration_hook(more),
        torch_module.register_module_buffer_registration_hook(more),
    ]
    try:
        yield
    finally:
        for hook in hooks:
            hook.remove()


@contextmanager
def on_meta() -> Generator[None]:
    """While the block runs, networks are built without values, and without warnings of parts that are left out; other
    threads build and read none.

    Raises ConfigError for sizes that no network has.
    """
    with one_load(), torch.device("meta"), warnings.catch_warnings():  # filters of warnings are of all threads
        warnings.filterwarnings("ignore", "Initializing zero-element tensors")
        try:
            yield
        except DeixisError:
            raise
        except Exception as error:  # of PyTorch and transformers: too many values to count, heads that divide nothing
            raise ConfigError(f"no network can be built of these sizes ({one_line(error, 200)})") from error
