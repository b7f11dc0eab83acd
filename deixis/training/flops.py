"""How many floating-point operations a training does, and how many its device can do: model-FLOPs utilisation (MFU).

Chowdhery et al., PaLM, 2022, appendix B, defines the utilisation; operations are counted as they run, so that frozen
weights, encoders and attention count for what they do.
"""

from collections.abc import Generator
from contextlib import contextmanager
from functools import cache
from time import perf_counter

import torch
from torch.utils.flop_counter import FlopCounterMode, sdpa_backward_flop_count, sdpa_flop_count

PUBLISHED_TFLOPS = (
    ("B200", 2250.0),
    ("H200", 989.0),
    ("H100 PCIe", 756.0),
    ("H100", 989.0),
    ("A100", 312.0),
    ("L40S", 362.0),
    ("RTX 4090", 165.0),
)
"""Dense bfloat16 of the makers' data sheets, by what a device's name holds; the first that fits counts."""
SIDE = 1024  # of a matrix whose product is measured: 2 GFLOP


class FlopCounter:
    """Counts one batch after each reading, and takes those in between to be like it."""

    def __init__(self) -> None:
        self.of_one = self.batches = 0

    @contextmanager
    def batch(self) -> Generator[None]:
        """Around the forward and backward pass of a batch; what `checkpointing` computes again counts again."""
        self.batches += 1
        if self.batches > 1:
            yield
            return
        with FlopCounterMode(display=False, custom_mapping=CPU_ATTENTION) as counter:
            yield
        self.of_one = counter.get_total_flops()

    def take(self) -> int:
        """The operations since the last reading."""
        count, self.batches = self.of_one * self.batches, 0
        return count


@cache
def peak_flops(device: torch.device, dtype: torch.dtype) -> float:
    """Operations per second: published for bfloat16 on a known GPU, elsewhere those of a matrix product, measured."""
    if device.type == "cuda" and dtype == torch.bfloat16:
        name = torch.cuda.get_device_name(device)
        for part, tflops in PUBLISHED_TFLOPS:
            if part in name:
                return tflops * 1e12
    side = SIDE if device.type == "cpu" else 8 * SIDE
    matrix = torch.ones(side, side, device=device, dtype=dtype)
    return 2 * side**3 / min(_product_s(matrix) for _ in range(4))  # the first is slow


def _product_s(matrix: torch.Tensor) -> float:
    start = perf_counter()
    (matrix @ matrix)[0, 0].item()  # waits for the device
    return perf_counter() - start


def _forward(query, key, value, *args, out_shape=None, **kwargs) -> int:
    return sdpa_flop_count(query, key, value)


def _backward(grad, query, key, value, *args, out_shape=None, **kwargs) -> int:
    return sdpa_backward_flop_count(grad, query, key, value)


CPU_ATTENTION = {
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu: _forward,
    torch.ops.aten._scaled_dot_product_flash_attention_for_cpu_backward: _backward,
}
"""PyTorch's counter knows attention on GPUs alone."""
