"""Where a network runs: the device that is asked for, or the best one here."""

import torch

from deixis.errors import InputError, UnsupportedError


def choose_device(name: str | None) -> torch.device:
    """The device of that name ("cpu", "cuda", "cuda:1", "mps"); of none, CUDA or Apple's GPU where there is one, else
    the CPU.

    Raises: InputError for a name that is no device, UnsupportedError for a device that is not here.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    expected = f"device: expected cpu, cuda or mps, and one that is here; got '{name}'"
    try:
        device = torch.device(name)
    except RuntimeError as error:
        raise InputError(expected) from error
    try:
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise UnsupportedError(expected) from error
    return device
