"""Writes a model as a folder of its own: in another type, quantised, with an adapter merged.

    Opened -> shapes of what is written -> weights, one by one: read, merged, rounded, packed -> configuration,
    processor, card -> renamed

Each weight is rounded once, from what is stored, so that the result holds what opening the source in that way gives.
What only a training needs (the heads of a pretraining) is not among the weights of the network and stays behind.
"""

from collections.abc import Callable, Mapping
from copy import deepcopy
from pathlib import Path

import torch
from rich.filesize import decimal
from torch import Tensor, nn

from deixis.checkpoints.adapters import write_alone
from deixis.checkpoints.folder import BUNDLED, Opened
from deixis.checkpoints.processor_files import read_generation
from deixis.checkpoints.source import Tensors, open_model
from deixis.checkpoints.weight_names import check_inside
from deixis.checkpoints.weights import Shape, common_dtype, in_dtype, write_weights
from deixis.errors import CheckpointError, UnsupportedError
from deixis.files.full_disk import check_room
from deixis.files.json_text import read_text
from deixis.files.whole import whole_folder
from deixis.model import DeixisConfig, DeixisForConditionalGeneration
from deixis.model.meta import on_meta
from deixis.model.packed_linear import GROUP, KINDS, PackedLinear, check_int4
from deixis.model.packing import PackedConfig
from deixis.model.shrinking import small_bytes, small_layers

CARDS = ("README.md", "MODEL_CARD.md")


def export_model(
    opened: Opened,
    out: Path,
    dtype: torch.dtype | None = None,
    quantize: str | None = None,
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> str:
    """Writes `opened`, its adapter merged, into the folder `out`; returns what was written, in words.

    dtype: of all that is not quantised; that of each weight where not given, bfloat16 beside `quantize`, "int8" or
    "int4". `progress` is called with bytes done and in all. Raises InputError for an `out` that is not empty,
    UnsupportedError for what cannot be exported so, CheckpointError for weights that do not fit; nothing is left then.
    """
    if opened.config is None or opened.processor is None or opened.packed:
        form = f"stored in {opened.packed}; export the model that it was made from" if opened.packed else "a PointMLP"
        raise UnsupportedError(f"model '{opened.name}': expected a model with whole weights, got one that is {form}")
    dtype = dtype or (torch.bfloat16 if quantize else None)
    card, folder = _card(opened), opened.folder()
    source = open_model(folder)
    layers = _checked_layers(opened, source, quantize)
    values = _Values(source, opened, dtype, layers, quantize)
    shapes = values.shapes()
    total = sum(shape.nbytes for shape in shapes.values())
    done = 0

    def more(nbytes: int) -> None:
        nonlocal done
        done += nbytes
        progress(done, total)

    words = _in_words(shapes, quantize, len(layers))
    with whole_folder(out) as part:
        check_room(out, total, "; --dtype bfloat16 halves the weights of float32")
        write_weights(part, shapes, values, progress=more)
        source.close()
        config = deepcopy(opened.config)
        config.dtype, config.architectures = common_dtype(list(shapes.values())), ["DeixisForConditionalGeneration"]
        read_generation(folder, config).save_pretrained(part)
        if quantize is not None:
            config.quantization_config = PackedConfig(quantize).to_dict()
        config.save_pretrained(part)
        opened.processor.save_pretrained(part)
        (part / CARDS[0]).write_text(f"{card}: {words}.\n", encoding="utf-8")
    return words


def export_adapter(opened: Opened, out: Path, dtype: torch.dtype | None = None) -> str:
    """Writes the adapter of `opened` alone into the folder `out`, once it is known to belong to the model."""
    assert opened.adapter is not None, "there is one to write"
    folder = opened.folder()
    with whole_folder(out) as part:
        write_alone(opened.adapter, part, folder, opened.name, dtype)
    return f"the adapter of '{opened.name}'"


class _Values:
    """What is written, by name: each weight read, merged, rounded, and packed where it is that of one of `layers`."""

    def __init__(
        self,
        source: Tensors,
        opened: Opened,
        dtype: torch.dtype | None,
        layers: Mapping[str, nn.Linear],
        word: str | None,
    ):
        self.source, self.adapter, self.dtype, self.layers, self.word = source, opened.adapter, dtype, layers, word
        self.last: tuple[str, PackedLinear] | None = None

    def shapes(self) -> dict[str, Shape]:
        """Shape and type of every tensor, in the order of the source."""
        shapes = {}
        for name, tensor in self.source.meta().items():
            layer = name.removesuffix(".weight")
            if layer in self.layers and name != layer:
                for own, packed in self._empty(layer).named_buffers(recurse=False):
                    shapes[f"{layer}.{own}"] = Shape(tuple(packed.shape), packed.dtype)
                continue
            shapes[name] = Shape(tuple(tensor.shape), self._written_as(tensor))
        return shapes

    def __call__(self, name: str) -> Tensor:
        layer, _, own = name.rpartition(".")
        if layer not in self.layers or own == "bias":
            return self._whole(name)
        if self.last is None or self.last[0] != layer:  # its tensors are written one after another
            self.last = layer, self._empty(layer)
            self.last[1].pack(self._whole(f"{layer}.weight"))
        return self.last[1].get_buffer(own)

    def _whole(self, name: str) -> Tensor:
        tensor = self.source.read(name)
        dtype = self._written_as(tensor)
        if self.adapter is not None and name in self.adapter.names:
            tensor = self.adapter.merged(name, tensor)
        return in_dtype(tensor, dtype, name)

    def _empty(self, layer: str) -> PackedLinear:
        return KINDS[self.word or ""](self.layers[layer].to(self.dtype))

    def _written_as(self, tensor: Tensor) -> torch.dtype:
        return self.dtype if self.dtype is not None and tensor.is_floating_point() else tensor.dtype


def _checked_layers(opened: Opened, source: Tensors, quantize: str | None) -> dict[str, nn.Linear]:
    """The layers that are packed, without values. Raises CheckpointError for weights of another network."""
    assert isinstance(opened.config, DeixisConfig)
    with on_meta():
        network = DeixisForConditionalGeneration(opened.config)
    names, held = network.state_dict().keys(), source.meta().keys()
    for problem, odd in (("missing", names - held - set(network.all_tied_weights_keys)), ("unexpected", held - names)):
        if odd:
            raise CheckpointError(
                f"model '{opened.name}': {problem} keys in its weights: {', '.join(sorted(odd)[:3])}; weights and "
                "config.json are not of one model"
            )
    if quantize is None:
        return {}
    if quantize == "int4":
        check_int4("--quantize")
    small = small_layers(network)
    fitting = {name: layer for name, layer in small.items() if small_bytes(layer, quantize, "cpu") is not None}
    if not fitting:
        raise UnsupportedError(
            f"--quantize: {quantize} takes layers whose width is a multiple of {GROUP} and whose outputs are one of "
            f"{KINDS[quantize].multiple}, got none among the {len(small)} that are quantised; take --dtype alone"
        )
    return fitting


def _in_words(shapes: Mapping[str, Shape], quantize: str | None, packed: int) -> str:
    size = decimal(sum(shape.nbytes for shape in shapes.values()))
    dtype = str(common_dtype(list(shapes.values()))).removeprefix("torch.")
    return (
        f"{size} in {dtype}" if quantize is None else f"{size}, {packed} layers in {quantize} and the rest in {dtype}"
    )


def _card(opened: Opened) -> str:
    """The card of the source, with its terms, and what is done to it, up to the form of the weights.

    Raises CheckpointError for a card that lies elsewhere, DataError for one that is too large.
    """
    own = next((opened.small / name for name in CARDS if (opened.small / name).is_file()), None)
    if own is not None and opened.name != BUNDLED:  # an installer may link the files of the package
        check_inside(opened.small, own)
    before = f"# {opened.title}\n" if own is None else read_text(own, fallback="utf-8")
    merged = "" if opened.adapter is None else f", with the adapter `{opened.adapter}` merged"
    return f"{before.rstrip()}\n\n## Exported\n\nBy `deixis export` from `{opened.name}`{merged}"
