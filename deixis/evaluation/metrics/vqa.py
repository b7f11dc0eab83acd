"""VQA's own comparison of short answers: how texts are made alike, and what an answer is worth beside ten people's.

What is odd, and kept: texts are made alike only where the people's answers are not all the same; a comma between
digits anywhere takes every mark out without a space; "none" is 0; few contractions get their apostrophe back, and
"somebody'd" loses it. It knows no file.

Source: GT-Vision-Lab/VQA@a013f00 PythonEvaluationTools/vqaEvaluation/vqaEval.py.
"""

import re
from collections.abc import Sequence

MARKS = ';/[]"{}()=+\\_-><@`,?!'
ARTICLES = frozenset({"a", "an", "the"})
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
NUMBERS |= {"seven": "7", "eight": "8", "nine": "9", "ten": "10"}
ENOUGH = 3
"""So many others must give an answer for it to count fully."""
_LONG = """
ain't aren't can't could've couldn't couldn't've didn't doesn't don't hadn't hadn't've hasn't haven't he'd he'd've he's
how'd how'll how's isn't it'd it'd've it'll ma'am mightn't mightn't've might've mustn't must've needn't not've o'clock
oughtn't 'ow's'at shan't she'd've should've shouldn't shouldn't've somebody'd've somebody'll somebody's someone'd
someone'd've someone'll someone's something'd something'd've something'll that's there'd there'd've there're there's
they'd they'd've they'll they're they've 'twas wasn't we'd've we've weren't what'll what're what's what've when's
where'd where's where've who'd who'd've who'll who's who've why'll why're why's won't would've wouldn't wouldn't've
y'all y'all'll y'all'd've you'd you'd've you'll you're you've
"""
CONTRACTIONS = {
    word[:at] + word[at + 1 :]: word for word in _LONG.split() for at, letter in enumerate(word) if letter == "'"
} | {"somebody'd": "somebodyd"}
"""A contraction that lacks one of its apostrophes -> as it is counted."""
_PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
_COMMA = re.compile(r"(\d)(\,)(\d)")
_PERIODS_TAKEN = int(re.UNICODE)  # a flag where the count belongs: so many full stops go, and no more


def vqa_text(text: str) -> str:
    """The text as it is compared: marks and full stops out, small letters, digits for number words, no articles.

    >>> vqa_text("The Two dogs, dont bark!"), vqa_text("1,000"), vqa_text("none")
    ("2 dogs don't bark", '1000', '0')
    """
    out = text
    joined = _COMMA.search(text) is not None
    for mark in MARKS:
        apart = joined or f"{mark} " in text or f" {mark}" in text
        out = out.replace(mark, "" if apart else " ")
    words = [NUMBERS.get(word, word) for word in _PERIOD.sub("", out, count=_PERIODS_TAKEN).lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def vqa_accuracy(answer: str, answers: Sequence[str]) -> float:
    """What an answer is worth: min(1, n / 3), n the people who said the same, in the mean over leaving each out.

    0..1; 0 where there are no answers.
    """
    given, theirs = _line(answer), [_line(text) for text in answers]
    if len(set(theirs)) > 1:
        given, theirs = vqa_text(given), [vqa_text(text) for text in theirs]
    same = [text == given for text in theirs]
    worth = [min(1.0, (sum(same) - own) / ENOUGH) for own in same]
    return sum(worth) / len(worth) if worth else 0.0


def _line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
