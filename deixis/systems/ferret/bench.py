"""How Ferret-Bench is judged: what the judge is told, how its two scores are read, and how answers are trimmed for it.

For comparing with published numbers. What is odd, and kept: a verdict whose first line is not two numbers counts as
-1 for both answers; and the context of a picture is the last one that its file holds. It knows no endpoint and no file.

Source: apple/ml-ferret@3c9e5c93, ferret/eval/eval_gpt_review_3newclass.py and summarize_gpt_review.py.
"""

import re
from collections.abc import Mapping, Sequence

GRID_CELLS = 1000
GROUNDED = "ground_conv"
SYSTEM = "You are a helpful and precise assistant for checking the quality of the answer."
TEMPERATURE, MAX_TOKENS = 0.2, 1024
UNREAD = (-1.0, -1.0)
_NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?!\w)")
_BRACKET = re.compile(r"\[.*?\]")


def judged_text(text: str, category: str) -> str:
    """A Ferret's answer as the judge reads it: without boxes; of ground_conv with boxes as shares of the picture.

    A bracket that holds no four numbers stops the official script; here it is left out.

    >>> judged_text("A cup [100, 200, 300, 400] on it.", "refer_desc")
    'A cup on it.'
    >>> judged_text("A cup [100, 200, 300, 400] on [x].", "ground_conv")
    'A cup [0.100, 0.200, 0.300, 0.400] on .'
    """
    if category != GROUNDED:
        return re.sub(r" \[.*?\]", "", text)
    return _BRACKET.sub(lambda bracket: _shares(bracket[0]), text)


def _shares(bracket: str) -> str:
    try:
        numbers = [float(number) / GRID_CELLS for number in bracket.strip("[]").split(",")]
    except ValueError:
        return ""
    return written_shares(numbers) if len(numbers) == 4 else ""


def written_shares(shares: Sequence[float]) -> str:
    """A box as shares of the picture, as Ferret-Bench writes it.

    >>> written_shares((0.1, 0.25, 0.5, 1))
    '[0.100, 0.250, 0.500, 1.000]'
    """
    return f"[{', '.join(f'{share:.3f}' for share in shares)}]"


def judge_messages(parts: Mapping[str, str], answers: tuple[str, str]) -> list[dict[str, str]]:
    """The chat that asks for two scores. parts: context, question, prompt and role (the answerers' name)."""
    role = parts["role"]
    content = (
        f"[Context]\\{parts['context']}\n\n[Question]\n{parts['question']}\n\n"
        f"[{role} 1]\n{answers[0]}\n\n[End of {role} 1]\n\n"
        f"[{role} 2]\n{answers[1]}\n\n[End of {role} 2]\n\n"
        f"[System]\n{parts['prompt']}\n\n"
    )
    return [{"role": "system", "content": SYSTEM}, {"role": "user", "content": content}]


def two_scores(review: str) -> tuple[float, float]:
    """The two scores of a verdict's first line; `UNREAD` where it is anything else.

    >>> two_scores("8 7.5\\nThe first ..."), two_scores("8, 7"), two_scores("Scores: 8 7")
    ((8.0, 7.5), (-1.0, -1.0), (-1.0, -1.0))
    """
    words = review.split("\n")[0].replace(",", " ").split(" ")
    try:
        first, second = map(float, words)
    except ValueError:
        return UNREAD
    return first, second


def read_scores(review: str) -> tuple[float, float] | None:
    """The two scores, from 1 to 10, of the first line that holds just two numbers; None where there is none.

    >>> read_scores("8, 7"), read_scores("\\n 8/10 7/10"), read_scores("Neither.")
    ((8.0, 7.0), (8.0, 7.0), None)
    """
    for line in review.splitlines():
        found = _NUMBER.findall(re.sub(r"/\s*10\b", "", line))
        numbers = [float(number) for number in found]
        if len(numbers) == 2 and all(1 <= number <= 10 for number in numbers):
            return numbers[0], numbers[1]
    return None
