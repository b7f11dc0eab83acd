"""`deixis models`: the presets, with their sizes, needs, abilities and terms."""

import json
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from deixis.pretrained.presets import Preset


def run(
    as_json: Annotated[bool, typer.Option("--json", help="As one JSON object, alone on stdout.")] = False,
) -> None:
    """List the presets: parameters, memory, devices, abilities, terms.

    Memory is that of the weights. As int8 and int4 only the layers of the
    language model are smaller, the rest is bfloat16. Weights of published
    systems come by conversion: deixis convert.
    """
    from deixis.pretrained.presets import PRESETS

    rows = {name: _row(preset) for name, preset in PRESETS.items()}
    if as_json:
        typer.echo(json.dumps(rows, ensure_ascii=False, indent=1))
        return
    _print_tables(rows)


def _row(preset: "Preset") -> dict[str, Any]:
    from deixis.model.pointmlp import PointMLPConfig
    from deixis.pretrained.presets import DTYPES, needs_of

    config = preset.config()
    needs = needs_of(config)
    able = {"signals": ["point_cloud"], "regions": [], "answers": ["class"]}
    return {
        "system": preset.system,
        "stands_on": preset.stands_on,
        "parameters": needs.parameters,
        "memory_bytes": {dtype: needs.nbytes(dtype) for dtype in DTYPES},
        "fits_gb": {dtype: needs.fits_gb(dtype) for dtype in DTYPES},
        **(able if isinstance(config, PointMLPConfig) else config.abilities),
        "weights": preset.terms.weights,
        "licence": preset.terms.licence,
    }


def _print_tables(rows: dict[str, dict[str, Any]]) -> None:
    from rich.console import Console
    from rich.table import Table

    sizes = Table(title="GB of weights (GB of a GPU or a machine that runs them)")
    sizes.add_column("preset", no_wrap=True)
    for heading in ("params", *next(iter(rows.values()))["memory_bytes"]):
        sizes.add_column(heading, justify="right", no_wrap=True)
    able = Table("preset", "signals in", "regions in", "answers out")
    for name, row in rows.items():
        fits = row["fits_gb"]
        memory = (f"{nbytes / 1e9:.1f} ({fits[dtype]})" for dtype, nbytes in row["memory_bytes"].items())
        sizes.add_row(name, _count(row["parameters"]), *memory)
        able.add_row(name, *(", ".join(row[part]) or "none" for part in ("signals", "regions", "answers")))
    console = Console()
    console.print(sizes)
    console.print(able)
    for system, row in {row["system"]: row for row in rows.values()}.items():
        console.print(f"\n[bold]{system}[/bold]")
        for name, own in rows.items():
            if own["system"] == system:
                console.print(f"  {name}: stands on {own['stands_on']}", highlight=False)
        console.print(f"  weights: {row['weights']}\n  terms: {row['licence']}", highlight=False)


def _count(number: int) -> str:
    return f"{number / 1e9:.2f} B" if number >= 1e9 else f"{number / 1e6:.1f} M"
