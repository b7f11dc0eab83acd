"""Projections from the encoder's field to the language model's embeddings.

`UniversalProjection` is OneLLM's (section 3.3): learnt queries per modality are concatenated with the tokens, K experts
process them, a router weights the experts. Beyond the paper the tokens can be kept after the queries: queries for the
gist, tokens for detail. `LinearProjection` is one linear map (LLaVA, Ferret, LISA), `MlpProjection` an MLP (LLaVA-1.5).
"""

from collections.abc import Callable

import torch
import torch.nn.functional as F
from einops import rearrange
from jaxtyping import Float
from torch import Tensor, nn

from deixis.errors import ConfigError
from deixis.model.config import DeixisConfig
from deixis.model.encoder.universal_encoder import VISION_LAYERS, vision_layers
from deixis.model.part_configs import ProjectionConfig


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


class LinearProjection(nn.Module):
    """A layer norm (unless `norm` is off) and one linear map per token."""

    def __init__(self, dim: int, out_dim: int, norm: bool = True):
        super().__init__()
        self.norm = nn.LayerNorm(dim) if norm else nn.Identity()
        self.out = nn.Linear(dim, out_dim)

    def forward(self, tokens: Float[Tensor, "batch token dim"], modality: str) -> Float[Tensor, "batch token out"]:
        return self.out(self.norm(tokens))


class MlpProjection(nn.Module):
    """An MLP of `depth` linear maps with GELU between them (LLaVA-1.5: 2)."""

    def __init__(self, dim: int, out_dim: int, depth: int = 2):
        super().__init__()
        maps: list[nn.Module] = [nn.Linear(dim, out_dim)]
        for _ in range(depth - 1):
            maps += [nn.GELU(), nn.Linear(out_dim, out_dim)]
        self.maps = nn.Sequential(*maps)

    def forward(self, tokens: Float[Tensor, "batch token dim"], modality: str) -> Float[Tensor, "batch token out"]:
        return self.maps(tokens)


class UniversalProjection(nn.Module):
    """Mixture of K experts over queries and tokens, weighted by a router per modality.

    router: `soft` weighs all experts by a softmax of their scores (the paper), `sigmoid` by sigmoids divided by their
    sum (the code, onellm.py, encode_image), `sparse` runs the best alone (scaled by its softmax, so that the router
    gets gradients), `constant` gives each 1/K. route: one set of scores per "sample", from its mean token, or per
    output "token". maps: the linear map out of the experts is "shared", or each modality has its "own" into and out of
    them. tags: a learnt token before and one after the output. Output: the `queries` first, then the tokens if
    `keep_tokens`.
    """

    def __init__(
        self,
        dim: int,
        out_dim: int,
        modalities: tuple[str, ...],
        expert: Callable[[], nn.Module],
        queries: int = 8,
        experts: int = 3,
        router: str = "soft",
        keep_tokens: bool = True,
        route: str = "sample",
        router_ratio: float = 0.25,
        maps: str = "shared",
        tags: bool = False,
    ):
        super().__init__()
        self.router_type, self.route, self.queries, self.keep_tokens = router, route, queries, keep_tokens
        self.query = nn.ParameterDict({name: nn.Parameter(torch.randn(queries, dim) * 0.02) for name in modalities})
        self.experts = nn.ModuleList([expert() for _ in range(experts)])
        if router != "constant":
            width = int(dim * router_ratio)
            scores = {
                modality: (nn.Linear(dim, width), nn.GELU(), nn.Linear(width, experts)) for modality in modalities
            }
            self.router = nn.ModuleDict({name: nn.Sequential(*parts) for name, parts in scores.items()})
        self.own = maps == "own"
        if self.own:
            self.into = nn.ModuleDict({k: nn.Sequential(nn.Linear(dim, dim), nn.LayerNorm(dim)) for k in modalities})
            self.onto = nn.ModuleDict(
                {k: nn.Sequential(nn.Linear(dim, out_dim), nn.LayerNorm(out_dim)) for k in modalities}
            )
        else:
            self.norm, self.out = nn.LayerNorm(dim), nn.Linear(dim, out_dim)
        self.tags = nn.ParameterDict(
            {name: nn.Parameter(torch.rand(2, out_dim)) for name in modalities} if tags else {}
        )

    def weights(
        self, tokens: Float[Tensor, "batch token dim"], modality: str
    ) -> Float[Tensor, "batch expert"] | Float[Tensor, "batch token expert"]:
        """The router's weight of each expert, per sample or per token; they sum to 1, except with `sparse`, where all
        but the best are 0."""
        source = tokens.mean(1) if self.route == "sample" else tokens
        count = len(self.experts)
        if self.router_type == "constant":
            return source.new_full((*source.shape[:-1], count), 1 / count)
        scores = self.router[modality](source)
        if self.router_type == "sigmoid":
            shares = scores.sigmoid()
            return shares / shares.sum(-1, keepdim=True)
        weights = scores.softmax(-1)
        if self.router_type == "sparse":
            best = weights.argmax(-1, keepdim=True)
            return torch.zeros_like(weights).scatter(-1, best, weights.gather(-1, best))
        return weights

    def forward(self, tokens: Float[Tensor, "batch token dim"], modality: str) -> Float[Tensor, "batch out_token out"]:
        if self.own:
            tokens = self.into[modality](tokens)
        query = self.query[modality].to(tokens.dtype).expand(len(tokens), -1, -1)
        joined = torch.cat([query, tokens], 1)
        # Where the queries alone are kept, experts need not compute the tokens in their last block.
        first = None if self.keep_tokens else self.queries
        weights = self.weights(tokens if self.route == "sample" else joined[:, :first], modality)
        mixed = self._mix(joined, weights if weights.ndim == 3 else weights[:, None], first)
        result = self.onto[modality](mixed) if self.own else self.out(self.norm(mixed))
        if modality not in self.tags:
            return result
        start, end = self.tags[modality].to(result.dtype).expand(len(result), -1, -1).split(1, 1)
        return torch.cat([start, result, end], 1)

    def _mix(self, joined: Tensor, weights: Float[Tensor, "batch any expert"], first: int | None) -> Tensor:
        """The weighted sum of the experts; with a sparse router each runs only on the samples routed to it."""
        if self.router_type != "sparse":
            outputs = [expert(joined, first) for expert in self.experts]
            return sum(w[..., None] * out for w, out in zip(weights.unbind(-1), outputs, strict=True))
        # A sample's tokens may be routed apart: each expert runs on all samples that have any token for it.
        mixed = torch.zeros_like(joined if first is None else joined[:, :first])
        for number, expert in enumerate(self.experts):
            rows = (weights[..., number] > 0).any(1).nonzero().squeeze(1)
            if len(rows):
                out = expert(joined[rows], first) * weights[rows, :, number, None]
                mixed = mixed.index_add(0, rows, out.to(mixed.dtype))
        return mixed


def projected_count(options: ProjectionConfig, tokens: int) -> int:
    """The number of tokens that a projection makes of `tokens` of the encoder."""
    if options.type != "upm":
        return tokens
    return options.queries + tokens * options.keep_tokens + 2 * options.tags


def build_projection(config: DeixisConfig) -> nn.Module:
    """The projection that `config` describes, freshly initialised."""
    dim, hidden, options = config.vision_config.hidden_size, config.text_config.hidden_size, config.projection
    if options.type == "linear":
        return LinearProjection(dim, hidden, options.norm)
    if options.type == "mlp":
        return MlpProjection(dim, hidden, options.depth)
    return UniversalProjection(
        dim,
        hidden,
        config.modalities,
        expert=lambda: _expert(config),
        queries=options.queries,
        experts=options.experts,
        router=options.router,
        keep_tokens=options.keep_tokens,
        route=options.route,
        router_ratio=options.router_ratio,
        maps=options.maps,
        tags=options.tags,
    )


def _expert(config: DeixisConfig) -> nn.Module:
    options, vision = config.projection, config.vision_config
    dim = vision.hidden_size
    if options.expert == "llama":
        return LlamaExpert(dim, options.depth, options.heads, options.multiple_of, options.eps)
    if vision.model_type not in VISION_LAYERS:
        raise ConfigError(
            f"projection.expert: 'vision' makes experts of the layers of {', '.join(VISION_LAYERS)}; got "
            f"{vision.model_type!r}, for which choose 'llama'"
        )
    sizes = {"num_hidden_layers": options.depth, "intermediate_size": int(dim * options.mlp_ratio)}
    return VisionExpert(vision_layers(type(vision)(**{**vision.to_dict(), **sizes})))
