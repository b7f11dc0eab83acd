"""The universal projection in its plain published form (csuhan/OneLLM@8587a47, onellm.py, encode_image), to compare.

Every expert computes all its blocks for queries and tokens, the router scores every position, and what is not needed is
cut off behind. A sparse router, in this form, weighs the experts with zeros. Written anew; it shares the weights of
a `UniversalProjection`.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from deixis.model.encoder.projection import LlamaBlock, UniversalProjection


class PlainBlock(nn.Module):
    """Llama's block without positions, heads as a matrix product with a softmax."""

    def __init__(self, block: LlamaBlock):
        super().__init__()
        self.block = block

    def forward(self, x: Tensor) -> Tensor:
        block: LlamaBlock = self.block
        batch, length, dim = x.shape
        normed = block.attention_norm(x)
        shape = batch, length, block.heads, dim // block.heads
        q, k, v = (part(normed).view(shape).transpose(1, 2) for part in (block.q_proj, block.k_proj, block.v_proj))
        seen = F.scaled_dot_product_attention(q, k, v)  # the published code calls flash attention here
        x = x + block.o_proj(seen.transpose(1, 2).reshape(batch, length, dim))
        normed = block.ffn_norm(x)
        return x + block.down_proj(F.silu(block.gate_proj(normed)) * block.up_proj(normed))


class PlainProjection(nn.Module):
    """`UniversalProjection` with `route="token"`, `maps="own"`, as published; shares the weights of `ours`."""

    def __init__(self, ours: UniversalProjection):
        super().__init__()
        self.ours = ours
        self.experts = nn.ModuleList(nn.ModuleList(PlainBlock(b) for b in e.layers) for e in ours.experts)

    def forward(self, tokens: Tensor, kind: str) -> Tensor:
        ours = self.ours
        features = ours.into[kind](tokens)
        features = torch.cat([ours.query[kind].repeat(len(tokens), 1, 1), features], 1)
        weights = self._weights(features, kind)
        outputs = []
        for number, blocks in enumerate(self.experts):
            x = features
            for block in blocks:
                x = block(x)
            outputs.append(x[:, : ours.queries] * weights[:, : ours.queries, number, None])
        return ours.onto[kind](sum(outputs))

    def _weights(self, features: Tensor, kind: str) -> Tensor:
        scores = self.ours.router[kind](features)
        if self.ours.router_type == "sigmoid":
            shares = scores.sigmoid()
            return shares / shares.sum(-1, keepdim=True)
        weights = scores.softmax(-1)
        if self.ours.router_type == "sparse":
            weights = torch.where(weights == weights.amax(-1, keepdim=True), weights, 0)
        return weights
