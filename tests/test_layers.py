"""The shape of the package: imports go one way, files and functions stay small, and importing costs nothing.

Reads the source as syntax trees; the few tests that really import do so in a process of their own.
"""

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

import deixis

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "deixis"
MAX_FILE_LINES = 400
MAX_FUNCTION_LINES = 60

# room -> the rooms it may import (docs/ARCHITECTURE.md); what those may import comes with them
MAY_IMPORT: dict[str, set[str]] = {
    "errors": set(),
    "options": {"errors"},
    "cluster": {"errors"},
    "files": {"errors"},
    "geometry": {"options", "files"},
    "signals": {"geometry"},
    "ops": {"errors"},
    "language": {"files"},
    "samples": {"geometry", "signals"},
    "model": {"geometry", "signals", "ops"},
    "conversation": {"samples", "model"},
    "checkpoints": {"model"},
    "systems": {"conversation", "checkpoints"},
    "visualize": {"samples"},
    "inference": {"systems", "visualize"},
    "datasets": {"samples", "language", "cluster"},
    "world": {"samples"},
    "synthesis": {"datasets", "checkpoints"},
    "training": {"inference", "datasets", "world"},
    "evaluation": {"inference", "datasets", "world"},
    "ablations": {"training", "evaluation"},
    "serving": {"inference", "world", "cluster"},
    "cli": {"inference", "synthesis", "ablations", "serving"},
}
WITHOUT_TORCH = (
    "errors",
    "options",
    "cluster",
    "files",
    "geometry",
    "signals",
    "samples",
    "language",
    "datasets",
    "visualize",
    "world",
)
HEAVY = ("torch", "transformers", "numpy", "scipy", "trimesh", "PIL")
UNIX_ONLY = ("fcntl", "grp", "pty", "pwd", "resource", "termios", "tty")
# Written in two halves so that this file does not find itself.
MACHINE_PATH = re.compile(r"(^|[^A-Za-z0-9_.~])/(ho" + r"me|ro" + r"ot|Us" + r"ers|wo" + r"rk)/")


def modules() -> list[Path]:
    return sorted(path for path in PACKAGE.rglob("*.py") if "__pycache__" not in path.parts)


def dotted(path: Path) -> str:
    """`deixis/model/regions/sampler.py` as `deixis.model.regions.sampler`."""
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def room_of(module: str) -> str | None:
    """The room of a dotted module name; None for the package's own face and for other people's modules."""
    parts = module.split(".")
    return parts[1] if parts[0] == "deixis" and len(parts) > 1 else None


def allowed(room: str) -> set[str]:
    """Every room that `room` may import, itself among them."""
    reached = {room}
    for below in MAY_IMPORT[room]:
        reached |= allowed(below)
    return reached


def imported_rooms(tree: ast.Module, module: str, is_package: bool) -> Iterator[tuple[int, str]]:
    """(line, room) of each import of ours, anywhere in the module, inside functions too."""
    package = module if is_package else module.rpartition(".")[0]
    for node in ast.walk(tree):
        targets: list[str] = []
        if isinstance(node, ast.Import):
            targets = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*above, base] if base else above)
            # `from deixis import Box` imports the room that Box lives in; `from deixis import model` imports model
            face = {name: deixis._EXPORTS.get(name, f"deixis.{name}") for name in (a.name for a in node.names)}
            targets = list(face.values()) if base == "deixis" else [base]
        yield from ((node.lineno, room) for room in map(room_of, targets) if room in MAY_IMPORT)


def in_fresh_process(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_package_has_a_row_in_the_table():
    folders = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
    assert folders <= MAY_IMPORT.keys(), f"rooms without a row: {sorted(folders - MAY_IMPORT.keys())}"


@pytest.mark.parametrize("room", [pytest.param(room, id=room) for room in MAY_IMPORT])
def test_imports_go_one_way(room):
    violations = []
    for path in (path for path in modules() if room_of(dotted(path)) == room):
        tree = ast.parse(path.read_text(encoding="utf-8"))
        violations += [
            f"{path.relative_to(ROOT)}:{line} imports {target}"
            for line, target in imported_rooms(tree, dotted(path), path.name == "__init__.py")
            if target not in allowed(room)
        ]
    assert not violations, "\n".join(violations)


@pytest.mark.parametrize(
    ("source", "module", "expected"),
    [
        pytest.param("import torch", "deixis.ops.fps", [], id="other_peoples"),
        pytest.param("import deixis.model.regions.sampler", "deixis.cli.ask", ["model"], id="plain"),
        pytest.param(
            "def f():\n    from deixis.training import x", "deixis.model.a", ["training"], id="inside_a_function"
        ),
        pytest.param("from deixis import Box, __version__", "deixis.ops.a", ["geometry"], id="through_the_face"),
        pytest.param("from deixis import model", "deixis.ops.a", ["model"], id="room_from_the_face"),
        pytest.param("from ..model import sampler", "deixis.geometry.boxes", ["model"], id="relative"),
        pytest.param("from . import frames", "deixis.geometry.boxes", ["geometry"], id="relative_own"),
    ],
)
def test_scan_finds_every_form_of_import(source, module, expected):
    assert [room for _, room in imported_rooms(ast.parse(source), module, is_package=False)] == expected


def test_files_are_short():
    lengths = {path.relative_to(ROOT): len(path.read_text(encoding="utf-8").splitlines()) for path in modules()}
    long = [f"{path}: {length} lines" for path, length in lengths.items() if length > MAX_FILE_LINES]
    assert not long, "\n".join(long)


def test_functions_are_short():
    long = []
    for path in modules():
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > MAX_FUNCTION_LINES:
                    long.append(f"{path.relative_to(ROOT)}:{node.lineno} {node.name}: {length} lines")
    assert not long, "\n".join(long)


def test_every_module_has_a_docstring():
    silent = [str(p.relative_to(ROOT)) for p in modules() if not ast.get_docstring(ast.parse(p.read_text("utf-8")))]
    assert not silent, "\n".join(silent)


def test_no_file_names_a_path_of_a_machine():
    found = []
    for folder in ("deixis", "tests", "benchmarks", "examples", "recipes"):
        for path in (ROOT / folder).rglob("*"):
            if path.suffix in {".py", ".md", ".yaml", ".json", ".toml"} and path.is_file():
                lines = enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
                found += [f"{path.relative_to(ROOT)}:{number}" for number, line in lines if MACHINE_PATH.search(line)]
    assert not found, "\n".join(found)


def test_no_module_needs_a_unix_at_import():
    """Nothing may name a module that Windows has not, unless it goes on where there is none."""
    found = []
    for path in modules():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        tried = {own for node in ast.walk(tree) if _goes_without(node) for own in ast.walk(node)}
        for node in (node for node in ast.walk(tree) if node not in tried):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
            found += [f"{path.relative_to(ROOT)}:{node.lineno} {name}" for name in names if name in UNIX_ONLY]
    assert not found, "\n".join(found)


def _goes_without(node: ast.AST) -> bool:
    """Whether a node tries an import and catches that there is no such module."""
    caught = [handler.type for handler in node.handlers] if isinstance(node, ast.Try) else []
    return any(isinstance(own, ast.Name) and own.id == "ImportError" for own in caught)


def test_importing_the_package_imports_nothing_heavy():
    loaded = in_fresh_process(f"import deixis, sys; print([name for name in {HEAVY!r} if name in sys.modules])")
    assert loaded.strip() == "[]"


def test_data_rooms_need_no_torch():
    """One process imports every module of the rooms that work on arrays alone; PyTorch must not come with them."""
    names = [dotted(path) for path in modules() if room_of(dotted(path)) in WITHOUT_TORCH]
    loaded = in_fresh_process(
        f"import importlib, sys\nfor name in {names!r}:\n    importlib.import_module(name)\n"
        "    assert 'torch' not in sys.modules, f'{name} imports torch'\nprint('none')"
    )
    assert loaded.strip() == "none"


def test_every_module_imports():
    names = [dotted(path) for path in modules()]
    in_fresh_process(f"import importlib\nfor name in {names!r}:\n    importlib.import_module(name)")


def test_every_public_name_exists():
    assert set(deixis._EXPORTS) | {"__version__"} == set(deixis.__all__) <= set(dir(deixis))
    missing = [name for name in deixis._EXPORTS if getattr(deixis, name, None) is None]
    assert not missing, missing


def test_an_unknown_public_name_is_an_attribute_error():
    with pytest.raises(AttributeError, match="module 'deixis' has no attribute 'Circle'"):
        deixis.Circle  # noqa: B018
