"""The wording of benchmark questions and of teacher-forced answers, by task and by the notation of the model.

A published checkpoint is asked with the wording of its own evaluation, verbatim, for it was tuned on little else
(`deixis.systems.*.wording`); every other model in plain words. It knows no file and no model: a benchmark gets the
notation as its option of that name (`notation_of`).
"""

from collections.abc import Callable, Mapping
from string import Template

from deixis.datasets.plain_questions import plain_text
from deixis.errors import InputError
from deixis.geometry import escaped
from deixis.systems import NOTATIONS
from deixis.systems.ferret import wording as ferret
from deixis.systems.lisa import wording as lisa
from deixis.systems.onellm import wording as onellm

PLAIN = "plain"
Wording = str | Callable[..., str]
"""A template, filled in by `string.Template`, or a function of the words."""
OFFICIAL: Mapping[str, Mapping[str, Wording]] = {
    "ferret": ferret.QUESTIONS,
    "lisa": lisa.QUESTIONS,
    "onellm": onellm.QUESTIONS,
}
"""Notation -> task -> question."""
QUESTIONS: dict[str, str] = {
    "reason_sentence": "$text Answer with a mask.",
    "reason_phrase": "Where is $text? Answer with a mask.",
    "refer_mask": "Segment $text.",
    "refer_box": "Where is $text?",
    "ground_phrases": "Where are $text?",
    "which_of_two": "Is the object {0} a $name or a $other?",
    "caption_image": "Describe the image.",
    "caption_audio": "Describe the sound.",
    "caption_video": "Describe the video.",
    "caption_fmri": "Describe what was seen.",
    "caption_imu": "Describe the motion.",
    "caption_point_cloud": "What is this?",
    # csuhan/OneLLM@8587a47 eval/video_qa_msvd.py; LLaVA, on whose data all three systems are trained, has the same.
    "short_answer": "$text\nAnswer the question using a single word or phrase.",
    "free_answer": "$text",
}
"""Task -> plain question; `$text` and the like are filled in, `{0}` is a region of the question."""
ANSWERS: dict[str, str] = {
    "reason_sentence": "The mask is {0:mask}.",
    "reason_phrase": "[$text]{0:mask}.",
    "refer_mask": "[$text]{0:mask}.",
}
"""Task -> plain target answer in markup, for the teacher-forced mode."""


def notation_of(options: Mapping[str, str]) -> str:
    """The notation of the model, from a benchmark's options, PLAIN by default; InputError for an unknown one."""
    notation = options.get("notation", PLAIN)
    if notation not in (PLAIN, *NOTATIONS):
        raise InputError(f"notation: expected {', '.join((PLAIN, *NOTATIONS))}, got {notation!r}")
    return notation


def question_for(task: str, notation: str, **words: str) -> str:
    """The question of a task, in markup, in the wording for a notation; words of a data set are escaped.

    >>> question_for("refer_box", "ferret", text="the man, left"), question_for("refer_box", "deixis", text="a {red}")
    ('What is the location of the man left in the image?', 'Where is a {{red}}?')
    """
    wording = OFFICIAL.get(notation, {}).get(task, QUESTIONS[task])
    return _filled(wording, {key: escaped(word) for key, word in words.items()})


def answer_for(task: str, notation: str, **words: str) -> str:
    """The target answer to a task's question, in markup.

    >>> answer_for("refer_mask", "lisa", text="the cup"), answer_for("refer_mask", "deixis", text="the cup")
    ('{0:mask}.', '[the cup]{0:mask}.')
    """
    wording = (lisa.ANSWERS if notation == "lisa" else ANSWERS).get(task, ANSWERS[task])
    return _filled(wording, {key: plain_text(word) for key, word in words.items()})


def _filled(wording: Wording, words: Mapping[str, str]) -> str:
    return Template(wording).substitute(words) if isinstance(wording, str) else wording(**words)
