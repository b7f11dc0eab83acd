"""`render`: a sample as token ids, labels, region points and mask targets, for asking, training and evaluation alike.

    sample ── turns in the system's notation ── chat template ──▶ text ── label rule ──▶ ids, labels
       └──── regions in questions ──▶ sampled points      regions in answers ──▶ which region each <seg> stands for

A sample whose last answer is missing is a question: its ids end where generation begins. A model is therefore asked
exactly as it was trained.
"""

from bisect import bisect_left
from collections.abc import Sequence
from dataclasses import dataclass, field

from deixis.conversation.system import IGNORED, AnswerSpan, Conversation, LabelRule
from deixis.errors import DataError
from deixis.geometry import coordinate_spans, write_answer
from deixis.model import DeixisProcessor
from deixis.model.prepared import Prepared
from deixis.model.regions.sampled_points import SampledPoints
from deixis.samples.sample import Sample, Turn


@dataclass(frozen=True)
class Rendered:
    """A conversation as token ids, with the regions that its region and `<seg>` tokens stand for.

    labels: the ids of tokens that are learnt, `IGNORED` elsewhere. coordinates: which tokens write the coordinates of a
    region in an answer; the same number elsewhere is text. shared: the number of tokens up to the last signal,
    which all conversations about the same signals have in common. answers: the token span of each answer that exists.
    points: (sampled points, index of their signal) of each region token in order. targets: the index of the region
    that each `<seg>` of the sample's answers stands for, in order.
    """

    ids: list[int]
    labels: list[int]
    coordinates: list[bool]
    shared: int
    answers: list[AnswerSpan] = field(default_factory=list)
    points: list[tuple[SampledPoints, int]] = field(default_factory=list)
    targets: list[int] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)


def render(
    sample: Sample, prepared: Sequence[Prepared], processor: DeixisProcessor, label_rule: LabelRule | None = None
) -> Rendered:
    """The token ids of a sample about the signals `prepared`, their labels, region points and mask targets.

    label_rule: of the model's system, for training; without it, all labels are `IGNORED`.

    Raises InputError for a question, region or answer that the model's notation cannot write or that does not fit its
    signal, DataError for a turn without an answer that is not the last.
    """
    regions = sample.regions
    points: list[tuple[SampledPoints, int]] = []
    targets: list[int] = []
    turns: list[tuple[str, str | None]] = []
    for number, turn in enumerate(sample.turns):
        question, order = processor.question(turn.user, regions, prepared)
        points += [
            (processor.sample_region(region, prepared), region.signal) for region in map(regions.__getitem__, order)
        ]
        answer, marked = _answer(turn, sample, prepared, processor)
        if answer is None and number < len(sample.turns) - 1:
            raise DataError(f"turns[{number}].assistant: expected an answer in every turn but the last, got none")
        targets += marked
        turns.append((question, answer))
    modalities = [own.modality for own in prepared]
    text, spans = processor.conversation_text(turns, modalities)
    ids, offsets = processor.encode_text(text, modalities)
    coordinates = [False] * len(ids)
    for first, close, _ in spans:
        for start, stop in coordinate_spans(text[first:close], [own.frame for own in prepared], processor.notation):
            tokens = slice(*(bisect_left(offsets, first + place) for place in (start, stop)))
            coordinates[tokens] = [True] * len(coordinates[tokens])
    answers = [AnswerSpan(*(bisect_left(offsets, place) for place in span)) for span in spans]

    def encode(part: str) -> list[int]:
        """Ids of a part of the text."""
        # signals precede everything else, so the placeholders in any part belong to the first signals
        held = sum(part.count(word) for word in processor.placeholders.values())
        return processor.encode_text(part, modalities[:held])[0]

    labels = [IGNORED] * len(ids)
    if label_rule is not None and len(answers) == len(turns):  # a question without its answer teaches nothing
        labels = label_rule(Conversation(text, ids, offsets, answers, encode))
    return Rendered(ids, labels, coordinates, _shared(ids, prepared, processor), answers, points, targets)


def _answer(
    turn: Turn, sample: Sample, prepared: Sequence[Prepared], processor: DeixisProcessor
) -> tuple[str | None, list[int]]:
    """(the answer in the model's notation or None, the index of the region of each `<seg>`); generated text is kept."""
    if turn.generated is not None or not turn.assistant:
        return turn.generated, []
    return write_answer(turn.assistant, sample.regions, [own.frame for own in prepared], processor.notation)


def _shared(ids: Sequence[int], prepared: Sequence[Prepared], processor: DeixisProcessor) -> int:
    """The number of tokens up to the last placeholder of a signal; 0 without signals."""
    held = {processor.placeholder_ids[own.modality] for own in prepared}
    return next((place + 1 for place in range(len(ids) - 1, -1, -1) if ids[place] in held), 0)
