"""Regions in: the points sampled in a region, and the region sampler that turns features at them into one token."""
