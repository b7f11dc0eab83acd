"""Tokenized captions, and the Java programs of pycocoevalcap: PTBTokenizer, METEOR and SPICE.

The official scores tokenize captions with Stanford's PTBTokenizer, which needs Java. Without Java a plain tokenizer
with the same rules is used (`plain_tokens`), and METEOR and SPICE are not scored; each is logged once. SPICE is scored
only if the models of its parser are installed, for nothing is downloaded here. It knows no metric.
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
"""Tokens that are removed. The official list has brackets too, in upper case, which match nothing after lower-casing:
so they remain, as "-lrb-" and similar.

Source: salaniz/pycocoevalcap@a24f74c tokenizer/ptbtokenizer.py.
"""
BRACKETS = {"(": "-lrb-", ")": "-rrb-", "[": "-lsb-", "]": "-rsb-", "{": "-lcb-", "}": "-rcb-"}
PTB_JAR, METEOR_JAR = "tokenizer/stanford-corenlp-3.4.1.jar", "meteor/meteor-1.5.jar"
SPICE_JAR, SPICE_MODELS = "spice/spice-1.0.jar", "spice/lib/stanford-corenlp-3.6.0-models.jar"
METEOR_NUMBERS = 23
"""Counts that METEOR reports per caption, which are summed over captions."""
_TOKEN = re.compile(
    r"""n't\b                  # separate from the word before it
    | \d+(?:[.,:/]\d+)*      # 3, 5.50, 3:30
    | (?:[a-z]\.){2,}          # u.s., p.m.
    | \w+(?:[-/&]\w+)*         # well-lit, black/white
    | '(?:s|re|ve|ll|d|m)\b    # the clitics left after n't was split off
    | [?!]+ | \.{3}             # repeated punctuation
    | [^\w\s]                  # any other character alone
    """,
    re.VERBOSE,
)
_QUOTES = str.maketrans({"’": "'", "‘": "'", '"': "'", "“": "'", "”": "'", "—": "-", "–": "-"})
_SPLIT_WORDS = {"cannot": "can not", "gonna": "gon na", "wanna": "wan na", "gotta": "got ta"}


def caption_tokens(captions: Sequence[str]) -> tuple[list[str], bool]:
    """Each caption as space-separated tokens, and whether PTBTokenizer made them (else `plain_tokens`)."""
    lines = [" ".join(caption.split()) for caption in captions]
    split = _ptb_tokens(lines)
    if split is None:
        return [plain_tokens(line) for line in lines], False
    return [" ".join(t for t in line.split(" ") if t not in PUNCTUATION) for line in split], True


def plain_tokens(caption: str) -> str:
    """A caption in lower case, possessives and n't separated, without punctuation: nearly always as PTBTokenizer.

    >>> plain_tokens("A well-lit dog's nose; it doesn't bark at 3:30 p.m.!")
    "a well-lit dog 's nose it does n't bark at 3:30 p.m."
    """
    text = re.sub(r"n't\b", " n't", caption.lower().translate(_QUOTES))
    tokens = [token for part in text.split() for token in ([part] if part == "n't" else _TOKEN.findall(part))]
    return " ".join(_SPLIT_WORDS.get(token, BRACKETS.get(token, token)) for token in tokens if token not in PUNCTUATION)


def meteor_counts(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[list[float]] | None:
    """METEOR's `METEOR_NUMBERS` counts of each tokenized caption against its best reference; None without Java.

    `caption_metrics.meteor` documents their order.
    """
    lines = [
        " ||| ".join(("SCORE", *map(_one_field, of_one), _one_field(candidate)))
        for candidate, of_one in zip(candidates, references, strict=True)
    ]
    jar = METEOR_JAR.rpartition("/")[2]
    arguments = ["-Xmx2G", "-jar", jar, "-", "-", "-stdio", "-l", "en", "-norm"]
    output = _java(arguments, "\n".join(lines) + "\n", _package() / "meteor", "METEOR is not scored")
    if output is None:
        return None
    counts = [[float(number) for number in line.split()] for line in output.splitlines()]
    if len(counts) != len(lines) or any(len(row) != METEOR_NUMBERS for row in counts):
        LOG.warning("METEOR is not scored: its program gave %d lines for %d captions", len(counts), len(lines))
        return None
    return counts


def spice_scores(candidates: Sequence[str], references: Sequence[Sequence[str]]) -> list[float] | None:
    """SPICE's F1 of each tokenized caption, 0 to 1; None without Java or without the models of its parser."""
    package = _package()
    if not (package / SPICE_MODELS).is_file():
        return None
    with TemporaryDirectory() as folder:
        request, response, cache = (Path(folder, name) for name in ("request.json", "response.json", "cache"))
        cache.mkdir()
        rows = [
            {"image_id": number, "test": candidate, "refs": list(of_one)}
            for number, (candidate, of_one) in enumerate(zip(candidates, references, strict=True))
        ]
        request.write_text(json.dumps(rows), encoding="utf-8")
        files = [str(package / SPICE_JAR), str(request), "-cache", str(cache), "-out", str(response)]
        arguments = ["-Xmx8G", "-jar", *files, "-subset", "-silent"]
        if _java(arguments, "", package / "spice", "SPICE is not scored") is None:
            return None
        scores = {row["image_id"]: float(row["scores"]["All"]["f"]) for row in json.loads(response.read_text())}
    return [scores[number] for number in range(len(rows))]


def _one_field(text: str) -> str:
    return " ".join(text.replace("|||", "").split())


def _ptb_tokens(lines: Sequence[str]) -> list[str] | None:
    """The lines tokenized and lower-cased by PTBTokenizer; None if it cannot run."""
    arguments = ["-cp", PTB_JAR, "edu.stanford.nlp.process.PTBTokenizer", "-preserveLines", "-lowerCase"]
    fallback = "captions are tokenized by a plain rule, not by PTBTokenizer, so that scores may differ in the decimals"
    output = _java(arguments, "\n".join(lines) + "\n", _package(), fallback)
    if output is None:
        return None
    split = output.split("\n")[:-1]
    if len(split) != len(lines):
        LOG.warning("%s: it gave %d lines for %d", fallback, len(split), len(lines))
        return None
    return split


def _java(arguments: Sequence[str], text: str, folder: Path, otherwise: str) -> str | None:
    """The output of a Java program for the input `text`; None, and a warning, without Java or if it fails."""
    java = shutil.which("java")
    if java is None:
        _warn_once(f"{otherwise}: expected the program java, got none; install a Java runtime (8 or newer)")
        return None
    ran = subprocess.run([java, *arguments], input=text, capture_output=True, encoding="utf-8", cwd=folder, check=False)
    if ran.returncode:
        last = (ran.stderr.strip().splitlines() or ["no output"])[-1]
        _warn_once(f"{otherwise}: java ended with code {ran.returncode}; {last}")
        return None
    return ran.stdout


@lru_cache(maxsize=16)
def _warn_once(sentence: str) -> None:
    LOG.warning(sentence)


def _package() -> Path:
    found = find_spec("pycocoevalcap")
    if found is None or not found.submodule_search_locations:
        raise UnsupportedError("captions: expected the package pycocoevalcap, got none; pip install 'deixis[eval]'")
    return Path(next(iter(found.submodule_search_locations)))
