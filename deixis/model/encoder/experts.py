"""Experts of the universal projection: stacks of transformer blocks that read queries and tokens together.

`LlamaExpert` is OneLLM's (csuhan/OneLLM@8587a47, model/LLM/onellm.py, resample_layers): Llama's block without rotary
positions and without a causal mask; asked for the first rows alone, it computes its last block for these only.
`VisionExpert` is the union's: layers of the encoder's own type, which compute every row.
"""

import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn


def llama_hidden_size(dim: int, multiple_of: int) -> int:
    """Width of Llama's feed-forward layers: two thirds of 4 dim, up to a whole multiple.

    >>> llama_hidden_size(1024, 256)
    2816
    """
    hidden = int(2 * 4 * dim / 3)
    return multiple_of * ((hidden + multiple_of - 1) // multiple_of)


class LlamaBlock(nn.Module):
    """Attention and SwiGLU, RMSNorm before each, no biases; every token sees every other."""

    def __init__(self, dim: int, heads: int, hidden: int, eps: float):
        super().__init__()
        self.heads = heads
        self.attention_norm, self.ffn_norm = nn.RMSNorm(dim, eps), nn.RMSNorm(dim, eps)
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(dim, dim, bias=False) for _ in range(4))
        self.gate_proj, self.up_proj = (nn.Linear(dim, hidden, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(hidden, dim, bias=False)

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], first: int | None = None
    ) -> Float[Tensor, "batch kept dim"]:
        """The block's output for all tokens, or for the `first` of them alone."""
        normed = self.attention_norm(tokens)
        asked = normed if first is None else normed[:, :first]
        projected = (self.q_proj(asked), self.k_proj(normed), self.v_proj(normed))
        query, key, value = (rearrange(x, "b n (h d) -> b h n d", h=self.heads) for x in projected)
        seen = F.scaled_dot_product_attention(query, key, value)
        kept = tokens if first is None else tokens[:, :first]
        kept = kept + self.o_proj(rearrange(seen, "b h n d -> b n (h d)"))
        normed = self.ffn_norm(kept)
        return kept + self.down_proj(F.silu(self.gate_proj(normed)) * self.up_proj(normed))


class LlamaExpert(nn.Module):
    """`depth` blocks of `LlamaBlock`."""

    def __init__(self, dim: int, depth: int, heads: int, multiple_of: int, eps: float):
        super().__init__()
        hidden = llama_hidden_size(dim, multiple_of)
        self.layers = nn.ModuleList(LlamaBlock(dim, heads, hidden, eps) for _ in range(depth))

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], first: int | None = None
    ) -> Float[Tensor, "batch kept dim"]:
        for number, layer in enumerate(self.layers, 1):
            tokens = layer(tokens, first if number == len(self.layers) else None)
        return tokens


class VisionExpert(nn.Module):
    """Layers of a vision model: `layers`, as `vision_layers` gives them, hold their list under the same name."""

    def __init__(self, layers: nn.Module):
        super().__init__()
        inner = layers.get_submodule("layers")
        assert isinstance(inner, nn.ModuleList)
        self.layers = inner

    def forward(
        self, tokens: Float[Tensor, "batch token dim"], first: int | None = None
    ) -> Float[Tensor, "batch kept dim"]:
        for layer in self.layers:
            tokens = layer(tokens, None)
        return tokens if first is None else tokens[:, :first]
