"""A folder of the toy model of all eight modalities, made once, and what of it is tampered with."""

import tempfile
from functools import cache
from pathlib import Path

from tests.fuzz.seeds import Seed, files_of
from tests.toy import TEXT, UNION, toy_network, toy_tokenizer

VISION = {"hidden_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "intermediate_size": 24}
SIZES = {
    **UNION,
    "vision_config": {**VISION, "model_type": "clip_vision_model", "image_size": 28, "patch_size": 14},
    "text_config": {**TEXT, **VISION, "tie_word_embeddings": True},
}
STRANGER = b"import builtins\n\nbuiltins.stranger_ran = True\n"
"""A program in the folder: that it ran is seen by the worker."""
SMALL = (
    "config.json",
    "processor_config.json",
    "generation_config.json",
    "tokenizer_config.json",
    "chat_template.jinja",
)
WEIGHTS = "model.safetensors"


@cache
def model_files() -> dict[str, bytes]:
    """The folder of the toy model, with random weights."""
    network, processor = toy_network(toy_tokenizer(), **SIZES)
    with tempfile.TemporaryDirectory() as folder:
        network.save_pretrained(folder)
        processor.save_pretrained(folder)
        return files_of(Path(folder))


def model_seeds() -> list[Seed]:
    """The folder once for each of its files, so that each is damaged as often as the others."""
    files = {**model_files(), "stranger.py": STRANGER}
    return [Seed("model", name, "load_and_ask", files, damaged=(name,)) for name in (*SMALL, "tokenizer.json", WEIGHTS)]
