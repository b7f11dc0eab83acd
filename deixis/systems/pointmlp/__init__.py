"""PointMLP (Ma et al., ICLR 2022) as a classifier of point clouds."""
