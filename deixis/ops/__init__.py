"""Operations on sets of points and grids of features, in one, two and three dimensions.

PyTorch only: these functions take tensors, not regions, signals or models.
"""

from deixis.ops.farthest import farthest_points
from deixis.ops.points import gather_points, interpolate_points, nearest_neighbours, sample_grid

__all__ = ["farthest_points", "gather_points", "interpolate_points", "nearest_neighbours", "sample_grid"]
