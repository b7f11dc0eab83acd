"""Ferret (You et al., ICLR 2024)."""
