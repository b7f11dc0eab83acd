"""What the parity of the three language models shares: a converted network, signals as batches, greedy answers."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import torch
from safetensors import safe_open
from torch import Tensor
from transformers import GenerationConfig

from deixis.model import DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.fusion import Encoded, SignalBatch, modality_index
from deixis.systems.conversion import convert


def converted(system: str, source: Path, out: Path) -> DeixisForConditionalGeneration:
    """The network, float32 and in evaluation mode, that `deixis convert` makes of a folder; strictly loaded."""
    convert(system, source, out)
    network, loaded = DeixisForConditionalGeneration.from_pretrained(
        out, dtype=torch.float32, output_loading_info=True, local_files_only=True
    )
    assert not any(loaded.values()), loaded
    return network.eval()


def accounted(source: Path, out: Path) -> dict[str, list[int]]:
    """Name and shape of every tensor of the source that the conversion used, or excluded with a reason."""
    part = json.loads((out / "conversion.json").read_text(encoding="utf-8"))["parts"]["checkpoint"]
    shapes: dict[str, list[int]] = {}
    for file in sorted(source.glob("model*.safetensors")):
        with safe_open(file, "pt") as tensors:
            shapes |= {name: list(tensors.get_slice(name).get_shape()) for name in tensors.keys()}  # noqa: SIM118
    return {name: shapes[name] for name in (*part["used"], *part["left_out"])}


def processor_of(out: Path) -> DeixisProcessor:
    """The processor beside a converted network."""
    return DeixisProcessor.from_pretrained(out, local_files_only=True)


def encoded(
    network: DeixisForConditionalGeneration, modality: str, values: Tensor, sam: Tensor | None = None
) -> Encoded:
    """Signals of one modality, encoded: one per row of the batch."""
    count = len(values)
    batch = SignalBatch(torch.full((count,), modality_index(modality)), torch.arange(count))
    return network.encode({modality: values}, batch, sam)


def with_placeholders(ids: Sequence[int], at: Mapping[int, tuple[int, int]]) -> list[int]:
    """Ids in which each id of `at` is another one, so many times: {-200: (603, 576)}."""
    return [new for number in ids for new in ([at[number][0]] * at[number][1] if number in at else [number])]


def greedy(network: DeixisForConditionalGeneration, ids: Tensor, count: int, **inputs) -> tuple[Tensor, Tensor]:
    """(ids, scores) of exactly `count` greedy tokens with the KV cache; no token ends generation."""
    options = GenerationConfig(
        do_sample=False,
        max_new_tokens=count,
        eos_token_id=None,
        pad_token_id=0,
        bos_token_id=1,
        output_scores=True,
        return_dict_in_generate=True,
    )
    network.generation_config = GenerationConfig()  # the folder's own ends answers
    result = network.generate(ids, generation_config=options, attention_mask=torch.ones_like(ids), **inputs)
    return result.sequences[:, ids.shape[1] :], torch.stack(result.scores, 1)
