"""A contact sheet: the cards of samples side by side, as one PNG."""

from collections.abc import Iterable, Sequence
from pathlib import Path

from PIL import Image

from deixis.errors import InputError
from deixis.samples.media import atomic_path
from deixis.samples.sample import Sample
from deixis.visualize.samples.cards import CARD_WIDTH_PX, PAGE, sample_card

GAP_PX, MARGIN_PX = 14, 22
COLUMNS = 6


def contact_sheet(samples: Sequence[Sample], columns: int = COLUMNS) -> Image.Image:
    """An RGB image of the samples as cards, each put under the column that is the shortest so far.

    Raises InputError when there is no sample to show.
    """
    if not samples:
        raise InputError("samples: expected at least one to show, got none")
    columns = min(columns, len(samples))
    cards = [sample_card(sample) for sample in samples]
    heights = [MARGIN_PX] * columns
    places = []
    for card in cards:
        column = min(range(columns), key=heights.__getitem__)
        places.append((MARGIN_PX + column * (CARD_WIDTH_PX + GAP_PX), heights[column]))
        heights[column] += card.height + GAP_PX
    width = 2 * MARGIN_PX + columns * (CARD_WIDTH_PX + GAP_PX) - GAP_PX
    sheet = Image.new("RGB", (width, max(heights) - GAP_PX + MARGIN_PX), PAGE)
    for card, place in zip(cards, places, strict=True):
        sheet.paste(card, place)
    return sheet


def save_contact_sheet(samples: Sequence[Sample], path: str | Path, columns: int = COLUMNS) -> None:
    """Write `contact_sheet(samples)` as a PNG, whole or not at all."""
    sheet = contact_sheet(samples, columns)
    with atomic_path(Path(path)) as part:
        sheet.save(part, format="PNG")


def varied(samples: Iterable[Sample], count: int) -> list[Sample]:
    """At most `count` of the samples, as different as there are: modalities and tasks take turns."""
    groups: dict[tuple[str, str], list[Sample]] = {}
    for sample in samples:
        modality = sample.signals[0].modality if sample.signals else "text"
        groups.setdefault((modality, sample.task), []).append(sample)
    rounds = max(map(len, groups.values()), default=0)
    # the next round begins elsewhere in each group, so that one scene does not fill the sheet
    turns = [[group[(7 * i + n) % len(group)] for n, group in enumerate(groups.values())] for i in range(rounds)]
    found = {id(sample): sample for turn in turns for sample in turn}
    return list(found.values())[:count]
