"""VQA accuracy: the normalisation of short answers, and the score of an answer against those of ten annotators.

Peculiarities, reproduced: texts are normalised only if the annotators' answers differ; a comma between digits anywhere
removes all punctuation without a space; "none" is 0; few contractions get their apostrophe back, and "somebody'd" loses
it. It knows no file.

Source: GT-Vision-Lab/VQA@a013f00 PythonEvaluationTools/vqaEvaluation/vqaEval.py.
"""

import re
from collections.abc import Sequence

PUNCTUATION = ';/[]"{}()=+\\_-><@`,?!'
ARTICLES = frozenset({"a", "an", "the"})
NUMBERS = {"none": "0", "zero": "0", "one": "1", "two": "2", "three": "3", "four": "4", "five": "5", "six": "6"}
NUMBERS |= {"seven": "7", "eight": "8", "nine": "9", "ten": "10"}
FULL_SCORE_ANNOTATORS = 3
"""An answer that this many other annotators gave scores 1."""
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
"""A contraction without one of its apostrophes -> its normalised form."""
_PERIOD = re.compile(r"(?!<=\d)(\.)(?!\d)")
_COMMA = re.compile(r"(\d)(\,)(\d)")
_PERIODS_TAKEN = int(
    re.UNICODE
)  # the official script passes this flag as `count`: at most so many full stops are removed


def vqa_text(text: str) -> str:
    """A normalised text: lower case, without punctuation and articles, number words as digits.

    >>> vqa_text("The Two dogs, dont bark!"), vqa_text("1,000"), vqa_text("none")
    ("2 dogs don't bark", '1000', '0')
    """
    out = text
    joined = _COMMA.search(text) is not None
    for sign in PUNCTUATION:
        at_word_end = joined or f"{sign} " in text or f" {sign}" in text
        out = out.replace(sign, "" if at_word_end else " ")
    words = [NUMBERS.get(word, word) for word in _PERIOD.sub("", out, count=_PERIODS_TAKEN).lower().split()]
    return " ".join(CONTRACTIONS.get(word, word) for word in words if word not in ARTICLES)


def vqa_accuracy(answer: str, annotations: Sequence[str]) -> float:
    """The accuracy, 0 to 1, of an answer: min(1, n / 3) with n of the other annotators' answers equal to it, averaged
    over leaving out each annotator; 0 without annotations.
    """
    given, expected = _line(answer), [_line(text) for text in annotations]
    if len(set(expected)) > 1:
        given, expected = vqa_text(given), [vqa_text(text) for text in expected]
    equal = [text == given for text in expected]
    scores = [min(1.0, (sum(equal) - own) / FULL_SCORE_ANNOTATORS) for own in equal]
    return sum(scores) / len(scores) if scores else 0.0


def _line(text: str) -> str:
    return text.replace("\n", " ").replace("\t", " ").strip()
