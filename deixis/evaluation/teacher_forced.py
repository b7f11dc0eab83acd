"""Given answers: what a model points at where it is told the right words, in one pass over question and answer.

LISA's published numbers are had so: the mask's token stands in the answer, and only the mask is the model's. A model
that would never have written that token is not found out by it, which is why both ways are reported. It knows no
benchmark; the words of the answer are the caller's.
"""

from collections.abc import Sequence

from deixis.errors import UnsupportedError
from deixis.evaluation.benchmark import FORCED, Facts
from deixis.geometry import write_answer
from deixis.inference import Answer, Model, Question
from deixis.inference.abilities import WANTS
from deixis.samples.sample import RegionRecord


def check_able(model: Model, facts: Facts, mode: str) -> None:
    """Raises ValueError unless the model's answers can have the form that a benchmark needs, before anything is asked.

    Given answers need a model that makes masks: all else in them is told.
    """
    want = "mask" if mode == FORCED else facts.want
    network = getattr(model, "network", None)  # a classifier of clouds has none
    able = ["text"] if network is None else network.config.abilities["answers"]
    if want is not None and want not in able:
        raise UnsupportedError(
            f"{facts.name}: answers need a {want}, and '{model.name}' answers in {' and '.join(able)}; {WANTS[want]}"
        )


def point(
    model: Model, questions: Sequence[Question], given: Sequence[tuple[str, tuple[RegionRecord, ...]]]
) -> list[Answer]:
    """The answers that are given, with the masks that the model points at for them.

    given: for each question an answer in markup ("[the cup]{0:mask}.") and its regions, whose places are written into
    the text where the markup asks for boxes; masks are never shown to the model. Raises ValueError for a model without
    masks, for an answer whose regions do not go with its signals, and for a question that the model does not take.
    """
    if not model.network.config.makes_masks:
        raise UnsupportedError(
            f"'{model.name}': points at nothing in a given answer, for it makes no masks; {WANTS['mask']}"
        )
    written = []
    for question, (markup, regions) in zip(questions, given, strict=True):
        frames = [model.engine.eye.prepare(signal).prepared.frame for signal in question.signals]
        written.append(write_answer(markup, regions, frames, model.processor.notation)[0])
    return [scored.answer for scored in model.score(questions, written)]
