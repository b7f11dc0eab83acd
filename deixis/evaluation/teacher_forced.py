"""Teacher-forced answers: the masks that a model predicts when it is fed the target answer, in one forward pass.

LISA's published scores are teacher-forced: the mask token is part of the answer that is fed, and only the mask is
predicted. A model that would never generate that token is not detected this way, so both modes are reported. It knows
no benchmark; the text of the target answer is the caller's.
"""

from collections.abc import Sequence

from deixis.conversation import with_answer
from deixis.errors import UnsupportedError
from deixis.evaluation.benchmark import TEACHER_FORCED, BenchmarkInfo
from deixis.geometry import Region
from deixis.inference import Answer, Model
from deixis.inference.abilities import WANTS
from deixis.samples.sample import Sample


def check_able(model: Model, info: BenchmarkInfo, mode: str) -> None:
    """Checks, before anything is asked, that the model's answers can have the form that a benchmark requires.

    Teacher-forced answers require a model that predicts masks: everything else in them is given.

    Raises:
        UnsupportedError: the model does not support the form.
    """
    required = "mask" if mode == TEACHER_FORCED else info.answer_form
    supported = model.abilities["answers"]
    if required not in (None, "text", *supported):
        raise UnsupportedError(
            f"{info.name}: answers need a {required}, and '{model.name}' answers in {' and '.join(supported)}; "
            f"{WANTS[str(required)]}"
        )


def point(model: Model, samples: Sequence[Sample], targets: Sequence[tuple[str, tuple[Region, ...]]]) -> list[Answer]:
    """One answer per question: the target's text with the masks that the model predicts for it.

    targets: per question an answer in markup ("[the cup]{0:mask}.") and the regions it refers to. Boxes are written
    into the text as coordinates; masks are never shown to the model.

    Raises:
        DeixisError: the model predicts no masks, a region does not fit the signals, or the model refuses the question.
    """
    if "mask" not in model.abilities["answers"]:
        raise UnsupportedError(
            f"'{model.name}': cannot answer teacher-forced, for it predicts no masks; {WANTS['mask']}"
        )
    answered = [with_answer(sample, *target) for sample, target in zip(samples, targets, strict=True)]
    return [scored.answer for scored in model.score(answered)]
