"""Scripted answers as a model would have generated them: the ground truth of a sample, or one text."""

from collections.abc import Sequence

from deixis.geometry import (
    Extent,
    Frame,
    Region,
    cloud_frame,
    letterbox_frame,
    parse_answer,
    region_in_file,
    window_frame,
    write_answer,
)
from deixis.geometry.frames import video_frame
from deixis.inference import Answer, AnswerPhrase
from deixis.samples.sample import Sample
from deixis.signals import Signal
from deixis.systems import NOTATIONS

DIALECT = NOTATIONS["deixis"]


def right_answer(sample: Sample, question: Sample) -> Answer:
    """The sample's own answer, written and read as a model's would be; masks are the true ones."""
    raw, targets = write_answer(sample.turns[-1].assistant, sample.regions, frames_of(question), DIALECT)
    return answer_of(raw, question, sample, targets)


def answer_of(raw: str, question: Sample, sample: Sample | None, targets: Sequence[int]) -> Answer:
    frames = frames_of(question)
    parsed = parse_answer(raw, frames, DIALECT)
    phrases = []
    for phrase in parsed.phrases:
        marked = []
        for found in phrase.regions:
            if found.form == "seg":
                record = sample.regions[targets[found.seg_index]] if sample else None
                marked.append(_marked(record, question.signals[found.signal].values, found.signal))
            elif region := region_in_file(found, frames):
                marked.append(region)
        phrases.append(AnswerPhrase(phrase.text, phrase.start, phrase.end, tuple(marked)))
    return Answer(parsed.text, tuple(phrases), tuple(own.values for own in question.signals), raw=raw)


def _marked(record: Region | None, signal: Signal, number: int) -> Region:
    """The true region on signal `number`, in the form of a mask; without one, the whole signal."""
    import numpy as np

    if signal.extent.size_hw is not None:
        whole, form = np.ones(signal.extent.size_hw, bool), "mask"
    elif signal.extent.duration_s is not None:
        whole, form = (0.0, signal.extent.duration_s), "span"
    else:
        whole, form = np.arange(len(signal.values)), "points"
    return Region(**{form: whole if record is None else getattr(record, form)}, signal=number, score=1.0)


def frames_of(question: Sample) -> list[Frame]:
    return [_frame(own.values.extent) for own in question.signals]


def _frame(extent: Extent) -> Frame:
    if extent.size_hw is not None:
        frame = letterbox_frame(extent.size_hw, (128, 128), extent.modality)
        return frame if extent.duration_s is None else video_frame(frame, extent.duration_s)
    return (
        window_frame(extent.duration_s, max(8.0, extent.duration_s))
        if extent.duration_s
        else cloud_frame(extent.points_xyz)
    )
