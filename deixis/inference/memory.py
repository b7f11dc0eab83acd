"""Whether a model's weights fit into the memory that is free, and in which type, before any of them is read."""

import logging
import os
from pathlib import Path

import torch

from deixis.checkpoints import Opened
from deixis.checkpoints.weight_names import WEIGHTS
from deixis.errors import ConfigError, UnsupportedError
from deixis.model.devices import multiplies_bfloat16
from deixis.systems.needs import ROOM, WHOLE, Needs, needs_of, size_text

CGROUP = Path("/sys/fs/cgroup")
logger = logging.getLogger(__name__)


def choose_dtype(
    opened: Opened, place: torch.device, wanted: torch.dtype | None, quantization: object = None
) -> torch.dtype:
    """The type of what is not quantized: `wanted`, or float32 on the CPU where it fits into free memory, else bfloat16.

    Quantized weights have kernels for bfloat16. A smaller type than usual is logged. Raises UnsupportedError, which
    says what fits, where the weights alone are larger than the memory that is free; ConfigError for sizes that no
    network has.
    """
    assert opened.config is not None, "a classifier is small"
    try:
        needs, free = needs_of(opened.config), free_bytes(place, _mapped_bytes(opened.small))
    except ConfigError as error:
        raise ConfigError(f"model '{opened.name}': config.json: {error}") from error
    usual = torch.float32 if place.type == "cpu" and quantization is None else torch.bfloat16
    dtype = wanted or usual
    if free is None or not (quantization is None or isinstance(quantization, str)):
        return dtype
    word, needed = quantization or _word(dtype), needs.nbytes(_word(dtype)) or 0
    smaller = wanted is None and word == "float32" and needed * ROOM > free
    if smaller:
        dtype, word = torch.bfloat16, "bfloat16"
    if (least := needs.nbytes(word, place.type)) is not None and least > free:
        raise UnsupportedError(
            f"model '{opened.name}': its weights need {size_text(least)} of memory as {word}, and "
            f"{size_text(free)} are free on {place}; {_what_fits(needs, place, free)}"
        )
    if smaller:
        logger.warning(
            "float32 needs %s of memory and %s are free: the weights are read as bfloat16%s",
            size_text(needed),
            size_text(free),
            "" if multiplies_bfloat16(place) else ", which this processor multiplies slowly",
        )
    return dtype


def free_bytes(place: torch.device, mapped_bytes: int = 0) -> int | None:
    """Memory that is free for a model on a device; None where the system does not say.

    On the CPU the least of what the machine has to give, what the control group leaves, and what the limit on
    addresses (ulimit -v) leaves beside `mapped_bytes` of files, which are mapped whole while weights are read.
    """
    if place.type == "cuda":
        return torch.cuda.mem_get_info(place)[0]
    if place.type == "mps":
        return torch.mps.recommended_max_memory() - torch.mps.current_allocated_memory()
    addresses = _left_of_addresses()
    found = (_available(), _left_in_group(), None if addresses is None else max(0, addresses - mapped_bytes))
    return min((nbytes for nbytes in found if nbytes is not None), default=None)


def _mapped_bytes(folder: Path) -> int:
    """Of the files of weights in a folder; 0 before they are downloaded."""
    return sum(file.stat().st_size for file in folder.glob(WEIGHTS))


def _what_fits(needs: Needs, place: torch.device, free: int) -> str:
    for word, argument in (("bfloat16", "dtype"), ("int8", "quantization"), ("int4", "quantization")):
        nbytes = needs.nbytes(word, place.type)
        if nbytes is not None and nbytes < free:
            return f"--{argument} {word} needs {size_text(nbytes)}"
    return "take a smaller model or another device"


def _word(dtype: torch.dtype) -> str:
    """The row of `Needs` that a type has."""
    return next(word for word, nbytes in WHOLE.items() if nbytes == dtype.itemsize)


def _available() -> int | None:
    """Linux: free memory, and caches of files that can be dropped."""
    for line in _text(Path("/proc/meminfo")).splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) << 10
    return None


def _left_in_group() -> int | None:
    """What the control group of this process (a container, a batch job) leaves; caches of files do not count."""
    own = next((line[3:] for line in _text(Path("/proc/self/cgroup")).splitlines() if line.startswith("0::")), "/")
    for folder in (CGROUP / own.lstrip("/"), CGROUP):  # a container sees its own group as the root
        most, used = _text(folder / "memory.max").strip(), _text(folder / "memory.current").strip()
        if most.isdecimal() and used.isdecimal():
            stat = dict(line.split() for line in _text(folder / "memory.stat").splitlines())
            return int(most) - int(used) + int(stat.get("file", 0))
    return None


def _left_of_addresses() -> int | None:
    for line in _text(Path("/proc/self/limits")).splitlines():
        if line.startswith("Max address space") and (most := line.split()[3]).isdecimal():
            return int(most) - int(_text(Path("/proc/self/statm")).split()[0]) * os.sysconf("SC_PAGE_SIZE")
    return None


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
