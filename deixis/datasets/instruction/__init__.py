"""Readers of instruction, question and caption sets."""
