"""The README tells the truth: commands and options exist, its Python runs, its tree is the tree, its links lead on."""

import re
import shlex
from pathlib import Path

import pytest
import typer.main

from deixis.cli.app import GROUPS, VERBS, build_app

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAGES = [README, *(page.read_text(encoding="utf-8") for page in sorted((ROOT / "docs").glob("*.md")))]
BASH = [line for page in PAGES for block in re.findall(r"```bash\n(.*?)```", page, re.S) for line in block.splitlines()]
COMMANDS = sorted({line.split("#")[0].strip() for line in BASH if line.startswith("deixis ")})
PYTHON = re.findall(r"```python\n(.*?)```", README, re.S)


@pytest.mark.parametrize("line", [pytest.param(line, id=line[:60]) for line in COMMANDS])
def test_a_command_is_there_with_its_options(line):
    _, verb, *words = shlex.split(line)
    assert verb in VERBS
    command = typer.main.get_command(build_app()).commands[verb]
    if verb in GROUPS:
        assert words[0] in GROUPS[verb]
        command = command.commands[words.pop(0)]
    known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
    known |= {f"--{form}" for form in _typed_forms()} if verb in ("ask", "chat") else set()
    assert {word for word in words if word.startswith("--")} <= known


def _typed_forms():
    from deixis.cli.pointing import FORMS

    return FORMS


def test_the_python_runs(monkeypatch, tmp_path, capsys):
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    assert PYTHON
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), {})
    assert (tmp_path / "out" / "answer.png").stat().st_size > 0
    name, seen = capsys.readouterr().out.split("\n", 1)
    assert name == "A blue mug."
    assert seen == "A blue mug, an orange chair, a yellow tree and an orange car."


def test_rows_of_tables_have_the_columns_of_their_heads():
    odd = []
    for page in PAGES:
        for table in re.findall(r"(?:^\|.*\n)+", page, re.M):
            counts = [len(re.sub(r"`[^`]*`", "", row).split("|")) for row in table.splitlines()]
            odd += [row for row, count in zip(table.splitlines(), counts, strict=True) if count != counts[0]]
    assert not odd, "\n".join(odd)


def test_the_table_of_folders_is_the_tree():
    named = set(re.findall(r"^\| `deixis/(\w+)` \|", README, re.M))
    assert named == {path.name for path in (ROOT / "deixis").iterdir() if (path / "__init__.py").is_file()}


def test_links_lead_somewhere():
    targets = re.findall(r"\]\((?!https?:)([^)#]+)\)", README)
    assert targets
    assert not [target for target in targets if not (ROOT / target).exists()]
