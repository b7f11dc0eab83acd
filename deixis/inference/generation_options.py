"""`GenerationOptions`: how tokens are chosen, under the names that transformers' `generate` uses."""

from dataclasses import dataclass

from deixis.errors import InputError

MAX_NEW_TOKENS = 160


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

    Raises:
        InputError: a value is out of range.
    """

    max_new_tokens: int = MAX_NEW_TOKENS
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    drop_prompt_tokens: int = 0

    def __post_init__(self):
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens: expected at least 1, got {self.max_new_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature: expected 0 (the most probable token) or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p: expected a probability above 0, at most 1, got {self.top_p}")
        if self.drop_prompt_tokens < 0:
            raise InputError(f"drop_prompt_tokens: expected 0 or more, got {self.drop_prompt_tokens}")
