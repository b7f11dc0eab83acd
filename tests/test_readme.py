"""The README and the pages of docs/ and examples/ are true: what they show runs, what they name exists, links lead on.

Every fenced block of Python or shell is run from an empty folder that holds `examples/`, unless its first line says
`# needs: …` (weights, data, hours); then it is parsed, and its commands and options are looked up in the real command.
A block of text right behind one that runs is what it prints.
"""

import re
import shlex
import tomllib
from itertools import dropwhile
from pathlib import Path

import pytest
import typer.main

import deixis
from deixis.cli import answers, main
from deixis.cli.app import GROUPS, VERBS, build_app
from deixis.cli.pointing import FORMS

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
REPOSITORY = PROJECT["project"]["urls"]["Repository"]
MAKEFILE = (ROOT / "Makefile").read_text(encoding="utf-8")
PAGES = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for path in [*ROOT.glob("*.md"), *sorted((ROOT / "docs").glob("*.md")), *sorted((ROOT / "examples").glob("*.md"))]
}
README = PAGES["README.md"]
FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
NEEDS = "# needs: "
LAUNCHERS = ("torchrun", "accelerate")  # of a module in several processes
SHELL = ("deixis", "mkdir")  # the first words of the lines that are run here


def snippets(language: str, runs: bool) -> list:
    """A parameter (text, printed text or None) for each block of a language that is run, or is not."""
    found = []
    for page, text in PAGES.items():
        blocks = FENCED.findall(text)
        for number, (kind, body) in enumerate(blocks):
            if kind == language and runs != body.startswith(NEEDS):
                after = blocks[number + 1] if number + 1 < len(blocks) else ("", "")
                beside = f"```{kind}\n{body}```\n\n```text\n{after[1]}" in text
                found.append(pytest.param(body, after[1] if beside else None, id=f"{page}-{number}"))
    return found


def lines_of(block: str) -> list[list[str]]:
    """The words of every line of a shell block, without comments and variables put in front."""
    lines = [shlex.split(line, comments=True) for line in block.replace("\\\n", " ").splitlines()]
    lines = [list(dropwhile(lambda word: re.match(r"[A-Z_]+=", word), line)) for line in lines]
    return [line for line in lines if line]


BASH = [pytest.param(line, id=" ".join(line)[:60]) for body, _ in
        (p.values for runs in (True, False) for p in snippets("bash", runs)) for line in lines_of(body)]  # fmt: skip


@pytest.fixture
def folder(monkeypatch, tmp_path):
    """An empty working folder with the examples in it."""
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    (tmp_path / "out").mkdir()
    monkeypatch.chdir(tmp_path)
    return tmp_path


@pytest.mark.parametrize("words", BASH)
def test_commands_and_their_options_exist(words):
    if words[0] in LAUNCHERS:
        words = words[words.index("-m") + 1 :]
    first, *words = words
    if first == "deixis":
        verb, *words = words
        command = typer.main.get_command(build_app()).commands[verb]
        if verb in GROUPS:
            command = command.commands[words.pop(0)]
        known = {name for param in command.params for name in (*param.opts, *param.secondary_opts)}
        known |= {f"--{form}" for form in FORMS} if verb in ("ask", "chat") else set()
        assert {word for word in words if word.startswith("--")} <= known
    elif first == "make":
        assert all(re.search(rf"^{word}:", MAKEFILE, re.MULTILINE) for word in words)
    elif first == "pip":
        extras = {extra for word in words for found in re.findall(r"\[(.+)\]", word) for extra in found.split(",")}
        assert extras <= set(PROJECT["project"]["optional-dependencies"])
    elif first == "python" and words[0] == "-m":
        module = ROOT / words[1].replace(".", "/")
        assert words[1] == "lmms_eval" or module.with_suffix(".py").is_file() or (module / "__main__.py").is_file()
    elif first in ("python", "pytest"):
        assert (ROOT / words[0].partition("::")[0]).exists()
    else:
        assert first in ("mkdir", "tensorboard", "pre-commit", "ruff", "ty", "cvat-cli", "ray"), (
            f"{first}: a command that no test knows"
        )


@pytest.mark.parametrize(("block", "printed"), snippets("python", runs=True))
def test_python_snippets_run(block, printed, folder, capsys):
    exec(compile(block, "snippet", "exec"), {})
    if printed is not None:
        assert capsys.readouterr().out == printed


def test_other_python_snippets_compile():
    for snippet in snippets("python", runs=False):
        compile(snippet.values[0], snippet.id, "exec")


@pytest.fixture(scope="module")
def without_waiting():
    """A model that many lines ask is loaded for the first of them, and a dry run measures one step."""
    load, loaded = answers.open_model, {}

    def open_model(model, *how):
        if (asked := (str(model), *how)) not in loaded:
            loaded[asked] = load(model, *how)
        return loaded[asked]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(answers, "open_model", open_model)
        patch.setattr("deixis.training.plan.MEASURED_STEPS", 1)
        yield


@pytest.mark.parametrize(("block", "printed"), snippets("bash", runs=True))
def test_command_snippets_run(block, printed, folder, without_waiting, capsys):
    for words in lines_of(block):
        if words[0] == "deixis":
            with pytest.raises(SystemExit) as ended:
                main(words[1:])
            assert ended.value.code == 0, capsys.readouterr().err
        elif words[0] == "mkdir":
            Path(words[-1]).mkdir(exist_ok=True)
    if printed is not None:
        assert capsys.readouterr().out == printed


def test_every_verb_is_in_the_table_of_commands():
    assert re.findall(r"^\| `deixis (\w+)` \|", README, re.MULTILINE) == list(VERBS)


def test_rows_of_tables_have_the_columns_of_their_heads():
    odd = []
    for page in PAGES.values():
        for table in re.findall(r"(?:^\|.*\n)+", page, re.MULTILINE):
            counts = [len(re.sub(r"`[^`]*`", "", row).split("|")) for row in table.splitlines()]
            odd += [row for row, count in zip(table.splitlines(), counts, strict=True) if count != counts[0]]
    assert not odd, "\n".join(odd)


def test_tree_matches_the_repository():
    (tree,) = (body for kind, body in FENCED.findall(README) if body.startswith("deixis/\n"))
    rooms = re.findall(r"^[├└]── (\w+)/ {2,}\w", tree, re.MULTILINE)
    assert set(rooms) == {path.name for path in (ROOT / "deixis").iterdir() if (path / "__init__.py").is_file()}
    beside = re.findall(r"^(\w+)/", tree, re.MULTILINE)
    published = {path.name for path in ROOT.iterdir() if path.is_dir() and not path.name.startswith((".", "_"))}
    assert set(beside) == published - {"build", "dist", "out", "runs"}


def targets(text: str) -> list[str]:
    return re.findall(r"\]\(([^)\s]+)\)", FENCED.sub("", text))


def test_links_resolve():
    dead = []
    for name, text in PAGES.items():
        for target in targets(text):
            path, _, _ = target.partition("#")
            if path.startswith(f"{REPOSITORY}/blob/main/"):
                dead += [] if (ROOT / path.removeprefix(f"{REPOSITORY}/blob/main/")).exists() else [f"{name}: {target}"]
            elif path and "://" not in path:
                dead += [] if (ROOT / name).parent.joinpath(path).exists() else [f"{name}: {target}"]
    assert not dead, "\n".join(dead)


def test_pages_of_the_documentation_link_to_each_other_or_absolutely():
    """What lies outside docs/ is not on the built site."""
    outside = [t for name, text in PAGES.items() if name.startswith("docs/") for t in targets(text) if t[:3] == "../"]
    assert not outside


def test_links_are_absolute_on_the_package_index():
    published = README
    for change in PROJECT["tool"]["hatch"]["metadata"]["hooks"]["fancy-pypi-readme"]["substitutions"]:
        published = re.sub(change["pattern"], change["replacement"], published)
    raw = REPOSITORY.replace("github.com", "raw.githubusercontent.com") + "/main/"
    assert len(targets(published)) == len(targets(README)) > 10
    for before, after in zip(targets(README), targets(published), strict=True):
        start = raw if before.endswith(".png") else f"{REPOSITORY}/blob/main/"
        assert after == (before if before.startswith("https://") else start + before)


@pytest.mark.parametrize("name", ["CITATION.cff", "CHANGELOG.md", "SECURITY.md", "mkdocs.yml", "docs/index.md"])
def test_one_address_and_one_version(name):
    text = (ROOT / name).read_text(encoding="utf-8")
    others = [url for url in re.findall(r"https://github\.com/[\w-]+/deixis\b", text) if url != REPOSITORY]
    assert not others
    if name == "CITATION.cff":
        assert f"version: {deixis.__version__}" in text
        assert deixis.__version__ == PROJECT["project"]["version"]
