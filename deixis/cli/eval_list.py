"""`deixis eval --list`: the benchmarks, or one in full: files, sources, licences, metrics and options."""

from collections.abc import Iterator

from rich.console import Console
from rich.markup import escape
from rich.padding import Padding

from deixis.errors import InputError
from deixis.evaluation.benchmark import Benchmark, BenchmarkInfo


def show_benchmarks(name: str | None) -> None:
    """Every benchmark in a few lines, or one in full. Raises InputError for an unknown name."""
    from deixis.evaluation.benchmarks import BENCHMARKS

    if name is not None and name not in BENCHMARKS:
        raise InputError(f"--list: expected {', '.join(BENCHMARKS)}; got {name!r}")
    console = Console()
    for known in BENCHMARKS.values() if name is None else [BENCHMARKS[name]]:
        _show(console, known, in_full=name is not None)
    if name is None:
        console.print("one in full, with the meaning of its scores and published numbers: deixis eval --list NAME")


def _show(console: Console, benchmark: Benchmark, in_full: bool) -> None:
    info = benchmark.info
    console.print(f"[bold]{escape(info.name)}[/bold]  {escape(info.title)}", highlight=False)
    for line in _lines(info, in_full):
        console.print(Padding(escape(line), (0, 0, 0, 4)), highlight=False)
    console.print()


def _lines(info: BenchmarkInfo, in_full: bool) -> Iterator[str]:
    """The description of a benchmark, line by line."""
    for wanted in info.required_files:
        yield f"DATA/{wanted.path}: {wanted.what}"
        yield f"    from {wanted.home}; licence: {wanted.licence}"
    if not info.required_files:
        yield "reads no files"
    for metric in info.metrics:
        kind = "" if metric.official else " (ours)"
        yield f"metric {metric.name}{kind}: {metric.meaning}"
    yield f"modes: {', '.join(info.modes)}"
    for name, meaning in info.options.items():
        yield f"--option {name}=...: {meaning}"
    if in_full:
        yield from info.notes
        for one in info.published:
            values = ", ".join(f"{name} {value:g}" for name, value in one.values.items())
            yield f"published, {one.part}: {one.system} {values} ({one.source})"
