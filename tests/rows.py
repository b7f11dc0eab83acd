"""Packed rows of samples, as training makes them."""

from collections.abc import Sequence

from deixis.conversation import Row, mask_targets, render
from deixis.samples.sample import Sample
from deixis.systems import SYSTEMS

DEIXIS = SYSTEMS["deixis"]


def packed(samples: Sequence[Sample], prepared: list, processor, cells: dict[str, int], max_tokens: int = 400) -> Row:
    """One row of the samples about the same signals that fit into it."""
    row = Row(prepared)
    for sample in samples:
        rendered = render(sample, prepared, processor, DEIXIS.label_rule)
        row.open(rendered)
        if row.length_with(rendered) <= max_tokens:
            row.add(rendered, mask_targets(rendered, sample.regions, prepared, cells, DEIXIS))
    return row
