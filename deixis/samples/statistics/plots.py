"""The statistics as images: tasks, lengths, sizes of regions, and how names are balanced, each a PNG.

Drawn with matplotlib's Agg, without a display.
"""

import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from deixis.files.own import MARK
from deixis.files.whole import whole_file
from deixis.samples.statistics.gather import CLASSES, LENGTHS, Stats
from deixis.samples.statistics.tally import Distribution, Tally

INK, BAR, SECOND = "#181a22", "#166cd6", "#dd2c57"
BARS_SHOWN, LABEL_LENGTH = 30, 32
DPI = 110


def write_plots(stats: Stats, folder: Path) -> list[str]:
    """Writes the plots for which there is something to draw into a folder; their names."""
    written = []
    for name, draw in PLOTS.items():
        figure = draw(stats)
        if figure is None:
            continue
        with whole_file(folder / name) as part, warnings.catch_warnings():
            warnings.filterwarnings("ignore", message="Glyph .* missing")  # names may be in any script
            figure.savefig(part, format="png", dpi=DPI, metadata={"Software": MARK})
        written.append(name)
    return written


def _tasks(stats: Stats) -> Any:
    top = stats.heads["task"].top(BARS_SHOWN)
    figure, [axes] = _figure(1, 1, 8.0, 1.6 + 0.28 * len(top))
    _bars(axes, top, "samples of a task")
    return figure


def _lengths(stats: Stats) -> Any:
    names = [name for name in LENGTHS if stats.lengths[name].count]
    if not names:
        return None
    figure, all_axes = _figure(2, 3, 12.0, 6.5)
    for axes, name in zip(all_axes, names, strict=False):
        _whole_numbers(axes, stats.lengths[name], name)
    for axes in all_axes[len(names) :]:
        axes.set_axis_off()
    return figure


def _sizes(stats: Stats) -> Any:
    spreads = {name: spread for name, spread in stats.sizes.items() if spread.count}
    panels = len(spreads) + (stats.classes.total > 0) + (stats.forms.total > 0)
    if not panels:
        return None
    columns = min(panels, 3)
    rows = -(-panels // columns)
    figure, all_axes = _figure(rows, columns, 4.2 * columns, 3.4 * rows)
    axes = iter(all_axes)
    if stats.forms.total:
        _bars(next(axes), stats.forms.top(BARS_SHOWN), "forms of regions")
    if stats.classes.total:
        counts = [(name, stats.classes.counts.get(name, 0)) for name in CLASSES]
        _bars(next(axes), counts, "areas by COCO's classes (32², 96² px)")
    for name, spread in spreads.items():
        _shares(next(axes), spread, name)
    for empty in axes:
        empty.set_axis_off()
    return figure


def _names(stats: Stats) -> Any:
    tallies = {"phrases with regions": stats.phrases, "short answers": stats.answers}
    tallies = {title: tally for title, tally in tallies.items() if tally.total}
    if not tallies:
        return None
    figure, all_axes = _figure(1, len(tallies) + 1, 5.0 * (len(tallies) + 1), 7.5)
    for axes, (title, tally) in zip(all_axes, tallies.items(), strict=False):
        _bars(axes, tally.top(BARS_SHOWN), f"most frequent {title}")
    _ranks(all_axes[-1], tallies)
    return figure


PLOTS: dict[str, Callable[[Stats], Any]] = {
    "tasks.png": _tasks,
    "lengths.png": _lengths,
    "regions.png": _sizes,
    "names.png": _names,
}
"""Name of a file -> what draws it; None where there is nothing to draw."""


def _figure(rows: int, columns: int, width: float, height: float) -> tuple[Any, list[Any]]:
    """A figure of a size in inches, and its axes in reading order."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    all_axes = [axes for row in figure.subplots(rows, columns, squeeze=False) for axes in row]
    for axes in all_axes:
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(colors=INK, labelsize=8)
    return figure, all_axes


def _title(axes: Any, text: str) -> None:
    axes.set_title(text, fontsize=10, color=INK, loc="left", parse_math=False)


def _bars(axes: Any, counts: Sequence[tuple[str, int]], title: str) -> None:
    places = np.arange(len(counts))
    values = [count for _, count in counts]
    drawn = axes.barh(places, values, color=BAR, height=0.72)
    axes.bar_label(drawn, [f"{value:,}" for value in values], padding=3, fontsize=7)
    labels = [name if len(name) <= LABEL_LENGTH else name[: LABEL_LENGTH - 1] + "…" for name, _ in counts]
    axes.set_yticks(places, labels, parse_math=False)
    axes.set_ylim(len(counts) - 0.4, -0.6)
    axes.set_xlim(0, max([*values, 1]) * 1.15)
    axes.xaxis.set_visible(False)
    axes.spines["bottom"].set_visible(False)
    _title(axes, title)


def _whole_numbers(axes: Any, spread: Distribution, name: str) -> None:
    """A histogram of counts up to the 99th percentile, so that a few long ones do not squeeze the rest."""
    top = max(spread.quantile(0.99), spread.low + 1)
    step = max(1, round((top - spread.low) / 40))
    edges = np.arange(spread.low - 0.5, top + step + 0.5, step)
    axes.hist(spread.held, edges, weights=_weights(spread), color=BAR, rwidth=0.92)
    axes.xaxis.get_major_locator().set_params(integer=True)
    axes.axvline(spread.quantile(0.5), color=SECOND, linewidth=1.2)
    axes.set_ylabel("count", fontsize=8)
    _title(axes, f"{name}: median {spread.quantile(0.5):g}, at most {spread.high:g}")


def _shares(axes: Any, spread: Distribution, name: str) -> None:
    """A histogram of shares over a logarithmic axis, since most regions are small."""
    held = np.maximum(spread.held, 1e-6)
    edges = np.geomspace(max(held.min() / 1.1, 1e-6), 1.0, 41)
    axes.hist(np.minimum(held, 1.0), edges, weights=_weights(spread), color=BAR)
    axes.axvline(max(spread.quantile(0.5), 1e-6), color=SECOND, linewidth=1.2)
    axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda value, place: f"{100 * value:g} %")
    axes.set_ylabel("regions", fontsize=8)
    _title(axes, f"{name}: median {100 * spread.quantile(0.5):.2g} %")


def _weights(spread: Distribution) -> np.ndarray:
    """What each held number stands for, so that the bars add up to all of them."""
    return np.full(len(spread.held), spread.count / len(spread.held))


def _ranks(axes: Any, tallies: dict[str, Tally]) -> None:
    """Frequency by rank, both logarithmic: a level line is balanced, a steep one is not."""
    for (title, tally), colour in zip(tallies.items(), (BAR, SECOND), strict=False):
        values = [count for _, count in tally.top(len(tally.counts))]
        axes.plot(np.arange(1, len(values) + 1), values, color=colour, label=title, marker=".", markersize=3)
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("rank of the name", fontsize=8)
    axes.set_ylabel("how often it occurs", fontsize=8)
    axes.legend(fontsize=8, frameon=False)
    _title(axes, "balance of names")
