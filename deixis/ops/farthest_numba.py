"""Farthest point sampling on a CPU, compiled with Numba, exact.

The points are first sorted into the leaves of a k-d tree, at most `LEAF` points each, with the bounding box and the
largest remaining distance per leaf. A newly selected point is compared with the boxes, and only leaves that are closer
to it than their largest distance are updated: a handful after the first few dozen points. The distance to a box is
computed with the same roundings in the same order as the distance to a point, and rounding is monotonic, so a skipped
leaf would not have changed by a single bit. (Skipping whole cells: QuickFPS, Han et al. 2023.)

Compiled at the first use on a machine, which takes some seconds, and cached beside this file or in Numba's own folder.
The sets of a batch are distributed over as many threads as PyTorch uses. `AVAILABLE`: whether Numba is installed.
"""

from concurrent.futures import ThreadPoolExecutor
from typing import no_type_check

import numpy as np
import torch
from jaxtyping import Bool, Float, Int
from torch import Tensor

try:
    import numba
except ImportError:
    numba = None

AVAILABLE = numba is not None
LEAF = 64


def farthest(
    points: Float[Tensor, "batch point axis"],
    count: int,
    valid: Bool[Tensor, "batch point"] | None,
    start: Int[Tensor, " batch"] | None,
) -> Int[Tensor, "batch {count}"]:
    """The indices of `farthest_torch`, computed faster; points on the CPU, float32 or float64."""
    indices = torch.zeros(points.shape[0], count, dtype=torch.int64)
    places, into = points.contiguous().numpy(), indices.numpy()

    def choose(row: int) -> None:
        chosen_from = np.arange(points.shape[1]) if valid is None else np.flatnonzero(valid[row].numpy())
        if len(chosen_from):
            first = int(chosen_from[0] if start is None else start[row])
            _choose(places[row], chosen_from, first, into[row])

    if len(indices) == 1 or torch.get_num_threads() == 1:
        for row in range(len(indices)):
            choose(row)
    else:
        with ThreadPoolExecutor(torch.get_num_threads()) as threads:  # the compiled code releases the GIL
            list(threads.map(choose, range(len(indices))))
    return indices


def _compiled(function):
    """The function compiled at its first call, cached on disk if a folder is writable."""
    if numba is None:
        return function
    try:
        return numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # no folder for the cache
        return numba.njit(nogil=True)(function)


# Numba compiles the functions below; the type-checking hook of the tests must not wrap them.


@_compiled
@no_type_check
def _split(keys, order, low, high, middle):
    """Partitions keys[low:high], and order with them, around the element that belongs at `middle` (quickselect)."""
    right = high - 1
    while low < right:
        pivot = keys[(low + right) // 2]
        i, j = low, right
        while i <= j:
            while i < right and keys[i] < pivot:
                i += 1
            while j > low and keys[j] > pivot:
                j -= 1
            if i <= j:
                keys[i], keys[j] = keys[j], keys[i]
                order[i], order[j] = order[j], order[i]
                i += 1
                j -= 1
        if middle <= j:
            right = j
        elif middle >= i:
            low = i
        else:
            return


@_compiled
@no_type_check
def _leaves(points, order):
    """Sorts `order` leaf by leaf, halving the longest side recursively; returns where each leaf begins, and the end."""
    number, axes = len(order), points.shape[1]
    keys = np.empty(number, points.dtype)
    ends = [number]
    stack = [(0, number)]
    while stack:
        low, high = stack.pop()
        if high - low <= LEAF:
            ends.append(low)
            order[low:high].sort()  # of equal distances the lowest index comes first
            continue
        longest, widest = -1.0, 0
        for axis in range(axes):
            least = most = points[order[low], axis]
            for i in range(low + 1, high):
                least, most = min(least, points[order[i], axis]), max(most, points[order[i], axis])
            if most - least > longest:
                longest, widest = most - least, axis
        for i in range(low, high):
            keys[i] = points[order[i], widest]
        middle = (low + high) // 2
        _split(keys, order, low, high, middle)
        stack.append((low, middle))
        stack.append((middle, high))
    return np.array(sorted(ends))


@_compiled
@no_type_check
def _boxes(placed, ends):
    """Lower and upper corners (leaf, axis) of the bounding box of each leaf."""
    least = np.empty((len(ends) - 1, len(placed)), placed.dtype)
    most = np.empty_like(least)
    for leaf in range(len(least)):
        for axis in range(len(placed)):
            least[leaf, axis] = placed[axis, ends[leaf] : ends[leaf + 1]].min()
            most[leaf, axis] = placed[axis, ends[leaf] : ends[leaf + 1]].max()
    return least, most


@_compiled
@no_type_check
def _choose(points, order, first, indices):
    """Fills `indices` with a selection from the rows `order` (ascending) of points (point, axis), starting with
    `first`.
    """
    number, axes = len(order), points.shape[1]
    indices[0] = first
    lowest = order[0]
    ends = _leaves(points, order)
    placed = np.empty((axes, number), points.dtype)
    for axis in range(axes):
        for i in range(number):
            placed[axis, i] = points[order[i], axis]
    least, most = _boxes(placed, ends)
    zero = points.dtype.type(0)
    distance = np.full(number, np.inf, points.dtype)
    squares = np.empty(LEAF, points.dtype)
    # Per leaf the largest distance, and the point that has it.
    farthest_in = np.full(len(least), np.inf, points.dtype)
    whose = order[ends[:-1]]
    for step in range(1, len(indices)):
        last = points[indices[step - 1]]
        best, best_index = -np.inf, lowest
        for leaf in range(len(least)):
            nearest = zero  # the distance to the box
            for axis in range(axes):
                gap = max(least[leaf, axis] - last[axis], last[axis] - most[leaf, axis], zero)
                nearest += gap * gap
            # Only a leaf that is closer to the new point than its largest distance can change.
            if nearest < farthest_in[leaf]:
                low, size = ends[leaf], ends[leaf + 1] - ends[leaf]
                squares[:size] = zero
                for axis in range(axes):
                    for i in range(size):
                        gap = placed[axis, low + i] - last[axis]
                        squares[i] += gap * gap
                largest, index = -np.inf, lowest
                for i in range(size):
                    distance[low + i] = min(distance[low + i], squares[i])
                    if distance[low + i] > largest:
                        largest, index = distance[low + i], order[low + i]
                farthest_in[leaf], whose[leaf] = largest, index
            if farthest_in[leaf] > best or (farthest_in[leaf] == best and whose[leaf] < best_index):
                best, best_index = farthest_in[leaf], whose[leaf]
        indices[step] = best_index
