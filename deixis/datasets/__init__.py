"""Readers of public data sets: one file a family of formats, each a `Format` that `formats.py` lists."""
