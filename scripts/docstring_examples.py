"""An extension of griffe, which reads the docstrings for mkdocs.yml: doctests in running text become code blocks."""

import re
from typing import Any

import griffe

# A prompt and all lines that belong to it, up to the next blank line: what doctest takes for one example.
EXAMPLE = re.compile(r"^>>> .*(?:\n(?!\s*$).*)*", re.MULTILINE)


class FencedExamples(griffe.Extension):
    """Puts a fence around every doctest of a docstring."""

    def on_instance(self, *, obj: griffe.Object, **others: Any) -> None:
        """Changes the docstring of `obj`, if it has one."""
        if obj.docstring is not None:
            obj.docstring.value = EXAMPLE.sub(lambda found: f"```pycon\n{found.group()}\n```", obj.docstring.value)
