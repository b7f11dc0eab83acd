"""Samples as model inputs: one renderer and one batch builder for asking, training and evaluation."""

from deixis.conversation.batch import MaskTarget, Row, collate, mask_targets
from deixis.conversation.question import answered, last_question, open_signals, question_sample, with_answer
from deixis.conversation.render import Rendered, render
from deixis.conversation.system import IGNORED, System

__all__ = [
    "IGNORED",
    "MaskTarget",
    "Rendered",
    "Row",
    "System",
    "answered",
    "collate",
    "last_question",
    "mask_targets",
    "open_signals",
    "question_sample",
    "render",
    "with_answer",
]
