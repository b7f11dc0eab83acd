"""The wording of benchmark questions and teacher-forced answers in each published system's own evaluation.

A wording is a template, filled in by `string.Template`, or a function of the words; `{0}` is a region of the question.
"""

from collections.abc import Callable, Mapping

from deixis.systems.ferret import wording as ferret
from deixis.systems.lisa import wording as lisa
from deixis.systems.onellm import wording as onellm

Wording = str | Callable[..., str]

QUESTIONS: Mapping[str, Mapping[str, Wording]] = {
    "ferret": ferret.QUESTIONS,
    "lisa": lisa.QUESTIONS,
    "onellm": onellm.QUESTIONS,
}
"""Notation -> task -> question."""
ANSWERS: Mapping[str, Mapping[str, Wording]] = {"lisa": lisa.ANSWERS}
"""Notation -> task -> target answer in markup."""
