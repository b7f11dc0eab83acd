"""Questions as samples whose last answer is missing, and the same samples with a generated or given answer."""

from collections.abc import Generator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from typing import Any

from deixis.geometry import Reference, Region, as_regions, named_regions, parse_markup, to_markup
from deixis.samples.media import media_reference, open_media
from deixis.samples.same_files import media_file, media_key
from deixis.samples.sample import MediaReference, Sample, Turn
from deixis.signals import Signal


def question_sample(
    markup: str,
    signals: Sequence[Signal | MediaReference] = (),
    regions: Sequence[Any] = (),
    earlier: Sample | None = None,
    want: str | None = None,
) -> Sample:
    """The sample that asks `markup` ("What is {0}?") about signals and regions, after the turns of `earlier`.

    earlier: a conversation about the same signals; references of the new question are renumbered to follow its regions.
    want: the form that the answer must be able to hold: "text", "box" or "mask".
    """
    turn = Turn(_shifted(markup, len(earlier.regions) if earlier else 0), want=want)
    if earlier is not None:
        return replace(earlier, turns=(*earlier.turns, turn), regions=(*earlier.regions, *as_regions(regions)))
    references = tuple(own if isinstance(own, MediaReference) else media_reference(own) for own in signals)
    return Sample("", "", "ask", "", (turn,), references, as_regions(regions))


def answered(sample: Sample, generated: str) -> Sample:
    """The sample with a generated answer to its last turn, in the notation of the model that generated it."""
    *turns, last = sample.turns
    return replace(sample, turns=(*turns, replace(last, generated=generated)))


def with_answer(sample: Sample, markup: str, regions: Sequence[Any] = ()) -> Sample:
    """The sample with a given answer to its last turn, in markup about regions of its own."""
    *turns, last = sample.turns
    answer = replace(last, assistant=_shifted(markup, len(sample.regions)))
    return replace(sample, turns=(*turns, answer), regions=(*sample.regions, *as_regions(regions)))


def last_question(sample: Sample) -> tuple[str, tuple[Region, ...]]:
    """(markup, regions) of the last question, with references renumbered from 0 as if it had been asked alone."""
    markup = sample.turns[-1].user
    if len(sample.turns) == 1:
        return markup, sample.regions
    own = named_regions(markup)
    return _shifted(markup, -own[0] if own else 0), tuple(sample.regions[index] for index in own)


@contextmanager
def open_signals(samples: Sequence[Sample]) -> Generator[list[Sample]]:
    """The samples with their media opened as signals, each file once; videos are decoded only within the block."""
    with ExitStack() as files:
        opened: dict[str, MediaReference] = {}

        def reference(own: MediaReference) -> MediaReference:
            if isinstance(own.values, Signal):
                return own
            key = media_key(own, media_file(own))
            if key not in opened:
                opened[key] = replace(own, values=files.enter_context(open_media(own)), content=None)
            return opened[key]

        yield [replace(sample, signals=tuple(map(reference, sample.signals))) for sample in samples]


def _shifted(markup: str, by: int) -> str:
    """The markup with `by` added to every reference."""
    if not by:
        return markup
    return to_markup(
        replace(part, indices=tuple(index + by for index in part.indices)) if isinstance(part, Reference) else part
        for part in parse_markup(markup)
    )
