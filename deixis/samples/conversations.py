"""Parts of a sample's conversation as samples of their own."""

from collections.abc import Sequence
from dataclasses import replace

from deixis.geometry import numbers_in, parse_markup, renumbered
from deixis.samples.sample import Sample, Turn


def with_turns(sample: Sample, turns: Sequence[Turn]) -> Sample:
    """The sample with these turns and the regions that they name, numbered in the order of mention."""
    texts = [parse_markup(text) for turn in turns for text in (turn.user, turn.assistant)]
    order = numbers_in(*texts)
    number_of = {index: number for number, index in enumerate(order)}
    written = iter([renumbered(pieces, number_of) for pieces in texts])
    kept = tuple(replace(turn, user=next(written), assistant=next(written)) for turn in turns)
    return replace(sample, turns=kept, regions=tuple(sample.regions[index] for index in order))
