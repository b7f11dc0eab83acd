"""Caption scores: CIDEr, BLEU, ROUGE-L, METEOR and SPICE, the numbers that pycocoevalcap gives for a whole set.

`caption_marks` gives each caption marks that add up: of CIDEr, ROUGE-L and SPICE the set's number is the mean over
captions; BLEU and METEOR are functions of summed counts, as officially too. So every metric has its interval, by the
same redraws as all others. CIDEr depends on the whole set, for rare words count more: marks are made of all rows at
once (`Benchmark.finish`).

Source: salaniz/pycocoevalcap@a24f74c, whose scorers of CIDEr, BLEU and ROUGE-L are called; Denkowski and Lavie 2014 and
METEOR 1.5 for the formula over its counts.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.evaluation.metrics.caption_words import METEOR_NUMBERS, caption_tokens, meteor_counts, spice_scores
from deixis.evaluation.metrics.scores import Marks, Metric, mean

BLEU_ORDERS = 4
SMALL, TINY = 1e-9, 1e-15
"""pycocoevalcap's guards against empty captions (bleu/bleu_scorer.py, compute_score)."""
METEOR_WEIGHTS = (1.0, 0.6, 0.8, 0.6)
"""What a match by word, stem, synonym and paraphrase counts."""
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA, METEOR_DELTA = 0.85, 0.20, 0.60, 0.75
"""METEOR 1.5's parameters for English: recall over precision; power and weight of the penalty; content words."""

CORRECT = tuple(f"bleu_correct_{order}" for order in range(1, BLEU_ORDERS + 1))
GUESSED = tuple(f"bleu_guessed_{order}" for order in range(1, BLEU_ORDERS + 1))
LENGTHS = ("bleu_length", "bleu_reference_length")
METEOR_KEYS = tuple(f"meteor_{number}" for number in range(METEOR_NUMBERS))


def caption_marks(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[Marks]:
    """The marks of each caption, in order, of which `caption_metrics` makes scores.

    references: the right captions of each, at least one. Marks that need Java are None where there is none. Raises
    ValueError for lists of different lengths, and for a caption without references.
    """
    ours, theirs, by_ptb = _tokens(candidates, references)
    if not ours:
        return []
    spice = spice_scores(ours, theirs) or [None] * len(ours)
    columns = zip(_cider(ours, theirs), _bleu(ours, theirs), _rouge(ours, theirs), _meteor(ours, theirs), strict=True)
    return [
        {"cider": cider, "rouge_l": rouge, "spice": f, "ptb": by_ptb, **bleu, **meteor}
        for (cider, bleu, rouge, meteor), f in zip(columns, spice, strict=True)
    ]


def cider_scores(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr alone of each caption, where the frequencies of other captions than in `caption_marks` are wanted."""
    ours, theirs, _ = _tokens(candidates, references)
    return _cider(ours, theirs) if ours else []


def caption_metrics() -> tuple[Metric, ...]:
    """The metrics over `caption_marks`, in the order of tables, times 100 as papers print them."""
    return (
        mean("CIDEr", "cider", "CIDEr-D: n-grams shared with the references, rare ones counting more; may exceed 100."),
        *(_bleu_metric(order) for order in range(1, BLEU_ORDERS + 1)),
        mean("ROUGE-L", "rouge_l", "Longest common subsequence with the best reference."),
        Metric("METEOR", meteor, METEOR_KEYS, "Matches by word, stem, synonym and paraphrase; needs Java."),
        mean("SPICE", "spice", "F of scene-graph facts; only where its parser's models are in place."),
        Metric("SPIDEr", _spider, ("cider", "spice", ""), "Mean of CIDEr and SPICE."),
        mean(
            "PTB",
            "ptb",
            "Share of captions that the official PTBTokenizer split; below 100 a plain split stood in for want of "
            "Java, and the other scores may differ in the decimals.",
            official=False,
        ),
    )


def bleu(order: int, *sums: Any) -> np.ndarray:
    """BLEU of n-grams up to `order`, of the sums of CORRECT and GUESSED up to it and of LENGTHS; any shape."""
    numbers = [np.asarray(total, dtype=np.float64) for total in sums]
    correct, guessed, (length, reference_length) = numbers[:order], numbers[order : 2 * order], numbers[2 * order :]
    product = np.ones_like(length)
    for right, tried in zip(correct, guessed, strict=True):
        product = product * (right + TINY) / (tried + SMALL)
    ratio = (length + TINY) / (reference_length + SMALL)
    return product ** (1 / order) * np.exp(np.minimum(0.0, 1 - 1 / ratio))


def meteor(*counts: Any) -> np.ndarray:
    """METEOR of the sums of its counts: F of weighted matches, less a penalty for matches out of order; any shape.

    counts: lengths of caption and reference, function words in each; for each kind of match (`METEOR_WEIGHTS`) matched
    content words in each, and function words; chunks, 0 for a caption matched whole; matched words in each.
    """
    numbers = [np.asarray(total, dtype=np.float64) for total in counts]
    sides = []
    for side in (0, 1):
        length, functional = numbers[side], numbers[2 + side]
        matched = np.zeros_like(length)
        for kind, weight in enumerate(METEOR_WEIGHTS):
            content_words, function_words = numbers[4 + 4 * kind + side], numbers[6 + 4 * kind + side]
            matched += weight * (METEOR_DELTA * content_words + (1 - METEOR_DELTA) * function_words)
        sides.append(_share(matched, METEOR_DELTA * (length - functional) + (1 - METEOR_DELTA) * functional))
    precision, recall = sides
    f = _share(precision * recall, METEOR_ALPHA * precision + (1 - METEOR_ALPHA) * recall)
    chunks, ours, theirs = numbers[-3:]
    return f * (1 - METEOR_GAMMA * _share(chunks, (ours + theirs) / 2) ** METEOR_BETA)


def _share(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    return np.divide(part, whole, out=np.zeros_like(part), where=whole > 0)


def _tokens(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> tuple[list[str], list[list[str]], bool]:
    """(captions, references of each, both as tokens; whether PTBTokenizer split them)."""
    if len(candidates) != len(references):
        raise InputError(f"references: expected those of {len(candidates)} captions, got {len(references)}")
    for number, theirs in enumerate(references):
        if not theirs:
            raise InputError(f"references[{number}]: expected at least one caption, got none")
    if not candidates:
        return [], [], True
    texts = [*candidates, *(text for theirs in references for text in theirs)]
    tokens, by_ptb = caption_tokens(texts)
    ours, rest = tokens[: len(candidates)], iter(tokens[len(candidates) :])
    theirs = [[next(rest) for _ in captions] for captions in references]
    return ours, theirs, by_ptb


def _bleu_metric(order: int) -> Metric:
    keys = (*CORRECT[:order], *GUESSED[:order], *LENGTHS)
    meaning = f"Share of n-grams up to {order} that references have, by the counts of the whole set, less if too short."
    return Metric(f"BLEU-{order}", partial(bleu, order), keys, meaning)


def _spider(cider: Any, spice: Any, rows: Any) -> Any:
    return (cider + spice) / 2 / rows


def _cider(ours: Sequence[str], theirs: Sequence[Sequence[str]]) -> list[float]:
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    if not any(text for captions in theirs for text in captions):
        return [0.0] * len(ours)
    scorer = CiderScorer()
    for candidate, captions in zip(ours, theirs, strict=True):
        scorer += (candidate, captions)
    return [float(value) for value in scorer.compute_score()[1]]


def _bleu(ours: Sequence[str], theirs: Sequence[Sequence[str]]) -> list[dict[str, int]]:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=BLEU_ORDERS)
    for candidate, captions in zip(ours, theirs, strict=True):
        scorer += (candidate, captions)
    rows = []
    for counts in scorer.ctest:
        length = counts["testlen"]
        closest = min((abs(other - length), other) for other in counts["reflen"])[1]
        numbers = (*counts["correct"], *counts["guess"], length, closest)
        rows.append(dict(zip((*CORRECT, *GUESSED, *LENGTHS), numbers, strict=True)))
    return rows


def _rouge(ours: Sequence[str], theirs: Sequence[Sequence[str]]) -> list[float]:
    from pycocoevalcap.rouge.rouge import Rouge

    scorer = Rouge()
    return [float(scorer.calc_score([candidate], list(r))) for candidate, r in zip(ours, theirs, strict=True)]


def _meteor(ours: Sequence[str], theirs: Sequence[Sequence[str]]) -> list[dict[str, float | None]]:
    counts = meteor_counts(ours, theirs)
    if counts is None:
        return [dict.fromkeys(METEOR_KEYS) | {"meteor": None} for _ in ours]
    table = np.asarray(counts)
    whole = (table[:, 21] == table[:, 0]) & (table[:, 22] == table[:, 1]) & (table[:, 20] == 1)
    table[whole, 20] = 0  # a caption like its reference is in one piece and has no penalty, alone as in the sums
    alone = meteor(*table.T)
    return [
        dict(zip(METEOR_KEYS, row, strict=True)) | {"meteor": own}
        for row, own in zip(table.tolist(), alone.tolist(), strict=True)
    ]
