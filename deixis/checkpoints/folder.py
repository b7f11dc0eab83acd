"""Opens a folder of weights: configuration, safetensors, tokenizer and processor, strictly.

Configuration and processor are opened first (`open_config_and_processor`), so that a question can be refused before the
weights are read. Nothing is downloaded unless a hub id is given and Hugging Face is not offline; pickles are refused.
"""

import json
from dataclasses import dataclass
from importlib import resources
from os.path import exists, isdir  # of pathlib's, a name too long raises
from pathlib import Path
from typing import Any

import torch
from huggingface_hub.errors import StrictDataclassError
from safetensors import SafetensorError

from deixis.checkpoints.find import read_weight_map
from deixis.checkpoints.hub import fetch_snapshot, is_hub_id
from deixis.errors import CheckpointError, ConfigError, DeixisError, UnsupportedError, is_out_of_memory
from deixis.model import DeixisConfig, DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.loading import quiet_load

BUNDLED = "bundled"
TOKENIZER = "tokenizer.json"
NEEDED = ("config.json", "processor_config.json", TOKENIZER)
CONVERTED = "conversion.json"  # in folders that `deixis convert` made, which may lack tokenizer and processor
SMALL = ["*.json", "*.jinja", "*.md"]
WEIGHTS = "*.safetensors"


class NoModelError(CheckpointError):
    """`name`, as the user wrote it, is none of our models; what it is lies at `place`, if anywhere."""

    def __init__(self, name: str | Path, place: Path, problem: str):
        super().__init__(problem)
        self.name, self.place = name, place


@dataclass(frozen=True)
class Opened:
    """A model without its weights: its name as given, the folder of its small files, configuration and processor.

    config, processor: None for a PointMLP, which `deixis.systems.pointmlp.classifier` opens.
    """

    name: str
    small: Path
    config: DeixisConfig | None = None
    processor: DeixisProcessor | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The model name in answers."""
        return "deixis-tiny (bundled)" if self.name == BUNDLED else self.name

    def folder(self) -> Path:
        """The folder with the weights in it, which are downloaded now for a hub id. Raises CheckpointError."""
        return _with_weights(self.name, self.small)

    @property
    def is_classifier(self) -> bool:
        """Whether it is a PointMLP, which classifies point clouds and takes no text."""
        return self.config is None


def bundled_folder() -> Path:
    """The folder of the model that comes with the package."""
    return Path(str(resources.files("deixis.checkpoints") / "bundled"))


def open_config_and_processor(name: str | Path = BUNDLED) -> Opened:
    """Configuration and processor of `name` ("bundled", a folder or a hub id); weights are not downloaded.

    Raises as `open_pretrained`, except for errors in the weights.
    """
    folder, model_type = _small_files(name)
    if model_type == "pointmlp":
        return Opened(str(name), folder)
    if not (folder / TOKENIZER).is_file():
        raise CheckpointError(
            f"model '{name}': it was converted without a tokenizer and takes token ids only; convert it again with "
            "--tokenizer to ask it in words"
        )
    try:
        with quiet_load():
            config = DeixisConfig.from_pretrained(folder, local_files_only=True)
            return Opened(str(name), folder, config, DeixisProcessor.from_pretrained(folder, local_files_only=True))
    except Exception as error:  # a damaged file of a folder ends in any error of json, transformers or tokenizers
        raise _unreadable(name, error) from error


def open_pretrained(
    name: str | Path | Opened = BUNDLED, dtype: torch.dtype = torch.float32, **loading: Any
) -> tuple[DeixisForConditionalGeneration, DeixisProcessor]:
    """The network (in evaluation mode, on the CPU) and the processor of `name`: "bundled", a folder or a hub id.

    An `Opened` is not opened again. `loading`: more arguments of transformers' `from_pretrained`, such as
    `quantization_config`; each weight is then quantized as it is read, so the whole network is never in memory.

    Raises:
        CheckpointError: an unknown name, a missing file, another model, or weights that do not fit the configuration.
        ConfigError: a field of config.json is wrong.
    """
    opened = name if isinstance(name, Opened) else open_config_and_processor(name)
    if opened.processor is None:
        raise CheckpointError(
            f"model '{opened.name}': it is a PointMLP, which sorts clouds into classes and takes no questions"
        )
    return _network(opened.name, opened.folder(), dtype, **loading), opened.processor


def _network(
    name: str | Path, folder: Path, dtype: torch.dtype, quantization_config: Any = None, device_map: Any = None
) -> DeixisForConditionalGeneration:
    small = {} if quantization_config is None else {"quantization_config": quantization_config}
    small |= {} if device_map is None else {"device_map": device_map}
    try:
        with quiet_load():
            loaded: Any = DeixisForConditionalGeneration.from_pretrained(
                folder,
                dtype=dtype,
                output_loading_info=True,
                ignore_mismatched_sizes=True,  # they are reported, and refused below
                use_safetensors=True,
                local_files_only=True,
                **small,
            )
            network, report = loaded
    except (SafetensorError, OSError, DeixisError, StrictDataclassError, RuntimeError, MemoryError) as error:
        if isinstance(error, RuntimeError | MemoryError) and not is_out_of_memory(error):
            raise
        raise _unreadable(name, error) from error
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(key if isinstance(key, str) else key[0] for key in report[problem]):
            raise CheckpointError(
                f"model '{name}': {problem.replace('_', ' ')} in its weights: {', '.join(keys[:3])}"
                f"{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}; weights and config.json are not of one model"
            )
    for weight in network.parameters():  # out of the mapped file, whose odd addresses make sums round differently
        if type(weight) is torch.nn.Parameter:  # what was made small was copied then
            weight.data = weight.data.clone()
    return network.eval()


def _unreadable(name: str | Path, error: Exception) -> DeixisError:
    if isinstance(error, DeixisError):  # of our own checks, which know what is wrong
        where = "config.json: " if isinstance(error, ConfigError) else ""
        return type(error)(f"model '{name}': {where}{error}")
    if isinstance(error, StrictDataclassError):  # transformers' check of the types of the fields
        return ConfigError(f"model '{name}': config.json: {' '.join(str(error).split())}")
    if is_out_of_memory(error):
        return UnsupportedError(
            f"model '{name}': out of memory while its weights were read; take --dtype bfloat16, --quantization int8 or "
            "int4, or a smaller model"
        )
    lines = str(error).strip().splitlines() or [type(error).__name__]
    return CheckpointError(f"model '{name}': its files cannot be read ({lines[0]}); it may be damaged or cut short")


def _small_files(name: str | Path) -> tuple[Path, str]:
    """The folder of `name` with all but the weights, and which model it is of: "deixis" or "pointmlp"."""
    text = str(name)
    if _is_here(text):
        folder = bundled_folder() if text == BUNDLED else Path(text)
        model_type = _model_type(folder, name)
        _check_weights(folder, name)
        return folder, model_type
    if exists(text) or not is_hub_id(text):
        problem = f"model: expected '{BUNDLED}', a folder or a hub id (owner/name); got '{text:.200}', which is none"
        raise NoModelError(name, Path(text), problem)
    folder = fetch_snapshot(text, lambda _: SMALL, "model")
    return folder, _model_type(folder, name)


def _with_weights(name: str | Path, folder: Path) -> Path:
    """The folder of `name` with its weights, fetched where it is no folder here."""
    if not _is_here(str(name)):
        folder = fetch_snapshot(str(name), lambda _: [*SMALL, WEIGHTS], "model")
        _check_weights(folder, name)
    return folder


def _is_here(name: str) -> bool:
    return name == BUNDLED or (bool(name) and isdir(name))


def _model_type(folder: Path, name: str | Path) -> str:
    """The model that the small files of a folder are of. Raises CheckpointError for a folder of another model."""
    config: Any = {}
    if (folder / NEEDED[0]).is_file():
        try:
            config = json.loads((folder / NEEDED[0]).read_text(encoding="utf-8"))
        except (ValueError, RecursionError):
            config = None
        if not isinstance(config, dict):
            raise CheckpointError(f"model '{name}': config.json is no JSON object; the file is damaged")
        if config.get("model_type") == "pointmlp":
            return "pointmlp"
    without_words = (folder / CONVERTED).is_file() and not (folder / TOKENIZER).exists()
    for file in NEEDED[:1] if without_words else NEEDED:
        if not (folder / file).is_file():
            problem = f"model '{name}': expected a file {file} in the folder, got none; it is no Deixis model"
            raise NoModelError(name, folder, problem)
    if config.get("model_type") != "deixis":
        problem = f"model '{name}': expected model_type 'deixis' in config.json, got {config.get('model_type')!r}"
        raise NoModelError(name, folder, problem)
    return "deixis"


def _check_weights(folder: Path, name: str | Path) -> None:
    """Raises CheckpointError where weights, or shards of them, are missing in the folder."""
    if not list(folder.glob(WEIGHTS)):
        raise CheckpointError(f"model '{name}': expected weights in *.safetensors, got none in the folder")
    index = folder / "model.safetensors.index.json"
    if index.is_file():
        shards = read_weight_map(index)
        if shards is None:
            raise CheckpointError(f"model '{name}': {index.name} is no index of weights; the file is damaged")
        if absent := sorted(shard for shard in set(shards.values()) if not (folder / shard).is_file()):
            raise CheckpointError(f"model '{name}': the weights file {absent[0]} named in its index is missing")
