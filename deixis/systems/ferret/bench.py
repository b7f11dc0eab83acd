"""Ferret-Bench's judge: its prompt, the parsing of its two scores, and the answers as it reads them.

For comparison with published scores. Peculiarities, reproduced: a review whose first line is not two numbers scores -1
for both answers; the context of an image is the last one in the file. It knows no endpoint and no file.

Source: apple/ml-ferret@3c9e5c93, ferret/eval/eval_gpt_review_3newclass.py and summarize_gpt_review.py.
"""

import re
from collections.abc import Mapping, Sequence

from deixis.geometry import GRID_CELLS

GROUNDED = "ground_conv"
SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
TEMPERATURE, MAX_TOKENS = 0.2, 1024
UNPARSED = (-1.0, -1.0)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_BRACKET = re.compile(r"\[.*?\]")


def judged_text(text: str, category: str) -> str:
    """A Ferret's answer as the judge reads it: without boxes; for ground_conv with boxes as fractions of the image.

    A bracket without four numbers ends the official script; here it is removed.

    >>> judged_text("A cup [100, 200, 300, 400] on it.", "refer_desc")
    'A cup on it.'
    >>> judged_text("A cup [100, 200, 300, 400] on [x].", "ground_conv")
    'A cup [0.100, 0.200, 0.300, 0.400] on .'
    """
    if category != GROUNDED:
        return re.sub(r" \[.*?\]", "", text)
    return _BRACKET.sub(lambda bracket: _fractions(bracket[0]), text)


def _fractions(bracket: str) -> str:
    try:
        numbers = [float(number) / GRID_CELLS for number in bracket.strip("[]").split(",")]
    except ValueError:
        return ""
    return format_fractions(numbers) if len(numbers) == 4 else ""


def format_fractions(fractions: Sequence[float]) -> str:
    """A box in fractions of the image size, as Ferret-Bench writes it.

    >>> format_fractions((0.1, 0.25, 0.5, 1))
    '[0.100, 0.250, 0.500, 1.000]'
    """
    return f"[{', '.join(f'{fraction:.3f}' for fraction in fractions)}]"


def judge_messages(parts: Mapping[str, str], answers: tuple[str, str]) -> list[dict[str, str]]:
    """The messages that request two scores. parts: context, question, prompt and role (the name for both answerers)."""
    role = parts["role"]
    content = (
        f"[Context]\\{parts['context']}\n\n[Question]\n{parts['question']}\n\n"
        f"[{role} 1]\n{answers[0]}\n\n[End of {role} 1]\n\n"
        f"[{role} 2]\n{answers[1]}\n\n[End of {role} 2]\n\n"
        f"[System]\n{parts['prompt']}\n\n"
    )
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]


def official_scores(review: str) -> tuple[float, float]:
    """The two scores in the first line of a review, as officially parsed; `UNPARSED` for anything else.

    >>> official_scores("8 7.5\\nThe first ..."), official_scores("8, 7"), official_scores("Scores: 8 7")
    ((8.0, 7.5), (-1.0, -1.0), (-1.0, -1.0))
    """
    words = review.split("\n")[0].replace(",", " ").split(" ")
    try:
        first, second = map(float, words)
    except ValueError:
        return UNPARSED
    return first, second


def parse_scores(review: str) -> tuple[float, float] | None:
    """The two scores, 1 to 10, in the first line that has exactly two numbers; None if there is none.

    >>> parse_scores("8, 7"), parse_scores("\\n 8/10 7/10"), parse_scores("Neither.")
    ((8.0, 7.0), (8.0, 7.0), None)
    """
    for line in review.splitlines():
        found = _NUMBER.findall(re.sub(r"/\s*10\b", "", line))
        numbers = [float(number) for number in found]
        if len(numbers) == 2 and all(1 <= number <= 10 for number in numbers):
            return numbers[0], numbers[1]
    return None
