"""Questions about a video and another signal: its sound track, or a depth map of the same view."""

import numpy as np

from deixis.world.depth import DepthFacts
from deixis.world.facts import EventFacts
from deixis.world.pairs import PairFacts
from deixis.world.questions import wording as w
from deixis.world.questions.draft import Draft, Task, ask, on, yes_no
from deixis.world.questions.events import pointed as pointed_in_time
from deixis.world.questions.scene import pointed
from deixis.world.video import MOVES, Action
from deixis.world.video_facts import VideoFacts

Rng = np.random.Generator

DURING = ("What happens while you hear {0}?", "Which thing does something during {0}?", "What happens at {0}?")
SOUND_OF = ("Which sound comes while the NAME ACTS?", "What do you hear while the NAME ACTS?")
ANYTHING = ("Does anything happen during {0}?", "Does anything happen while you hear {0}?")
IS_MOVER = ("Is what moves in the video what lies at {0} in the depth map?", "Does {0} in the depth map move?")
MARK_MOVER = ("Mark what moves in the depth map.", "Where in the depth map is what moves?")


def action_with(video: VideoFacts, sound: EventFacts, number: int) -> Action | None:
    """What happens while an event of the sound track is heard; they begin and end together."""
    event = sound.events[number]
    same = (action for action in video.clip.actions if abs(action.start_s - event.start_s) < 1e-3)
    return next(same, None)


def _others_overlap(video: VideoFacts, sound: EventFacts, number: int) -> bool:
    """Whether something else happens during an event too, so that the question would have two answers."""
    event, own = sound.events[number], action_with(video, sound, number)
    others = [action for action in video.clip.actions if action is not own]
    return any(action.start_s < event.end_s and action.end_s > event.start_s for action in others)


def during(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What does something while a sound is heard; nothing, of a sound without an action."""
    video, sound = facts.of(VideoFacts, EventFacts)
    if not (alone := [i for i in sound.pointable if not _others_overlap(video, sound, i)]):
        return None
    i = int(rng.choice(alone))
    where = on(1, pointed_in_time(sound, i, rng))
    if (action := action_with(video, sound, i)) is None:
        return ask(w.choose(DURING, rng), "Nothing.", (where,), "nothing")
    if not video.is_clear(action):
        return None
    text = f"[The {video.label(action.number)}]{{1:box}} {action.name}."
    answer = video.object_at(action.number).kind
    return ask(w.choose(DURING, rng), text, (where, video.action_tube(action)), answer)


def sound_of(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """The sound while something that is named does something."""
    video, sound = facts.of(VideoFacts, EventFacts)
    pairs = [(i, action_with(video, sound, i)) for i in range(len(sound.events))]
    clear = [(i, action) for i, action in pairs if action and video.is_clear(action)]
    if not clear:
        return None
    i, action = clear[int(rng.integers(len(clear)))]
    if (phrase := video.phrase(action.number, rng)) is None:
        return None
    kind = sound.events[i].kind
    question = w.filled(SOUND_OF, rng, NAME=phrase, ACTS=action.name)
    record = on(1, sound.record(i))
    return ask(question, w.sentence(f"[{w.with_article(kind)}]{{0:span}}"), (record,), kind)


def anything(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether something happens during a sound, half yes and half no."""
    video, sound = facts.of(VideoFacts, EventFacts)
    wanted = bool(rng.random() < 0.5)
    fitting = [i for i in range(len(sound.events)) if (action_with(video, sound, i) is not None) == wanted]
    if not fitting or not video.all_clear:
        return None
    i = int(rng.choice(fitting))
    where, action = on(1, pointed_in_time(sound, i, rng)), action_with(video, sound, i)
    seen = "nothing" if action is None else f"the {video.label(action.number)} {action.name}"
    return yes_no(w.choose(ANYTHING, rng), wanted, (where,), seen)


def _with_depth(facts: PairFacts) -> tuple[VideoFacts, DepthFacts, list[int]]:
    """(video, depth map, the objects that move in the one and are clearly seen in both)."""
    video, depth = facts.of(VideoFacts, DepthFacts)
    moving = [action.number for action in video.doing(MOVES) if video.is_clear(action)]
    return video, depth, [number for number in moving if number in depth.visible]


def is_mover(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """Whether what a region of the depth map shows moves in the video, half yes and half no."""
    video, depth, moving = _with_depth(facts)
    still = [i for i in depth.visible if video.action_of(i) is None and i in video.visible]
    wanted = bool(rng.random() < 0.5)
    if not (choice := moving if wanted else still) or not moving:
        return None
    i = int(rng.choice(choice))
    movers = w.listed([f"the {video.label(action.number)}" for action in video.doing(MOVES)])
    seen = f"{w.with_article(depth.label(i))}; what moves is {movers}"
    return yes_no(w.choose(IS_MOVER, rng), wanted, (on(1, pointed(depth, i, rng)),), seen)


def mark_mover(facts: PairFacts, rng: Rng, number: int | None = None) -> Draft | None:
    """What moves in the video, as a mask of the depth map; where one thing moves only."""
    video, depth, moving = _with_depth(facts)
    if len(moving) != 1 or len(video.doing(MOVES)) != 1:
        return None
    answer = f"[The {video.label(moving[0])}]{{0:mask}}."
    kind = video.object_at(moving[0]).kind
    return ask(w.choose(MARK_MOVER, rng), answer, (on(1, depth.record(moving[0])),), kind)


VIDEO_AUDIO_TASKS: dict[str, Task] = {
    "during": Task(2.0, during, whole=True),
    "sound_of": Task(1.0, sound_of, whole=True),
    "anything": Task(1.0, anything, whole=True),
}
VIDEO_DEPTH_TASKS: dict[str, Task] = {
    "is_mover": Task(1.0, is_mover, whole=True),
    "mark_mover": Task(1.5, mark_mover, whole=True),
}
