"""How an answer is generated: the options of a question, checked."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated, Any, no_type_check

from deixis.errors import ConfigError, InputError
from deixis.options import Bounds, Count, Natural, NonNegative, check_fields, read_options

MAX_NEW_TOKENS = 160


@no_type_check
@dataclass(frozen=True)
class GenerationOptions:
    """How an answer is generated; greedy by default.

    Attributes:
        max_new_tokens: at most so many tokens, the end not counted.
        temperature: 0 chooses the most probable token; above 0, logits are divided by it and tokens sampled.
        top_p: sample only from the most probable tokens that together have this probability (nucleus sampling).
        seed: of the sampling. Every question of a batch has its own random generator with this seed, so its answer does
            not depend on the other questions.
        drop_prompt_tokens: so many of the prompt's last tokens are removed from the KV cache once the first token is
            chosen. 2 gives the answers of OneLLM's published inference, whose cache does not count the two tags of a
            signal, so that an answer overwrites the end of its prompt (csuhan/OneLLM@8587a47, model/LLM/onellm.py,
            forward_inference); its training has no such gap.

    Raises InputError where a value is of another type or out of range.
    """

    max_new_tokens: Count = MAX_NEW_TOKENS
    temperature: NonNegative = 0.0
    top_p: Annotated[float, Bounds(above=0, most=1)] = 1.0
    seed: Annotated[int, Bounds(least=-(2**63), below=2**64)] = 0
    drop_prompt_tokens: Natural = 0

    def __post_init__(self):
        check_fields(self, InputError)


def generation_options(given: Mapping[str, Any]) -> GenerationOptions:
    """The options of the keyword arguments of a question. Raises InputError for an unknown one and a wrong value."""
    try:
        return read_options(GenerationOptions, given, "")
    except ConfigError as error:
        raise InputError(str(error)) from None
