"""A page of answers, one HTML file that needs nothing else: the drawing of each, and beside it the right answer."""

from base64 import b64encode
from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

from deixis.files.whole import whole_file
from deixis.visualize.samples.html_page import start_of_page

MORE_CSS = """article h3 { margin: 0 0 .5rem; font-size: 1rem; }
.panel img { width: 100%; }
"""


@dataclass(frozen=True)
class ShownAnswer:
    """A PNG file with the drawing of an answer, under a heading; said: question and answer as text. expected: the
    right answer as text, without marks."""

    heading: str
    drawing: Path
    said: str
    expected: str


@dataclass(frozen=True)
class ShownGroup:
    """The answers about one modality, or about several."""

    title: str
    answers: Sequence[ShownAnswer]


def write_answers_page(path: Path, title: str, about: str, groups: Sequence[ShownGroup]) -> None:
    """Writes the page, whole or not at all. Raises OSError where it cannot be written."""
    links = "".join(f'<a href="#group-{n}">{escape(group.title)}</a>\n' for n, group in enumerate(groups))
    sections = "".join(_section(number, group) for number, group in enumerate(groups))
    with whole_file(path) as part:
        part.write_text(
            f'{start_of_page(title, MORE_CSS)}<header>\n<h1>{escape(title)}</h1>\n<p class="soft">{escape(about)}</p>\n'
            f'<nav aria-label="modalities">\n{links}</nav></header>\n<main>\n{sections}</main></body></html>\n',
            encoding="utf-8",
        )


def _section(number: int, group: ShownGroup) -> str:
    cards = "".join(_article(shown) for shown in group.answers)
    return (
        f'<section id="group-{number}"><h2>{escape(group.title)}</h2>\n<div class="cards">\n{cards}</div></section>\n'
    )


def _article(shown: ShownAnswer) -> str:
    content = b64encode(shown.drawing.read_bytes()).decode("ascii")
    words = escape(shown.said, quote=True)
    return (
        f"<article><h3>{escape(shown.heading)}</h3>\n"
        f'<figure class="panel"><img src="data:image/png;base64,{content}" alt="{words}"></figure>\n'
        f'<p class="facts">expected: {escape(shown.expected)}</p>\n</article>\n'
    )
