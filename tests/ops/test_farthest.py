"""Farthest point sampling: every form gives the indices of a loop over plain Python numbers, ties and padding too.

The compiled form needs Numba. The Triton kernel runs in Triton's interpreter, on the CPU.
"""

import os
import subprocess
import sys

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.plain.farthest_points import farthest_point_sample
from deixis.ops import farthest, farthest_numba, farthest_points, farthest_triton

CLOUDS = {
    "one_axis": torch.rand(2, 90, 1, generator=torch.Generator().manual_seed(1)),
    "plane": torch.rand(2, 90, 2, generator=torch.Generator().manual_seed(2)),
    "space": torch.rand(3, 400, 3, generator=torch.Generator().manual_seed(3)),
    "double": torch.rand(2, 90, 3, generator=torch.Generator().manual_seed(3), dtype=torch.float64),
    "six_axes": torch.rand(1, 90, 6, generator=torch.Generator().manual_seed(4)),
    "lattice_of_ties": torch.randint(0, 4, (2, 200, 3), generator=torch.Generator().manual_seed(5)) / 4,
    "in_order": torch.linspace(0, 1, 90).view(1, 90, 1).expand(1, 90, 3),
    "one_place": torch.ones(1, 70, 3),
    "one_point": torch.ones(2, 1, 3),
    "far_outlier": torch.cat(
        [torch.rand(1, 80, 3, generator=torch.Generator().manual_seed(6)), torch.full((1, 1, 3), 1e4)], 1
    ),
}
TABLE = [pytest.param(points, id=name) for name, points in CLOUDS.items()]


def loop(points, count, start):
    """Indices chosen from one set (point, axis), one by one; the squares are added axis by axis."""
    chosen, nearest = [start], None
    while len(chosen) < count:
        squares = (points - points[chosen[-1]]).square().unbind(-1)
        away = sum(squares[1:], squares[0])
        nearest = away if nearest is None else torch.minimum(nearest, away)
        chosen.append(nearest.tolist().index(float(nearest.max())))
    return chosen


@pytest.fixture(params=["torch", "numba"])
def form(request):
    """One of the forms, called as the public function calls it."""
    if request.param == "torch":
        return farthest.farthest_torch
    pytest.importorskip("numba")
    return farthest_numba.farthest


@pytest.mark.parametrize(
    ("points", "options", "match"),
    [
        pytest.param(torch.zeros(1, 0, 2), {"count": 1}, "count 1 of 0 points", id="no_points"),
        pytest.param(torch.zeros(1, 3, 2), {"count": 0}, "count 0 of 3 points", id="count_zero"),
        pytest.param(torch.zeros(1, 3, 2), {}, "either count or ratio, got count None", id="neither"),
        pytest.param(torch.zeros(1, 3, 2), {"count": 1, "ratio": 0.5}, "either count or ratio", id="both"),
        pytest.param(torch.zeros(1, 3, 2), {"ratio": 0.0}, "ratio: expected more than 0", id="ratio_zero"),
        pytest.param(torch.zeros(1, 3, 2), {"ratio": 1.5}, "at most 1, got 1.5", id="ratio_too_large"),
        pytest.param(
            torch.zeros(2, 3, 2), {"count": 1, "start": torch.tensor([0, 3])}, "from 0 to 2, got", id="start_outside"
        ),
    ],
)
def test_malformed(points, options, match):
    with pytest.raises(ValueError, match=match):
        farthest_points(points, **options)


def test_an_empty_batch_gives_an_empty_answer(form):
    assert form(torch.zeros(0, 5, 2), 3, None, None).shape == (0, 3)


@pytest.mark.parametrize("points", TABLE)
def test_every_form_equals_the_loop(form, points):
    start = torch.arange(len(points)) * 17 % points.shape[1]
    chosen = form(points, 60, None, start)
    assert chosen.dtype == torch.int64
    assert chosen.tolist() == [loop(row, 60, int(first)) for row, first in zip(points, start, strict=True)]


@pytest.mark.parametrize("points", TABLE)
def test_every_form_passes_over_padding(form, points):
    """Half of the positions are padding; the chosen points are those chosen without it."""
    batch, number, axes = points.shape
    padded = torch.zeros(batch, 2 * number, axes, dtype=points.dtype)
    padded[:, 1::2] = points
    valid = torch.arange(2 * number).expand(batch, -1) % 2 == 1
    assert torch.equal(form(padded, 60, valid, None), 2 * form(points, 60, None, None) + 1)


@pytest.mark.parametrize(
    ("points", "expected"),
    [
        pytest.param([0.0, 1.0, 1.0, -1.0], [0, 1, 3, 0], id="ties_take_the_first_then_repeat"),
        pytest.param([2.0, 2.0, 2.0, 2.0], [0, 0, 0, 0], id="all_in_one_place"),
        pytest.param([5.0], [0, 0, 0, 0], id="one_point"),
    ],
)
def test_order(form, points, expected):
    assert form(torch.tensor(points).view(1, -1, 1), 4, None, None).tolist() == [expected]


def test_rows_of_different_length(form):
    points = torch.tensor([[[9.0], [1.0], [4.0], [9.0]], [[0.0], [1.0], [4.0], [9.0]]])
    valid = torch.tensor([[False, True, True, False], [True, True, True, True]])
    assert form(points, 5, valid, None).tolist() == [[1, 2, 1, 1, 1], [0, 3, 2, 1, 0]]


@pytest.mark.parametrize(
    ("ratio", "number", "count"),
    [
        pytest.param(1.0, 7, 7, id="all"),
        pytest.param(0.5, 7, 4, id="rounded_up"),
        pytest.param(0.07, 100, 7, id="whole_but_for_rounding"),
        pytest.param(1e-6, 7, 1, id="never_none"),
    ],
)
def test_ratio(ratio, number, count):
    points = torch.rand(2, number, 3)
    assert torch.equal(farthest_points(points, ratio=ratio), farthest_points(points, count))


def test_a_ratio_is_of_the_row_with_most_points():
    valid = torch.arange(10) < torch.tensor([[4], [6]])
    assert farthest_points(torch.rand(2, 10, 3), ratio=0.5, valid=valid).shape == (2, 3)


def test_padding_is_never_read():
    points = torch.tensor([[[float("nan")], [1.0], [4.0], [float("inf")]]])
    valid = torch.tensor([[False, True, True, False]])
    assert farthest_points(points, 3, valid).tolist() == [[1, 2, 1]]


@pytest.mark.parametrize("threads", [pytest.param(1, id="one_thread"), pytest.param(2, id="two_threads")])
def test_the_sets_of_a_batch_are_shared_out_to_threads(threads, monkeypatch):
    pytest.importorskip("numba")
    monkeypatch.setattr(torch, "get_num_threads", lambda: threads)
    points = torch.rand(7, 300, 3, generator=torch.Generator().manual_seed(9))
    assert torch.equal(farthest_numba.farthest(points, 50, None, None), farthest.farthest_torch(points, 50, None, None))


@pytest.mark.skipif(not farthest_numba.AVAILABLE, reason="needs numba, the extra `fast`")
def test_a_large_choice_is_compiled_and_equals_the_plain_loops():
    points = torch.rand(1, 9000, 3, generator=torch.Generator().manual_seed(7))
    count = farthest.COMPILED_FROM // 9000 + 1
    assert farthest._implementation(points, count) is farthest_numba.farthest
    start = torch.tensor([123])
    chosen = farthest_points(points, count, start=start)
    assert torch.equal(chosen, farthest.farthest_torch(points, count, None, start))
    assert torch.equal(chosen, farthest_point_sample(points, count, start))


def test_without_the_packages_the_plain_form_serves(monkeypatch):
    monkeypatch.setattr(farthest_numba, "AVAILABLE", False)
    assert farthest._implementation(torch.rand(1, 9000, 3), 9000) is farthest.farthest_torch


def test_every_form_equals_the_recorded_official_indices(form, shared_golden):
    recorded = load_file(shared_golden / "pointmlp_tiny" / "data.safetensors")
    chosen = form(recorded["fps.points"], 64, None, torch.zeros(3, dtype=torch.int64))
    assert torch.equal(chosen, recorded["fps.index"].to(torch.int64))


IN_THE_INTERPRETER = """
import sys
import torch
from deixis.ops.farthest_triton import farthest
cases = torch.load(sys.argv[1], weights_only=True)
torch.save([farthest(*case) for case in cases], sys.argv[1])
"""


def test_the_triton_kernel_in_its_interpreter(tmp_path):
    """In a process of its own: Triton must know from its first import on that it interprets."""
    pytest.importorskip("triton")
    lattice, valid = CLOUDS["lattice_of_ties"], torch.arange(200).expand(2, -1) % 3 > 0
    long = torch.rand(1, farthest_triton.MAX_BLOCK + 50, 2, generator=torch.Generator().manual_seed(8))
    cases = [(points, 15, None, None) for points in CLOUDS.values()]
    cases += [(lattice, 15, valid, None), (lattice, 15, None, torch.tensor([7, 199])), (long, 6, None, None)]
    torch.save(cases, tmp_path / "cases.pt")
    command = [sys.executable, "-c", IN_THE_INTERPRETER, tmp_path / "cases.pt"]
    done = subprocess.run(command, env=os.environ | {"TRITON_INTERPRET": "1"}, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    for chosen, case in zip(torch.load(tmp_path / "cases.pt", weights_only=True), cases, strict=True):
        assert torch.equal(chosen, farthest.farthest_torch(*case))


def test_the_triton_kernel_compiles_for_a_card_without_fused_multiply_add():
    """What the other forms round twice, the kernel must not round once. Compiling needs no card."""
    triton = pytest.importorskip("triton")
    from triton.backends.compiler import GPUTarget
    from triton.compiler import ASTSource

    names = ["points", "distance", "indices", "number", "count", "AXES", "BLOCK"]
    types = ["*fp32", "*fp32", "*i64", "i32", "i32", "constexpr", "constexpr"]
    source = ASTSource(farthest_triton._choose, dict(zip(names, types, strict=True)), {(5,): 3, (6,): 256})
    options = {"enable_fp_fusion": False}
    compiled = triton.compile(source, target=GPUTarget("cuda", 80, 32), options=options)
    assert "mul" in compiled.asm["ptx"]
    assert "fma" not in compiled.asm["ptx"]


@pytest.mark.skipif(not torch.cuda.is_available(), reason="needs a CUDA device")
@pytest.mark.parametrize("points", TABLE)
def test_cuda_equals_the_cpu(points):
    assert torch.equal(farthest_points(points.cuda(), 60).cpu(), farthest_points(points, 60))
