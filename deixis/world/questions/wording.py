"""Question templates of the world, several per task, and helpers to fill them in.

The bundled model is trained on these texts: they must not change.
"""

from collections.abc import Generator
from contextlib import contextmanager
from contextvars import ContextVar

import numpy as np

ORDINALS = ("first", "second")
NUMBER_WORDS = ("None", "One", "Two", "Three", "Four", "Five", "Six")

NAME = ("What is {0}?", "What do you see at {0}?", "Name the thing at {0}.", "Which thing is {0}?", "What is this {0}?")
PART = ("What part is {0}?", "Which part of the thing is {0}?", "Name the part at {0}.")
COLOUR = ("What colour is {0}?", "Which colour does {0} have?")
COLOUR_OF = ("What colour is the NAME?", "Which colour does the NAME have?")
SIZE = ("Is {0} small or large?", "How big is {0}, small or large?")
MATERIAL = ("Is {0} matte or shiny?", "Does {0} look matte or shiny?")
BOX = ("Where is the NAME?", "Find the NAME.", "Give the box of the NAME.", "Can you find the NAME?")
MASK = ("Segment the NAME.", "Mark the NAME.", "Outline the NAME.", "Show exactly where the NAME is.")
PART_MASK = ("Segment the PART of the NAME.", "Mark the PART of the NAME.", "Outline the PART of the NAME.")
REASON = ("What would you USE?", "Which thing would you USE?", "Mark what you would USE.", "What here could you USE?")
EXISTS = ("Is there a NAME?", "Is there a NAME in the MEDIUM?", "Can you see a NAME?", "Do you see a NAME here?")
COUNT = ("How many NAMES are there?", "How many NAMES do you see?", "Count the NAMES.")
CAPTION = ("Describe the MEDIUM.", "What is in the MEDIUM?", "What do you see?")
GROUNDED_BOX = ("Describe the MEDIUM with boxes.", "Find everything.", "List all things and where they are.")
GROUNDED_MASK = ("Describe the MEDIUM with masks.", "Segment everything.", "Mark all things.")
NEAREST = ("What is nearest to {0}?", "Which thing is closest to {0}?")
LEFT = ("What is left of {0}?", "What stands to the left of {0}?")
RIGHT = ("What is right of {0}?", "What stands to the right of {0}?")
IT_MASK, IT_BOX = ("Mark it.", "Segment it.", "Outline it."), ("Give its box.", "Where is it?")
IT_COLOUR = ("What colour is it?", "Which colour does it have?")
IT_DISTANCE = ("How far away is it?", "How many metres away is it?")
NEARER = ("Which is nearer, {0} or {1}?", "Which of {0} and {1} is nearer?", "Is {0} or {1} nearer to the camera?")
DISTANCE = ("How far away is {0}?", "How many metres away is {0}?", "What is the distance to {0}?")
FACING = ("Which way does {0} face?", "Which way does the surface at {0} face?", "Where does {0} point?")

HEARD = ("What is {0}?", "What do you hear in {0}?", "What sounds at {0}?", "Name the sound {0}.")
WHEN = ("When do you hear the NAME?", "When does the NAME sound?", "Find the NAME.", "Where is the NAME?")
SOUND_MASK = ("Mark the NAME in the sound.", "Mark the NAME.", "Segment the NAME.")
SOUND_EXISTS = ("Do you hear a NAME?", "Is there a NAME?", "Is there a NAME in the sound?")
SOUND_COUNT = ("How many sounds are there?", "How many events do you hear?", "Count the sounds.")
SOUND_CAPTION = ("What do you hear?", "Describe the sound.", "What is in the sound?")
SOUND_GROUNDED = ("What do you hear, and when?", "Describe the sound with times.", "Find everything.")
AFTER = ("What comes after {0}?", "What do you hear after {0}?")
BEFORE = ("What comes before {0}?", "What do you hear before {0}?")
SOUND_USES: dict[str, tuple[str, ...]] = {
    "bell": ("Which sound would call children to class?", "What would ring from a tower?"),
    "whistle": ("Which sound would a referee make?", "What would stop the game on a pitch?"),
    "drum": ("Which sound would keep the beat in a band?", "What is played with two sticks?"),
    "horn": ("Which sound would an angry driver make?", "What would a ship sound in the fog?"),
    "siren": ("Which sound would make cars pull over?", "What tells that an ambulance is coming?"),
    "dog": ("Which sound would a guard on four legs make?", "What would chase a cat?"),
    "clap": ("Which sound would an audience make at the end?", "What is made with two hands?"),
    "buzzer": ("Which sound would tell that the time is up?", "What would a wrong answer in a quiz sound like?"),
    "bird": ("Which sound would come from an animal with wings?", "What would you hear from a nest?"),
    "knock": ("Which sound would a visitor at the door make?", "What would tell that someone wants to come in?"),
}


_all = ContextVar("all wordings", default=True)


@contextmanager
def wordings(every: bool) -> Generator[None]:
    """While the block runs, texts have all their wordings, or the first one alone; what is asked about is the same."""
    before = _all.set(every)
    try:
        yield
    finally:
        _all.reset(before)


def choose(options: tuple[str, ...], rng: np.random.Generator) -> str:
    """A random element of `options`; the first within `wordings(False)`."""
    number = int(rng.integers(len(options)))  # drawn in any case: what follows in the stream stays the same
    return options[number if _all.get() else 0]


def filled(options: tuple[str, ...], rng: np.random.Generator, **words: str) -> str:
    """A random element of `options` with its upper-case placeholders (NAME, PART, USE, MEDIUM) filled in."""
    text = choose(options, rng)
    for key, value in sorted(words.items(), key=lambda pair: -len(pair[0])):
        text = text.replace(key, value)
    return text.replace(" a orange", " an orange").replace(" a umbrella", " an umbrella")


def with_article(name: str) -> str:
    """ "a red mug", "an orange mug"."""
    return ("an " if name[0] in "aeiou" else "a ") + name


def sentence(text: str) -> str:
    """`text` with a capital first letter (also inside an opening bracket) and a full stop."""
    at = 1 if text.startswith("[") else 0
    return text[:at] + text[at].upper() + text[at + 1 :] + "."


def listed(items: list[str]) -> str:
    """ "a, b and c"."""
    return items[0] if len(items) == 1 else ", ".join(items[:-1]) + " and " + items[-1]
