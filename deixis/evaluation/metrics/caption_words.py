"""Captions as words, and Java's part in scoring them: PTBTokenizer, METEOR and SPICE as pycocoevalcap ships them.

The official scores split captions by Stanford's PTBTokenizer, which needs Java. Where there is none a plain split by
the same rules stands in (`plain_tokens`), and METEOR and SPICE are left out; each is said once, in one sentence. SPICE
is scored only where its parser's models have been put in place, as nothing is downloaded here. It knows no metric.
"""

import json
import logging
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from deixis.errors import UnsupportedError

LOG = logging.getLogger(__name__)
PUNCTUATION = frozenset(["''", "'", "``", "`", *".?!,:-;", "--", "..."])
"""Tokens that are left out. The official list has brackets too, in capitals, which after lowering match nothing: so
they stay, as "-lrb-" and the like.

Source: salaniz/pycocoevalcap@a24f74c tokenizer/ptbtokenizer.py.
"""
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
PTB_JAR, METEOR_JAR = "tokenizer/stanford-corenlp-3.4.1.jar", "meteor/meteor-1.5.jar"
SPICE_JAR, SPICE_MODELS = "spice/spice-1.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar"
METEOR_NUMBERS = 23
"""Numbers that METEOR counts for a caption, which add up over captions."""
_TOKEN = re.compile(
    r"""n't\b                  # apart from the word before it
    | \d+(?:[.,:/]\d+)*      # 3, 5.50, 3:30
    | (?:[a-z]\.){2,}          # u.s., p.m.
    | \w+(?:[-/&]\w+)*         # well-lit, black/white
    | '(?:s|re|ve|ll|d|m)\b    # what is left of it's once n't is split off
    | [?!]+ | \.{3}             # several marks together
    | [^\w\s]                  # any other sign alone
    """,
    re.VERBOSE,
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", '"': "'", "“": "'", "”": "'", "—": "-", "–": "-"})
_SPLIT_WORDS = {"cannot": "can not", "gonna": "gon na", "wanna": "wan na", "gotta": "got ta"}


def caption_tokens(captions: Sequence[str]) -> tuple[list[str], bool]:
    """Each caption as its tokens with a space between, and whether PTBTokenizer split them (else `plain_tokens`)."""
    lines = [" ".join(caption.split()) for caption in captions]
    split = _ptb_tokens(lines)
    if split is None:
        return [plain_tokens(line) for line in lines], False
    return [" ".join(t for t in line.split(" ") if t not in PUNCTUATION) for line in split], True


def plain_tokens(caption: str) -> str:
    """Lower case, possessives and n't apart, punctuation dropped: as PTBTokenizer does for nearly every caption.

    >>> plain_tokens("A well-lit dog's nose; it doesn't bark at 3:30 p.m.!")
    "a well-lit dog 's nose it does n't bark at 3:30 p.m."
    """
    text = re.sub(r"n't\b", " n't", caption.lower().translate(_QUOTES))
    tokens = [token for part in text.split() for token in ([part] if part == "n't" else _TOKEN.findall(part))]
    return " ".join(_SPLIT_WORDS.get(token, BRACKETS.get(token, token)) for token in tokens if token not in PUNCTUATION)


def meteor_counts(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]] | None:
    """METEOR's counts of each tokenized caption against its best reference; None where there is no Java.

    Matches are by word, stem, synonym and paraphrase, `METEOR_NUMBERS` numbers a caption (`captions.meteor`).
    """
    lines = [
        " ||| ".join(("SCORE", *map(_one_field, theirs), _one_field(ours)))
        for ours, theirs in zip(candidates, references, strict=True)
    ]
    jar = METEOR_JAR.rpartition("/")[2]
    words = ["-Xmx2G", "-jar", jar, "-", "-", "-stdio", "-l", "en", "-norm"]
    said = _java(words, "\n".join(lines) + "\n", _package() / "meteor", "METEOR is not scored")
    if said is None:
        return None
    counts = [[float(number) for number in line.split()] for line in said.splitlines()]
    if len(counts) != len(lines) or any(len(row) != METEOR_NUMBERS for row in counts):
        LOG.warning("METEOR is not scored: its program gave %d lines for %d captions", len(counts), len(lines))
        return None
    return counts


def spice_scores(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float] | None:
    """SPICE's F of each tokenized caption, 0..1; None where there is no Java or where its models are not in place."""
    package = _package()
    if not (package / SPICE_MODELS).is_file():
        return None
    with TemporaryDirectory() as folder:
        asked, told, cache = (Path(folder, name) for name in ("asked.json", "told.json", "cache"))
        cache.mkdir()
        rows = [
            {"image_id": number, "test": ours, "refs": list(theirs)}
            for number, (ours, theirs) in enumerate(zip(candidates, references, strict=True))
        ]
        asked.write_text(json.dumps(rows), encoding="utf-8")
        words = ["-Xmx8G", "-jar", str(package / SPICE_JAR), str(asked), "-cache", str(cache), "-out", str(told)]
        if _java([*words, "-subset", "-silent"], "", package / "spice", "SPICE is not scored") is None:
            return None
        scores = {row["image_id"]: float(row["scores"]["All"]["f"]) for row in json.loads(told.read_text())}
    return [scores[number] for number in range(len(rows))]


def _one_field(text: str) -> str:
    return " ".join(text.replace("|||", "").split())


def _ptb_tokens(lines: Sequence[str]) -> list[str] | None:
    """The lines as PTBTokenizer splits and lowers them; None where it cannot be asked."""
    words = ["-cp", PTB_JAR, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    stands_in = "captions are split by a plain rule and not by PTBTokenizer, so that scores may differ in the decimals"
    said = _java(words, "\n".join(lines) + "\n", _package(), stands_in)
    if said is None:
        return None
    split = said.split("\n")[:-1]
    if len(split) != len(lines):
        LOG.warning("%s: it gave %d lines for %d", stands_in, len(split), len(lines))
        return None
    return split


def _java(words: Sequence[str], text: str, folder: Path, otherwise: str) -> str | None:
    """What a Java program writes, given `text`; None, and a sentence, where there is no Java or where it fails."""
    java = shutil.which("java")
    if java is None:
        _say_once(f"{otherwise}: expected the program java, got none; install a Java runtime (8 or newer)")
        return None
    ran = subprocess.run([java, *words], input=text, capture_output=True, encoding="utf-8", cwd=folder, check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["it said nothing"])[-1]
        _say_once(f"{otherwise}: java ended with code {ran.returncode}; {last}")
        return None
    return ran.stdout


@lru_cache(maxsize=16)
def _say_once(sentence: str) -> None:
    LOG.warning(sentence)


def _package() -> Path:
    """The folder of pycocoevalcap. Raises ValueError where it is not installed."""
    found = find_spec("pycocoevalcap")
    if found is None or not found.submodule_search_locations:
        raise UnsupportedError("captions: expected the package pycocoevalcap, got none; pip install 'deixis[eval]'")
    return Path(next(iter(found.submodule_search_locations)))
