"""`deixis eval --list`: the benchmarks, or all about one: its files, their homes and licences, metrics and options."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from deixis.errors import InputError
from deixis.evaluation.benchmark import Benchmark, Facts


def show_benchmarks(name: str | None) -> None:
    """Every benchmark in a few lines, or one in full. Raises ValueError for an unknown name."""
    from deixis.evaluation.benchmarks import BENCHMARKS

    if name is not None and name not in BENCHMARKS:
        raise InputError(f"--list: expected {', '.join(BENCHMARKS)}; got {name!r}")
    console = Console()
    for known in BENCHMARKS.values() if name is None else [BENCHMARKS[name]]:
        _show(console, known, in_full=name is not None)
    if name is None:
        console.print("all about one, with what its scores mean and the papers' numbers: deixis eval --list NAME")


def _show(console: Console, benchmark: Benchmark, in_full: bool) -> None:
    facts = benchmark.facts
    console.print(f"[bold]{escape(facts.name)}[/bold]  {escape(facts.title)}", highlight=False)
    for line in _lines(facts, in_full):
        console.print(Padding(escape(line), (0, 0, 0, 4)), highlight=False)
    console.print()


def _lines(facts: Facts, in_full: bool) -> Iterator[str]:
    """What there is to know, a line each."""
    for wanted in facts.wants:
        yield f"DATA/{wanted.path}: {wanted.what}"
        yield f"    from {wanted.home}; licence: {wanted.licence}"
    if not facts.wants:
        yield "reads no files"
    for metric in facts.metrics:
        kind = "" if metric.official else " (ours)"
        yield f"metric {metric.name}{kind}: {metric.meaning}"
    yield f"modes: {', '.join(facts.modes)}"
    for name, meaning in facts.options.items():
        yield f"--option {name}=...: {meaning}"
    if in_full:
        yield from facts.means
        for one in facts.published:
            values = ", ".join(f"{name} {value:g}" for name, value in one.values.items())
            yield f"published, {one.part}: {one.system} {values} ({one.source})"
