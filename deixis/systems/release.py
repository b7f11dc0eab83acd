"""`Release`: what a system has published, how its checkpoint is recognised, and the reader that converts it.

Each package under `deixis.systems` defines one in its `release.py`, and `deixis.systems.releases` lists them. Here are
the types that a reader (`convert.py` of a package) takes and gives, and the steps that all readers share.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from transformers import PreTrainedTokenizerFast

from deixis.checkpoints.config_file import check_fields
from deixis.checkpoints.find import read_json
from deixis.checkpoints.rules import Part
from deixis.checkpoints.small_files import naming
from deixis.checkpoints.source import Tensors
from deixis.checkpoints.tokenizer import find_tokenizer, read_tokenizer
from deixis.errors import CheckpointError, InputError
from deixis.model import DeixisConfig
from deixis.model.tokenizers.pointmlp import PointMLPConfig

NO_TOKENIZER = "It was converted without a tokenizer and takes token ids only."
"""A note for the card."""


@dataclass(frozen=True)
class ConversionOptions:
    """Arguments of a conversion besides source and result; None where not given."""

    clip: str | None = None
    sam: str | None = None
    base: str | None = None
    preset: str | None = None
    tokenizer: str | None = None
    classes: str | None = None


@dataclass(frozen=True)
class Found:
    """Everything that a reader learns of a source, before anything is written.

    config: of the network. parts: sources with rules. tokenizer: None where there is none. processor: arguments of
    `DeixisProcessor` that the configuration does not say. stop: the text at which answers end, if that is no token.
    notes: sentences for the card. classes, unit_sphere, classes_file: of a classifier, see `CloudClassifier`; the file
    that the names were read from.
    """

    config: DeixisConfig | PointMLPConfig
    parts: Sequence[Part]
    tokenizer: PreTrainedTokenizerFast | None = None
    processor: Mapping[str, Any] = field(default_factory=dict)
    stop: str | None = None
    notes: Sequence[str] = ()
    classes: Sequence[str] = ()
    unit_sphere: bool = True
    classes_file: Path | None = None


@dataclass(frozen=True)
class Preset:
    """A whole configuration by name. stands_on: the pretrained models that it is made of."""

    config: Callable[[], DeixisConfig | PointMLPConfig]
    stands_on: str


@dataclass(frozen=True)
class Beginning:
    """How a new network of a system converses that begins from the weights of a language model.

    template: the chat template (Jinja) for a tokenizer. tokens: added to it where it lacks them, each one id.
    processor, stop: as in `Found`.
    """

    template: Callable[[PreTrainedTokenizerFast], str]
    tokens: tuple[str, ...] = ()
    processor: Mapping[str, Any] = field(default_factory=dict)
    stop: str | None = None


@dataclass(frozen=True)
class Release:
    """A system's published weights; terms as read from the repository named in `source`, which may change them.

    Attributes:
        system, name: as in a command, and in prose.
        source: the code that was read, repository@commit.
        weights: where the official ones are published.
        licence: of these weights and of the models they stand on. Not legal advice.
        presets: configurations by name.
        lacks: what the model card says that the system cannot do.
        read: reads the checkpoint for `deixis convert`; None where there is no official one.
        options: the fields of `ConversionOptions` that `read` uses.
        tensor_prefixes: names of tensors that begin so identify the checkpoint.
        extra_files: names of files beside the weights that identify it too, for tensors that they hold.
        model_types: values of `architectures` and `model_type` in config.json that identify it.
        beginning: how a new network of the system is put together; None for a classifier.
    """

    system: str
    name: str
    paper: str
    source: str
    weights: str
    licence: str
    presets: Mapping[str, Preset]
    lacks: tuple[str, ...] = ()
    read: Callable[[Tensors, ConversionOptions], Found] | None = None
    options: tuple[str, ...] = ()
    tensor_prefixes: tuple[str, ...] = ()
    extra_files: tuple[str, ...] = ()
    model_types: tuple[str, ...] = ()
    beginning: Beginning | None = None


def published_config(
    source: Tensors, options: ConversionOptions, sizes: Mapping[str, Mapping[str, Any]]
) -> dict[str, Any]:
    """The source's `config.json`, with the sizes that --preset names in place of its own.

    Raises InputError for an unknown preset, CheckpointError where there is neither.
    """
    if options.preset is not None and options.preset not in sizes:
        raise InputError(f"--preset: expected one of {', '.join(sizes)} for this system; got '{options.preset}'")
    found = read_json(source.folder / "config.json", "source")
    with naming("config.json"):
        check_fields(found, refused=())  # the sizes alone are read of it
    if options.preset is not None:
        return {**found, **sizes[options.preset]}
    if not found:
        raise CheckpointError(
            f"source '{source.label}': expected its sizes in config.json beside the weights, got none; name them by "
            f"--preset ({', '.join(sizes)})"
        )
    return found


def source_tokenizer(
    source: Tensors, options: ConversionOptions, whole: Sequence[str], vocab_size: int, modalities: Sequence[str]
) -> PreTrainedTokenizerFast | None:
    """The tokenizer that --tokenizer names or the source holds, with a placeholder per modality; None: there is none.

    whole: tokens that must each be one id. vocab_size: rows of the embeddings.
    """
    place = source.folder if options.tokenizer is None else Path(options.tokenizer)
    file = find_tokenizer(place) if place.exists() else None
    if file is None and options.tokenizer is not None:
        raise CheckpointError(
            "--tokenizer: expected a tokenizer.model or tokenizer.json, or a folder with one; got "
            f"'{options.tokenizer}'"
        )
    return None if file is None else read_tokenizer(file, whole, vocab_size, [f"<{name}>" for name in modalities])
