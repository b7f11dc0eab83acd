"""Linear layers with int8 and int4 weights for the CPU: PyTorch's fused kernels for a few rows, plain ones for many.

A step of generation has one row: reading the weights is all its time, and the fused kernels read half or a quarter of
the bytes. They have no blocking for many rows; there the weights of a layer are written out into memory that all layers
share, and multiplied as usual. What scales whole features or shifts whole groups is applied to the product, which is
smaller. The weights are constants: a gradient passes through to what is trained before them (QLoRA: Dettmers et al.,
NeurIPS 2023), and is multiplied by the same weights, written out again.
"""

from functools import cache
from threading import local
from typing import Any

import torch
from jaxtyping import Float, UInt8
from torch import Tensor, nn
from torch.nn import functional as F

from deixis.errors import UnsupportedError

GROUP = 32
"""Weights of a row that share a scale and a zero point in int4; layers of other widths stay whole, in int8 too."""
INT8_MAX, INT4_MAX, INT4_ZERO = 127, 15, 8
INT4_BLOCKS = (64, 32)
"""Output features of a block of PyTorch's int4 layout, on processors with AVX-512 and with AVX2."""


class PackedLinear(nn.Module):
    """A linear layer whose weights are packed by `pack`; activations keep their type.

    multiple: of output features that the fused kernel takes. few_rows: up to so many it is the faster form
    (benchmarks/packed_linear.py). stored: the type of the packed weights.
    """

    multiple: int
    few_rows: int
    stored: torch.dtype

    def __init__(self, layer: nn.Linear):
        super().__init__()
        self.in_features, self.out_features, self.bias = layer.in_features, layer.out_features, layer.bias

    @classmethod
    def fits(cls, layer: nn.Linear) -> bool:
        """Whether the fused kernel takes a layer of this size."""
        return layer.in_features % GROUP == 0 and layer.out_features % cls.multiple == 0

    def pack(self, weight: Float[Tensor, "out in"]) -> None:
        """Takes the weights in, quantized."""
        raise NotImplementedError

    def fused(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        """The product by PyTorch's fused kernel, without bias."""
        raise NotImplementedError

    def written_out(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        """The product by a plain kernel, without bias."""
        raise NotImplementedError

    def back(self, rows: Float[Tensor, "row out"]) -> Float[Tensor, "row in"]:
        """The product with the transposed weights, which the gradient of the input is."""
        raise NotImplementedError

    def product(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        """The product by the faster form, without bias."""
        return self.fused(rows.contiguous()) if len(rows) <= self.few_rows else self.written_out(rows)

    def forward(self, values: Float[Tensor, "*batch in"]) -> Float[Tensor, "*batch out"]:
        rows = values.reshape(-1, self.in_features)
        made = _Product.apply(rows, self) if rows.requires_grad else self.product(rows)
        if self.bias is not None:
            made += self.bias
        return made.view(*values.shape[:-1], self.out_features)

    def extra_repr(self) -> str:
        return f"in_features={self.in_features}, out_features={self.out_features}, bias={self.bias is not None}"


class _Product(torch.autograd.Function):
    """`PackedLinear.product`, whose kernels have no gradient and whose memory is written over by the next layer."""

    @staticmethod
    def forward(ctx: Any, rows: Tensor, layer: PackedLinear) -> Tensor:
        ctx.layer = layer
        return layer.product(rows)

    @staticmethod
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor, None]:  # ty: ignore[incompatible-method-override]
        return ctx.layer.back(gradient), None


class Int8Linear(PackedLinear):
    """A scale for each output feature, symmetric."""

    multiple, few_rows, stored = 16, 16, torch.int8

    def __init__(self, layer: nn.Linear):
        super().__init__(layer)
        size = layer.out_features, layer.in_features
        self.register_buffer("weight", torch.empty(size, dtype=self.stored, device=layer.weight.device))
        self.register_buffer("scale", layer.weight.new_empty(layer.out_features))

    def pack(self, weight: Float[Tensor, "out in"]) -> None:
        scale = (weight.abs().amax(1).float() / INT8_MAX).clamp(min=torch.finfo(torch.float32).tiny)
        scale = scale.to(weight.dtype)
        self.weight = (weight / scale[:, None]).round_().clamp_(-INT8_MAX, INT8_MAX).to(torch.int8)
        self.scale = scale

    def fused(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        return torch.ops.aten._weight_int8pack_mm(rows, self.weight, self.scale)

    def written_out(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        return F.linear(rows, self._levels_written()).mul_(self.scale)

    def back(self, rows: Float[Tensor, "row out"]) -> Float[Tensor, "row in"]:
        return (rows.to(self.scale.dtype) * self.scale) @ self._levels_written()

    def _levels_written(self) -> Float[Tensor, "out in"]:
        return scratch(self.weight.numel(), self.scale.dtype).view_as(self.weight).copy_(self.weight)


class Int4Linear(PackedLinear):
    """A scale and a zero point for every `GROUP` weights of a row.

    weight: in the order of PyTorch's kernel, blocks of output features, whose two halves are the low and the high four
    bits of a byte: (block, in, half).
    """

    multiple, few_rows, stored = 64, 96, torch.uint8

    def __init__(self, layer: nn.Linear):
        super().__init__(layer)
        place, groups = layer.weight.device, layer.in_features // GROUP
        size = layer.out_features, layer.in_features // 2
        self.register_buffer("weight", torch.empty(size, dtype=self.stored, device=place))
        self.register_buffer("scale_and_zero", layer.weight.new_empty(groups, layer.out_features, 2))

    def pack(self, weight: Float[Tensor, "out in"]) -> None:
        groups = weight.view(len(weight), -1, GROUP).float()
        least, most = groups.amin(2), groups.amax(2)
        scale = ((most - least) / INT4_MAX).clamp(min=torch.finfo(torch.float32).tiny)
        pair = torch.stack([scale, least + INT4_ZERO * scale], 2).to(weight.dtype)  # as the kernel reads them
        scale, middle = pair.float().unbind(2)
        levels = ((groups - middle[..., None]) / scale[..., None]).round_().add_(INT4_ZERO).clamp_(0, INT4_MAX)
        self.weight = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.view_as(weight).to(torch.int32), 1)
        self.scale_and_zero = pair.transpose(0, 1).contiguous()

    def reorder(self, block: int) -> None:
        """Puts weights that are in blocks of `block` output features into the order of this processor."""
        levels = _levels(self.weight.view(-1, self.in_features, block // 2))
        self.weight = torch.ops.aten._convert_weight_to_int4pack_for_cpu(levels.to(torch.int32), 1)

    def fused(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        return torch.ops.aten._weight_int4pack_mm_for_cpu(rows, self.weight, GROUP, self.scale_and_zero)

    def written_out(self, rows: Float[Tensor, "row in"]) -> Float[Tensor, "row out"]:
        middle = self.scale_and_zero[..., 1]
        sums = rows.view(len(rows), len(middle), GROUP).sum(2)
        return torch.addmm(sums @ middle, rows, self._scaled_levels())

    def back(self, rows: Float[Tensor, "row out"]) -> Float[Tensor, "row in"]:
        middle = self.scale_and_zero[..., 1]
        rows = rows.to(middle.dtype)
        made = rows @ self._scaled_levels().T
        made.view(len(rows), len(middle), GROUP).add_((rows @ middle.T)[..., None])
        return made

    def _scaled_levels(self) -> Float[Tensor, "in out"]:
        """The weights without the middle of their groups."""
        half, (groups, features, _) = int4_block() // 2, self.scale_and_zero.shape
        scale = self.scale_and_zero[..., 0]
        whole = scratch(groups * GROUP * features, scale.dtype).view(groups * GROUP, -1, 2, half)
        blocks = self.weight.view(-1, groups * GROUP, half)
        for place, levels in enumerate((blocks & INT4_MAX, blocks >> 4)):  # the two halves of a block
            whole[:, :, place] = levels.transpose(0, 1)
        whole.view(groups, GROUP, features).sub_(INT4_ZERO).mul_(scale[:, None])
        return whole.view(groups * GROUP, features)


KINDS: dict[str, type[PackedLinear]] = {"int8": Int8Linear, "int4": Int4Linear}


def scratch(count: int, dtype: torch.dtype) -> Float[Tensor, " count"]:
    """Memory for `count` values, the same at every call of a thread: new pages cost more than what is written there."""
    held = getattr(_HELD, "memory", None)
    if held is None or held.dtype != dtype or len(held) < count:
        with torch.inference_mode(False):  # memory made inside it could not be written again outside, in training
            held = _HELD.memory = torch.empty(count, dtype=dtype)
    return held[:count]


_HELD = local()


@cache
def int4_block() -> int:
    """Output features of a block of PyTorch's int4 layout, which its kernel for this processor chooses; 0: unknown."""
    feature = torch.arange(64, dtype=torch.int32)[:, None]
    probe = (feature * torch.tensor([[1, 3]], dtype=torch.int32) + feature // 16) % 16
    packed = torch.ops.aten._convert_weight_to_int4pack_for_cpu(probe, 1)
    return next((block for block in INT4_BLOCKS if torch.equal(_levels(packed.view(-1, 2, block // 2)), probe)), 0)


def check_int4(option: str) -> None:
    """Raises UnsupportedError where the order of PyTorch's int4 weights on this processor is unknown."""
    if not int4_block():
        raise UnsupportedError(
            f"{option}: PyTorch's int4 kernel for this processor stores weights in an unknown order; take int8"
        )


def _levels(blocks: UInt8[Tensor, "block in half"]) -> UInt8[Tensor, "out in"]:
    """The levels 0 to 15 of packed weights."""
    return torch.cat([blocks & INT4_MAX, blocks >> 4], 2).transpose(1, 2).reshape(-1, blocks.shape[1])
