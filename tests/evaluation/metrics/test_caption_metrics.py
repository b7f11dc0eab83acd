"""Caption scores are pycocoevalcap's own, row by row and summed; and CIDEr is that of its paper."""

import json
import math
import shutil
from collections import Counter
from itertools import chain

import numpy as np
import pytest

from deixis.evaluation.metrics import caption_tokens as tokens_module
from deixis.evaluation.metrics.aggregation import bootstrap_score
from deixis.evaluation.metrics.caption_metrics import METEOR_KEYS, caption_metrics, meteor, per_caption_metrics
from deixis.evaluation.metrics.caption_tokens import (
    METEOR_NUMBERS,
    caption_tokens,
    meteor_counts,
    plain_tokens,
    spice_scores,
)

needs_java = pytest.mark.skipif(shutil.which("java") is None, reason="PTBTokenizer and METEOR need Java")
REFERENCES = [
    ["A brown dog runs over the grass.", "The dog is running (fast) on a lawn"],
    ["Two men ride well-fed horses, at dusk!", "Horses carry two men.", "Two riders on horses"],
    ["A bowl of fruit on the table"],
    ["It's raining in the city; people don't stop."],
]
PERFECT = [captions[0] for captions in REFERENCES]
MIXED = ["a dog running over green grass", "two men ride horses", "", "A bowl of fruit on the table"]
ODD = ["", "a b " * 40, "?!", "two men ride horses, at dusk 😀 \n two {men}"]


@pytest.fixture
def no_java(monkeypatch):
    """Tokens by the plain split, and no METEOR: the rest is the same, in no time."""
    monkeypatch.setenv("PATH", "")


def scores_of(metrics) -> dict[str, float]:
    rows = [(str(number), mark) for number, mark in enumerate(metrics)]
    found = {metric.name: bootstrap_score(metric, rows) for metric in caption_metrics()}
    return {name: value.value for name, value in found.items() if value.rows}


def tokenized(candidates, references):
    """(one caption a row, its references) as the package takes them; of all at once: a Java program is started."""
    tokens = iter(caption_tokens([*candidates, *chain(*references)])[0])
    ours = {n: [next(tokens)] for n in range(len(candidates))}
    return ours, {n: [next(tokens) for _ in captions] for n, captions in enumerate(references)}


def official(ours, theirs) -> dict[str, float]:
    """The numbers of the package's own classes for a whole set."""
    from pycocoevalcap.bleu.bleu import Bleu
    from pycocoevalcap.cider.cider import Cider
    from pycocoevalcap.rouge.rouge import Rouge

    bleus = Bleu(4).compute_score(theirs, ours, verbose=0)[0]
    found = {f"BLEU-{order}": value for order, value in enumerate(bleus, 1)}
    return found | {"CIDEr": Cider().compute_score(theirs, ours)[0], "ROUGE-L": Rouge().compute_score(theirs, ours)[0]}


def official_meteor(ours, theirs) -> float:
    from pycocoevalcap.meteor.meteor import Meteor

    scorer = Meteor()
    try:
        return scorer.compute_score(theirs, ours)[0]
    finally:
        scorer.meteor_p.stdout.close()
        scorer.meteor_p.stderr.close()


def cider_d(candidates, references) -> list[float]:
    """CIDEr-D as its paper has it (Vedantam et al. 2015, section 5 and equation 7), with tokens split beforehand."""

    def grams(text, n):
        words = text.split()
        return Counter(tuple(words[i : i + n]) for i in range(len(words) - n + 1))

    ours, theirs = tokenized(candidates, references)
    values = []
    for row in ours:
        total = 0.0
        for n in range(1, 5):
            seen = Counter(gram for texts in theirs.values() for gram in {g for t in texts for g in grams(t, n)})
            weight = {
                gram: math.log(len(theirs) / max(1, seen[gram]))
                for t in (*theirs[row], *ours[row])
                for gram in grams(t, n)
            }
            one = {gram: count * weight[gram] for gram, count in grams(ours[row][0], n).items()}
            for text in theirs[row]:
                other = {gram: count * weight[gram] for gram, count in grams(text, n).items()}
                lengths = [math.sqrt(sum(value**2 for value in vector.values())) for vector in (one, other)]
                shared = sum(min(value, other.get(gram, 0.0)) * other.get(gram, 0.0) for gram, value in one.items())
                # the package measures length in bigrams
                apart = sum(grams(ours[row][0], 2).values()) - sum(grams(text, 2).values())
                if all(lengths):
                    total += shared / math.prod(lengths) * math.exp(-(apart**2) / (2 * 6.0**2)) / len(theirs[row])
        values.append(10 * total / 4)
    return values


CASES = [
    pytest.param(PERFECT, id="perfect"),
    pytest.param(MIXED, id="mixed, one empty"),
    pytest.param(ODD, id="odd"),
    pytest.param([""] * 4, id="empty"),
    pytest.param(PERFECT[1:] + PERFECT[:1], id="shuffled"),
]


@pytest.mark.parametrize("candidates", CASES)
def test_scores_equal_those_of_pycocoevalcap(candidates, no_java):
    found = scores_of(per_caption_metrics(candidates, REFERENCES))
    wanted = official(*tokenized(candidates, REFERENCES))
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@needs_java
def test_all_scores_equal_those_of_pycocoevalcap_with_java():
    candidates, references = PERFECT + MIXED + ODD + PERFECT[1:] + PERFECT[:1], REFERENCES * 4
    found = scores_of(per_caption_metrics(candidates, references))
    tokens = tokenized(candidates, references)
    wanted = official(*tokens) | {"METEOR": official_meteor(*tokens), "PTB": 1.0}
    assert found.keys() - {"SPICE", "SPIDEr"} == wanted.keys()
    for name, value in wanted.items():
        assert found[name] == pytest.approx(value, abs=1e-9), name


@pytest.mark.parametrize("candidates", CASES)
def test_cider_equals_the_formula_of_its_paper(candidates, no_java):
    found = [mark["cider"] for mark in per_caption_metrics(candidates, REFERENCES)]
    assert found == pytest.approx(cider_d(candidates, REFERENCES), abs=1e-9)


def test_perfect_captions_score_most_and_empty_ones_nothing(no_java):
    perfect, empty, shuffled = (
        scores_of(per_caption_metrics(c, REFERENCES)) for c in (PERFECT, [""] * 4, PERFECT[1:] + PERFECT[:1])
    )
    for name in ("BLEU-1", "BLEU-4", "ROUGE-L"):
        assert perfect[name] == pytest.approx(1, abs=1e-6)
        assert empty[name] == pytest.approx(0, abs=1e-6)
    assert perfect["CIDEr"] > 4 > shuffled["CIDEr"] == pytest.approx(empty["CIDEr"], abs=0.1)


def test_cider_of_a_single_caption(no_java):
    (mark,) = per_caption_metrics(["a dog"], [["a dog"]])
    assert mark["cider"] == 0
    assert per_caption_metrics([], []) == []


@pytest.mark.parametrize(
    ("candidates", "references", "says"),
    [
        pytest.param(["a"], [], "expected those of 1 captions, got 0", id="lengths"),
        pytest.param(["a", "b"], [["a"], []], r"references\[1\]: expected at least one caption", id="no reference"),
    ],
)
def test_unscorable_captions_are_refused(candidates, references, says):
    with pytest.raises(ValueError, match=says):
        per_caption_metrics(candidates, references)


PLAIN = [
    pytest.param("", "", id="empty"),
    pytest.param(" .,;: ... ! ?", "", id="punctuation alone"),
    pytest.param("What?! no!!", "what ?! no !!", id="marks together"),
    pytest.param("A Dog.", "a dog", id="capitals"),
    pytest.param("the dogs' bowl isn't John's", "the dogs bowl is n't john 's", id="apostrophes"),
    pytest.param("we'll see they're (in) the U.S.", "we 'll see they 're -lrb- in -rrb- the u.s.", id="brackets"),
    pytest.param("black/white, well-lit, 3:30 & $5.50", "black/white well-lit 3:30 & $ 5.50", id="signs"),
    pytest.param('a "stop" sign, a “stop” sign', "a stop sign a stop sign", id="quotes"),
    pytest.param("I can't, I cannot, I'm gonna", "i ca n't i can not i 'm gon na", id="two words in one"),
]


@pytest.fixture(scope="module")
def by_ptb():
    """PTBTokenizer's tokens of all these captions, in one run of its program; None without Java."""
    captions = [row.values[0] for row in PLAIN]
    tokens, is_ptb = caption_tokens(captions)
    return dict(zip(captions, tokens, strict=True)) if is_ptb else None


@pytest.mark.parametrize(("caption", "tokens"), PLAIN)
def test_plain_tokens_equal_those_of_ptbtokenizer(by_ptb, caption, tokens):
    assert plain_tokens(caption) == tokens
    assert (by_ptb is not None) == bool(shutil.which("java"))
    if by_ptb is not None:
        assert by_ptb[caption] == tokens


@needs_java
def test_tokens_equal_those_of_pycocoevalcap(shared_data):
    from pycocoevalcap.tokenizer.ptbtokenizer import PTBTokenizer

    lines = (shared_data / "llava_text" / "caps_boxes_coco2014_val_80.jsonl").read_text(encoding="utf-8").splitlines()
    captions = [caption for line in lines for caption in json.loads(line)["captions"]]
    asked = {number: [{"caption": caption}] for number, caption in enumerate(captions)}
    wanted = [texts[0] for texts in PTBTokenizer().tokenize(asked).values()]
    found, by_ptb = caption_tokens(captions)
    assert by_ptb
    assert found == wanted
    assert len(captions) > 250
    assert [plain_tokens(caption) for caption in captions] == wanted


def test_without_java_other_scores_and_a_warning(no_java, caplog):
    tokens_module._warn_once.cache_clear()
    found = scores_of(per_caption_metrics(MIXED, REFERENCES))
    assert found["PTB"] == 0
    assert found["CIDEr"] > 0
    assert not {"METEOR", "SPICE", "SPIDEr"} & found.keys()
    logged = " ".join(record.getMessage() for record in caplog.records)
    assert "METEOR is not scored: expected the program java" in logged
    assert "tokenized by a plain rule" in logged


def test_java_failure_is_logged(monkeypatch, caplog, tmp_path):
    java = tmp_path / "java"
    java.write_text("#!/bin/sh\necho no such class >&2\nexit 3\n")
    java.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    tokens_module._warn_once.cache_clear()
    assert meteor_counts(["a"], [["a"]]) is None
    assert "java ended with code 3; no such class" in caplog.text


def test_spice_is_not_scored_without_its_models():
    if (tokens_module._package() / tokens_module.SPICE_MODELS).is_file():
        pytest.skip("the models of SPICE are in place")
    assert spice_scores(["a"], [["a"]]) is None


def test_spice_counts_toward_spider():
    rows = [("a", {"cider": 1.0, "spice": 0.5}), ("b", {"cider": 0.0, "spice": 0.1}), ("c", {"cider": 9.0})]
    spider = next(metric for metric in caption_metrics() if metric.name == "SPIDEr")
    assert bootstrap_score(spider, rows).value == pytest.approx((0.5 + 0.3) / 2)


@pytest.mark.parametrize(
    ("counts", "value"),
    [
        pytest.param({}, 0.0, id="nothing"),
        pytest.param({0: 5, 1: 5, 2: 2, 3: 2, 4: 3, 5: 3, 6: 2, 7: 2, 20: 0, 21: 5, 22: 5}, 1.0, id="the same"),
        # P = R = (0.75 (2 + 0.6) + 0.25 * 2) / (0.75 * 3 + 0.25 * 3), two chunks of five words
        pytest.param(
            {0: 6, 1: 6, 2: 3, 3: 3, 4: 2, 5: 2, 6: 2, 7: 2, 8: 1, 9: 1, 20: 2, 21: 5, 22: 5},
            2.45 / 3 * (1 - 0.6 * 0.4**0.2),
            id="five of six in two chunks",
        ),
    ],
)
def test_meteor_equals_the_formula_of_its_paper(counts, value):
    row = np.zeros(len(METEOR_KEYS))
    row[list(counts)] = list(counts.values())
    assert METEOR_NUMBERS == len(row)
    assert meteor(*row[:, None])[0] == pytest.approx(value, abs=1e-12)
