"""`config.json` of a model folder as a configuration, once its sizes are ones that weights in memory can have.

transformers makes lists and modules by the numbers in it before a weight is read: 10^8 labels, 10^6 layers. What would
have another class, kernel or file loaded than this folder's is refused: a model of ours has none, and no quantization
but its own (`model.packing`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any

from deixis.checkpoints.small_files import naming, read_object
from deixis.checkpoints.weight_names import check_weight_names
from deixis.errors import ConfigError
from deixis.model import DeixisConfig
from deixis.model.packed_linear import INT4_BLOCKS
from deixis.model.packing import METHOD
from deixis.model.shrinking import WORDS
from deixis.options import check_choice, check_known, check_value

CONFIG = "config.json"
MAX_REPEATED = 10_000
"""Of layers, experts, heads and the like: the deepest networks have a few hundred."""
MAX_SIDE_PX, MAX_SIZE = 16_384, 1_000_000
"""Pixels of a side, and any other number under `signals`: points, bins, seconds."""
MAX_TOKENS = 1_000_000
"""Tokens of a signal, which is more than any language model reads."""
MAX_POINTS = 100_000
"""Of a cloud or a region; published networks read 8192."""
REPEATED = re.compile(r"layer|depth|block|expert|head|label|stage|branch|group|mixture|neighbo|anchor|tiles")
LOADS = (
    *("auto_map", "attn_implementation", "_attn_implementation", "experts_implementation", "_experts_implementation"),
    *("quantization_config", "compression_config", "transformers_weights", "fusion_config", "distributed_config"),
)
"""Fields by which transformers loads code, kernels or other files."""
PACKED = "quantization_config"
FORM = {"return_dict": True, "is_encoder_decoder": False}
"""Fields by which it gives results of another form."""


def read_config(folder: Path) -> DeixisConfig:
    """The configuration in a folder. Raises CheckpointError for a damaged file, ConfigError that names the field."""
    values = read_object(folder / CONFIG)
    with naming(CONFIG):
        packed = values.pop(PACKED, None)
        check_fields(values)
        if packed is not None:
            values[PACKED] = _checked_packing(packed)
        config = DeixisConfig.from_dict(values)
        for name, options in config.signals.items():
            if not 0 < options.token_count <= MAX_TOKENS:
                raise ConfigError(
                    f"signals.{name}: expected sizes that make 1 to {MAX_TOKENS} tokens, got {options.token_count}"
                )
    return config


def _checked_packing(values: Any) -> dict[str, Any]:
    """The fields by which a folder says that its weights are packed. Raises ConfigError for any other quantization."""
    check_value(PACKED, values, dict)
    check_known(f"{PACKED}.", values, ("quant_method", "word", "block"))
    check_choice(f"{PACKED}.quant_method", values.get("quant_method"), (METHOD,))
    check_choice(f"{PACKED}.word", values.get("word"), WORDS)
    check_choice(f"{PACKED}.block", values.get("block"), INT4_BLOCKS if values["word"] == "int4" else (None,))
    return values


def check_foreign(folder: Path) -> None:
    """Raises CheckpointError or ConfigError for a folder of another library's model that would have other code or files
    loaded than its own, or sizes beyond the limits."""
    check_weight_names(folder)
    with naming(CONFIG):
        # detectors may be of an encoder and a decoder
        check_fields(read_object(folder / CONFIG), form={"return_dict": True})


def check_fields(
    values: dict[str, Any], refused: Sequence[str] = LOADS, form: Mapping[str, bool] = MappingProxyType(FORM)
) -> None:
    """Raises ConfigError for a field of `refused`, which load other code or files, one that is not as in `form`, and
    numbers beyond the limits."""
    for path, name, value in _fields(values):
        if name in refused and value is not None:
            raise ConfigError(
                f"{path}: expected nothing, got {str(value)[:80]!r}: it has other code or files loaded than this "
                "folder's, which is never done"
            )
        if name in form and value is not form[name]:
            raise ConfigError(f"{path}: expected {str(form[name]).lower()}, got {value!s:.80}; leave it out")
        if isinstance(value, bool) or not isinstance(value, int | float):
            continue
        most = None
        if path.startswith("signals."):
            most = MAX_SIDE_PX if "_px" in name else MAX_SIZE
        elif name == "points":
            most = MAX_POINTS
        elif REPEATED.search(name) and not name.endswith(("_dim", "_size")):
            most = MAX_REPEATED
        if most is not None and abs(value) > most:
            raise ConfigError(f"{path}: expected at most {most}, got {value}; the file may be damaged")


def _fields(value: Any, path: str = "", name: str = "") -> Iterator[tuple[str, str, Any]]:
    """(path, name of its field, value) of every value; those in a list have the name of the list."""
    if name:
        yield path, name, value
    if isinstance(value, dict):
        for key, own in value.items():
            yield from _fields(own, f"{path}.{key}".lstrip("."), str(key))
    elif isinstance(value, list):
        for own in value:
            yield from _fields(own, path, name)
