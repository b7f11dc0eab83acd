"""The parts of toy networks in the layouts in which those of the papers are published."""

from pathlib import Path

import torch
from safetensors.torch import save_file

from deixis.model.config import DeixisConfig
from deixis.systems.conversion import convert
from tests.checkpoints.checkpoints import (
    CLIP_DIM,
    DIM,
    VOCABULARY,
    WRITERS,
    lisa_state,
    llama_shapes,
    random_state,
    write_clip,
    write_tokenizer,
)
from tests.systems.test_presets import TOY_UNION
from tests.toy import SAM2_SIZES

PROJECTION = {"model.mm_projector.weight": (DIM, CLIP_DIM), "model.mm_projector.bias": (DIM,)}


def write_parts(folder: Path, systems: tuple[str, ...] = ("onellm", "ferret", "lisa")) -> Path:
    """A folder with LLaVA (a language model and a projection), CLIP and SAM, and the toys of the systems, official and
    converted."""
    (folder / "llava").mkdir()
    save_file(random_state({**llama_shapes(VOCABULARY), **PROJECTION}, seed=5), folder / "llava/model.safetensors")
    write_tokenizer(folder / "llava", ())
    write_clip(folder / "clip")
    before = "model.visual_model."
    sam = {name.removeprefix(before): own for name, own in lisa_state().items() if name.startswith(before)}
    torch.save(sam, folder / "sam.pth")
    for name in systems:
        convert(name, WRITERS[name](folder / f"{name}_official"), folder / name)
    return folder


def write_union_parts(folder: Path) -> Path:
    """A folder with Qwen3, SigLIP and SAM 2 of the sizes of `TOY_UNION`, as transformers saves them."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import (
        AutoConfig,
        PreTrainedTokenizerFast,
        Qwen3Config,
        Qwen3ForCausalLM,
        Sam2Model,
        SiglipVisionConfig,
        SiglipVisionModel,
    )

    text = {**TOY_UNION["text_config"], "tie_word_embeddings": True}
    Qwen3ForCausalLM(Qwen3Config(**text)).save_pretrained(folder / "qwen3")
    words = Tokenizer(models.BPE())
    words.pre_tokenizer, words.decoder = pre_tokenizers.ByteLevel(add_prefix_space=False), decoders.ByteLevel()
    special = ["<|endoftext|>", "<|im_start|>", "<|im_end|>"]
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=300, initial_alphabet=alphabet, special_tokens=special, show_progress=False
    )
    words.train_from_iterator(["A red mug is on the table."], trainer)
    ends = {"eos_token": "<|im_end|>", "pad_token": "<|endoftext|>"}
    PreTrainedTokenizerFast(tokenizer_object=words, **ends).save_pretrained(folder / "qwen3")
    vision = SiglipVisionConfig(**TOY_UNION["vision_config"], patch_size=16)
    SiglipVisionModel(vision).save_pretrained(folder / "siglip")
    Sam2Model(AutoConfig.for_model(**SAM2_SIZES)).save_pretrained(folder / "sam2")
    return folder


def sizes_of(folder: Path) -> dict:
    """The `model` of a recipe with the sizes of a folder's model."""
    fields = DeixisConfig.from_pretrained(folder).to_dict()
    return {name: fields[name] for name in DeixisConfig.__annotations__ if fields.get(name) is not None}
