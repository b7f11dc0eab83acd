"""Caption metrics: CIDEr, BLEU, ROUGE-L, METEOR and SPICE, equal to what pycocoevalcap computes for a whole set.

`per_caption_metrics` returns per-example metrics whose sums give the scores: CIDEr, ROUGE-L and SPICE are means over
captions (macro average); BLEU and METEOR are functions of summed counts (micro average), as officially too. So every
metric has a bootstrap confidence interval. CIDEr weights n-grams by their document frequency in the set, so it is
computed from all captions at once (`CorpusBenchmark`).

Source: salaniz/pycocoevalcap@a24f74c, whose scorers of CIDEr, BLEU and ROUGE-L are called; Denkowski and Lavie 2014 and
METEOR 1.5 for the formula over its counts.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np

from deixis.errors import InputError
from deixis.evaluation.metrics.aggregation import ExampleMetrics, Metric, mean, ratio
from deixis.evaluation.metrics.caption_tokens import METEOR_NUMBERS, caption_tokens, meteor_counts, spice_scores

BLEU_ORDERS = 4
SMALL, TINY = 1e-9, 1e-15
"""pycocoevalcap's guards against division by zero for empty captions (bleu/bleu_scorer.py, compute_score)."""
METEOR_WEIGHTS = (1.0, 0.6, 0.8, 0.6)
"""Weights of exact, stem, synonym and paraphrase matches."""
METEOR_ALPHA, METEOR_BETA, METEOR_GAMMA, METEOR_DELTA = 0.85, 0.20, 0.60, 0.75
"""METEOR 1.5's parameters for English: alpha weights recall against precision, beta and gamma are the exponent and the
weight of the fragmentation penalty, delta weights content words against function words."""

MATCHES = tuple(f"bleu_correct_{order}" for order in range(1, BLEU_ORDERS + 1))
NGRAMS = tuple(f"bleu_guessed_{order}" for order in range(1, BLEU_ORDERS + 1))
LENGTHS = ("bleu_length", "bleu_reference_length")
METEOR_KEYS = tuple(f"meteor_{number}" for number in range(METEOR_NUMBERS))


def per_caption_metrics(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[ExampleMetrics]:
    """The per-example metrics of each caption, in order, which `caption_metrics` aggregates.

    references: at least one reference caption per candidate. Metrics that need Java are None without it.
    Raises InputError for lists of different lengths, or a candidate without references.
    """
    candidates, references, by_ptb = _tokenized(candidates, references)
    if not candidates:
        return []
    spice = spice_scores(candidates, references) or [None] * len(candidates)
    scorers = (_cider, _bleu, _rouge, _meteor)
    columns = zip(*(scorer(candidates, references) for scorer in scorers), strict=True)
    return [
        {"cider": cider, "rouge_l": rouge, "spice": f, "ptb": by_ptb, **bleu, **meteor}
        for (cider, bleu, rouge, meteor), f in zip(columns, spice, strict=True)
    ]


def cider_scores(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    """CIDEr alone of each caption, for document frequencies of another set than in `per_caption_metrics`."""
    candidates, references, _ = _tokenized(candidates, references)
    return _cider(candidates, references) if candidates else []


def caption_metrics() -> tuple[Metric, ...]:
    """The metrics over `per_caption_metrics`, in the order of tables, in per cent."""
    return (
        mean("CIDEr", "cider", "CIDEr-D: TF-IDF weighted n-grams in common with the references; may exceed 100."),
        *(_bleu_metric(order) for order in range(1, BLEU_ORDERS + 1)),
        mean("ROUGE-L", "rouge_l", "Longest common subsequence with the best reference."),
        Metric("METEOR", meteor, METEOR_KEYS, "Exact, stem, synonym and paraphrase matches; needs Java."),
        mean("SPICE", "spice", "F1 of scene-graph tuples; only if the models of its parser are installed."),
        Metric("SPIDEr", lambda cider, spice, count: (cider + spice) / 2 / count, ("cider", "spice", ""),
               "Mean of CIDEr and SPICE."),
        mean("PTB", "ptb", "Share of captions tokenized by the official PTBTokenizer; below 100 a plain tokenizer was "
             "used for want of Java, and the other scores may differ in the decimals.", official=False),
    )  # fmt: skip


def bleu(order: int, *sums: Any) -> np.ndarray:
    """BLEU, 0 to 1, of n-grams up to `order`, from the sums of MATCHES[:order], NGRAMS[:order], LENGTHS; any shape."""
    numbers = [np.asarray(total, dtype=np.float64) for total in sums]
    matches, ngrams, (length, reference_length) = numbers[:order], numbers[order : 2 * order], numbers[2 * order :]
    product = np.ones_like(length)
    for matched, total in zip(matches, ngrams, strict=True):
        product = product * (matched + TINY) / (total + SMALL)
    # Brevity penalty: only captions shorter than their references are penalised.
    ratio = (length + TINY) / (reference_length + SMALL)
    return product ** (1 / order) * np.exp(np.minimum(0.0, 1 - 1 / ratio))


def meteor(*counts: Any) -> np.ndarray:
    """METEOR, 0 to 1, from the sums of its counts: weighted F-score minus a fragmentation penalty; any shape.

    counts, in the order of METEOR's output: lengths of candidate and reference; function words of each; for each match
    type (`METEOR_WEIGHTS`) matched content words of each, then matched function words of each; chunks (0 for a
    candidate that is matched in one piece); matched words of each.
    """
    numbers = [np.asarray(total, dtype=np.float64) for total in counts]
    sides = []
    for side in (0, 1):
        length, functional = numbers[side], numbers[2 + side]
        matched = np.zeros_like(length)
        for match_type, weight in enumerate(METEOR_WEIGHTS):
            content_words, function_words = numbers[4 + 4 * match_type + side], numbers[6 + 4 * match_type + side]
            matched += weight * (METEOR_DELTA * content_words + (1 - METEOR_DELTA) * function_words)
        sides.append(ratio(matched, METEOR_DELTA * (length - functional) + (1 - METEOR_DELTA) * functional))
    precision, recall = sides
    f = ratio(precision * recall, METEOR_ALPHA * precision + (1 - METEOR_ALPHA) * recall)
    # Fragmentation: chunks per matched word, averaged over candidate and reference.
    chunks, matched_candidate, matched_reference = numbers[-3:]
    return f * (1 - METEOR_GAMMA * ratio(chunks, (matched_candidate + matched_reference) / 2) ** METEOR_BETA)


def _tokenized(
    candidates: Sequence[str], references: Sequence[Sequence[str]]
) -> tuple[list[str], list[list[str]], bool]:
    """(candidates, references of each, both tokenized; whether PTBTokenizer did it)."""
    if len(candidates) != len(references):
        raise InputError(f"references: expected those of {len(candidates)} captions, got {len(references)}")
    for number, of_one in enumerate(references):
        if not of_one:
            raise InputError(f"references[{number}]: expected at least one caption, got none")
    if not candidates:
        return [], [], True
    # All texts in one call: starting Java takes longer than tokenizing.
    tokens, by_ptb = caption_tokens([*candidates, *(text for of_one in references for text in of_one)])
    rest = iter(tokens[len(candidates) :])
    return tokens[: len(candidates)], [[next(rest) for _ in of_one] for of_one in references], by_ptb


def _bleu_metric(order: int) -> Metric:
    keys = (*MATCHES[:order], *NGRAMS[:order], *LENGTHS)
    meaning = f"Precision of n-grams up to {order}, from the counts of the whole set, with a brevity penalty."
    return Metric(f"BLEU-{order}", partial(bleu, order), keys, meaning)


def _cider(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    from pycocoevalcap.cider.cider_scorer import CiderScorer

    if not any(text for of_one in references for text in of_one):
        return [0.0] * len(candidates)
    # Document frequencies are those of all references that the scorer is given before it computes.
    scorer = CiderScorer()
    for candidate, of_one in zip(candidates, references, strict=True):
        scorer += (candidate, of_one)
    return [float(value) for value in scorer.compute_score()[1]]


def _bleu(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[dict[str, int]]:
    from pycocoevalcap.bleu.bleu_scorer import BleuScorer

    scorer = BleuScorer(n=BLEU_ORDERS)
    for candidate, of_one in zip(candidates, references, strict=True):
        scorer += (candidate, of_one)
    rows = []
    for counts in scorer.ctest:
        length = counts["testlen"]
        # The brevity penalty compares with the reference of the closest length, the shorter of two equally close ones.
        closest = min((abs(other - length), other) for other in counts["reflen"])[1]
        numbers = (*counts["correct"], *counts["guess"], length, closest)
        rows.append(dict(zip((*MATCHES, *NGRAMS, *LENGTHS), numbers, strict=True)))
    return rows


def _rouge(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float]:
    from pycocoevalcap.rouge.rouge import Rouge

    scorer = Rouge()
    return [
        float(scorer.calc_score([candidate], list(of_one)))
        for candidate, of_one in zip(candidates, references, strict=True)
    ]


def _meteor(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[dict[str, float | None]]:
    counts = meteor_counts(candidates, references)
    if counts is None:
        return [dict.fromkeys(METEOR_KEYS) | {"meteor": None} for _ in candidates]
    table = np.asarray(counts)
    # A candidate that is matched in one piece (all its words, all the reference's, one chunk) has no penalty. METEOR
    # decides that per caption, so its chunk count is cleared before counts are summed.
    whole = (table[:, 21] == table[:, 0]) & (table[:, 22] == table[:, 1]) & (table[:, 20] == 1)
    table[whole, 20] = 0
    return [
        dict(zip(METEOR_KEYS, row, strict=True)) | {"meteor": score}
        for row, score in zip(table.tolist(), meteor(*table.T).tolist(), strict=True)
    ]
