"""Questions and answers about an audio clip, listed in `AUDIO_TASKS`."""

from deixis.world.questions import wording as w
from deixis.world.questions.draft import Task
from deixis.world.questions.events import EventQuestions

SOUNDS = EventQuestions(
    one=w.with_article,
    the="the {}".format,
    things=("sound", "sounds"),
    name_words=w.HEARD,
    when_words=w.WHEN,
    mask_words=w.SOUND_MASK,
    exists_words=w.SOUND_EXISTS,
    count_words=w.SOUND_COUNT,
    caption_words=w.SOUND_CAPTION,
    grounded_words=w.SOUND_GROUNDED,
    after_words=w.AFTER,
    before_words=w.BEFORE,
    uses=w.SOUND_USES,
)

AUDIO_TASKS: dict[str, Task] = {
    "name": Task(2.0, SOUNDS.name),
    "event_span": Task(3.2, SOUNDS.event_span),
    "event_mask": Task(1.0, SOUNDS.event_mask),
    "reasoning": Task(1.0, SOUNDS.reasoning),
    "exists": Task(1.4, SOUNDS.exists, whole=True),
    "absence": Task(0.4, SOUNDS.absence, whole=True),
    "count": Task(0.5, SOUNDS.count, whole=True),
    "order": Task(0.7, SOUNDS.order),
    "caption": Task(0.5, SOUNDS.caption, whole=True),
    "grounded_caption": Task(0.8, SOUNDS.grounded_caption, whole=True),
    "dialogue": Task(0.6, SOUNDS.dialogue),
}
