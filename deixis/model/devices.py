"""Where a network runs, and in which type: the device and the type that are asked for, or the best ones here."""

import torch

from deixis.errors import InputError, UnsupportedError

DTYPES = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}


def dtype_named(name: str | torch.dtype, argument: str = "dtype") -> torch.dtype:
    """The floating type of that name. Raises InputError for another name."""
    dtype = DTYPES.get(name) if isinstance(name, str) else name
    if dtype is None or dtype not in DTYPES.values():
        raise InputError(f"{argument}: expected one of {', '.join(DTYPES)}; got '{name}'")
    return dtype


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


def multiplies_bfloat16(device: torch.device) -> bool:
    """Whether matrix products in bfloat16 are fast there.

    On a CPU, whether oneDNN has kernels for them (AVX-512 or better, Arm's BF16). Without, PyTorch multiplies number by
    number: measured on AVX2, 8 times slower than float32 forward, and 100 times backward.
    """
    if device.type != "cpu":
        return True
    return torch.backends.mkldnn.is_available() and bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())
