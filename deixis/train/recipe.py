"""Recipes: one YAML file says the network, the stages and the seed; `train` runs it from scratch or goes on from it.

Stages run in order in `out/STAGE/`; a stage whose `model` folder is there is done. The last stage's `model` folder is
what `deixis.load` opens. `init: bundled` (or a folder) starts from trained weights instead of none.
"""

import logging
import math
import shutil
from dataclasses import fields
from itertools import chain
from pathlib import Path
from typing import Any

import torch
import yaml
from huggingface_hub.errors import StrictDataclassError
from torch import nn
from transformers import AutoConfig
from transformers.trainer_utils import SchedulerType

from deixis.model.config import DeixisConfig
from deixis.model.kinds import AXES
from deixis.model.network import DeixisForConditionalGeneration
from deixis.model.processor import DeixisProcessor, build_processor
from deixis.model.signal_options import encoder_token_count
from deixis.model.text import SPECIAL_TOKENS, build_tokenizer, number_tokens
from deixis.train.classify import TASK as CLASSIFY
from deixis.train.classify import read_classify, train_classifier
from deixis.train.dense import DenseHeads, DensePretrainer
from deixis.train.instruct import PAIR, PAIRS, InstructBatches, Instructor
from deixis.train.run import StageOptions, run_stage
from deixis.train.streams import DenseBatches
from deixis.world.generate import KINDS, world_samples

logger = logging.getLogger(__name__)
STAGE_STRIDE = 10_000_000  # seeds of one stage of training lie this far from the next one's
SHARD_SIZE = "14MB"
TEXT_SEEDS = 150  # seeds of the world whose questions and answers teach the tokenizer its words
COPY = "recipe.yaml"  # of the recipe, in the folder of its run
TASKS = ("dense", "instruct")
FIELDS = ("seed", "vocab_size", "model", "mask_weights", "init", "stages")
STAGE_FIELDS: dict[str, Any] = {f.name: f.type for f in fields(StageOptions)}
STAGE_FIELDS |= {"name": str, "task": str, "batch": dict, "questions": int, "max_tokens": int}
STAGE_FIELDS |= {"dense_weight": float, "guide_weight": float}


def read_recipe(path: Path) -> dict[str, Any]:
    """The recipe in a YAML file.

    Fields: `seed`; `model`, DeixisConfig's fields, with `vocab_size` of its tokenizer and `mask_weights`, a folder or
    hub id of SAM's weights; or instead of these `init`, a trained model to start from; `stages`, each with `name`,
    `task`, `batch` and those of `StageOptions`. With `task: classify` at the top: those of `ClassifyRecipe`.

    Raises ValueError naming the field that is missing, unknown or wrong.
    """
    try:
        recipe = yaml.safe_load(Path(path).read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ValueError(f"{path}: expected YAML; {str(error).splitlines()[0]}") from None
    if isinstance(recipe, dict) and recipe.get("task") == CLASSIFY:
        return read_classify(recipe, str(path))
    if not isinstance(recipe, dict) or ("model" in recipe) == ("init" in recipe):
        raise ValueError(f"{path}: expected a recipe with `stages` and either `model` or `init`")
    if unknown := [str(key) for key in recipe if key not in FIELDS]:
        raise ValueError(f"{path}: unknown field(s) {', '.join(sorted(unknown))}; known are {', '.join(FIELDS)}")
    stages = recipe.get("stages")
    if not isinstance(stages, list) or not stages or not all(isinstance(stage, dict) for stage in stages):
        raise ValueError(f"{path}: stages: expected a list of at least one stage, each with its fields")
    for name in ("seed", "vocab_size"):
        _check_number(f"{path}: {name}", recipe.get(name, 1), int)
    if not isinstance(recipe.get("model", {}), dict):
        raise ValueError(f"{path}: model: expected fields of DeixisConfig, got {recipe['model']!r}")
    if unknown := recipe.get("model", {}).keys() - set(DeixisConfig.__annotations__):
        raise ValueError(f"{path}: model: unknown field(s) {', '.join(sorted(map(str, unknown)))}")
    names = [stage.get("name") for stage in stages]
    for name in names:
        if not isinstance(name, str) or Path(name).name != name or names.count(name) > 1:
            raise ValueError(
                f"{path}: stages: expected a name for each that no other has, fit for a folder; got {name!r}"
            )
    for stage in stages:
        _check_stage(f"{path}: stage {stage['name']}", stage)
    return recipe


def _check_stage(where: str, stage: dict[str, Any]) -> None:
    if stage.get("task") not in TASKS:
        raise ValueError(f"{where}: task: expected one of {', '.join(TASKS)}; got {stage.get('task')!r}")
    if unknown := [str(key) for key in stage if key not in STAGE_FIELDS]:
        raise ValueError(f"{where}: unknown field(s) {', '.join(sorted(unknown))}")
    known = (*KINDS, PAIR) if stage["task"] == "instruct" else KINDS
    batch = stage.get("batch")
    if not isinstance(batch, dict) or not batch or not set(batch) <= set(known):
        raise ValueError(f"{where}: batch: expected a count for some of {', '.join(known)}; got {batch!r}")
    if "steps" not in stage:
        raise ValueError(f"{where}: steps: expected a number of steps, got none")
    for name, value in chain(batch.items(), stage.items()):
        if STAGE_FIELDS.get(name, int) in (int, float):
            _check_number(f"{where}: {name}", value, STAGE_FIELDS.get(name, int))
    for name in ("steps", "save_steps", "log_steps", "questions", *batch):
        if (stage | batch).get(name, 1) < 1:
            raise ValueError(f"{where}: {name}: expected at least 1, got {(stage | batch)[name]}")
    if not isinstance(stage.get("bf16", True), bool):
        raise ValueError(f"{where}: bf16: expected true or false, got {stage['bf16']!r}")
    schedules = [kind.value for kind in SchedulerType]
    if stage.get("schedule", schedules[0]) not in schedules:
        raise ValueError(f"{where}: schedule: expected one of {', '.join(schedules)}; got {stage['schedule']!r}")


def _check_number(where: str, value: Any, kind: type) -> None:
    """Raises ValueError unless `value` is a number of this kind, not below zero; YAML reads 1e-3 as a word."""
    fits = isinstance(value, int) or (kind is float and isinstance(value, float))
    if isinstance(value, bool) or not fits or value < 0:
        hint = "; YAML wants 1.0e-3 for 1e-3" if isinstance(value, str) else ""
        raise ValueError(f"{where}: expected a {'whole ' if kind is int else ''}number from 0, got {value!r}{hint}")


def train(recipe: dict[str, Any], out: Path) -> Path:
    """Runs all stages under `out`; the folder of the trained model.

    Finished stages are skipped, a broken one is resumed. Raises ValueError for a recipe whose parts do not fit each
    other, and for an `out` that holds the run of another network; nothing is written then.
    """
    if recipe.get("task") == CLASSIFY:
        return train_classifier(recipe, Path(out))
    seed = int(recipe.get("seed", 0))
    torch.manual_seed(seed)
    _check_same_run(recipe, Path(out))
    model, processor = start_model(recipe, seed)
    for stage in recipe["stages"]:
        wanted = set(stage["batch"]) - {PAIR} | set(chain(*PAIRS) if PAIR in stage["batch"] else ())
        if missing := sorted(wanted - set(model.config.kinds)):
            raise ValueError(
                f"stage {stage['name']}: batch: the model takes no {missing[0]}, only {model.config.kinds}"
            )
    Path(out).mkdir(parents=True, exist_ok=True)
    (Path(out) / COPY).write_text(yaml.safe_dump(recipe, sort_keys=False), encoding="utf-8")
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
        if isinstance(network, Instructor):
            network.close()
        save(model, heads, processor, done)
    return done


def _stage(stage: dict[str, Any], model, heads, processor, seed: int) -> tuple[nn.Module, Any]:
    """The module that a stage trains and the maker of its batches."""
    config = model.config
    if stage["task"] == "dense":
        specs = {kind: processor.spec(kind) for kind in config.kinds}
        return DensePretrainer(model.field_encoder, heads), DenseBatches(specs, stage["batch"], seed)
    weight = float(stage.get("dense_weight", 0.0))
    questions, max_tokens = stage.get("questions", 8), stage.get("max_tokens", 400)
    cells = fine_cells(config), mask_cells(config)
    guide_weight = float(stage.get("guide_weight", 0.0))
    guided = [kind for kind in ("image", "audio") if kind in config.kinds]
    sizes = {kind: (cells[0][kind], encoder_token_count(kind, getattr(config, kind))) for kind in guided}
    guide_sizes = sizes if guide_weight > 0 else None
    batches = InstructBatches(processor, *cells, stage["batch"], questions, max_tokens, seed, guide_sizes)
    return Instructor(model, heads if weight > 0 else None, weight, guide_weight), batches


def _check_same_run(recipe: dict[str, Any], out: Path) -> None:
    """Raises ValueError if the run in `out` began from another network; its stages may have changed since."""
    copy = out / COPY
    earlier = yaml.safe_load(copy.read_text(encoding="utf-8")) if copy.is_file() else recipe
    for name in FIELDS[:-1]:
        if earlier.get(name) != recipe.get(name):
            raise ValueError(f"{out}: holds a run of another recipe ({name} differs); choose another folder")


def start_model(recipe: dict[str, Any], seed: int) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network and processor that training starts from: fresh from `model`, or trained from `init`.

    Raises ValueError for sizes that make no network.
    """
    if "init" in recipe:
        from deixis.pretrained import open_pretrained

        return open_pretrained(recipe["init"], dtype=torch.float32)
    texts = [t for s in range(TEXT_SEEDS) for sample in world_samples("train", seed + s) for t in _texts(sample)]
    tokenizer = build_tokenizer(texts, recipe.get("vocab_size", 1024))
    token_id = tokenizer.convert_tokens_to_ids
    sizes = dict(recipe["model"])
    if not isinstance(sizes.get("text_config"), dict) or not any(sizes.get(kind) is not None for kind in KINDS):
        raise ValueError(f"model: expected text_config and at least one of {', '.join(KINDS)}")
    sizes["text_config"] = sizes["text_config"] | {
        "vocab_size": len(tokenizer),
        "pad_token_id": tokenizer.pad_token_id,
        "bos_token_id": tokenizer.bos_token_id,
        "eos_token_id": tokenizer.eos_token_id,
    }
    if "mask_weights" in recipe:
        sizes["mask_config"] = AutoConfig.from_pretrained(recipe["mask_weights"])
    try:
        config = DeixisConfig(
            **sizes,
            signal_token_ids={kind: token_id(SPECIAL_TOKENS[kind]) for kind in KINDS if sizes.get(kind) is not None},
            region_token_id=token_id(SPECIAL_TOKENS["region"]),
            seg_token_id=token_id(SPECIAL_TOKENS["seg"]),
            number_tokens=number_tokens(tokenizer),
        )
    except StrictDataclassError as error:
        raise ValueError(f"model: {' '.join(str(error).split())}") from None
    model = DeixisForConditionalGeneration(config)
    if "mask_weights" in recipe and model.sam_pointing is not None:
        model.sam_pointing.load_sam(recipe["mask_weights"])
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
    table = next(model.get_input_embeddings().parameters())
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


def mask_cells(config: DeixisConfig) -> dict[str, int]:
    """The number of cells of a mask in each kind of signal: the fine cells, or those of SAM's masks."""
    cells = fine_cells(config)
    if config.pointing["backbone"] == "sam" and config.image:
        from deixis.model.sam import sam_side

        cells["image"] = sam_side(config.mask_config) ** 2
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
