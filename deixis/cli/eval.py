"""`deixis eval`: the scores of a model on a benchmark, as a table, an HTML report and a file of all answers."""

import re
from collections.abc import Iterator, Mapping, Sequence
from os.path import exists
from pathlib import Path
from typing import TYPE_CHECKING, Annotated
from zlib import crc32

import typer

from deixis.cli.arguments import (
    AdapterFolder,
    Device,
    Dtype,
    ModelName,
    Quantization,
    check_folder,
    check_model,
    named_values,
    print_entries,
)
from deixis.cli.terminal import console, say, say_json
from deixis.errors import InputError, UnsupportedError
from deixis.options import check_choice

if TYPE_CHECKING:
    from deixis.evaluation.benchmark import Benchmark, BenchmarkInfo
    from deixis.evaluation.reports.summary import Summary
    from deixis.evaluation.runner import EvaluationRun, ModelAdapter
    from deixis.inference import Model
    from deixis.model.config import DeixisConfig

TABLE_WIDTH = 136  # minimum: narrower, the notes would be columns of syllables
RUNS = Path("runs/eval")
BATCH, BATCH_OF_SMALL = 8, 32
LONGEST_NAME = 80
OF_MODEL = ("notation", "modalities")  # options that follow from the model where they are not given


def run(
    benchmark: Annotated[str | None, typer.Argument(help="Name of the benchmark; --list shows all.")] = None,
    model: ModelName = "bundled",
    data: Annotated[Path | None, typer.Option(help="Folder of the benchmark's official files.")] = None,
    out: Annotated[Path | None, typer.Option(help="Folder of the run. [default: runs/eval/BENCH-MODEL...]")] = None,
    mode: Annotated[
        str | None, typer.Option(help="generated, or forced (teacher forcing: the reference text is given).")
    ] = None,
    option: Annotated[
        list[str] | None, typer.Option(help="NAME=VALUE, an option of the benchmark; repeatable.")
    ] = None,
    limit: Annotated[int | None, typer.Option(help="Maximum number of questions per part.", min=1)] = None,
    batch: Annotated[int | None, typer.Option(help="Batch size.", min=1)] = None,
    device: Device = None,
    dtype: Dtype = None,
    quantization: Quantization = None,
    adapter: AdapterFolder = None,
    blind: Annotated[
        bool | None, typer.Option(help="Also evaluate with blanked signals. [default: for the world only]")
    ] = None,
    split: Annotated[str | None, typer.Option(help="Short for --option split=...")] = None,
    tasks: Annotated[str | None, typer.Option(help="Short for --option tasks=..., comma-separated.")] = None,
    seed_offset: Annotated[int | None, typer.Option(help="Short for --option seed-offset=...", min=0)] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the report as JSON instead of the table.")] = False,
    listed: Annotated[bool, typer.Option("--list", help="List the benchmarks, or describe one, and exit.")] = False,
) -> None:
    """Evaluate a model on a benchmark's official files, or on the generated world.

    The same command resumes a run that was stopped; several processes of it share the run. The folder holds
    report.html, report.json, predictions.jsonl and the skipped examples.
    """
    if listed:
        return _show_benchmarks(benchmark)
    check_model(model, device, dtype, quantization, adapter)
    from deixis.cli import answers
    from deixis.cli.progress import resumable
    from deixis.evaluation.benchmarks.official_files import parsed_once
    from deixis.evaluation.evaluate import count_examples, evaluate

    known = _benchmark("benchmark", benchmark or "world")
    short = {"split": split, "tasks": tasks, "seed-offset": None if seed_offset is None else str(seed_offset)}
    options = _options(known, {name: word for name, word in short.items() if word is not None}, option or ())
    where = _data(known, data)
    opened = answers.open_small(model, adapter)
    if opened.config is not None:
        options |= of_model(opened.config, known, options)
    one, named = _play(known, where, options, mode, limit, batch)
    folder = out or RUNS / _folder_name(known.info.name, model, named, adapter)
    check_folder(folder)
    seen = blind if blind is not None else not known.info.required_files
    with resumable(folder) as progress, parsed_once():
        progress.stage("counting questions", None)
        count = count_examples(one)
        progress.stage("opening the model", None)
        asked, unseen = _adapters(answers.open_model(opened, device, dtype, quantization), one, seen)
        summary = evaluate(one, asked, unseen, folder, progress, count)
    show(summary, folder, as_json)


def _benchmark(argument: str, name: str) -> "Benchmark":
    """The benchmark of this name. Raises ConfigError for an unknown one."""
    from deixis.evaluation.benchmarks import BENCHMARKS

    check_choice(argument, name, tuple(BENCHMARKS))
    return BENCHMARKS[name]


def _options(known: "Benchmark", short: Mapping[str, str], words: Sequence[str]) -> dict[str, str]:
    """The options by name. Raises InputError for one that the benchmark does not have."""
    given = {**short, **named_values(words)}
    able = (*known.info.options, "notation")
    for name in given:
        if name not in able:
            flag = f"--{name}" if name in short else "--option"
            raise InputError(f"{flag}: {known.info.name} takes {', '.join(able)}; got {name!r}")
    return given


def of_model(config: "DeixisConfig", known: "Benchmark", given: Mapping[str, str]) -> dict[str, str]:
    """The options that follow from the model: how it is asked, and about what where that is a choice."""
    own = {"notation": config.notation.name, "modalities": ",".join(config.modalities)}
    return {n: own[n] for n in OF_MODEL if n not in given and (n == "notation" or n in known.info.options)}


def _data(known: "Benchmark", data: Path | None) -> Path:
    """The folder of the files; any for a benchmark that reads none. Raises InputError where it is missing."""
    if not known.info.required_files:
        return Path()
    name = known.info.name
    if data is None:
        wanted = ", ".join(dict.fromkeys(wanted.path for wanted in known.info.required_files))
        raise InputError(f"--data: {name} reads {wanted}; name the folder (deixis eval --list {name} says more)")
    if not data.is_dir():
        got = f"the file {data}" if data.exists() else f"{data}, which does not exist"
        raise InputError(f"--data: expected a folder with the files of {name}, got {got}")
    return data


def _play(
    known: "Benchmark", data: Path, options: dict[str, str], mode: str | None, limit: int | None, batch: int | None
) -> tuple["EvaluationRun", dict[str, str]]:
    """What is asked, and what of it is said in the folder's name. Raises InputError for a mode that is not had."""
    from deixis.evaluation.benchmark import JUDGE_PREFIX
    from deixis.evaluation.runner import EvaluationRun

    modes = known.info.modes
    chosen = mode or modes[0]
    check_choice(f"--mode of {known.info.name}", chosen, modes)
    named = {
        name: value for name, value in options.items() if name not in OF_MODEL and not name.startswith(JUDGE_PREFIX)
    }
    named |= {"": chosen} if chosen != modes[0] else {}
    if limit is not None:
        named["limit"] = str(limit)
        if "limit" in known.info.options:  # it makes its examples: so many, not the first so many
            options, limit = options | {"limit": str(limit)}, None
    size = batch or (BATCH if known.info.required_files else BATCH_OF_SMALL)
    return EvaluationRun(known, data, options, chosen, limit, size), named


def _folder_name(benchmark: str, model: str, named: Mapping[str, str], adapter: Path | None = None) -> str:
    """The run's own name: what was asked of whom, in letters that every file system takes."""
    words = [benchmark, Path(model).name if exists(model) else model]
    words += [] if adapter is None else [f"with-{adapter}"]
    words += [f"{name}-{value}" if name else value for name, value in sorted(named.items())]
    name = re.sub(r"[^A-Za-z0-9.]+", "-", "-".join(words)).strip("-.")
    return name if len(name) <= LONGEST_NAME else f"{name[:LONGEST_NAME]}-{crc32(name.encode()):08x}"


def _adapters(model: "Model", one: "EvaluationRun", with_blind: bool) -> "tuple[ModelAdapter, ModelAdapter | None]":
    """The model as the loop asks it, and the one that sees nothing."""
    from deixis.evaluation.evaluate import blind
    from deixis.evaluation.runner import ModelAdapter, check_able

    check_able(model, one.benchmark.info, one.mode)
    if with_blind and not hasattr(model, "network"):
        raise UnsupportedError(
            f"--blind: '{model.name}' is a point cloud classifier, which cannot be asked blind; omit it"
        )
    return ModelAdapter(model), ModelAdapter(blind(model), f"{model.name}, blind") if with_blind else None


def show(summary: "Summary", folder: Path, as_json: bool = False, with_notes: bool = True) -> None:
    """Prints the report of a run; with_notes: what its numbers mean, too."""
    from rich.markup import escape

    from deixis.evaluation.evaluate import PAGE, SKIPPED
    from deixis.evaluation.reports import terminal_report as report

    for line in report.skipped_lines(summary, str(folder / SKIPPED)):
        say(line, err=True)
    if as_json:
        say_json(summary.to_json(), indent=2)
        return
    screen = console(width=max(console().width, TABLE_WIDTH))
    screen.print(report.score_table(summary))
    for sentence in report.notes_below(summary) if with_notes else ():
        screen.print(escape(sentence), highlight=False)
    screen.print(f"all cases with images: {escape(str(folder / PAGE))}", highlight=False, soft_wrap=True)


def _show_benchmarks(name: str | None) -> None:
    """Prints every benchmark in a few lines, or one in full: files, sources, licences, metrics and options."""
    from deixis.evaluation.benchmarks import BENCHMARKS

    chosen = BENCHMARKS.values() if name is None else [_benchmark("--list", name)]
    print_entries((b.info.name, b.info.title, (*_lines(b.info, name is not None), "")) for b in chosen)
    if name is None:
        say("one in full, with the meaning of its scores and published numbers: deixis eval --list NAME")


def _lines(info: "BenchmarkInfo", in_full: bool) -> Iterator[str]:
    """The description of a benchmark, line by line."""
    for wanted in info.required_files:
        yield f"DATA/{wanted.path}: {wanted.what}"
        yield f"    from {wanted.home}; licence: {wanted.licence}"
    if not info.required_files:
        yield "reads no files"
    for metric in info.metrics:
        origin = "" if metric.official else " (ours)"
        yield f"metric {metric.name}{origin}: {metric.meaning}"
    yield f"modes: {', '.join(info.modes)}"
    for name, meaning in info.options.items():
        yield f"--option {name}=...: {meaning}"
    if in_full:
        yield from info.notes
        for one in info.published:
            values = ", ".join(f"{name} {value:g}" for name, value in one.values.items())
            yield f"published, {one.part}: {one.system} {values} ({one.source})"
