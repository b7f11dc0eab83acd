"""Projections from the encoder's field to the language model's embeddings.

`UniversalProjection` is OneLLM's (section 3.3): learnt queries of each kind join the tokens, K experts read them, a
router weighs the experts. Beyond the paper the tokens may be kept beside the queries: queries for the gist, tokens for
detail. `LinearProjection` is one map. Both know nothing of text.
"""

from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn


class LinearProjection(nn.Module):
    """Every token through one layer norm and one linear map."""

    def __init__(self, dim: int, out_dim: int):
        super().__init__()
        self.norm, self.out = nn.LayerNorm(dim), nn.Linear(dim, out_dim)

    def token_count(self, tokens: int) -> int:
        """How many tokens the language model gets for `tokens` of the encoder."""
        return tokens

    def forward(self, tokens: Float[Tensor, "batch token dim"], kind: str) -> Float[Tensor, "batch token out"]:
        return self.out(self.norm(tokens))


class UniversalProjection(nn.Module):
    """Mixture of K experts over queries and tokens, weighed by a router per kind of signal.

    `router`: `soft` weighs all experts by a softmax of the mean token's scores, `sparse` runs the best expert alone
    (scaled by its weight, so that the router learns), `constant` gives each 1/K. Result: the `queries` first, then the
    tokens if `keep_tokens`.
    """

    def __init__(
        self,
        dim: int,
        out_dim: int,
        kinds: tuple[str, ...],
        expert: Callable[[], nn.Module],
        queries: int = 8,
        experts: int = 3,
        router: str = "soft",
        keep_tokens: bool = True,
    ):
        super().__init__()
        self.router_type, self.queries, self.keep_tokens = router, queries, keep_tokens
        self.query = nn.ParameterDict({kind: nn.Parameter(torch.randn(queries, dim) * 0.02) for kind in kinds})
        self.experts = nn.ModuleList([expert() for _ in range(experts)])
        if router != "constant":
            scores = {
                kind: nn.Sequential(nn.Linear(dim, dim // 4), nn.GELU(), nn.Linear(dim // 4, experts)) for kind in kinds
            }
            self.router = nn.ModuleDict(scores)
        self.norm, self.out = nn.LayerNorm(dim), nn.Linear(dim, out_dim)

    def token_count(self, tokens: int) -> int:
        """How many tokens the language model gets for `tokens` of the encoder."""
        return self.queries + tokens * self.keep_tokens

    def weights(self, tokens: Float[Tensor, "batch token dim"], kind: str) -> Float[Tensor, "batch expert"]:
        """The router's weight of each expert; rows sum to 1, except `sparse`, where all but the best are 0."""
        count = len(self.experts)
        if self.router_type == "constant":
            return tokens.new_full((len(tokens), count), 1 / count)
        weights = self.router[kind](tokens.mean(1)).softmax(-1)
        if self.router_type == "sparse":
            best = weights.argmax(-1, keepdim=True)
            return torch.zeros_like(weights).scatter(-1, best, weights.gather(-1, best))
        return weights

    def forward(self, tokens: Float[Tensor, "batch token dim"], kind: str) -> Float[Tensor, "batch out_token out"]:
        query = self.query[kind].to(tokens.dtype).expand(len(tokens), -1, -1)
        joined = torch.cat([query, tokens], 1)
        weights = self.weights(tokens, kind)
        mixed = self._mix_best(joined, weights) if self.router_type == "sparse" else self._mix_all(joined, weights)
        kept = mixed if self.keep_tokens else mixed[:, : self.queries]
        return self.out(self.norm(kept))

    def _mix_all(self, joined: Tensor, weights: Tensor) -> Tensor:
        outputs = [expert(inputs_embeds=joined).last_hidden_state for expert in self.experts]
        return sum(w[:, None, None] * out for w, out in zip(weights.unbind(-1), outputs, strict=True))

    def _mix_best(self, joined: Tensor, weights: Tensor) -> Tensor:
        """Each sample through its own best expert only."""
        best, mixed = weights.argmax(-1), torch.zeros_like(joined)
        for number, expert in enumerate(self.experts):
            rows = (best == number).nonzero().squeeze(1)
            if len(rows):
                out = expert(inputs_embeds=joined[rows]).last_hidden_state * weights[rows, number, None, None]
                mixed = mixed.index_copy(0, rows, out.to(mixed.dtype))
        return mixed
