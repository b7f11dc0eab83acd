"""Questions and answers about a video clip: one function per task, listed in `VIDEO_TASKS`.

Regions of answers are tubes: `{0:box}` of a video is a box and a time.
"""

from collections.abc import Sequence

import numpy as np

from deixis.geometry import Region
from deixis.samples.sample import Turn
from deixis.world.facts import pixel_box
from deixis.world.questions import scene
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask
from deixis.world.video import APPEARS, DURATION_S, LEAVES, MOVES, RATE_HZ, Action
from deixis.world.video_facts import DIRECTIONS, VideoFacts

Rng = np.random.Generator
STILL = "still"
DOINGS = (MOVES, APPEARS, LEAVES, STILL)

WHAT_MOVES = ("What moves?", "Which thing moves, and when?", "Find what moves.")
WHEN: dict[str, tuple[str, ...]] = {
    MOVES: ("When does the NAME move?", "Find when the NAME moves."),
    APPEARS: ("When does the NAME appear?", "Find when the NAME appears."),
    LEAVES: ("When does the NAME leave?", "When does the NAME go away?"),
}
DOES = ("What does {0} do?", "What happens to {0}?")
WHICH_WAY = ("Which way does {0} move?", "Where does {0} move to?")
WHICH_WAY_OF = ("Which way does the NAME move?", "Where does the NAME move to?")
HOW_MANY = ("How many things move?", "Count the things that move.")
FIRST = {True: ("What moves first?", "Which thing moves first?"), False: ("What happens first?",)}
LAST = {True: ("What moves last?", "Which thing moves last?"), False: ("What happens last?",)}
HAPPENS = ("Describe the video.", "What happens?", "What happens in the video?")
HAPPENS_WHERE = ("Describe the video with boxes.", "What happens, where and when?")
IT_DOES, IT_WHEN = ("What does it do?", "What happens to it?"), ("When?", "When does it do that?")
IT_WAY = ("Which way does it move?", "Where does it move to?")
WAYS = {"left": "To the left.", "right": "To the right.", "camera": "Towards the camera.", "away": "Away."}


def pointed(facts: VideoFacts, number: int, rng: Rng) -> Region:
    """A region that refers to an object: its box in a time range, or for good; its mask or a point in one frame."""
    clear = facts.clear_frames(number)
    form = rng.choice(["tube", "box", "mask", "point"], p=[0.45, 0.2, 0.15, 0.2])
    frame = int(rng.choice(clear))
    time_s = (frame / RATE_HZ, (frame + 1) / RATE_HZ)
    inside = facts.clip.object_id[frame] == number
    if form == "mask":
        return Region(mask=inside, time_s=time_s)
    if form == "point":
        return Region(point=scene.pixel_in(inside, rng), time_s=time_s)
    if form == "box" and facts.action_of(number) is None and not facts.clip.turn_deg:  # it is always there
        return Region(box=scene.jittered(pixel_box(inside), inside.shape, rng))
    return _jittered_tube(facts, number, frame, clear, rng)


def _jittered_tube(facts: VideoFacts, number: int, frame: int, clear: list[int], rng: Rng) -> Region:
    """The box around an object in some frames around one in which it is clear, its edges and ends jittered."""
    first, last = frame, frame
    reach = int(rng.integers(2, 9))
    while last - first + 1 < reach and (last + 1 in clear or first - 1 in clear):
        first, last = (first, last + 1) if last + 1 in clear else (first - 1, last)
    tube = facts.tube(number, first, last)
    assert tube is not None
    assert tube.box is not None
    start_s, end_s = np.array(tube.time_s) + rng.uniform(-0.08, 0.08, 2) * (last + 1 - first) / RATE_HZ
    x1, y1, x2, y2 = tube.box
    box = scene.jittered((x1, y1, x2, y2), facts.clip.object_id.shape[1:], rng)
    return Region(box=box, time_s=(max(float(start_s), 0.0), min(float(end_s), DURATION_S)))


def _some(facts: VideoFacts, rng: Rng, number: int | None) -> int | None:
    """`number`, or a random visible object, with probability 0.5 one that does something."""
    if number is not None or not facts.visible:
        return number
    acting = [action.number for action in facts.clip.actions if action.number in facts.visible]
    return int(rng.choice(acting if acting and rng.random() < 0.5 else facts.visible))


def _clear_action(facts: VideoFacts, rng: Rng, number: int | None, name: str | None = None) -> Action | None:
    """The action of `number`, or a random one, if it is clearly seen (and of that name)."""
    able = [
        a for a in facts.clip.actions if facts.is_clear(a) and name in (None, a.name) and number in (None, a.number)
    ]
    return able[int(rng.integers(len(able)))] if able else None


def name(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    if (i := _some(facts, rng, number)) is None:
        return None
    answer = w.sentence(w.with_article(facts.label(i)))
    return ask(w.choose(w.NAME, rng), answer, (pointed(facts, i, rng),), facts.object_at(i).kind)


def motion(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Everything that moves along the floor, with where and when."""
    if not facts.all_clear:
        return None
    if not (moving := facts.doing(MOVES)):
        return ask(w.choose(WHAT_MOVES, rng), "Nothing.", (), "nothing")
    word = facts.object_at(moving[0].number).kind
    answer = w.sentence(_marked(facts, moving))
    return ask(w.choose(WHAT_MOVES, rng), answer, tuple(map(facts.action_tube, moving)), word)


def _marked(facts: VideoFacts, moving: Sequence[Action]) -> str:
    """What moves, each with its tube."""
    return w.listed([f"[the {facts.label(a.number)}]{{{k}:box}}" for k, a in enumerate(moving)])


def when(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """When, and where, an object that a phrase names moves, appears or leaves."""
    action = _clear_action(facts, rng, number)
    if action is None or (phrase := facts.phrase(action.number, rng)) is None:
        return None
    question = w.filled(WHEN[action.name], rng, NAME=phrase)
    return ask(question, f"[The {phrase}]{{0:box}}.", (facts.action_tube(action),))


def what_happens(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What the object of a region does in the clip."""
    if (i := _some(facts, rng, number)) is None:
        return None
    action = facts.action_of(i)
    if action is not None and not facts.is_clear(action):
        return None
    word = STILL if action is None else action.name
    return ask(w.choose(DOES, rng), does_answer(word), (pointed(facts, i, rng),), word, DOINGS)


def does_answer(word: str) -> str:
    return "It stays still." if word == STILL else f"It {word}."


def direction(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which way something moves, seen by a still camera; by a phrase, or by a region with probability 0.5."""
    action = _clear_action(facts, rng, number, MOVES)
    if action is None or (way := facts.direction(action)) is None:
        return None
    phrase = facts.phrase(action.number, rng) if rng.random() < 0.5 else None
    if phrase is not None:
        question, regions = w.filled(WHICH_WAY_OF, rng, NAME=phrase), (facts.action_tube(action),)
    else:
        question, regions = w.choose(WHICH_WAY, rng), (pointed(facts, action.number, rng),)
    return ask(question, WAYS[way], regions, way, DIRECTIONS)


def phrase_box(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The tube of an object that a phrase names, as long as it is seen."""
    if (i := _some(facts, rng, number)) is None or (phrase := facts.phrase(i, rng)) is None:
        return None
    return ask(w.filled(w.BOX, rng, NAME=phrase), f"[The {phrase}]{{0:box}}.", (facts.record(i),))


def absence(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """When something moves, appears or leaves that is not there."""
    phrase, doing = scene.absent_phrase(facts, rng), str(rng.choice(list(WHEN)))
    return ask(w.filled(WHEN[doing], rng, NAME=phrase), f"There is no [{phrase}]{{}}.", (), "none")


def count(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """How many things move along the floor; the answer points at each before it says the number."""
    if not facts.all_clear:
        return None
    moving = facts.doing(MOVES)
    answer = w.NUMBER_WORDS[len(moving)]
    text = f"{_marked(facts, moving)}: {answer.lower()}" if moving else answer
    return ask(w.choose(HOW_MANY, rng), w.sentence(text), tuple(map(facts.action_tube, moving)), answer.lower())


def order(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Which of two things does something first, or last; the answer first tells both in order."""
    actions = facts.clip.actions
    if not facts.all_clear or len(actions) < 2:
        return None
    kinds = [facts.object_at(action.number).kind for action in actions]
    if kinds[0] == kinds[1]:
        return None
    both_move = all(action.name == MOVES for action in actions)
    is_first = rng.random() < 0.5
    action = actions[0 if is_first else 1]
    told = ", then ".join(f"the {facts.label(a.number)} {a.name}" for a in actions)
    answer = w.sentence(f"{told}: the {facts.label(action.number)}")
    return ask(w.choose((FIRST if is_first else LAST)[both_move], rng), answer, (), kinds[0 if is_first else 1])


def caption(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What happens, in order."""
    if not facts.all_clear:
        return None
    told = [f"{w.with_article(facts.label(action.number))} {action.name}" for action in facts.clip.actions]
    return ask(w.choose(HAPPENS, rng), w.sentence(", then ".join(told)))


def grounded_caption(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What happens, in order, with where and when."""
    if not facts.all_clear:
        return None
    actions = facts.clip.actions
    told = [f"[{w.with_article(facts.label(a.number))}]{{{k}:box}} {a.name}" for k, a in enumerate(actions)]
    return ask(w.choose(HAPPENS_WHERE, rng), w.sentence(", then ".join(told)), tuple(map(facts.action_tube, actions)))


def dialogue(facts: VideoFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What moves, or what a region shows, then follow-up questions that refer to it as "it"."""
    moving = facts.doing(MOVES)
    if number is None and rng.random() < 0.5 and facts.all_clear and len(moving) == 1:
        return _about_what_moves(facts, moving[0], rng)
    if (i := _some(facts, rng, number)) is None:
        return None
    action, label = facts.action_of(i), facts.label(i)
    if action is not None and not facts.is_clear(action):
        return None
    region, word = pointed(facts, i, rng), STILL if action is None else action.name
    turns = [Turn(w.choose(w.NAME, rng), w.sentence(w.with_article(label)))]
    turns.append(Turn(w.choose(IT_DOES, rng), does_answer(word), (word,)))
    if action is None:
        tint = facts.object_at(i).colour
        turns.append(Turn(w.choose(w.IT_COLOUR, rng), w.sentence(tint), (tint,)))
        return Draft(tuple(turns), (region,))
    turns.append(Turn(w.choose(IT_WHEN, rng), f"[The {label}]{{1:box}}."))
    return Draft(tuple(turns), (region, facts.action_tube(action)))


def _about_what_moves(facts: VideoFacts, action: Action, rng: Rng) -> Draft:
    """What moves, then its colour and, where it is clear, its direction."""
    tint = facts.object_at(action.number).colour
    follow: list[scene.FollowUp] = [(w.IT_COLOUR, w.sentence(tint), (tint,))]
    if (way := facts.direction(action)) is not None:
        follow.append((IT_WAY, WAYS[way], (way,)))
    turns = [Turn(w.choose(WHAT_MOVES, rng), f"[The {facts.label(action.number)}]{{0:box}}.")]
    turns += [Turn(w.choose(wording, rng), answer, words) for wording, answer, words in follow]
    return Draft(tuple(turns), (facts.action_tube(action),))


VIDEO_TASKS: dict[str, Task] = {
    "name": Task(1.6, name),
    "motion": Task(2.4, motion, whole=True),
    "when": Task(2.8, when),
    "what_happens": Task(1.6, what_happens),
    "direction": Task(1.6, direction),
    "phrase_box": Task(1.6, phrase_box),
    "exists": Task(1.2, scene.exists, whole=True),
    "absence": Task(0.5, absence, whole=True),
    "count": Task(0.6, count, whole=True),
    "order": Task(1.0, order, whole=True),
    "caption": Task(0.6, caption, whole=True),
    "grounded_caption": Task(0.8, grounded_caption, whole=True),
    "dialogue": Task(0.8, dialogue),
}
