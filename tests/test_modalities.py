"""No room but `deixis.signals` decides by the name of a modality: all others ask its `Modality` record.

The rule: code compares no value with a modality's name (`==`, `!=`, `in ("image", "depth")`, `case "audio"`), and the
names that mean nothing else ("imu", "fmri") are not written at all. Excepted are the rooms that say what a given thing
contains: a public data set or benchmark, a published checkpoint, the generated world, the engine that makes region data
from images.
"""

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

from deixis.signals import MODALITIES

PACKAGE = Path(__file__).parents[1] / "deixis"
EXCEPTED = (
    "signals",
    "datasets",
    "evaluation/benchmarks",
    "systems",
    "world",
    "synthesis",
    "serving/studio/samples.py",
)
NAMES_ALONE = ("imu", "fmri")


def asking() -> list[Path]:
    """The files that must ask the record."""
    inside = [PACKAGE / room for room in EXCEPTED]
    return [path for path in sorted(PACKAGE.rglob("*.py")) if not any(path.is_relative_to(room) for room in inside)]


def compared(node: ast.AST) -> Iterator[str]:
    """The strings that a comparison or a case pattern compares with."""
    operands = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
    operands += [node.value] if isinstance(node, ast.MatchValue) else []
    for operand in operands:
        parts = operand.elts if isinstance(operand, ast.Tuple | ast.List | ast.Set) else [operand]
        yield from (part.value for part in parts if isinstance(part, ast.Constant) and isinstance(part.value, str))


def found(source: str) -> list[tuple[int, str]]:
    """(line, name) of every comparison with a modality's name, and of every literal that can be nothing else."""
    nodes = list(ast.walk(ast.parse(source)))
    hits = [(node.lineno, name) for node in nodes for name in compared(node) if name in MODALITIES]
    hits += [(n.lineno, n.value) for n in nodes if isinstance(n, ast.Constant) and n.value in NAMES_ALONE]
    return sorted(set(hits))


@pytest.mark.parametrize(
    ("source", "names"),
    [
        pytest.param('signal.modality == "image"', ["image"], id="equal"),
        pytest.param('modality not in ("audio", "video")', ["audio", "video"], id="among"),
        pytest.param('match name:\n    case "depth":\n        pass', ["depth"], id="case"),
        pytest.param('table["imu"]', ["imu"], id="literal"),
        pytest.param('open_signal(rgb, "image")', [], id="named"),
        pytest.param('part == "text"', [], id="other_word"),
    ],
)
def test_rule_finds_forbidden_comparisons(source, names):
    assert [name for _, name in found(source)] == names


def test_no_package_compares_names_of_modalities():
    hits = [
        f"{path.relative_to(PACKAGE)}:{line}: {name}" for path in asking() for line, name in found(path.read_text())
    ]
    assert not hits
