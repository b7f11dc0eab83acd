"""`deixis doctor`: devices, versions and missing packages of this machine."""

from typing import Annotated, Any

import typer

from deixis.cli import environment
from deixis.cli.terminal import say, say_json


def run(
    as_json: Annotated[bool, typer.Option("--json", help="Print one JSON object instead of text.")] = False,
) -> None:
    """Show devices, versions, missing extras with their pip commands, offline settings and the bundled model.

    The memory of a device is its total; deixis models lists what models require.
    """
    report = examine()
    say_json(report, indent=2) if as_json else say(_as_text(report))


def examine() -> dict[str, Any]:
    """The report: {"devices", "versions", "extras", "offline", "bundled_model"}, of plain JSON values."""
    return {
        "devices": environment.devices(),
        "versions": environment.versions(),
        "extras": {
            extra.name: {
                "complete": not extra.missing,
                "packages": {package.name: package.version for package in extra.packages},
                "missing": [package.requirement for package in extra.missing],
                "pip": extra.pip_line or None,
            }
            for extra in environment.extras_of_this_package()
        },
        "offline": environment.offline_settings(),
        "bundled_model": environment.bundled_model(),
    }


def _as_text(report: dict[str, Any]) -> str:
    extras = {name: _extra_text(extra) for name, extra in report["extras"].items()}
    model = report["bundled_model"]
    sections = {
        "devices": {entry["device"]: _device_text(entry) for entry in report["devices"]},
        "versions": {name: version or "not installed" for name, version in report["versions"].items()},
        "extras": extras or {"deixis": "not installed as a package, so its extras are unknown: pip install -e ."},
        "offline settings": {name: value or "not set" for name, value in report["offline"].items()},
        "bundled model": {"tiny": f"present, {model['bytes'] / 1e6:.1f} MB" if model["present"] else "missing"},
    }
    return "\n".join(_section(title, rows) for title, rows in sections.items())


def _device_text(device: dict[str, Any]) -> str:
    memory = device["memory_bytes"]
    return device["name"] if memory is None else f"{device['name']}, {memory / 1e9:.1f} GB"


def _extra_text(extra: dict[str, Any]) -> str:
    if extra["complete"]:
        return "complete: " + ", ".join(f"{name} {version}" for name, version in extra["packages"].items())
    return f"missing {', '.join(extra['missing'])}\n    {extra['pip']}"


def _section(title: str, rows: dict[str, str]) -> str:
    width = max(len(name) for name in rows)
    return "\n".join([title, *(f"  {name:<{width}}  {value}" for name, value in rows.items())])
