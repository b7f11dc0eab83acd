"""`Skipped`: what a reader yields in the place of something that it cannot use."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Skipped:
    """Something that could not be used. why: one sentence, with the field, what was expected and what came."""

    where: str
    why: str
