"""Opens a folder of weights: configuration, safetensors, tokenizer and processor, strictly.

Configuration and processor are opened first (`open_config_and_processor`), so that a question can be refused before the
weights are read. Nothing is downloaded unless a hub id is given and Hugging Face is not offline; pickles are refused.
"""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from importlib import resources
from os.path import exists, isdir  # of pathlib's, a name too long raises
from pathlib import Path
from typing import Any

import torch

from deixis.checkpoints.adapters import Adapter, open_adapter
from deixis.checkpoints.config_file import CONFIG, read_config
from deixis.checkpoints.hub import fetch_snapshot, is_hub_id
from deixis.checkpoints.processor_files import OPTIONAL, PROCESSOR, TOKENIZER, read_generation, read_processor
from deixis.checkpoints.small_files import read_object
from deixis.checkpoints.weight_names import WEIGHTS, check_inside, check_weight_files
from deixis.checkpoints.weight_size import check_size
from deixis.errors import CheckpointError, DeixisError, UnsupportedError, is_out_of_memory, one_line
from deixis.model import DeixisConfig, DeixisForConditionalGeneration, DeixisProcessor
from deixis.model.loading import quiet_load
from deixis.model.packing import packed_word

BUNDLED = "bundled"
NEEDED = (CONFIG, PROCESSOR, TOKENIZER)
CONVERTED = "conversion.json"  # in folders that `deixis convert` made, which may lack tokenizer and processor
SMALL = ["*.json", "*.jinja", "*.md"]
MAX_REASON = 600
"""Characters of a library's message that are told."""


class NoModelError(CheckpointError):
    """`name`, as the user wrote it, is none of our models; what it is lies at `place`, if anywhere."""

    def __init__(self, name: str | Path, place: Path, problem: str):
        super().__init__(problem)
        self.name, self.place = name, place


@dataclass(frozen=True)
class Opened:
    """A model without its weights: its name as given, the folder of its small files, configuration and processor.

    config, processor: None for a PointMLP, which `deixis.systems.pointmlp.classifier` opens. adapter: added to the
    weights when they are read.
    """

    name: str
    small: Path
    config: DeixisConfig | None = None
    processor: DeixisProcessor | None = None
    adapter: Adapter | None = None

    def __str__(self) -> str:
        return self.name

    @property
    def title(self) -> str:
        """The model name in answers."""
        own = "deixis-tiny (bundled)" if self.name == BUNDLED else self.name
        return own if self.adapter is None else f"{own} with {self.adapter}"

    def folder(self) -> Path:
        """The folder with the weights in it, which are downloaded now for a hub id.

        Raises CheckpointError, also for an adapter of another model, and ConfigError for a configuration that makes a
        larger network than the weights.
        """
        folder = _with_weights(self.name, self.small)
        if self.config is not None:
            with _naming_model(self.name):
                check_size(folder, self.config)
        if self.adapter is not None:
            self.adapter.check_fits(folder, self.name)
        return folder

    def with_adapter(self, folder: str | Path) -> "Opened":
        """The same with an adapter in PEFT's format, which is compared with the weights in `folder`.

        Raises CheckpointError and ConfigError for what is none, UnsupportedError for a model that takes none.
        """
        if self.packed or self.is_classifier:
            form = f"weights in {self.packed}" if self.packed else "a PointMLP"
            raise UnsupportedError(
                f"adapter '{folder}': expected a model with whole weights, got '{self.name}', {form}; merge it into "
                "the model that it was trained beside: deixis export MODEL OUT --adapter FOLDER --merge"
            )
        return replace(self, adapter=open_adapter(folder))

    @property
    def packed(self) -> str | None:
        """ "int8" or "int4" where the weights are stored so; None where they are whole."""
        return None if self.config is None else packed_word(self.config)

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
    with _naming_model(name), quiet_load():
        if str(name) != BUNDLED:  # an installer may link the files of the package
            for file in (*NEEDED, *(own for own in OPTIONAL if (folder / own).exists())):
                check_inside(folder, folder / file)
        config = read_config(folder)
        return Opened(str(name), folder, config, read_processor(folder, config))


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
    return _network(opened, dtype, **loading), opened.processor


def _network(
    opened: Opened, dtype: torch.dtype, quantization_config: Any = None, device_map: Any = None
) -> DeixisForConditionalGeneration:
    name, folder, config = opened.name, opened.folder(), opened.config
    assert config is not None, "a classifier has another reader"
    small = {} if quantization_config is None else {"quantization_config": quantization_config}
    small |= {} if device_map is None else {"device_map": device_map}
    passed = (ImportError, RuntimeError) if quantization_config is not None else ()  # of a backend that cannot
    with _naming_model(name, passed), quiet_load():
        generation = read_generation(folder, config)
        loaded: Any = DeixisForConditionalGeneration.from_pretrained(
            folder,
            config=config,
            generation_config=generation,
            dtype=dtype,
            output_loading_info=True,
            ignore_mismatched_sizes=True,  # they are reported, and refused below
            use_safetensors=True,
            local_files_only=True,
            trust_remote_code=False,
            **small,
        )
        network, report = loaded
    for problem in ("missing_keys", "unexpected_keys", "mismatched_keys"):
        if keys := sorted(key if isinstance(key, str) else key[0] for key in report[problem]):
            raise CheckpointError(
                f"model '{name}': {problem.replace('_', ' ')} in its weights: {', '.join(keys[:3])}"
                f"{f' and {len(keys) - 3} more' if len(keys) > 3 else ''}; weights and config.json are not of one model"
            )
    for weight in network.parameters():  # out of the mapped file, whose odd addresses make sums round differently
        if type(weight) is torch.nn.Parameter:  # what was made small was copied then
            weight.data = weight.data.clone()
    if opened.adapter is not None:
        opened.adapter.merge_into(network, folder)
    return network.eval()


@contextmanager
def _naming_model(name: str | Path, passed: tuple[type[Exception], ...] = ()) -> Generator[None]:
    """Puts the name of the model before errors; those of libraries, which damaged files end in, become a
    CheckpointError, except `passed`."""
    try:
        yield
    except DeixisError as error:
        raise type(error)(f"model '{name}': {_in_short(error)}") from error
    except Exception as error:
        if is_out_of_memory(error):
            raise UnsupportedError(
                f"model '{name}': out of memory while its weights were read; take --dtype bfloat16, --quantization "
                "int8 or int4, or a smaller model"
            ) from error
        if isinstance(error, passed):
            raise
        reason = _in_short(error)
        raise CheckpointError(
            f"model '{name}': its files cannot be read ({reason}); it may be damaged or cut short"
        ) from error


def _in_short(error: Exception) -> str:
    """All that an error says, in one line; the middle of a longer one, which a value of the file fills, is left out."""
    text = one_line(error)
    return text if len(text) <= MAX_REASON else f"{text[: MAX_REASON // 2]} ... {text[-MAX_REASON // 2 :]}"


def _small_files(name: str | Path) -> tuple[Path, str]:
    """The folder of `name` with all but the weights, and which model it is of: "deixis" or "pointmlp"."""
    text = str(name)
    if _is_here(text):
        folder = bundled_folder() if text == BUNDLED else Path(text)
        model_type = _model_type(folder, name)
        _check_weight_files(folder, name)
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
        _check_weight_files(folder, name)
    return folder


def _is_here(name: str) -> bool:
    return name == BUNDLED or (bool(name) and isdir(name))


def _model_type(folder: Path, name: str | Path) -> str:
    """The model that the small files of a folder are of. Raises CheckpointError for a folder of another model."""
    config: dict[str, Any] = {}
    if (folder / CONFIG).is_file():
        with _naming_model(name):
            config = read_object(folder / CONFIG)
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


def _check_weight_files(folder: Path, name: str | Path) -> None:
    with _naming_model(name):
        check_weight_files(folder, may_link=str(name) == BUNDLED)
