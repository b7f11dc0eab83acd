"""Floating-point operations: what is counted of a batch, and what the device can do."""

import pytest
import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention

from deixis.training.flops import FlopCounter, peak_flops

ROWS, WIDTH = 8, 64
PRODUCT = 2 * ROWS * WIDTH * WIDTH


def two_layers():
    return nn.Sequential(nn.Linear(WIDTH, WIDTH), nn.Linear(WIDTH, WIDTH))


def first_frozen():
    layers = two_layers()
    layers[0].requires_grad_(False)
    return layers


class Attention(nn.Module):
    def forward(self, x):
        heads = x.view(1, 1, ROWS, WIDTH)
        return scaled_dot_product_attention(heads, heads, heads)


@pytest.mark.parametrize(
    ("build", "needs_input_grad", "products"),
    [
        pytest.param(two_layers, True, 6, id="forward, and backward to weights and inputs"),
        pytest.param(two_layers, False, 5, id="inputs without gradients"),
        pytest.param(first_frozen, False, 3, id="what is frozen has no backward pass"),
    ],
)
def test_layers_count_what_they_compute(build, needs_input_grad, products):
    counter, layers = FlopCounter(), build()
    with counter.batch():
        layers(torch.ones(ROWS, WIDTH, requires_grad=needs_input_grad)).sum().backward()
    assert counter.take() == products * PRODUCT


def test_attention_counts_on_the_cpu_too():
    counter = FlopCounter()
    with counter.batch():
        Attention()(torch.ones(ROWS, WIDTH, requires_grad=True)).sum().backward()
    # two products forward; five backward, as the kernel computes the scores again
    assert counter.take() == (2 + 5) * 2 * ROWS * ROWS * WIDTH


def test_batches_between_two_readings_count_as_the_first():
    counter, layers = FlopCounter(), two_layers()
    for rows in (ROWS, 1, 1):
        with counter.batch():
            layers(torch.ones(rows, WIDTH))
    assert counter.take() == 3 * 2 * PRODUCT
    assert counter.take() == 0
    with counter.batch():
        layers(torch.ones(1, WIDTH))
    assert counter.take() == 2 * PRODUCT / ROWS


def test_a_device_without_a_data_sheet_is_measured():
    assert 1e9 < peak_flops(torch.device("cpu"), torch.float32) < 1e14
