"""What is loaded where memory is short: the type that fits, or a sentence with the numbers, never half a model."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from deixis.inference import load

has_limits = pytest.mark.skipif(not Path("/proc/self/limits").exists(), reason="limits are read from /proc")
LIMITED = """
import resource
import torch
from deixis.inference import load
from deixis.inference.memory import free_bytes

load(device="cpu")  # everything is imported and warm
for free_mb, dtype in ((20, None), (66, "float32"), (70, None), (4000, None)):
    pages = int(open("/proc/self/statm").read().split()[0])
    limit = pages * resource.getpagesize() + (free_mb << 20)
    resource.setrlimit(resource.RLIMIT_AS, (limit, resource.RLIM_INFINITY))
    assert free_bytes(torch.device("cpu")) <= free_mb << 20
    try:
        print(load(device="cpu", dtype=dtype).network.dtype, flush=True)
    except ValueError as error:
        print(error, flush=True)
"""
AT_ONCE = {"MALLOC_ARENA_MAX": "1", "MALLOC_MMAP_THRESHOLD_": "65536", "MALLOC_TRIM_THRESHOLD_": "65536"}
"""Memory that is freed goes back at once: what malloc keeps is used again without an address more."""


@has_limits
def test_memory_is_looked_at_before_weights_are_read():
    """The bundled model has 13 M parameters, whose files of 26 MB are mapped while they are read.

    float32 with room needs 63 + 26 MB of addresses, bfloat16 53, and what comes before the look 2.
    """
    environment = os.environ | AT_ONCE
    told = subprocess.run([sys.executable, "-c", LIMITED], capture_output=True, text=True, check=True, env=environment)
    too_little, too_little_for_float32, half_fits, plenty = told.stdout.splitlines()
    assert (plenty, half_fits) == ("torch.float32", "torch.bfloat16")
    assert "the weights are read as bfloat16" in told.stderr
    assert too_little.startswith("model 'bundled': its weights need 26 MB of memory as bfloat16")
    assert "need 53 MB of memory as float32" in too_little_for_float32
    assert too_little_for_float32.endswith("--dtype bfloat16 needs 26 MB")
    assert told.stderr.count("\n") == 1


@pytest.mark.parametrize("dtype", ["bfloat16", torch.bfloat16])
def test_the_type_that_is_asked_for_is_taken(dtype):
    assert load(device="cpu", dtype=dtype).network.dtype == torch.bfloat16


def test_an_unknown_type_is_refused():
    with pytest.raises(ValueError, match="dtype: expected one of float32, float16, bfloat16; got 'half'"):
        load(device="cpu", dtype="half")
