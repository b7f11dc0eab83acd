"""The processor of a model folder, from its small files alone: typed, of its configuration, without a stranger's code.

transformers would choose a class of tokenizer by name, load files that are named in it, or ask whether to run Python.
Here a folder has one form: `tokenizer.json` with the names of its special tokens, a chat template, and the few fields
that `config.json` does not say; what is in both must be the same.
"""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, no_type_check

from transformers import GenerationConfig, PreTrainedTokenizerFast

from deixis.checkpoints.small_files import naming, read_object, read_settings, text_of
from deixis.checkpoints.tokenizer_json import read_tokenizer_json
from deixis.errors import CheckpointError, ConfigError
from deixis.geometry import Notation
from deixis.model import DeixisConfig, DeixisProcessor, build_processor
from deixis.model.chat_template import template_text
from deixis.model.template_sandbox import compiled
from deixis.options import Checked, Count, Natural, check_known, check_value, read_options
from deixis.signals import MODALITIES

PROCESSOR, TOKENIZER = "processor_config.json", "tokenizer.json"
TOKENIZER_SETTINGS, TEMPLATE, GENERATION = "tokenizer_config.json", "chat_template.jinja", "generation_config.json"
OPTIONAL = (TOKENIZER_SETTINGS, TEMPLATE, GENERATION)
"""Files that a folder may lack."""
SPECIAL = ("bos_token", "eos_token", "unk_token", "pad_token", "sep_token", "cls_token", "mask_token")
BESIDE = ("processor_class", "transformers_version")
"""What transformers writes beside our fields."""
MAX_STOPS, MAX_STOP_LENGTH = 100, 1000


@no_type_check
@dataclass(frozen=True, kw_only=True)
class ProcessorFields(Checked):
    """The fields of `processor_config.json`, those of `DeixisProcessor`."""

    specs: dict = field(default_factory=dict)
    token_counts: dict = field(default_factory=dict)
    points: Count = 64
    notation: dict = field(default_factory=dict)
    sam_size_px: Natural = 0
    sam_square: bool = False
    axes: Count = 3
    region_reader: Literal["field", "ferret"] = "field"
    placeholders: dict | None = None
    tiles: Count = 1


def read_processor(folder: Path, config: DeixisConfig) -> DeixisProcessor:
    """The processor of a folder whose configuration is `config`.

    Raises CheckpointError and ConfigError, one sentence that names file and field.
    """
    tokenizer = open_tokenizer(folder)
    values = read_object(folder / PROCESSOR)
    with naming(PROCESSOR):
        given = read_options(ProcessorFields, {n: v for n, v in values.items() if n not in BESIDE}, "")
        free: dict[str, Any] = {"region_reader": given.region_reader}
        if given.placeholders:
            check_known("placeholders.", given.placeholders, config.signals)
            for name, word in given.placeholders.items():
                check_value(f"placeholders.{name}", word, str)
            free["placeholders"] = {name: f"<{name}>" for name in config.signals} | given.placeholders
        processor = build_processor(config, tokenizer, **free)
        _check_same(given, processor)
    _check_tokens(processor, config)
    with naming(TEMPLATE):
        if tokenizer.chat_template is not None:
            template_text(tokenizer, [("Where?", None)], config.modalities[:1])
    return processor


def _check_same(given: ProcessorFields, processor: DeixisProcessor) -> None:
    """Raises ConfigError where a field contradicts what follows from the configuration."""
    check_known("specs.", given.specs, processor.specs)
    specs = {name: read_options(MODALITIES[name].spec, own, f"specs.{name}.") for name, own in given.specs.items()}
    pairs: dict[str, tuple[Any, Any]] = {f"specs.{name}": (own, processor.spec(name)) for name, own in specs.items()}
    for name, count in processor.token_counts.items():
        pairs[f"token_counts.{name}"] = given.token_counts.get(name), count
    check_known("token_counts.", given.token_counts, processor.token_counts)
    pairs["notation"] = read_options(Notation, given.notation, "notation."), processor.notation
    for name in ("points", "axes", "tiles", "sam_size_px", "sam_square"):
        pairs[name] = getattr(given, name), getattr(processor, name)
    for name, (own, expected) in pairs.items():
        if own != expected:
            raise ConfigError(f"{name}: expected {expected!s:.200}, as config.json says, got {own!s:.200}")


def open_tokenizer(folder: Path) -> PreTrainedTokenizerFast:
    """The tokenizer in `tokenizer.json`, with special tokens and chat template. Raises CheckpointError, ConfigError."""
    made = read_tokenizer_json(folder / TOKENIZER)
    settings = read_settings(folder / TOKENIZER_SETTINGS)
    with naming(TOKENIZER_SETTINGS):
        options: dict[str, Any] = {name: _word(name, settings[name]) for name in SPECIAL if settings.get(name)}
        for name, hint in (("padding_side", Literal["left", "right"]), ("clean_up_tokenization_spaces", bool)):
            if settings.get(name) is not None:
                check_value(name, settings[name], hint)
                options[name] = settings[name]
        template = settings.get("chat_template")
        check_value("chat_template", template, str | None)
        for name, word in ((name, word) for name, word in options.items() if name in SPECIAL):
            if made.token_to_id(word) is None:
                raise ConfigError(f"{name}: expected a token of tokenizer.json, got {word!r:.80}, which is none")
    tokenizer = PreTrainedTokenizerFast(tokenizer_object=made, **options)
    if (folder / TEMPLATE).is_file():
        template = text_of(folder / TEMPLATE)
    if template is not None:
        with naming(TEMPLATE):
            compiled(template)
        tokenizer.chat_template = template
    return tokenizer


def _check_tokens(processor: DeixisProcessor, config: DeixisConfig) -> None:
    """Raises CheckpointError where tokenizer and network number their tokens differently."""
    check_known("config.json: signal_token_ids.", config.signal_token_ids, config.signals)
    tokenizer, rows = processor.tokenizer, config.text_config.vocab_size
    vocabulary = tokenizer.get_vocab()
    for name in ("eos_token", "pad_token"):
        if getattr(tokenizer, name) is None:
            raise CheckpointError(f"{TOKENIZER_SETTINGS}: expected a token {name}, got none")
    wanted = {word: config.signal_token_ids.get(name) for name, word in processor.placeholders.items()}
    wanted |= {config.notation.region_token: config.region_token_id} if config.takes_regions else {}
    wanted |= {config.notation.seg_token: config.seg_token_id} if config.makes_masks else {}
    for word, token_id in wanted.items():
        if word and vocabulary.get(word) != token_id:
            raise CheckpointError(
                f"{TOKENIZER}: expected {word} with the id {token_id} of config.json, got {vocabulary.get(word)}; they "
                "are of two models"
            )
    inputs = {*config.signal_token_ids.values(), config.region_token_id}
    if beyond := next((word for word, own in vocabulary.items() if own >= rows and own not in inputs), None):
        raise CheckpointError(
            f"{TOKENIZER}: expected ids below {rows}, the rows of text_config.vocab_size, got {vocabulary[beyond]} for "
            f"{beyond!r:.80}; they are of two models"
        )


def read_generation(folder: Path, config: DeixisConfig) -> GenerationConfig:
    """How the model ends its answers: of `generation_config.json`, or of the configuration. Raises ConfigError."""
    if not (folder / GENERATION).is_file():
        return GenerationConfig.from_model_config(config)
    values = read_object(folder / GENERATION)
    with naming(GENERATION):
        for name in ("bos_token_id", "eos_token_id", "pad_token_id"):
            check_value(name, values.get(name), int | list[int] | None)
        stops = values.get("stop_strings")
        check_value("stop_strings", stops, str | list[str] | None)
        stops = [stops] if isinstance(stops, str) else stops
        if stops is not None and not (
            len(stops) <= MAX_STOPS and all(0 < len(own) <= MAX_STOP_LENGTH for own in stops)
        ):
            raise ConfigError(
                f"stop_strings: expected at most {MAX_STOPS} texts of 1 to {MAX_STOP_LENGTH} characters, got others"
            )
        return GenerationConfig.from_dict({**values, "stop_strings": stops})


def _word(name: str, value: Any) -> str:
    """A special token as text; it may be written as the fields of an added token."""
    word = value.get("content") if isinstance(value, dict) else value
    check_value(name, word, str)
    return word
