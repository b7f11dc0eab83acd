"""Peak memory of LoRA on layers of LLaMA-7B's widths against the sum of its parts, on the CPU.

A network with few decoder layers of LLaMA-7B (hidden 4096, 32 heads, MLP 11008), frozen in bfloat16, is trained by
adapters of rank 8 on the query and value projections with questions of the generated world, by the functions of
`deixis train --dry-run`: what that says of weights, gradients and optimizer stands beside the peak of the process. What
is saved for the backward pass is counted tensor by tensor. Linux only. Run from the repository:

    python -m benchmarks.lora_memory --out benchmarks/results/NAME.md
"""

import argparse
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from torch.autograd.graph import saved_tensors_hooks

from benchmarks.measuring import command_line, publish
from deixis.training.plan import GRADIENT_BYTES, OPTIMIZER_BYTES, TRAINED_BYTES, StagePlan, measure_steps, plan_recipe
from deixis.training.recipe_file import Recipe, parse_recipe
from deixis.training.stage_network import stage_network, trained_parts
from deixis.training.start import dense_heads, start_model

MB = 1e6
SHARD_SIZE = "128MB"  # the share of these weights that a file of 2 GB is of 7 B
LLAMA = {"model_type": "llama", "hidden_size": 4096, "num_attention_heads": 32, "intermediate_size": 11008}
SIZES: dict[str, Any] = {
    "vision_config": {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2, "intermediate_size": 128},
    "signals": {"image": {"size_px": 128, "patch_px": 16, "early_dim": 32}},
    "projection": {"queries": 8, "experts": 2},
    "sampler": {"points": 64, "in_dim": 32, "anchors": [16, 4], "neighbours": [8, 4]},
    "pointing": {"dim": 32},
}


def recipe_of(options: argparse.Namespace, **start: Any) -> Recipe:
    """A stage of LoRA; start: its `model` or `init`."""
    stage = {"name": "lora", "task": "instruct", "batch": {"image": options.images}, "steps": options.steps}
    stage |= {"questions": options.questions, "max_tokens": 1024, "workers": 0, "warmup_steps": 1}
    stage |= {"parts": {"language_model": "lora"}, "lora": {"rank": 8, "alpha": 16, "targets": ["q_proj", "v_proj"]}}
    recipe = parse_recipe({"seed": 1, "dtype": "bfloat16", **start, "stages": [stage]})
    assert isinstance(recipe, Recipe), "it has stages"
    return recipe


def write_model(options: argparse.Namespace, folder: Path) -> None:
    """A network of random weights; in a process of its own, as its float32 weights would be the peak of this one."""
    text = {**LLAMA, "num_hidden_layers": options.layers, "max_position_embeddings": 2048, "tie_word_embeddings": True}
    network, processor = start_model(recipe_of(options, model={**SIZES, "text_config": text}, vocab_size=2000))
    network.save_pretrained(folder, max_shard_size=SHARD_SIZE)  # of which one is in memory while they are read
    processor.save_pretrained(folder)


def saved_bytes(recipe: Recipe, plan: StagePlan) -> int:
    """Bytes of the tensors that the forward pass of a batch keeps for the backward pass, but for weights."""
    model, processor = start_model(recipe)
    trained = trained_parts(plan.stage, model)
    with TemporaryDirectory() as folder:
        network, make = stage_network(plan.stage, model, dense_heads(model), processor, 1, Path(folder))
    weights = {weight.untyped_storage().data_ptr() for weight in trained.network.parameters()}
    kept: dict[int, torch.UntypedStorage] = {}  # held, so that no address is used twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in weights:
            kept[storage.data_ptr()] = storage
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), torch.autocast("cpu", torch.bfloat16):
        network.train()(**make(0))
    return sum(storage.nbytes() for storage in kept.values())


def resident_bytes() -> int:
    """The memory that this process holds now."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) << 10 for line in lines if line.startswith("VmRSS:"))


def main() -> None:
    options = command_line(__doc__, layers=2, images=2, questions=4, steps=2, threads=1)
    with TemporaryDirectory() as folder:
        writer = get_context("spawn").Process(target=write_model, args=(options, Path(folder)))
        writer.start()
        writer.join()
        recipe = recipe_of(options, init=folder)
        (plan,) = plan_recipe(recipe)
        before = resident_bytes()
        peak = measure_steps(recipe, plan).peak_bytes
        activations = saved_bytes(recipe, plan)
    assert peak is not None, "there is /proc"
    trained = sum(part.trained for part in plan.parts.values())
    parts = {
        "the process before": before,
        "frozen weights": sum(part.weight_bytes for part in plan.parts.values()) - trained * TRAINED_BYTES,
        "adapters": trained * TRAINED_BYTES,
        "their gradients": trained * GRADIENT_BYTES,
        "their optimizer": trained * OPTIMIZER_BYTES,
        "saved for the backward pass": activations,
    }
    whole = sum(parts.values())
    about = (
        f"{options.layers} layers; {options.steps} steps of {options.images} images with {options.questions} questions "
        f"each in one row, autocast to bfloat16. `deixis train --dry-run` says {plan.nbytes / MB:,.0f} MB: weights, "
        "gradients and optimizer."
    )
    table = ["| part | MB |", "|:---|---:|", *(f"| {name} | {size / MB:,.1f} |" for name, size in parts.items())]
    table += [f"| sum | {whole / MB:,.1f} |", f"| peak of the process | {peak / MB:,.1f} |"]
    table.append(f"| peak / sum | {peak / whole:.2f} |")
    publish(options, "LoRA on layers of LLaMA-7B's widths: peak memory and its parts", about, table)


if __name__ == "__main__":
    main()
