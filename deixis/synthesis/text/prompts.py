"""The prompts of the parts that a language model writes, from prompts.yaml beside this file.

A prompt is a system text and examples of what is asked and what is answered. Independent of model and sample.
"""

import json
from dataclasses import dataclass
from functools import cache
from importlib import resources
from typing import Any


@dataclass(frozen=True)
class Prompt:
    """One task of a language model. examples: (what was asked, what a good answer is). words: further wordings."""

    system: str
    examples: tuple[tuple[str, str], ...] = ()
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()

    def messages(self, request: str) -> list[dict]:
        """The chat that asks for `request`."""
        chat = [{"role": "system", "content": self.system}]
        for asked, answered in self.examples:
            chat += [{"role": "user", "content": asked}, {"role": "assistant", "content": answered}]
        return [*chat, {"role": "user", "content": request}]

    def wordings(self, name: str) -> tuple[str, ...]:
        return dict(self.words)[name]


@cache
def prompt(name: str) -> Prompt:
    """The prompt of a task: "dialogues/objects", "reasoning", "rewording", "look_alikes"."""
    task, _, kind = name.partition("/")
    record = _prompts()[task]
    facts = record["kinds"][kind] if kind else record
    system = record["system"] + (f"\n{facts['system']}" if kind else "")
    answers = [json.dumps(example["answered"], ensure_ascii=False) for example in facts["examples"]]
    asked = [record.get("scene") or example["asked"] for example in facts["examples"]]
    return Prompt(
        system.strip(),
        tuple(zip(asked, answers, strict=True)),
        tuple((word, tuple(texts)) for word, texts in record.get("words", {}).items()),
    )


@cache
def _prompts() -> dict[str, Any]:
    import yaml

    return yaml.safe_load(resources.files("deixis.synthesis.text").joinpath("prompts.yaml").read_text("utf-8"))
