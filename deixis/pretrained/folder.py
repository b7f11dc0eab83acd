"""Opens a folder of weights: configuration, safetensors, tokenizer and processor, strictly.

Nothing is fetched unless a hub name is given and Hugging Face's own offline switch is off; nothing is unpickled.
"""

import json
from collections.abc import Generator
from contextlib import contextmanager
from importlib import resources
from pathlib import Path

import torch
from transformers.utils import logging

from deixis.model import DeixisForConditionalGeneration, DeixisProcessor

BUNDLED = "bundled"
TOKENIZER = "tokenizer.json"
NEEDED = ("config.json", "processor_config.json", TOKENIZER)
CONVERTED = "conversion.json"  # in folders that `deixis convert` made, which may lack tokenizer and processor


def bundled_folder() -> Path:
    """The folder of the model that comes with the package."""
    return Path(str(resources.files("deixis.pretrained") / "tiny"))


def open_pretrained(
    name: str | Path = BUNDLED, dtype: torch.dtype = torch.float32
) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network (in evaluation mode, on the CPU) and the processor of `name`: "bundled", a folder or a hub id.

    Raises ValueError, one sentence, for a name that is neither, a folder with a file missing or of another model, and
    weights that do not fit the configuration.
    """
    folder = bundled_folder() if str(name) == BUNDLED else _find(str(name))
    _check_folder(folder, name)
    if not (folder / TOKENIZER).is_file():
        raise ValueError(
            f"model '{name}': it was converted without a tokenizer and takes token ids only; convert it again with "
            "--tokenizer to ask it in words"
        )
    network = open_network(name, dtype)
    try:
        with _quiet():
            return network, DeixisProcessor.from_pretrained(folder, local_files_only=True)
    except Exception as error:  # json, tokenizers and our own checks each raise their own
        raise _unreadable(name, error) from error


def open_network(name: str | Path = BUNDLED, dtype: torch.dtype = torch.float32) -> DeixisForConditionalGeneration:
    """The network of `name` alone, in evaluation mode, on the CPU: for models that take token ids only.

    Raises ValueError as `open_pretrained` does.
    """
    folder = bundled_folder() if str(name) == BUNDLED else _find(str(name))
    _check_folder(folder, name)
    try:
        with _quiet():
            network, report = DeixisForConditionalGeneration.from_pretrained(
                folder,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
                use_safetensors=True,
                local_files_only=True,
            )
    except Exception as error:  # safetensors, json and our own checks each raise their own
        raise _unreadable(name, error) from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(key if isinstance(key, str) else key[0] for key in report[problem]):
            raise ValueError(
                f"model '{name}': {problem.replace('_', ' ')} in its weights: {', '.join(keys[:3])}"
                f"{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}; weights and config.json are not of one model"
            )
    for weight in network.parameters():  # out of the mapped file, whose odd addresses make sums round differently
        weight.data = weight.data.clone()
    return network.eval()


def _unreadable(name: str | Path, error: Exception) -> ValueError:
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return ValueError(f"model '{name}': its files cannot be read ({lines[0]}); it may be damaged or cut short")


@contextmanager
def _quiet() -> Generator[None]:
    """Without transformers' progress bars and tables of keys: what matters in them is said in a sentence."""
    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def _find(name: str) -> Path:
    """The folder called `name`, or the hub's snapshot of it."""
    if name and Path(name).is_dir():
        return Path(name)
    if Path(name).exists() or name.count("/") != 1 or name.startswith((".", "/")):
        raise ValueError(f"model: expected '{BUNDLED}', a folder or a hub id (owner/name); got '{name}', which is none")
    from huggingface_hub import snapshot_download

    try:
        return Path(snapshot_download(name, allow_patterns=["*.json", "*.safetensors", "*.jinja", "*.md"]))
    except Exception as error:
        raise ValueError(
            f"model: '{name}' is no folder here, and the hub could not give it ({type(error).__name__}); "
            "check the name and the network"
        ) from error


def _check_folder(folder: Path, name: str | Path) -> None:
    without_words = (folder / CONVERTED).is_file() and not (folder / TOKENIZER).exists()
    for file in NEEDED[:1] if without_words else NEEDED:
        if not (folder / file).is_file():
            raise ValueError(f"model '{name}': expected a file {file} in the folder, got none; it is no Deixis model")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        raise ValueError(f"model '{name}': config.json is no JSON object; the file is damaged") from None
    if kind == "pointmlp":
        raise ValueError(f"model '{name}': it is a PointMLP, which sorts clouds into classes and takes no questions")
    if kind != "deixis":
        raise ValueError(f"model '{name}': expected model_type 'deixis' in config.json, got {kind!r}")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(f"model '{name}': expected weights in *.safetensors, got none in the folder")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        try:
            shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        except (ValueError, KeyError, TypeError, AttributeError):
            raise ValueError(f"model '{name}': {index.name} is no index of weights; the file is damaged") from None
        if absent := sorted(str(shard) for shard in shards if not (folder / str(shard)).is_file()):
            raise ValueError(f"model '{name}': the weights file {absent[0]} named in its index is missing")
