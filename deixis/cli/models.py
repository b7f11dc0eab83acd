"""`deixis models`: the bundled model and the presets, with their sizes, memory, abilities and licences."""

from collections.abc import Callable
from itertools import product
from typing import TYPE_CHECKING, Annotated, Any

import typer

from deixis.cli.terminal import console, say_json

if TYPE_CHECKING:
    from deixis.systems.release import Preset, Release


def run(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object, alone on stdout.")] = False,
) -> None:
    """List the models: parameters, memory, devices, abilities, licences.

    bundled comes with the package; the others are presets, whose weights
    are converted (deixis convert) or trained (deixis train).

    Memory is that of the weights. int8 and int4 are PyTorch's on the CPU and
    bitsandbytes' on CUDA, scales included; they do not run on MPS. Embeddings,
    heads, SAM and region samplers are not quantized, but bfloat16.
    """
    from deixis.systems.releases import RELEASES

    rows = {name: _row(own, preset) for own in RELEASES.values() for name, preset in own.presets.items()}
    if as_json:
        say_json(rows, indent=1)
        return
    _print_tables(rows)


def _row(release: "Release", preset: "Preset") -> dict[str, Any]:
    from deixis.systems.needs import DTYPES, needs_of

    def by_device(told: Callable[[str, str], int | None]) -> dict[str, dict[str, int | None]]:
        return {dtype: {device: told(dtype, device) for device in ("cpu", "cuda", "mps")} for dtype in DTYPES}

    config = preset.config()
    needs = needs_of(config)
    return {
        "system": release.system,
        "stands_on": preset.stands_on,
        "parameters": needs.parameters,
        "memory_bytes": by_device(needs.nbytes),
        "fits_gb": by_device(needs.fits_gb),
        **config.abilities,
        "weights": release.weights,
        "licence": release.licence,
    }


def _print_tables(rows: dict[str, dict[str, Any]]) -> None:
    from rich.table import Table

    from deixis.model.shrinking import DEVICES, WORDS

    whole = Table("model", title="weights (GB of memory required)")
    small = Table("model", title="quantized, per device; not on MPS")
    columns = {whole: [("float32", "cpu"), ("bfloat16", "cpu")], small: list(product(WORDS, DEVICES))}
    whole.add_column("params", justify="right", no_wrap=True)
    for table, pairs in columns.items():
        for dtype, device in pairs:
            table.add_column(dtype if table is whole else f"{dtype} {device}", justify="right", no_wrap=True)
    able = Table("model", "signals in", "regions in", "answers out")
    for name, row in rows.items():
        cells = {table: [_memory(row, *pair) for pair in pairs] for table, pairs in columns.items()}
        whole.add_row(name, _count(row["parameters"]), *cells[whole])
        if any(cells[small]):
            small.add_row(name, *cells[small])
        able.add_row(name, *(", ".join(row[part]) or "none" for part in ("signals", "regions", "answers")))
    screen = console()
    for table in (whole, small, able):
        screen.print(table)
    for system, row in {row["system"]: row for row in rows.values()}.items():
        screen.print(f"\n[bold]{system}[/bold]")
        for name, own in rows.items():
            if own["system"] == system:
                screen.print(f"  {name}: based on {own['stands_on']}", highlight=False)
        screen.print(f"  weights: {row['weights']}\n  licence: {row['licence']}", highlight=False)


def _memory(row: dict[str, Any], dtype: str, device: str) -> str:
    from deixis.systems.needs import size_text

    nbytes = row["memory_bytes"][dtype][device]
    if nbytes is None:
        return ""
    return f"{size_text(nbytes)} ({row['fits_gb'][dtype][device]})"


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e9 else f"{number / 1e6:.1f} M"
