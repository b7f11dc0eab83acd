"""The words in which a benchmark asks, and those of a right answer that is given: one table, by task and notation.

A published checkpoint is asked as its own evaluation asks it, word for word, for it was tuned to little else; every
other model in plain words. The words of a notation are facts of its checkpoint; where they are from stands beside them.
It knows no file and no model: a benchmark is told the notation by its option of that name (`notation_of`).
"""

from collections.abc import Callable, Mapping
from string import Template

from deixis.datasets.plain_questions import plain_text
from deixis.errors import InputError
from deixis.geometry import escaped
from deixis.systems import NOTATIONS
from deixis.systems.ferret.prompts import flickr_question, refcoco_question
from deixis.systems.lisa.scoring import validation_question

PLAIN = "plain"
SHORT = "\nAnswer the question using a single word or phrase."
Words = str | Callable[..., str]

QUESTIONS: dict[str, dict[str, Words]] = {
    # ReasonSeg: a sentence that asks, or a phrase. LISA's, and without capitals in referring expressions:
    # dvlab-research/LISA@3cb2d430 utils/dataset.py, ValDataset.__getitem__
    "reason_sentence": {
        "lisa": lambda text: validation_question(text, is_sentence=True),
        PLAIN: "$text Answer with a mask.",
    },
    "reason_phrase": {
        "lisa": lambda text: validation_question(text, is_sentence=False),
        PLAIN: "Where is $text? Answer with a mask.",
    },
    "refer_mask": {
        "lisa": lambda text: validation_question(text.lower(), is_sentence=False),
        PLAIN: "Segment $text.",
    },
    # apple/ml-ferret@3c9e5c93 ferret/eval/model_refcoco.py, model_flickr.py, model_lvis.py
    "refer_box": {"ferret": lambda text: refcoco_question(text), PLAIN: "Where is $text?"},
    "ground_phrases": {
        "ferret": lambda text: flickr_question(text.split(", ")),  # phrases without commas, joined by ", "
        PLAIN: "Where are $text?",
    },
    "which_of_two": {
        "ferret": "Is the object {0} of the image a $name or a $other?",
        PLAIN: "Is the object {0} a $name or a $other?",
    },
    # csuhan/OneLLM@8587a47 eval/{image_cap_cococap,audio_cap_clothov2,fmri_cap_nsd,imu_cap_ego4d,point_cap_pointllm}.py
    "caption_image": {"onellm": "Provide a one-sentence caption for the provided image.", PLAIN: "Describe the image."},
    "caption_audio": {"onellm": "Provide a one-sentence caption for the provided audio.", PLAIN: "Describe the sound."},
    "caption_video": {"onellm": "Provide a one-sentence caption for the provided video.", PLAIN: "Describe the film."},
    "caption_fmri": {
        "onellm": "Provide a one-sentence caption for the provided fMRI data.",
        PLAIN: "Describe what was seen.",
    },
    "caption_imu": {"onellm": "Describe the scene.", PLAIN: "Describe the motion."},
    "caption_point_cloud": {"onellm": "What is this?", PLAIN: "What is this?"},
    # eval/video_qa_msvd.py; LLaVA's, on whose answers all three systems are trained, asks in the same words
    "short_answer": {PLAIN: "$text" + SHORT},
    "free_answer": {PLAIN: "$text"},
}
"""Task -> notation -> words; `$text` and the like are filled in, `{0}` is a region of the question."""

ANSWERS: dict[str, dict[str, Words]] = {
    # what LISA's validation puts into the answer, the mask alone; ours as this project's data writes it
    "reason_sentence": {"lisa": "{0:mask}.", PLAIN: "The mask is {0:mask}."},
    "reason_phrase": {"lisa": "{0:mask}.", PLAIN: "[$text]{0:mask}."},
    "refer_mask": {"lisa": "{0:mask}.", PLAIN: "[$text]{0:mask}."},
}
"""Task -> notation -> the right answer in markup, for answers that are given and not written."""


def notation_of(options: Mapping[str, str]) -> str:
    """The notation of the model that is asked, among a benchmark's options. Raises ValueError for one that is none."""
    notation = options.get("notation", PLAIN)
    if notation not in (PLAIN, *NOTATIONS):
        raise InputError(f"notation: expected {', '.join((PLAIN, *NOTATIONS))}, got {notation!r}")
    return notation


def question_for(task: str, notation: str, **words: str) -> str:
    """The question of a task, in markup, for a model of this notation, with foreign words filled in.

    >>> question_for("refer_box", "ferret", text="the man, left"), question_for("refer_box", "deixis", text="a {red}")
    ('What is the location of the man left in the image?', 'Where is a {{red}}?')
    """
    return _filled(QUESTIONS[task], notation, {key: escaped(word) for key, word in words.items()})


def answer_for(task: str, notation: str, **words: str) -> str:
    """The right answer to a task's question, in markup.

    >>> answer_for("refer_mask", "lisa", text="the cup"), answer_for("refer_mask", "deixis", text="the cup")
    ('{0:mask}.', '[the cup]{0:mask}.')
    """
    return _filled(ANSWERS[task], notation, {key: plain_text(word) for key, word in words.items()})


def _filled(table: Mapping[str, Words], notation: str, words: Mapping[str, str]) -> str:
    found = table.get(notation, table[PLAIN])
    return Template(found).substitute(words) if isinstance(found, str) else found(**words)
