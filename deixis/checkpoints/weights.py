"""Writes safetensors files tensor by tensor: the header first, from names and shapes, then the values as they come.

`safetensors.torch.save_file` wants all tensors of a file at once; a conversion has one at a time. The format is that of
huggingface/safetensors: the header's length as 8 bytes, the header as JSON, then the values in its order.
"""

import json
import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from huggingface_hub import split_state_dict_into_shards_factory
from torch import Tensor

from deixis.errors import InputError

SHARD_BYTES = 2 * 10**9
"""Largest file written, unless one tensor alone is larger."""
CODES = {
    torch.float64: "F64",
    torch.float32: "F32",
    torch.float16: "F16",
    torch.bfloat16: "BF16",
    torch.int64: "I64",
    torch.int32: "I32",
    torch.int16: "I16",
    torch.int8: "I8",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}
"""Names of the types in a safetensors file."""


@dataclass(frozen=True)
class Shape:
    """Size and type of a tensor that is to be written."""

    shape: tuple[int, ...]
    dtype: torch.dtype

    @property
    def nbytes(self) -> int:
        return math.prod(self.shape) * self.dtype.itemsize


def write_weights(
    folder: Path,
    shapes: Mapping[str, Shape],
    value: Callable[[str], Tensor],
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int], None] = lambda nbytes: None,
) -> None:
    """Writes the tensors `value(name)` in files of at most `shard_bytes`, with an index where there are several.

    `progress` is called with the bytes of each tensor written.
    """
    split = split_state_dict_into_shards_factory(
        dict(shapes),
        get_storage_size=lambda shape: shape.nbytes,
        filename_pattern="model{suffix}.safetensors",
        max_shard_size=shard_bytes,
    )
    for file, names in split.filename_to_tensors.items():
        _write_file(folder / file, {name: shapes[name] for name in names}, value, progress)
    if split.is_sharded:
        index = {"metadata": split.metadata, "weight_map": split.tensor_to_filename}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")


def _write_file(
    file: Path, shapes: Mapping[str, Shape], value: Callable[[str], Tensor], progress: Callable[[int], None]
) -> None:
    header: dict[str, object] = {"__metadata__": {"format": "pt"}}
    end = 0
    for name, shape in shapes.items():
        header[name] = {
            "dtype": CODES[shape.dtype],
            "shape": list(shape.shape),
            "data_offsets": [end, end + shape.nbytes],
        }
        end += shape.nbytes
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with file.open("xb") as stream:
        stream.write(len(text).to_bytes(8, "little") + text)
        for name, shape in shapes.items():
            tensor = value(name).detach().contiguous()
            assert (tuple(tensor.shape), tensor.dtype) == (shape.shape, shape.dtype), name
            stream.write(tensor.reshape(-1).view(torch.uint8).numpy().data)
            progress(shape.nbytes)


def in_dtype(tensor: Tensor, dtype: torch.dtype, name: str) -> Tensor:
    """A tensor in another type. Raises InputError where float16 cannot hold its values."""
    cast = tensor.to(dtype)
    if (
        cast is not tensor
        and dtype == torch.float16
        and not torch.isfinite(cast).all()
        and torch.isfinite(tensor).all()
    ):
        raise InputError(
            f"--dtype: float16 cannot hold {name}, whose values reach {tensor.abs().max():.3g}; take bfloat16 or "
            "float32"
        )
    return cast


def common_dtype(shapes: Sequence[Shape]) -> torch.dtype:
    """The floating type that most bytes have."""
    bytes_of: dict[torch.dtype, int] = {}
    for shape in shapes:
        if shape.dtype.is_floating_point:
            bytes_of[shape.dtype] = bytes_of.get(shape.dtype, 0) + shape.nbytes
    return max(bytes_of, key=lambda dtype: bytes_of[dtype], default=torch.float32)
