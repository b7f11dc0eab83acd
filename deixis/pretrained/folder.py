"""Opens a folder of weights: configuration, safetensors, tokenizer and processor, strictly.

Nothing is fetched unless a hub name is given and Hugging Face's own offline switch is off; nothing is unpickled.
"""

import json
from importlib import resources
from pathlib import Path

import torch

from deixis.model import DeixisForConditionalGeneration, DeixisProcessor

BUNDLED = "bundled"
NEEDED = ("config.json", "processor_config.json", "tokenizer.json")


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
    try:
        network, report = DeixisForConditionalGeneration.from_pretrained(
            folder, dtype=dtype, output_loading_info=True, use_safetensors=True, local_files_only=True
        )
        processor = DeixisProcessor.from_pretrained(folder, local_files_only=True)
    except ValueError:
        raise
    except Exception as error:  # safetensors, json and tokenizers each raise their own
        first = str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
        raise ValueError(f"model '{name}': its files cannot be read ({first}); it may be damaged or cut short") from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(str(key) for key in report[problem]):
            raise ValueError(
                f"model '{name}': {problem.replace('_', ' ')} in its weights: {', '.join(keys[:3])}"
                f"{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}; weights and config.json are not of one model"
            )
    return network.eval(), processor


def _find(name: str) -> Path:
    """The folder called `name`, or the hub's snapshot of it."""
    if Path(name).is_dir():
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
    for file in NEEDED:
        if not (folder / file).is_file():
            raise ValueError(f"model '{name}': expected a file {file} in the folder, got none; it is no Deixis model")
    try:
        config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
        kind = config.get("model_type")
    except (json.JSONDecodeError, UnicodeDecodeError, AttributeError):
        raise ValueError(f"model '{name}': config.json is no JSON object; the file is damaged") from None
    if kind != "deixis":
        raise ValueError(f"model '{name}': expected model_type 'deixis' in config.json, got {kind!r}")
    if not list(folder.glob("*.safetensors")):
        raise ValueError(f"model '{name}': expected weights in *.safetensors, got none in the folder")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = set(json.loads(index.read_text(encoding="utf-8"))["weight_map"].values())
        if absent := sorted(s for s in shards if not (folder / s).is_file()):
            raise ValueError(f"model '{name}': the weights file {absent[0]} named in its index is missing")
