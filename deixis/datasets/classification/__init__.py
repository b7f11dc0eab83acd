"""Readers of sets with one class per signal."""
