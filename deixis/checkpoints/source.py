"""Tensors of a source by name, read one at a time: from shards, from tensor-parallel slices, or as delta plus base.

Three ways to be a source, one face (`Tensors`). Files are mapped, not loaded, and let go again once half as many bytes
were read as the largest file has, so that a conversion never holds twice that. Pickles are read with
`torch.load(weights_only=True)`: one with code in it is refused, never run. No name has a meaning here but Meta's, whose
rules say along which axis tensor-parallel slices join.
"""

import json
import pickle
import re
import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import torch
from safetensors import safe_open
from torch import Tensor

from deixis.checkpoints.find import Files, find_place, find_weights
from deixis.checkpoints.weight_names import weight_files
from deixis.checkpoints.weights import CODES
from deixis.errors import CheckpointError, is_out_of_memory

WRAPPERS = ("net", "state_dict", "model", "module")
"""Keys under which training scripts keep the weights beside an optimiser (PointMLP: `net`)."""
MAX_WRAPPERS = 4  # within each other
COLUMNS = re.compile(r".*\.(wq|wk|wv|w1|w3|output)\.weight")
"""Tensor-parallel layers whose output is split (fairscale, ColumnParallelLinear): slices join along axis 0."""
ROWS = re.compile(r".*\.(wo|w2|tok_embeddings)\.weight")
"""Layers whose input is split (RowParallelLinear), and embeddings: along axis 1. All else is the same in each file."""
GROWN = ("model.embed_tokens.weight", "lm_head.weight")
"""The tensors that may have more rows than the base's (apple/ml-ferret@3c9e5c9, ferret/model/apply_delta.py)."""


@runtime_checkable
class Tensors(Protocol):
    """Named tensors, read one at a time."""

    label: str
    folder: Path
    files: tuple[Path, ...]

    def meta(self) -> dict[str, Tensor]:
        """Every tensor without its values: on the meta device, in the order of the files."""
        ...

    def read(self, name: str) -> Tensor:
        """The values; they may lie in a mapped file, so the caller copies what it keeps."""
        ...

    def close(self) -> None:
        """Closes the files."""
        ...


def open_source(name: str | Path, what: str = "source") -> Tensors:
    """The tensors of a folder, a file or a hub id. Raises CheckpointError for what cannot be read."""
    files = find_weights(find_place(name, what), what)
    if not files.parallel:
        return Shards(str(name), files)
    return Slices([Shards(str(name), Files(files.folder, (file,), False, {})) for file in files.weights])


def open_model(folder: Path) -> Tensors:
    """The tensors of a model folder, of the very files that are checked and that transformers reads: safetensors alone.

    `open_source` would take the pickles of an index before one file of safetensors beside it.
    """
    return Shards(str(folder), Files(folder, tuple(weight_files(folder)), False, {}))


class Shards:
    """A source whose tensors lie whole in one file or several."""

    def __init__(self, label: str, files: Files):
        self.label, self.folder, self.files = label, files.folder, files.weights
        self.limit = max(file.stat().st_size for file in self.files) // 2  # bytes read before the files are let go
        self._read = 0
        self._open: dict[Path, Any] = {}
        self._place: dict[str, Path] = {}
        self._meta: dict[str, Tensor] = {}
        for file in self.files:
            for key, tensor in _meta_of(self._mapped(file)).items():
                if key in self._place:
                    both = f"{self._place[key].name} and {file.name}"
                    raise CheckpointError(f"source '{label}': the tensor {key} is in two files, {both}")
                self._place[key], self._meta[key] = file, tensor
            self.close()
        if absent := sorted(key for key in files.indexed if key not in self._place):
            file = files.indexed[absent[0]]
            raise CheckpointError(f"source '{label}': the index puts {absent[0]} in {file}, which does not hold it")

    def meta(self) -> dict[str, Tensor]:
        return self._meta

    def read(self, name: str) -> Tensor:
        if self._read > self.limit:
            self.close()
        file = self._place[name]
        mapped = self._mapped(file)
        tensor = mapped[name]
        self._read += tensor.nbytes
        return tensor

    def close(self) -> None:
        self._open.clear()
        self._read = 0

    def _mapped(self, file: Path) -> Any:
        if file not in self._open:
            self._open.clear()
            self._open[file] = _open_file(file, self.label)
        return self._open[file]


class Slices:
    """A source whose files hold slices of the same tensors (OneLLM's and LLaMA's `consolidated.NN-of-MM.pth`)."""

    def __init__(self, ranks: list[Shards]):
        self._ranks = ranks
        self.label, self.folder = ranks[0].label, ranks[0].folder
        self.files = tuple(file for rank in ranks for file in rank.files)
        first = ranks[0].meta()
        for rank in ranks:
            rank.limit //= len(ranks)
            if odd := sorted(rank.meta().keys() ^ first.keys()):
                raise CheckpointError(
                    f"source '{self.label}': expected the same tensors in every tensor-parallel file, got {odd[0]} in "
                    f"only one of {ranks[0].files[0].name} and {rank.files[0].name}"
                )
        self._meta = {name: self._join(name, [rank.meta()[name] for rank in ranks]) for name in first}

    def meta(self) -> dict[str, Tensor]:
        return self._meta

    def read(self, name: str) -> Tensor:
        return self._join(name, [rank.read(name) for rank in self._ranks])

    def close(self) -> None:
        for rank in self._ranks:
            rank.close()

    def _join(self, name: str, slices: list[Tensor]) -> Tensor:
        axis = 0 if COLUMNS.fullmatch(name) else 1 if ROWS.fullmatch(name) else None
        try:
            if axis is not None:
                return torch.cat(slices, axis)
            alike = all(other.shape == slices[0].shape for other in slices)
            if alike and (slices[0].is_meta or all(torch.equal(slices[0], other) for other in slices[1:])):
                return slices[0]
        except RuntimeError:
            pass
        raise CheckpointError(
            f"source '{self.label}': the slices of {name} in its {len(slices)} tensor-parallel files do not fit each "
            "other; the files may be of different checkpoints"
        )


class DeltaAndBase:
    """Published differences plus the model they were taken from (Ferret: apply_delta.py).

    A tensor that the base has is a sum; embeddings and output layer may have more rows in the delta, of which the
    first are sums; a tensor that the base lacks is whole in the delta. The sum is made in the delta's type, as there.
    """

    def __init__(self, delta: Tensors, base: Tensors):
        self.delta, self.base = delta, base
        self.label, self.folder, self.files = delta.label, delta.folder, (*delta.files, *base.files)
        shapes = base.meta()
        for name, tensor in delta.meta().items():
            own, other = tuple(tensor.shape), tuple(shapes[name].shape) if name in shapes else None
            fits = other in (None, own) or (name in GROWN and own[0] >= other[0] and own[1:] == other[1:])
            if not fits:
                raise CheckpointError(
                    f"--base '{base.label}': expected {name} of shape {own} as in the delta, got {other}; "
                    "it is another base model"
                )
        if lacking := [name for name in shapes if name not in delta.meta() and "rotary_emb" not in name]:
            raise CheckpointError(
                f"source '{self.label}': expected a delta for {lacking[0]}, which the base '{base.label}' has, got "
                "none; they do not belong together"
            )

    def meta(self) -> dict[str, Tensor]:
        return self.delta.meta()

    def read(self, name: str) -> Tensor:
        tensor = self.delta.read(name)
        if name not in self.base.meta() or "rotary_emb" in name:
            return tensor
        base = self.base.read(name).to(tensor.dtype)
        whole = tensor.clone()
        whole[: len(base)] += base
        return whole

    def close(self) -> None:
        self.delta.close()
        self.base.close()


def _open_file(file: Path, label: str) -> Any:
    """A safetensors file, or the dictionary of tensors in a pickle, mapped."""
    try:
        loaded = SafeFile(file) if file.suffix == ".safetensors" else _load(file)
    except pickle.UnpicklingError as error:
        code = re.search(r"(?:GLOBAL|class|global)[: ]+`?([\w]+\.[\w.]+)", str(error))
        named = f" ({code[1]})" if code else ""
        raise CheckpointError(
            f"source '{label}': {file.name} is a pickle with more than tensors in it{named}, which is never run; "
            "take the weights as safetensors, or save their state dictionary alone"
        ) from error
    except Exception as error:  # bytes that are no pickle end in any error at all
        if is_out_of_memory(error):
            raise
        line = (str(error).strip().splitlines() or [type(error).__name__])[0].split(". ")[0]
        raise CheckpointError(
            f"source '{label}': {file.name} cannot be read ({line}); it may be damaged or cut short"
        ) from error
    return loaded if isinstance(loaded, SafeFile) else _tensors_in(loaded, file, label)


def _load(file: Path) -> Any:
    if zipfile.is_zipfile(file):
        with zipfile.ZipFile(file) as archive:
            for part in archive.infolist():
                if part.file_size > part.compress_size:  # PyTorch stores values as they are
                    raise CheckpointError(f"its part {part.filename} is compressed, as in no file that PyTorch writes")
    try:
        return torch.load(file, map_location="cpu", weights_only=True, mmap=True)
    except RuntimeError as error:
        if "mmap can only be used" not in str(error):
            raise
    return torch.load(file, map_location="cpu", weights_only=True)  # PyTorch before 1.6 wrote no zip files


def _tensors_in(loaded: Any, file: Path, label: str) -> dict[str, Tensor]:
    for _ in range(MAX_WRAPPERS):  # a dictionary may hold itself
        wrapped = (loaded.get(key) for key in WRAPPERS) if isinstance(loaded, dict) else ()
        loaded = next((value for value in wrapped if isinstance(value, dict)), loaded)
    tensors = dict(loaded) if isinstance(loaded, dict) else {}
    are_named = all(isinstance(key, str) and isinstance(value, Tensor) for key, value in tensors.items())
    if not tensors or not are_named:
        raise CheckpointError(f"source '{label}': expected named tensors in {file.name}, got something else")
    for name, tensor in tensors.items():
        if fault := _fault_of(tensor):
            raise CheckpointError(f"source '{label}': {file.name}: expected plain values in {name}, got {fault}")
    return tensors


def _fault_of(tensor: Tensor) -> str | None:
    """What keeps a tensor of a pickle from being copied as it is; None for a plain one."""
    if type(tensor) not in (Tensor, torch.nn.Parameter) or tensor.layout != torch.strided or tensor.is_meta:
        return f"a sparse or other special tensor ({tensor.layout})"
    if tensor.dtype not in CODES:
        return f"values of type {tensor.dtype}, which is quantized or no type of weights"
    if tensor.numel() * tensor.itemsize > tensor.untyped_storage().nbytes():
        return f"{tensor.numel()} values by {tensor.untyped_storage().nbytes()} bytes, which repeat"
    return None


def _meta_of(opened: Any) -> dict[str, Tensor]:
    """Shapes and types of the tensors of an open file."""
    if isinstance(opened, SafeFile):
        return opened.meta
    return {name: torch.empty_like(tensor, device="meta") for name, tensor in opened.items()}


class SafeFile:
    """A safetensors file whose tensors are read, not mapped: the library's two mappings would both count as memory.

    Raises SafetensorError for a file that is none or is cut short.
    """

    def __init__(self, file: Path):
        self._file = file
        self.meta: dict[str, Tensor] = {}
        with safe_open(file, "pt") as checked:  # header, offsets and length
            for name in checked.keys():  # noqa: SIM118 (no dictionary)
                part = checked.get_slice(name)
                self.meta[name] = torch.empty(part.get_shape(), dtype=_DTYPES[part.get_dtype()], device="meta")
        with file.open("rb") as stream:
            length = int.from_bytes(stream.read(8), "little")
            header = json.loads(stream.read(length))
        self._begin = {name: 8 + length + header[name]["data_offsets"][0] for name in self.meta}

    def __getitem__(self, name: str) -> Tensor:
        shape = self.meta[name]
        return self.runs(name, [0], shape.numel()).view(shape.shape)

    def runs(self, name: str, starts: Sequence[int], count: int) -> Tensor:
        """The values from each of `starts` on, of the tensor as one row: `count` of them, or what is left of it."""
        dtype, whole = self.meta[name].dtype, self.meta[name].numel()
        if not whole:
            return torch.empty(0, dtype=dtype)
        parts = []
        with self._file.open("rb") as stream:
            for start in starts:
                buffer = bytearray(min(count, whole - start) * dtype.itemsize)
                stream.seek(self._begin[name] + start * dtype.itemsize)
                stream.readinto(buffer)
                parts.append(torch.frombuffer(buffer, dtype=dtype))
        return parts[0] if len(parts) == 1 else torch.cat(parts)


_DTYPES = {code: dtype for dtype, code in CODES.items()}
