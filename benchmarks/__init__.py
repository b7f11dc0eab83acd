"""Benchmarks; run each with `python -m` from the repository."""
