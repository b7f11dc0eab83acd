"""What a question about the world is before it is a sample, and the record of a task."""

from collections.abc import Callable
from dataclasses import dataclass, replace

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.questions.wording import NUMBER_WORDS, sentence


@dataclass(frozen=True)
class Draft:
    """Turns and the regions they refer to."""

    turns: tuple[Turn, ...]
    regions: tuple[Region, ...] = ()


@dataclass(frozen=True)
class Task:
    """One type of question.

    weight: how often it is asked in training, relative to the others about the same.
    ask: (facts, rng, number=None) -> Draft, or None where the signal permits no such question. `number` is that of the
        object or event to ask about, of `Facts.pointable`; without it the function chooses one.
    whole: about the signal as a whole, so that there is one question per signal.
    """

    weight: float
    ask: Callable[..., Draft | None]
    whole: bool = False


def on(signal: int, region: Region) -> Region:
    """The region on the first (0) or the second (1) of two signals."""
    return replace(region, signal=signal)


def yes_no(user: str, is_so: bool, regions: tuple[Region, ...] = (), seen: str | None = None) -> Draft:
    """A draft of one turn whose answer is yes or no, and which says that it is one of both; `seen`: said before it."""
    answer = "yes" if is_so else "no"
    told = answer if seen is None else f"{seen}: {answer}"
    return ask(user, sentence(told), regions, answer, ("yes", "no"))


def numbered(count: int, first: int = 0) -> str:
    """The numbers of so many regions as a reference has them: "0,1,2"."""
    return ",".join(str(first + k) for k in range(count))


def counted(user: str, things: tuple[str, str], form: str, found: tuple[Region, ...]) -> Draft:
    """A draft of one turn about how many there are: each is pointed at before the number is said, so that it can be
    counted from what is written. things: what one of them, and several, are called."""
    answer = NUMBER_WORDS[len(found)]
    if not found:
        return ask(user, f"{answer}.", (), answer.lower())
    text = f"[The {things[len(found) > 1]}]{{{numbered(len(found))}:{form}}}: {answer.lower()}."
    return ask(user, text, found, answer.lower())


def ask(user: str, assistant: str, regions: tuple[Region, ...] = (), answer: str | None = None, choices=()) -> Draft:
    """A draft of one turn; its reference is the expected word `answer` ("mug", "yes"), one of `choices`."""
    return Draft((Turn(user, assistant, (answer,) if answer else (), tuple(choices)),), regions)
