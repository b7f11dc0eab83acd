"""Answers as lines of text: the text, then each phrase with its regions in the units of their files.

Also opens models for the verbs that ask, without log lines. Knows nothing of how questions are typed.
"""

import logging
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from deixis.cli.terminal import say
from deixis.errors import InputError

if TYPE_CHECKING:
    from deixis.checkpoints import Opened
    from deixis.geometry import Region
    from deixis.inference import Answer, Model, StreamEvent
    from deixis.samples.sample import Sample
    from deixis.signals import Signal

COLUMN = 30  # the widest a phrase may make its column
NO_WORDS = "(no words)"
LIMIT = 99  # regions listed of one answer


NOISY = ("torchao", "torch.utils._pytree")
"""Loggers that warn when transformers finds torchao: of kernels for other machines, and of deprecations."""


def open_small(name: str, adapter: Path | None = None) -> "Opened":
    """The model `name` without its weights, with the adapter in a folder; logs nothing. Raises DeixisError."""
    from deixis.cli.environment import bundled_model_is_here

    if name == "bundled" and not bundled_model_is_here():
        raise InputError(
            "the bundled model is not in this installation (deixis/checkpoints/bundled): install Deixis again, "
            "or name another with --model"
        )
    for noisy in NOISY:
        logging.getLogger(noisy).setLevel(logging.ERROR)
    from transformers.utils import logging as transformers_logging

    transformers_logging.set_verbosity_error()
    from deixis.checkpoints import open_config_and_processor
    from deixis.systems.official import conversion_hint

    with conversion_hint():
        opened = open_config_and_processor(name)
    return opened if adapter is None else opened.with_adapter(adapter)


def refuse_early(opened: "Opened", sample: "Sample") -> None:
    """Raises InputError or UnsupportedError for a question that the model would refuse, before its weights are read.

    Signals are prepared for it, which costs little beside reading the weights.
    """
    if opened.config is None or opened.processor is None:
        from deixis.inference.classifier import check_cloud_question

        check_cloud_question(sample)
        return
    from deixis.conversation import render
    from deixis.inference.abilities import check_abilities

    check_abilities(sample, opened.config.abilities)
    prepared = [opened.processor.prepare(reference.values) for reference in sample.signals]
    render(sample, prepared, opened.processor)


def refuse_chat_early(opened: "Opened", signals: "Sequence[Signal]") -> None:
    """Raises UnsupportedError for a conversation that this model cannot hold, before its weights are read."""
    from deixis.conversation import question_sample

    if opened.is_classifier:
        from deixis.inference.classifier import refuse_chat

        refuse_chat(opened.title)
    refuse_early(opened, question_sample("What is this?", tuple(signals)))


def open_model(
    model: "str | Opened", device: str | None, dtype: str | None = None, quantization: str | None = None
) -> "Model":
    """The loaded model of a name or of the result of `open_small`; arguments as of `load`. Raises DeixisError."""
    opened = open_small(model) if isinstance(model, str) else model
    from deixis.inference import load

    return load(opened, device, dtype, quantization)


def show_as_it_comes(events: Iterable["StreamEvent"]) -> "Answer":
    """Writes the text of an answer to stdout as it comes, and ends the line; gives the answer."""
    answer = None
    for piece in events:
        if piece.kind == "text":
            say(piece.text, end="")
        answer = piece.answer or answer
    assert answer is not None, "the last piece is the answer"
    say("" if answer.text else NO_WORDS)
    return answer


def answer_lines(answer: "Answer") -> Iterator[str]:
    """The text, then one line a region: phrase, kind, place, score, and the file where there are several.

    >>> from deixis.geometry import Region
    >>> from deixis.inference import Answer, AnswerPhrase
    >>> phrase = AnswerPhrase("the bell", 0, 8, (Region(span=(1.0, 2.5), score=0.91),))
    >>> print(*answer_lines(Answer("the bell.", (phrase,), ())), sep="\\n")
    the bell.
      the bell  span  1.00 to 2.50 s  0.91
    """
    yield answer.text or NO_WORDS
    yield from region_lines(answer)


def region_lines(answer: "Answer") -> Iterator[str]:
    """One line a region, or for a phrase that stands for nothing; last the warnings."""
    rows: list[tuple[str, ...]] = []
    for phrase in answer.phrases:
        words = phrase.text
        own = [_row(answer, words, region) for region in phrase.regions]
        rows += own or [(words, "none", "there is none")]
    for row in aligned(rows[:LIMIT]):
        yield f"  {row}"
    if len(rows) > LIMIT:
        yield f"  and {len(rows) - LIMIT} more"
    yield from (f"warning: {sentence}" for sentence in answer.warnings)


def aligned(rows: list[tuple[str, ...]]) -> Iterator[str]:
    """The rows with their columns under each other; the last column is left as it is."""
    widths = [max((len(row[column]) for row in rows if len(row) > column), default=0) for column in range(9)]
    for row in rows:
        cells = [cell.ljust(min(widths[column], COLUMN)) for column, cell in enumerate(row)]
        yield "  ".join(cells).rstrip()


def _row(answer: "Answer", phrase: str, region: "Region") -> tuple[str, ...]:
    score = "" if region.score is None else f"{region.score:.2f}"
    row = (phrase or "-", region.form, place(answer, region), score)
    return (*row, answer.signals[region.signal].name) if len(answer.signals) > 1 else row


def place(answer: "Answer", region: "Region") -> str:
    """The location of a region of an answer as text.

    A mask by its area and bounding box, a point set by its count, everything else by its coordinates.
    """
    value = region.mask_array if region.form == "mask" else getattr(region, region.form)
    match region.form:
        case "span":
            return f"{value[0]:.2f} to {value[1]:.2f} s"
        case "points":
            return f"{len(value)} of {len(answer.signals[region.signal].values)} points"
        case "mask" if value.any():
            from deixis.geometry import mask_to_box_xyxy

            around = ", ".join(f"{side:g}" for side in mask_to_box_xyxy(value))
            return f"{int(value.sum())} px ({value.mean():.1%}) within {around}"
        case "mask":
            return "nothing"
    numbers = ", ".join(f"{number:.4g}" for number in value)
    return f"{numbers} s" if len(value) == 1 else numbers


def signal_line(signal: "Signal") -> str:
    """A file and its size: "scene.png, 512 x 512 px"."""
    extent = signal.extent
    sizes = []
    if extent.size_hw is not None:
        sizes.append(f"{extent.size_hw[1]} x {extent.size_hw[0]} px")
    if extent.duration_s is not None:
        sizes.append(f"{extent.duration_s:.2f} s")
    if extent.points_xyz is not None:
        sizes.append(f"{len(extent.points_xyz)} points")
    if extent.count is not None:
        sizes.append(f"{extent.count} values")
    return ", ".join([signal.name, *sizes])


def note_ignored(signals: Iterable["Signal"]) -> None:
    """Writes a line to stderr for each file of which something was not read: "note: scan.ply: not read: normals"."""
    for signal in signals:
        if signal.info.get("ignored"):
            say(f"note: {signal.name}: not read: {'; '.join(signal.info['ignored'])}", err=True)
