"""The choice of the next token: the most probable one, or nucleus sampling with a random generator per row."""

from collections.abc import Sequence

import torch
from jaxtyping import Float, Int
from torch import Tensor

from deixis.inference.generation_options import GenerationOptions


class TokenSampler:
    """How one row chooses its tokens: its options, and a random generator that no other row draws from.

    A row's draws must not depend on which rows are beside it, nor on when they come and go.
    """

    def __init__(self, options: GenerationOptions):
        self.options = options
        self.generator = torch.Generator().manual_seed(options.seed)


def choose_tokens(
    logits: Float[Tensor, "row vocabulary"], samplers: Sequence[TokenSampler], suppressed_ids: Int[Tensor, " token"]
) -> list[int]:
    """The next token of each row, never a suppressed one; one argmax serves all rows of temperature 0."""
    logits = logits.float().index_fill(-1, suppressed_ids, -torch.inf)
    tokens = logits.argmax(-1).tolist()
    sampled = [row for row, sampler in enumerate(samplers) if sampler.options.temperature > 0]
    if sampled:
        drawn = _draw(logits[sampled], [samplers[row] for row in sampled])
        for row, token in zip(sampled, drawn, strict=True):
            tokens[row] = token
    return tokens


def _draw(logits: Float[Tensor, "row vocabulary"], samplers: Sequence[TokenSampler]) -> list[int]:
    """One token per row by nucleus sampling, each row with its own temperature and top_p."""
    options = [(sampler.options.temperature, sampler.options.top_p) for sampler in samplers]
    temperature, top_p = logits.new_tensor(options).unbind(1)
    probabilities, tokens = (logits / temperature[:, None]).softmax(-1).sort(-1, descending=True)
    cumulative = probabilities.cumsum(-1)
    outside = cumulative - probabilities >= top_p[:, None]  # never the most probable token
    cumulative = probabilities.masked_fill(outside, 0.0).double().cumsum(-1)
    uniform = torch.stack([torch.rand((), generator=own.generator, dtype=torch.float64) for own in samplers])
    # inverse transform sampling: the first token whose cumulative probability exceeds the draw
    place = (cumulative < uniform.to(cumulative.device)[:, None] * cumulative[:, -1:]).sum(-1, keepdim=True)
    return tokens.gather(-1, place).squeeze(-1).tolist()
