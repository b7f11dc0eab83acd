"""Writes safetensors files tensor by tensor: the header first, from names and shapes, then the values as they come.

`safetensors.torch.save_file` wants all tensors of a file at once; a conversion has one at a time. The format is that of
huggingface/safetensors: the header's length as 8 bytes, the header as JSON, then the values in its order.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor

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
        count = 1
        for size in self.shape:
            count *= size
        return count * self.dtype.itemsize


def write_weights(
    folder: Path,
    shapes: Mapping[str, Shape],
    value: Callable[[str], Tensor],
    shard_bytes: int = SHARD_BYTES,
    progress: Callable[[int], None] = lambda nbytes: None,
) -> list[Path]:
    """Writes the tensors `value(name)` in the order of `shapes`, in files of at most `shard_bytes`, with an index where
    there are several. `progress` is called with the bytes of each tensor written. Returns the files."""
    groups = _grouped(shapes, shard_bytes)
    count = len(groups)
    names = (
        [f"model-{n:05d}-of-{count:05d}.safetensors" for n in range(1, count + 1)]
        if count > 1
        else ["model.safetensors"]
    )
    for file, group in zip(names, groups, strict=True):
        _write_file(folder / file, {name: shapes[name] for name in group}, value, progress)
    if count > 1:
        places = {name: file for file, group in zip(names, groups, strict=True) for name in group}
        index = {"metadata": {"total_size": sum(s.nbytes for s in shapes.values())}, "weight_map": places}
        (folder / "model.safetensors.index.json").write_text(json.dumps(index, indent=1) + "\n", encoding="utf-8")
    return [folder / file for file in names]


def _grouped(shapes: Mapping[str, Shape], shard_bytes: int) -> list[list[str]]:
    """Names by file, in order."""
    groups: list[list[str]] = [[]]
    size = 0
    for name, shape in shapes.items():
        if groups[-1] and size + shape.nbytes > shard_bytes:
            groups.append([])
            size = 0
        groups[-1].append(name)
        size += shape.nbytes
    return groups


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


def common_dtype(shapes: Sequence[Shape]) -> torch.dtype:
    """The floating type that most bytes have."""
    bytes_of: dict[torch.dtype, int] = {}
    for shape in shapes:
        if shape.dtype.is_floating_point:
            bytes_of[shape.dtype] = bytes_of.get(shape.dtype, 0) + shape.nbytes
    return max(bytes_of, key=lambda dtype: bytes_of[dtype], default=torch.float32)
