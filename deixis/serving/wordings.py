"""The questions that annotation tools and agents ask on a person's behalf, in words that the models were trained on."""

from deixis.geometry import escaped

WHAT, MARK_IT = "What is {0}?", "Mark it."
"""What a person points at is named first, and then marked."""


def mark(thing: str) -> str:
    """The question that has a thing marked, which is called as its label is: "Orange car"."""
    return f"Mark the {escaped(thing.lower())}."
