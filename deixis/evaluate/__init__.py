"""Scores: metrics, the benchmark of the world, and their report."""
