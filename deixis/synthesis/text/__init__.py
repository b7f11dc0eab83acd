"""Texts of the region-data engine: wordings, prompts and the checks on what a language model wrote."""
