"""`Question`, and `Decoding`: what is asked, and how the answer is drawn from the model's chances."""

from dataclasses import dataclass
from typing import Any

from deixis.errors import InputError
from deixis.geometry import Region
from deixis.signals import Signal

MAX_NEW_TOKENS = 160


@dataclass(frozen=True)
class Question:
    """One question in markup ("What is {0}?"), the signals it is about, its regions and the turns before it.

    want: "text", "box" or "mask" where the answer must be able to hold them; None takes whatever comes.
    """

    text: str
    signals: tuple[Signal, ...]
    regions: tuple[Region, ...] = ()
    history: tuple[Any, ...] = ()
    want: str | None = None


@dataclass(frozen=True)
class Decoding:
    """How tokens are chosen: at most `max_new_tokens`, the likeliest each time (temperature 0), or drawn.

    temperature: above 0, the logits are divided by it and tokens drawn. top_p: only from the likeliest tokens that
    together have this chance. seed: of the draws; every question of a batch has its own draws from the same seed, so
    that its answer does not hang on its neighbours. forget: so many of the prompt's last tokens are forgotten once the
    first token is chosen. 2 gives the answers of OneLLM's published inference, whose cache does not count the two tags
    of a signal, so that an answer is written over the end of its prompt (csuhan/OneLLM@8587a47, model/LLM/onellm.py,
    forward_inference); its training has no such gap.
    """

    max_new_tokens: int = MAX_NEW_TOKENS
    temperature: float = 0.0
    top_p: float = 1.0
    seed: int = 0
    forget: int = 0

    def __post_init__(self):
        if self.max_new_tokens < 1:
            raise InputError(f"max_new_tokens: expected at least 1, got {self.max_new_tokens}")
        if not 0 <= self.temperature < float("inf"):
            raise InputError(f"temperature: expected 0 (the likeliest token) or more, got {self.temperature}")
        if not 0 < self.top_p <= 1:
            raise InputError(f"top_p: expected a chance above 0, at most 1, got {self.top_p}")
        if self.forget < 0:
            raise InputError(f"forget: expected a number of tokens, 0 or more, got {self.forget}")
