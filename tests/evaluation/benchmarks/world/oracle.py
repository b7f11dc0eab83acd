"""Scripted answers as a model would have generated them: the ground truth of a sample, or one text."""

from collections.abc import Sequence

from deixis.geometry import (
    Frame,
    Region,
    cloud_frame,
    letterbox_frame,
    parse_answer,
    region_in_file,
    window_frame,
    write_answer,
)
from deixis.inference import Answer, AnswerPhrase
from deixis.samples.sample import Sample
from deixis.systems import NOTATIONS

DIALECT = NOTATIONS["deixis"]


def right_answer(sample: Sample, question: Sample) -> Answer:
    """The sample's own answer, written and read as a model's would be; masks are the true ones."""
    raw, targets = write_answer(sample.turns[-1].assistant, sample.regions, [frame_of(question)], DIALECT)
    return answer_of(raw, question, sample, targets)


def answer_of(raw: str, question: Sample, sample: Sample | None, targets: Sequence[int]) -> Answer:
    frames = [frame_of(question)]
    parsed = parse_answer(raw, frames, DIALECT)
    phrases = []
    for phrase in parsed.phrases:
        marked = []
        for found in phrase.regions:
            if found.form == "seg":
                record = sample.regions[targets[found.seg_index]] if sample else None
                marked.append(_marked(record, question))
            elif region := region_in_file(found, frames):
                marked.append(region)
        phrases.append(AnswerPhrase(phrase.text, phrase.start, phrase.end, tuple(marked)))
    return Answer(parsed.text, tuple(phrases), tuple(own.values for own in question.signals), raw=raw)


def _marked(record, question: Sample) -> Region:
    import numpy as np

    signal = question.signals[0].values
    if signal.modality == "image":
        return Region(mask=np.ones(signal.extent.size_hw, bool) if record is None else record.mask, score=1.0)
    if signal.modality == "audio":
        return Region(span=(0.0, signal.extent.duration_s) if record is None else record.span, score=1.0)
    return Region(points=np.arange(len(signal.values)) if record is None else record.points, score=1.0)


def frame_of(question: Sample) -> Frame:
    extent = question.signals[0].values.extent
    if extent.size_hw is not None:
        return letterbox_frame(extent.size_hw, (128, 128))
    return window_frame(extent.duration_s, 8.0) if extent.duration_s else cloud_frame(extent.points_xyz)
