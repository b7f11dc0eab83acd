"""`deixis data stats`: statistics of a dataset as tables, plots and JSON."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from deixis.cli.arguments import SamplesPath, check_folder, check_installed
from deixis.cli.terminal import console, say
from deixis.errors import InputError
from deixis.files.own import check_own

if TYPE_CHECKING:
    from rich.table import Table

    from deixis.samples.statistics.gather import Stats
    from deixis.samples.statistics.tally import Distribution, Tally

TASKS_SHOWN, NAMES_SHOWN, VALUES_SHOWN = 40, 10, 9
VALUE_LENGTH = 24


def run(
    path: SamplesPath,
    out: Annotated[Path | None, typer.Option(help="Folder for stats.json and plots (PNG).")] = None,
) -> None:
    """Count samples: tasks, lengths, sizes of regions, balance, repeats.

    Names are phrases of answers that have regions, and short answers without
    regions (yes, two, a red mug). Repeated samples have the same media,
    regions and texts. One pass in bounded memory: counts that are not exact
    are marked.
    """
    check_folder(out)
    if out is not None:
        check_installed("matplotlib")
        check_own(out / "stats.json", '{\n "samples": ')

    from deixis.cli.progress import Stages
    from deixis.samples.shards import open_samples
    from deixis.samples.statistics.gather import Stats

    stats = Stats()
    with Stages() as progress:
        progress.stage(f"counting {path}", None)
        for _, sample in open_samples(path):
            stats.add(sample)
            progress.advance(1)
    if not stats.samples:
        first = f"; the first: {stats.first_skipped.where}: {stats.first_skipped.why}" if stats.first_skipped else ""
        raise InputError(f"{path}: expected samples to count, got none{' that can be read' if first else ''}{first}")
    screen = console()
    for table in _tables(path, stats):
        screen.print(table)
    for sentence in _remarks(stats):
        screen.print(sentence, markup=False, highlight=False, soft_wrap=True)
    if out is not None:
        _write(stats, out)
        say(f"stats.json and plots in {out}")


def _write(stats: "Stats", out: Path) -> None:
    from deixis.files.whole import whole_file
    from deixis.samples.statistics.plots import write_plots

    out.mkdir(parents=True, exist_ok=True)
    with whole_file(out / "stats.json") as part:
        part.write_text(json.dumps(stats.to_json(), ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
    write_plots(stats, out)


def _tables(path: Path, stats: "Stats") -> "Iterator[Table]":
    from rich.table import Table

    from deixis.samples.statistics.gather import CLASSES

    whole = Table(title=str(path), title_justify="left", show_header=False)
    for name, count in _totals(stats):
        whole.add_row(name, f"{count:,}")
    for name, tally in (*((n, t) for n, t in stats.heads.items() if n != "task"), ("modalities", stats.kinds)):
        whole.add_row(name, _values(tally))
    yield whole
    yield _task_table(stats)
    lengths = Table("", *(_right("mean", "5 %", "median", "95 %", "most")), title="lengths", title_justify="left")
    for name, spread in stats.lengths.items():
        lengths.add_row(name, *_numbers(spread))
    for name, spread in stats.sizes.items():
        if spread.count:
            lengths.add_row(f"{name}, %", *_numbers(spread, 100))
    yield lengths
    if stats.regions:
        regions = Table(title="regions", title_justify="left", show_header=False)
        regions.add_row("forms", _values(stats.forms))
        classes = ", ".join(f"{name} {stats.classes.counts.get(name, 0):,}" for name in CLASSES)
        regions.add_row("area (32², 96² px)", classes if stats.classes.total else "none has an area")
        regions.add_row("mentioned in", _values(stats.mentions))
        yield regions
    if stats.phrases.total + stats.answers.total + stats.absent.total:
        yield _name_table(stats)


def _totals(stats: "Stats") -> Iterator[tuple[str, int]]:
    yield from (("samples", stats.samples), ("turns", stats.turns), ("regions", stats.regions), ("media", stats.media))
    yield from (("different questions", stats.questions), ("different answers", stats.different_answers))


def _task_table(stats: "Stats") -> "Table":
    from rich.markup import escape
    from rich.table import Table

    tasks = stats.heads["task"]
    table = Table("task", *_right("samples", "%", "turns", "regions"))
    for name, count in tasks.top(TASKS_SHOWN):
        others = (stats.turns_of.counts[name], stats.regions_of.counts[name])
        table.add_row(escape(name), f"{count:,}", f"{100 * count / stats.samples:.1f}", *(f"{n:,}" for n in others))
    if len(tasks.counts) > TASKS_SHOWN:
        table.add_row(f"and {len(tasks.counts) - TASKS_SHOWN:,} more tasks")
    return table


def _name_table(stats: "Stats") -> "Table":
    """The most frequent names in three columns, over how many there are and how many make up half."""
    from rich.markup import escape
    from rich.table import Table

    tallies = {
        "phrases with regions": stats.phrases,
        "phrases of what is absent": stats.absent,
        "short answers": stats.answers,
    }
    table = Table(*tallies, title="names", title_justify="left", show_footer=True)
    for column, tally in zip(table.columns, tallies.values(), strict=True):
        half = f", half are {tally.half:,}" if tally.others == 0 and len(tally.counts) > 1 else ""
        column.footer = f"{len(tally.counts):,} names{half}" if tally.total else "none"
    rows = [
        [f"{escape(_short(name))}  {count:,}" for name, count in tally.top(NAMES_SHOWN)] for tally in tallies.values()
    ]
    for number in range(max(map(len, rows))):
        table.add_row(*(own[number] if number < len(own) else "" for own in rows))
    return table


def _remarks(stats: "Stats") -> Iterator[str]:
    """Sentences below the tables."""
    if stats.skipped:
        yield f"cannot be read, and not counted: {stats.skipped:,} samples; see deixis data check"
    if stats.repeated_ids:
        yield f"repeated ids: {stats.repeated_ids:,} samples have that of an earlier one"
    if stats.repeated_samples:
        yield f"repeated samples: {stats.repeated_samples:,} have the media, regions and texts of an earlier one"
    capped = {"task": stats.heads["task"], "phrase": stats.phrases, "short answer": stats.answers}
    for name, tally in capped.items():
        if tally.others:
            yield f"more than {tally.cap:,} different {name}s: {tally.others:,} of the later ones are not told apart"
    if any(spread.count > spread.cap for spread in (*stats.lengths.values(), *stats.sizes.values())):
        cap = next(iter(stats.lengths.values())).cap
        yield f"percentiles of lengths and sizes are of {cap:,} sampled at random; means and maxima are of all"


def _right(*names: str) -> list:
    from rich.table import Column

    return [Column(name, justify="right") for name in names]


def _numbers(spread: "Distribution", factor: float = 1) -> list[str]:
    if not spread.count:
        return [""] * 5
    values = (spread.mean, spread.quantile(0.05), spread.quantile(0.5), spread.quantile(0.95), spread.high)
    return [f"{factor * value:,.0f}" if factor * value >= 100 else f"{factor * value:.3g}" for value in values]


def _values(tally: "Tally") -> str:
    """The most frequent values of a field with their counts, in one cell."""
    from rich.markup import escape

    shown = ", ".join(f"{escape(_short(name))} {number:,}" for name, number in tally.top(VALUES_SHOWN))
    more = len(tally.counts) - VALUES_SHOWN
    return f"{shown} and {more:,} more" if more > 0 else shown


def _short(name: str) -> str:
    return name if len(name) <= VALUE_LENGTH else name[: VALUE_LENGTH - 1] + "…"
