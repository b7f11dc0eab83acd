"""Opens transformers models that annotate images: a folder or a hub id, its configuration, weights and processors.

Images are prepared with Pillow and numpy, so torchvision is not needed. Weights are safetensors, or pickles that
PyTorch reads as weights alone; a weight that is missing is an error, not a random number. It knows no kind of model:
which are wanted, and what for, is the callers' business.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from os.path import exists, isdir  # of pathlib's, a name too long raises
from pathlib import Path
from typing import Any

import torch
from transformers import AutoConfig, AutoImageProcessor, AutoTokenizer, PreTrainedConfig, PreTrainedModel

from deixis.checkpoints.config_file import check_foreign
from deixis.checkpoints.hub import fetch_snapshot, is_hub_id
from deixis.errors import DataError, one_line
from deixis.model.loading import quiet_load

SMALL_SUFFIXES = (".json", ".txt", ".model")
"""Of configurations and tokenizers, which lie at the top of a repository."""
UNUSED = re.compile(r"neck\.fusion_stage\.layers\.0\.residual_layer1\.")
"""What may be missing: the first layer of DPT's neck has no residual input, and Intel's checkpoints leave it out."""

MAX_REASON = 400


@dataclass(frozen=True)
class Wanted:
    """What a caller can use: the argument it is named by, in words what it is, transformers' model types."""

    what: str
    noun: str
    kinds: tuple[str, ...]


@dataclass(frozen=True)
class FoundModel:
    """A model of a kind that is wanted, without its weights: its name as typed, its folder, its configuration."""

    name: str
    folder: Path
    config: PreTrainedConfig
    what: str

    def network(self, model: Any, device: torch.device, config: PreTrainedConfig | None = None) -> PreTrainedModel:
        """The network in float32, in evaluation mode, on `device`; `model`: a transformers class, automatic or not.

        `config`: instead of its own. Raises DataError for weights that are not there, cannot be read,
        or are not of this configuration.
        """
        try:
            with quiet_load():
                network, report = model.from_pretrained(
                    self.folder,
                    config=config or self.config,
                    dtype=torch.float32,
                    output_loading_info=True,
                    ignore_mismatched_sizes=True,  # they are reported, and refused below
                    local_files_only=True,
                    trust_remote_code=False,
                )
        except Exception as error:  # safetensors, pickle and transformers each raise their own
            raise DataError(f"{self}: its weights cannot be read: {one_line(error, MAX_REASON)}") from error
        keys = [*report["missing_keys"], *(key for key, *_ in report["mismatched_keys"])]
        if wrong := sorted(key for key in keys if not UNUSED.match(key)):
            raise DataError(
                f"{self}: expected the weights of its config.json, got others: {len(wrong)} are missing or of another "
                f"size, first {wrong[0]}"
            )
        return network.eval().to(device)

    def image_processor(self) -> Any:
        """Its image processor, which works with Pillow. Raises DataError."""
        return self._part(AutoImageProcessor, "an image processor that needs no torchvision", backend="pil")

    def tokenizer(self) -> Any:
        """Its tokenizer. Raises DataError."""
        return self._part(AutoTokenizer, "a tokenizer")

    def _part(self, part: Any, noun: str, **options: Any) -> Any:
        try:
            with quiet_load():
                return part.from_pretrained(self.folder, local_files_only=True, trust_remote_code=False, **options)
        except Exception as error:
            raise DataError(f"{self}: expected {noun} beside the weights, got {one_line(error, MAX_REASON)}") from error

    def __str__(self) -> str:
        return f"{self.what} '{self.name}'"


def find_model(name: str | Path, wanted: Wanted) -> FoundModel:
    """The model in the folder `name`, or of that hub id, whose files are fetched once.

    Raises DataError for a name that is neither, a hub that cannot be reached, a model of another kind.
    """
    folder = _folder(name, wanted.what)
    start = f"{wanted.what} '{name}'"
    if not (folder / "config.json").is_file():
        raise DataError(f"{start}: expected {wanted.noun}, with its config.json, got a folder without that file")
    try:
        check_foreign(folder)
        with quiet_load():
            config = AutoConfig.from_pretrained(folder, local_files_only=True, trust_remote_code=False)
    except Exception as error:  # a damaged file, or a type that this transformers does not know
        raise DataError(
            f"{start}: expected the config.json of {wanted.noun}, got {one_line(error, MAX_REASON)}"
        ) from error
    if config.model_type not in wanted.kinds:
        raise DataError(
            f"{start}: expected {wanted.noun} ({', '.join(wanted.kinds)}), got a model of type '{config.model_type}'"
        )
    return FoundModel(str(name), folder, config, wanted.what)


def _folder(name: str | Path, what: str) -> Path:
    place = Path(name).expanduser()
    if isdir(place):
        return place
    if exists(place) or not is_hub_id(str(name)):
        raise DataError(f"{what}: expected a folder or a hub id (owner/name), got '{name}', which is neither")
    return fetch_snapshot(str(name), _files_wanted, what)


def _files_wanted(listed: Sequence[str]) -> list[str]:
    """The small files and the weights at the top of a repository: safetensors where there are, else pickles."""
    top = [file for file in listed if "/" not in file]
    weights = [file for file in top if file.endswith(".safetensors")]
    weights = weights or [file for file in top if file.startswith("pytorch_model") and file.endswith(".bin")]
    return [file for file in top if file.endswith(SMALL_SUFFIXES)] + weights
