"""The linear layers of one decoder layer of LLaMA-7B, in bfloat16, int8 and int4: seconds by number of rows.

A step of generation has one row, a question some hundreds. Times 32 they are those of the whole language model, output
layer apart. Minima of interleaved runs, since other processes only ever add to a time. Run from the repository:

    python -m benchmarks.packed_linear --threads 2 --out benchmarks/results/NAME.md
"""

from collections.abc import Callable, Sequence

import torch
from torch import Tensor, nn

from benchmarks.measuring import command_line, publish, seconds_in_turn
from deixis.checkpoints.quantization import weight_bytes
from deixis.checkpoints.sizes import LLAMA
from deixis.model.packed_linear import KINDS, PackedLinear

LAYERS = 32


def decoder_linears() -> list[nn.Linear]:
    """The seven linear layers, with random weights."""
    hidden, inner = LLAMA["7b"]["hidden_size"], LLAMA["7b"]["intermediate_size"]
    sizes = [(hidden, hidden)] * 4 + [(hidden, inner)] * 2 + [(inner, hidden)]
    return [nn.Linear(*size, bias=False, dtype=torch.bfloat16) for size in sizes]


def packed(layers: Sequence[nn.Linear], word: str) -> list[PackedLinear]:
    made = [KINDS[word](layer) for layer in layers]
    for own, layer in zip(made, layers, strict=True):
        own.pack(layer.weight.data)
    return made


def call(layers: Sequence[nn.Linear | PackedLinear], inputs: dict[int, Tensor]) -> Callable[[], object]:
    return lambda: [layer(inputs[layer.in_features]) for layer in layers]


def main() -> None:
    options = command_line(__doc__, repeats=10, threads=2, rows=[1, 2, 4, 8, 32, 300])
    plain = decoder_linears()
    kinds: dict[str, Sequence[nn.Linear | PackedLinear]] = {
        "bfloat16": plain,
        **{word: packed(plain, word) for word in KINDS},
    }
    table = ["| rows | weights | MB | ms, 32 layers | ratio to bfloat16 |", "|---:|:---|---:|---:|---:|"]
    with torch.inference_mode():
        for rows in options.rows:
            inputs = {width: torch.randn(1, rows, width).bfloat16() for width in (4096, 11008)}
            timed = seconds_in_turn([call(layers, inputs) for layers in kinds.values()], options.repeats)
            best = [min(seconds) for seconds in timed]
            for (name, layers), seconds in zip(kinds.items(), best, strict=True):
                megabytes, ms = weight_bytes(nn.ModuleList(layers)) / 1e6, 1000 * LAYERS * seconds
                table.append(f"| {rows} | {name} | {megabytes:.0f} | {ms:.0f} | {best[0] / seconds:.2f} |")
    publish(options, "Quantized linear layers of true size on the CPU", "Ratios above 1 are faster.", table)


if __name__ == "__main__":
    main()
