"""A page of samples, one HTML file that needs nothing else: by task, each with its media, regions, questions, answers.

It has no script and loads nothing from the network: images and audio are in it. What a sample holds is text, never
markup of the page.
"""

import io
import json
from base64 import b64encode
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from html import escape
from importlib import resources
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from deixis.files.own import MARK
from deixis.files.whole import whole_file
from deixis.samples.sample import Sample, Turn
from deixis.signals import MODALITIES
from deixis.signals.audio import RATE_HZ
from deixis.visualize.canvas import PALETTE
from deixis.visualize.samples.media_panels import Panel, Shown, and_more, modalities_of, panel, pieces, shown_regions

WIDTH_PX, CHIP_PX = 600, 18
"""Of the images, which a page shows at about 60 % of it, so that they stay sharp where it is wider."""
MAX_TURNS, MAX_SIGNALS, MAX_PHRASES = 12, 8, 12
MAX_TEXT = 4_000  # signs of one text
JPEG_QUALITY = 82
LONGEST_AUDIO_S = 60
"""Longer audio cannot be played in the page."""
SHORTENED = 60  # run lengths and indices of a record are shown up to so many signs


@dataclass(frozen=True)
class Overview:
    """The head of a page: a title, and sentences besides the counts, such as what could not be read."""

    title: str
    counts: str
    warnings: tuple[str, ...] = ()


@dataclass(frozen=True)
class Group:
    """The samples of one task that are shown, of `total` there are."""

    task: str
    total: int
    samples: Sequence[Sample]


def write_page(path: Path, overview: Overview, groups: Sequence[Group]) -> Iterator[Sample]:
    """Writes the page, whole or not at all, and yields each sample once its card is written.

    Only one card is held at a time; the page is in its place when the iterator has ended.
    """
    with whole_file(path) as part, part.open("w", encoding="utf-8") as file:
        file.write(_head(overview, groups))
        for number, group in enumerate(groups):
            count = _of(len(group.samples), group.total)
            file.write(f'<section id="task-{number}"><h2>{escape(group.task)} <small>{count}</small></h2>\n')
            file.write('<div class="cards">\n')
            for sample in group.samples:
                file.write(sample_article(sample))
                yield sample
            file.write("</div></section>\n")
        file.write("</main></body></html>\n")


def sample_article(sample: Sample) -> str:
    """One sample as HTML: its media with their regions, its turns, where it comes from, and its record."""
    turns = sample.turns[:MAX_TURNS]
    parts = ["<article>\n", *figures(sample, turns), *map(_turn, turns)]
    if len(sample.turns) > MAX_TURNS:
        parts.append(f'<p class="soft">{and_more(len(sample.turns) - MAX_TURNS, "turn")}</p>\n')
    facts = (sample.id, modalities_of(sample), sample.split, sample.source, f"by {sample.author}", sample.licence)
    parts.append(f'<p class="facts">{escape(" · ".join(facts))}</p>\n')
    record = "\n".join(_record_lines(_shortened(sample.to_json())))
    parts.append(f"<details><summary>record</summary><pre>{escape(record)}</pre></details>\n</article>\n")
    return "".join(parts)


def figures(sample: Sample, turns: Sequence[Turn]) -> Iterator[str]:
    """The media of a sample as HTML, with the regions that the turns mention."""
    shown = shown_regions(sample, turns)
    phrases = _phrases(turns)
    yield from (_figure(sample, number, shown[number], phrases) for number in range(min(len(shown), MAX_SIGNALS)))
    if len(sample.signals) > MAX_SIGNALS:
        yield f'<p class="warning">{and_more(len(sample.signals) - MAX_SIGNALS, "signal")}</p>\n'


def start_of_page(title: str, more_css: str = "") -> str:
    """A page up to its body, with the style that all pages share and the colours of regions."""
    css = resources.files("deixis.visualize.samples").joinpath("page.css").read_text("utf-8")
    colours = "".join(
        f".r{number} {{ --region: rgb({red}, {green}, {blue}); }}\n"
        for number, (red, green, blue) in enumerate(PALETTE)
    )
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta name="generator" content="{MARK}">\n'
        f"<title>{escape(title)}</title>\n<style>\n{css}{colours}{more_css}</style></head>\n<body>"
    )


def _head(overview: Overview, groups: Sequence[Group]) -> str:
    links = "".join(
        f'<a href="#task-{number}">{escape(group.task)} <span class="soft">{group.total:,}</span></a>\n'
        for number, group in enumerate(groups)
    )
    warnings = "".join(f'<p class="warning">{escape(sentence)}</p>\n' for sentence in overview.warnings)
    return (
        f"{start_of_page(overview.title)}<header>\n"
        f'<h1>{escape(overview.title)}</h1>\n<p class="soft">{escape(overview.counts)}</p>\n{warnings}'
        f'<nav aria-label="tasks">\n{links}</nav></header>\n<main>\n'
    )


def _figure(sample: Sample, number: int, shown: Sequence[Shown], phrases: dict[int, str]) -> str:
    medium = sample.signals[number]
    drawn = panel(medium, shown, WIDTH_PX, CHIP_PX)
    caption = escape(" · ".join([medium.modality.replace("_", " "), medium.id, *_sizes(sample, number)]))
    body = f'<div class="blank warning">cannot be shown: {escape(drawn.blank)}</div>' if drawn.blank else ""
    if not drawn.blank:
        body = _image(drawn, _described(medium.modality, medium.id, shown, phrases), medium.modality)
    notes = "".join(f'<p class="warning">{escape(note)}</p>\n' for note in drawn.notes)
    return f'<figure class="panel">{body}<figcaption>{caption}</figcaption></figure>\n{notes}'


def _image(drawn: Panel, description: str, modality: str) -> str:
    words, (width, height) = escape(description, quote=True), drawn.image.size
    source = _image_data_uri(drawn.image, modality)
    image = f'<img src="{source}" width="{width}" height="{height}" alt="{words}" title="{words}">'
    if drawn.audio is None or len(drawn.audio) > LONGEST_AUDIO_S * RATE_HZ:
        return image
    import soundfile

    content = io.BytesIO()
    soundfile.write(content, np.clip(drawn.audio, -1, 1), RATE_HZ, format="MP3", subtype="MPEG_LAYER_III")
    return f'{image}<audio controls preload="none" src="{_data_uri("audio/mpeg", content)}"></audio>'


def _image_data_uri(image: Image.Image, modality: str) -> str:
    content = io.BytesIO()
    if MODALITIES[modality].is_line_drawing:
        image.save(content, "PNG", optimize=True)
        return _data_uri("image/png", content)
    image.save(content, "JPEG", quality=JPEG_QUALITY, subsampling=0)  # thin coloured lines stay sharp
    return _data_uri("image/jpeg", content)


def _data_uri(mime: str, content: io.BytesIO) -> str:
    return f"data:{mime};base64,{b64encode(content.getvalue()).decode('ascii')}"


def _sizes(sample: Sample, number: int) -> Iterator[str]:
    medium = sample.signals[number]
    if medium.size_hw is not None:
        yield f"{medium.size_hw[1]} × {medium.size_hw[0]} px"
    if medium.duration_s is not None:
        yield f"{medium.duration_s:.4g} s"
    if medium.point_count is not None:
        yield f"{medium.point_count:,} points"
    own = sum(region.signal == number for region in sample.regions)
    yield f"{own} region{'s' * (own != 1)}"


def _described(modality: str, medium_id: str, shown: Sequence[Shown], phrases: dict[int, str]) -> str:
    """What the drawing shows, for those who do not see it."""
    start = f"{modality.replace('_', ' ')} {medium_id}"
    if not shown:
        return f"{start}, without regions"
    named = [f"{own.number} {phrases.get(own.number) or ' and '.join(own.fields)}" for own in shown[:MAX_PHRASES]]
    more = f" and {len(shown) - MAX_PHRASES} more" if len(shown) > MAX_PHRASES else ""
    return f"{start} with the regions {', '.join(named)}{more}"


def _phrases(turns: Iterable[Turn]) -> dict[int, str]:
    """Number of a region -> the first phrase that stands for it."""
    found: dict[int, str] = {}
    for turn in turns:
        for words, indices in (*pieces(turn.user), *pieces(turn.assistant)):
            for index in (indices or ()) if words else ():
                found.setdefault(index, words)
    return found


def _turn(turn: Turn) -> str:
    answer = marked_html(turn.assistant) or "–"
    parts = [f'<p class="question">{marked_html(turn.user)}</p>\n<p class="answer">{answer}</p>\n']
    for words, texts in (("also right", turn.references), ("choices", turn.choices)):
        if texts:
            parts.append(f'<p class="besides">{words}: {" | ".join(map(marked_html, texts))}</p>\n')
    return "".join(parts)


def marked_html(text: str) -> str:
    """A marked-up text as HTML: phrases in the colour of their region, regions as numbers."""
    parts, room = [], MAX_TEXT
    for words, indices in pieces(text):
        if room <= 0:
            parts.append("…")
            break
        shown = escape(words[:room])
        room -= len(words) + 1
        if indices is None:
            parts.append(shown)
            continue
        colour = f" r{indices[0] % len(PALETTE)}" if indices else ""
        if shown:
            parts.append(f'<span class="phrase{colour}">{shown}</span>')
        parts += [f'<span class="chip r{index % len(PALETTE)}">{index}</span>' for index in indices]
        if not indices:
            parts.append('<span class="chip">none</span>')
    return "".join(parts)


def _record_lines(record: dict[str, Any]) -> Iterator[str]:
    """The record as JSON, a field or an item of a field's list in a line."""
    for number, (name, value) in enumerate(record.items()):
        start, end = "{" if number == 0 else " ", "}" if number == len(record) - 1 else ","
        if isinstance(value, list) and value:
            yield f"{start}{json.dumps(name)}: ["
            items = [json.dumps(item, ensure_ascii=False) for item in value]
            yield from (f"   {item}," for item in items[:-1])
            yield f"   {items[-1]}]{end}"
        else:
            yield f"{start}{json.dumps(name)}: {json.dumps(value, ensure_ascii=False)}{end}"


def _of(shown: int, total: int) -> str:
    """
    >>> _of(3, 20), _of(1, 1)
    ('3 of 20 samples', '1 sample')
    """
    return f"{shown:,} of {total:,} samples" if shown < total else f"{total:,} sample{'s' * (total != 1)}"


def _shortened(record: dict[str, Any]) -> dict[str, Any]:
    """The record with long run lengths and lists of indices cut, as only a program reads them."""
    regions = []
    for region in record["regions"]:
        mask, points = region.get("mask"), region.get("points")
        if mask is not None and len(str(mask["counts"])) > SHORTENED:
            region = {**region, "mask": {**mask, "counts": str(mask["counts"])[:SHORTENED] + "…"}}
        if points is not None and len(points) > SHORTENED:
            region = {**region, "points": [*points[:SHORTENED], f"… {len(points):,} in all"]}
        regions.append(region)
    return {**record, "regions": regions}
