"""Answers in the form that a question wants, where a model writes regions as coordinates and as masks.

Such a model chooses by the question: it answers "Where is the mug?" with a box, and "Mark the mug." with a mask. Where
the other form is wanted, what it says stays. A mask in place of coordinates is that of the same text with ``<seg>``
there, fed once more; a box in place of a mask is the one around it.
"""

from collections.abc import Sequence
from dataclasses import replace

from deixis.conversation import answered
from deixis.geometry import Extent, Region, bounding_box, coordinates_as_masks
from deixis.inference.abilities import Abilities
from deixis.inference.answer import Answer
from deixis.inference.engine import Engine
from deixis.inference.teacher_forcing import score
from deixis.samples.sample import Sample


def may_change_form(sample: Sample, able: Abilities) -> bool:
    """Whether an answer may have regions in another form than `want` asks for."""
    return sample.turns[-1].want in ("box", "mask") and {"box", "mask"} <= set(able["answers"])


def in_wanted_form(engine: Engine, samples: Sequence[Sample], answers: Sequence[Answer]) -> list[Answer]:
    """The answers of these samples, whose signals are open, with masks or boxes alone where `want` asks for them."""
    wanted = [boxed(a) if s.turns[-1].want == "box" else a for s, a in zip(samples, answers, strict=True)]
    again: dict[int, Sample] = {}
    for row, (sample, answer) in enumerate(zip(samples, answers, strict=True)):
        if sample.turns[-1].want == "mask":
            frames = [engine.encoder.prepare(own.values).prepared.frame for own in sample.signals]
            raw = coordinates_as_masks(answer.raw, frames, engine.processor.notation)
            if raw != answer.raw:
                again[row] = answered(sample, raw)
    for row, scored in zip(again, score(engine, list(again.values()), "") if again else (), strict=True):
        answer = answers[row]
        wanted[row] = replace(scored.answer, model=answer.model, seconds=answer.seconds + scored.answer.seconds)
    return wanted


def boxed(answer: Answer) -> Answer:
    """The answer with the box around each mask and each set of points; empty ones are left out."""
    phrases = [
        replace(
            phrase, regions=tuple(_box(r, answer.signals[r.signal].extent) for r in phrase.regions if not r.is_empty)
        )
        for phrase in answer.phrases
    ]
    return replace(answer, phrases=tuple(phrases))


def _box(region: Region, extent: Extent) -> Region:
    match region.form:
        case "mask":
            around = bounding_box(replace(region, time_s=None), Extent(extent.modality, size_hw=extent.size_hw))
            return replace(region, mask=None, box=tuple(around.tolist()))
        case "points" if extent.axes == "xyz":
            return replace(region, points=None, box3d=tuple(bounding_box(region, extent).tolist()))
    return region
