"""Where a network runs: the device that is asked for, or the best one here."""

import torch

from deixis.errors import InputError


def choose_device(name: str | None) -> torch.device:
    """The device of that name ("cpu", "cuda", "cuda:1", "mps"); of none, CUDA or Apple's GPU where there is one, else
    the CPU.

    Raises ValueError, one sentence, for a device that is not here.
    """
    if name is None:
        name = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    try:
        device = torch.device(name)
        torch.empty(0, device=device)
    except (RuntimeError, AssertionError) as error:
        raise InputError(f"device: expected cpu, cuda or mps, and one that is here; got '{name}'") from error
    return device
