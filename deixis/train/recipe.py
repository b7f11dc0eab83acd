"""Recipes: one YAML file says the network, the stages and the seed; `train` runs it from scratch or goes on from it.

Stages run in order in `out/STAGE/`; a stage whose `model` folder is there is done. The last stage's `model` folder is
what `deixis.load` opens. `init: bundled` (or a folder) starts from trained weights instead of none.
"""

import logging
import math
import shutil
from dataclasses import fields
from pathlib import Path
from typing import Any

import torch
import yaml
from torch import nn

from deixis.model.config import DeixisConfig
from deixis.model.fields import AXES
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.model.text import SPECIAL_TOKENS, build_tokenizer, number_tokens
from deixis.signals import AudioSpec, ImageSpec, PointCloudSpec
from deixis.train.dense import DenseHeads, DensePretrainer
from deixis.train.instruct import PAIR, InstructBatches, Instructor
from deixis.train.run import StageOptions, run_stage
from deixis.train.streams import DenseBatches
from deixis.world.generate import KINDS, world_samples

logger = logging.getLogger(__name__)
STAGE_STRIDE = 10_000_000  # seeds of one stage of training lie this far from the next one's
SHARD_SIZE = "14MB"
TEXT_SEEDS = 150  # seeds of the world whose questions and answers teach the tokenizer its words
TASKS = ("dense", "instruct")


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a YAML file. Raises ValueError naming the field that is missing or unknown."""
    try:
        recipe = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except yaml.YAMLError as error:
        raise ValueError(f"{path}: expected YAML; {str(error).splitlines()[0]}") from None
    if not isinstance(recipe, dict) or not recipe.get("stages") or not ({"model", "init"} & recipe.keys()):
        raise ValueError(f"{path}: expected a recipe with `stages` and `model` or `init`")
    unknown = recipe.keys() - {"seed", "model", "init", "stages", "vocab_size"}
    if unknown:
        raise ValueError(f"{path}: unknown field(s) {', '.join(sorted(unknown))}")
    allowed = {f.name for f in fields(StageOptions)} | {
        "name",
        "task",
        "batch",
        "questions",
        "max_tokens",
        "dense_weight",
    }
    for stage in recipe["stages"]:
        label = stage.get("name", "?")
        if stage.get("task") not in TASKS:
            raise ValueError(
                f"{path}: stage {label}: task: expected one of {', '.join(TASKS)}; got {stage.get('task')!r}"
            )
        if wrong := stage.keys() - allowed:
            raise ValueError(f"{path}: stage {label}: unknown field(s) {', '.join(sorted(wrong))}")
        if not isinstance(stage.get("batch"), dict) or not set(stage["batch"]) <= {*KINDS, PAIR}:
            raise ValueError(f"{path}: stage {label}: batch: expected a count for some of {', '.join((*KINDS, PAIR))}")
    return recipe


def train(recipe: dict[str, Any], out: Path) -> Path:
    """Runs all stages under `out`; the folder of the trained model. Finished stages are skipped, a broken one resumed."""
    seed = int(recipe.get("seed", 0))
    torch.manual_seed(seed)
    model, processor = start_model(recipe, seed)
    heads = dense_heads(model)
    for number, stage in enumerate(recipe["stages"]):
        folder = Path(out) / stage["name"]
        done = folder / "model"
        if done.exists():
            logger.info("stage %s is done", stage["name"])
            _load_into(model, heads, done)
            continue
        first_seed = (seed + 1 + number) * STAGE_STRIDE
        options = StageOptions(**{f.name: stage[f.name] for f in fields(StageOptions) if f.name in stage})
        network, batches = _stage(stage, model, heads, processor, first_seed)
        run_stage(network, batches, options, folder, seed)
        save(model, heads, processor, done)
    return done


def _stage(stage: dict[str, Any], model, heads, processor, seed: int) -> tuple[nn.Module, Any]:
    """The module that a stage trains and the maker of its batches."""
    config = model.config
    if stage["task"] == "dense":
        options = {
            k: {n: tuple(v) if isinstance(v, list) else v for n, v in s.items()} for k, s in processor.specs.items()
        }
        specs = ImageSpec(**options["image"]), AudioSpec(**options["audio"]), PointCloudSpec(**options["point_cloud"])
        return DensePretrainer(model.field_encoder, heads), DenseBatches(*specs, stage["batch"], seed)
    weight = float(stage.get("dense_weight", 0.0))
    batches = InstructBatches(
        processor, fine_cells(config), stage["batch"], stage.get("questions", 8), stage.get("max_tokens", 400), seed
    )
    return Instructor(model, heads if weight > 0 else None, weight), batches


def start_model(recipe: dict[str, Any], seed: int) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network and processor that training starts from: fresh from `model`, or trained from `init`."""
    if "init" in recipe:
        from deixis.pretrained import open_pretrained

        return open_pretrained(recipe["init"], dtype=torch.float32)
    texts = [t for s in range(TEXT_SEEDS) for sample in world_samples("train", seed + s) for t in _texts(sample)]
    tokenizer = build_tokenizer(texts, recipe.get("vocab_size", 1024))
    token_id = tokenizer.convert_tokens_to_ids
    sizes = dict(recipe["model"])
    sizes["text_config"] = sizes["text_config"] | {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    config = DeixisConfig(
        **sizes,
        signal_token_ids={kind: token_id(SPECIAL_TOKENS[kind]) for kind in KINDS if sizes.get(kind)},
        region_token_id=token_id(SPECIAL_TOKENS["region"]),
        seg_token_id=token_id(SPECIAL_TOKENS["seg"]),
        number_tokens=number_tokens(tokenizer),
    )
    model = DeixisForConditionalGeneration(config)
    smooth_number_embeddings(model)
    return model, build_processor(config, tokenizer)


def _texts(sample) -> list[str]:
    import re

    return [re.sub(r"\{[^}]*\}|[\[\]]", "", text) for turn in sample.turns for text in (turn.user, turn.assistant)]


@torch.no_grad()
def smooth_number_embeddings(model: DeixisForConditionalGeneration, waves: int = 24) -> None:
    """Sets the embeddings of the grid's numbers so that neighbours are alike: random mixtures of slow waves.

    Embeddings are tied to the output, so the model also starts out writing neighbouring numbers alike.
    """
    first, count = model.config.number_tokens
    if not count:
        return
    table = model.get_input_embeddings().weight
    turns = torch.linspace(0.25, waves / 2, waves)
    angles = 2 * math.pi * torch.arange(count)[:, None] / count * turns
    waves_of = torch.cat([angles.sin(), angles.cos()], 1)
    mixed = waves_of @ torch.randn(2 * waves, table.shape[1])
    table[first : first + count] = mixed / mixed.std() * table.std()


def dense_heads(model: DeixisForConditionalGeneration) -> nn.ModuleDict:
    """Fresh pretraining heads for every kind of signal of the network."""
    from deixis.world.truth import CLASS_COUNTS

    split = {"image": 2, "audio": 4, "point_cloud": 1}
    dim, fine = model.config.vision_config.hidden_size, model.config.pointing["dim"]
    kinds = model.config.kinds
    return nn.ModuleDict({k: DenseHeads(dim, fine, CLASS_COUNTS[k], AXES[k], split[k]) for k in kinds})


def fine_cells(config: DeixisConfig) -> dict[str, int]:
    """The number of fine cells of each kind of signal (stride 4 in pictures and sounds, points in clouds)."""
    cells = {}
    if config.image:
        cells["image"] = (config.image["size_px"] // 4) ** 2
    if config.audio:
        cells["audio"] = round(config.audio["window_s"] * 100) // 4
    if config.point_cloud:
        cells["point_cloud"] = config.point_cloud["count"]
    return cells


def save(model, heads: nn.ModuleDict, processor: DeixisProcessor, folder: Path) -> None:
    """Writes network, processor and heads to a temporary name, then renames: the folder is whole or not there."""
    from safetensors.torch import save_file

    part = folder.with_name(folder.name + ".part")
    shutil.rmtree(part, ignore_errors=True)
    model.save_pretrained(part, max_shard_size=SHARD_SIZE)
    processor.save_pretrained(part)
    save_file({k: v.contiguous() for k, v in heads.state_dict().items()}, part / "dense_heads.safetensors")
    part.rename(folder)


def _load_into(model, heads: nn.ModuleDict, folder: Path) -> None:
    from safetensors.torch import load_file

    trained = DeixisForConditionalGeneration.from_pretrained(folder, dtype=torch.float32)
    model.load_state_dict(trained.state_dict())
    heads.load_state_dict(load_file(folder / "dense_heads.safetensors"))
