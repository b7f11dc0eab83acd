"""What stands beside the package is in step with it: documentation, workflow, hooks, citation, pins."""

import re
import tomllib
from fnmatch import fnmatch

import pytest
import yaml

from deixis.cli.recipes import shipped_recipes
from tests.test_layers import MAY_IMPORT, PACKAGE, ROOT

ROOMS = {path.name for path in PACKAGE.iterdir() if (path / "__init__.py").is_file()}
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
PINS = dict(re.findall(r"^([\w-]+)==(\S+)$", (ROOT / "constraints.txt").read_text(encoding="utf-8"), re.MULTILINE))
NAVIGATION = yaml.safe_load((ROOT / "mkdocs.yml").read_text(encoding="utf-8"))["nav"]
ARCHITECTURE = (ROOT / "docs" / "ARCHITECTURE.md").read_text(encoding="utf-8")
CONTRIBUTING = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")


PLACEHOLDER = re.compile(r"/(?:NAME|VERB)\.py$")


def test_every_room_has_its_page_of_the_reference():
    pages = {path.stem for path in (ROOT / "docs" / "api").glob("*.md")}
    assert pages == ROOMS - {"cli"} | {"deixis"}
    for room in pages - {"deixis"}:
        assert f"::: deixis.{room}\n" in (ROOT / "docs" / "api" / f"{room}.md").read_text(encoding="utf-8")


def test_every_page_is_in_the_navigation():
    (reference,) = (entry["API reference"] for entry in NAVIGATION if "API reference" in entry)
    named = {page for entry in (*NAVIGATION, *reference) for page in entry.values() if isinstance(page, str)}
    assert named == {path.relative_to(ROOT / "docs").as_posix() for path in (ROOT / "docs").rglob("*.md")}


def test_the_table_of_rooms_is_the_one_that_is_tested():
    rows = re.findall(r"^\| `(\w+)(?:\.py)?` \| [^|]+ \|([^|]*)\|$", ARCHITECTURE, re.MULTILINE)
    table = {room: set(re.findall(r"`(\w+)`", below)) for room, below in rows}
    assert table == MAY_IMPORT


@pytest.mark.parametrize(
    "page", [pytest.param(ARCHITECTURE, id="architecture"), pytest.param(CONTRIBUTING, id="contributing")]
)
def test_paths_that_are_named_exist(page):
    paths = re.findall(r"`((?:deixis|docs|tests|recipes|scripts|examples|benchmarks|\.github)/[\w./-]*)`", page)
    assert paths
    assert not [path for path in paths if not (ROOT / path).exists() and not PLACEHOLDER.search(path)]


def test_names_in_files_that_are_named_exist():
    """`deixis/a/b.py:name` promises that the file defines the name."""
    named = re.findall(r"`(deixis/[\w/]+\.py):(\w+)`", ARCHITECTURE + CONTRIBUTING)
    assert named
    missing = [
        f"{path}:{name}"
        for path, name in named
        if not re.search(rf"^\s*(?:class|def)?\s*{name}\b", (ROOT / path).read_text(encoding="utf-8"), re.MULTILINE)
    ]
    assert not missing, missing


def test_every_promise_on_files_of_strangers_names_its_tests():
    page = (ROOT / "docs" / "SECURITY.md").read_text(encoding="utf-8")
    promised = page[page.index("## What is promised") : page.index("## The fuzz run")].split("\n**")[1:]
    assert len(promised) >= 8
    for promise in promised:
        named = re.findall(r"^\* `(tests/[\w/]+\.py)::(\w+)`$", promise, re.MULTILINE)
        assert named, promise
        for path, test in named:
            assert f"\ndef {test}(" in (ROOT / path).read_text(encoding="utf-8"), f"{path}::{test}"


def test_actions_are_pinned_by_hash():
    for path in (ROOT / ".github" / "workflows").glob("*.yml"):
        used = re.findall(r"uses: (.+)", path.read_text(encoding="utf-8"))
        assert used
        assert all(re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40} # v[\d.]+", line) for line in used), used


def test_the_workflow_runs_every_python_that_is_classified():
    jobs = yaml.safe_load((ROOT / ".github" / "workflows" / "ci.yml").read_text(encoding="utf-8"))["jobs"]
    classified = re.findall(r"Python :: (3\.\d+)", " ".join(PROJECT["project"]["classifiers"]))
    assert jobs["tests"]["strategy"]["matrix"]["python"] == classified
    assert jobs.keys() == {"lint", "tests", "oldest", "lmms", "fiftyone", "bare", "package", "docs"}


def test_hooks_run_the_pinned_ruff():
    (repository,) = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"]
    wanted = {need for hook in repository["hooks"] for need in hook.get("additional_dependencies", ())}
    assert wanted == {f"ruff=={PINS['ruff']}"}


def test_the_citation_names_the_four_papers():
    references = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))["references"]
    numbers = {reference["url"].rpartition("/")[2] for reference in references}
    assert numbers == {"2312.03700", "2310.07704", "2308.00692", "2202.07123"}


def test_there_is_one_library_for_json_schemas():
    needs = " ".join(PROJECT["project"]["dependencies"])
    assert "jsonschema-rs" in needs
    assert not re.search(r"jsonschema(?!-rs)", needs)
    imported = re.compile(r"^\s*(?:import|from) jsonschema\b", re.MULTILINE)  # others need it, such as the package mcp
    assert not [path for path in (ROOT / "deixis").rglob("*.py") if imported.search(path.read_text(encoding="utf-8"))]


def test_every_direct_dependency_is_pinned():
    lists = [PROJECT["project"]["dependencies"], *PROJECT["project"]["optional-dependencies"].values()]
    names = {re.match(r"[\w-]+", need).group() for needs in lists for need in needs} - {"deixis"}
    pins = {name.lower().replace("_", "-") for name in PINS}
    assert {name.lower() for name in names} <= pins


def test_a_wheel_holds_what_the_package_reads():
    """Hatch packs every file of the package that git does not ignore, and the recipes under another name."""
    wheel = PROJECT["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert (wheel["packages"], wheel["force-include"]) == (["deixis"], {"recipes": "deixis/recipes"})
    assert not wheel.keys() - {"packages", "force-include"}, "nothing is left out"
    assert {path.name for path in (ROOT / "recipes").iterdir()} == set(shipped_recipes())
    lines = (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()
    ignored = [line.rstrip("/") for line in lines if line and line[0] not in "#/"]  # those of / are beside the package
    files = [
        path.relative_to(ROOT) for path in PACKAGE.rglob("*") if path.is_file() and "__pycache__" not in path.parts
    ]
    assert not [file for file in files if any(fnmatch(part, one) for part in file.parts for one in ignored)]
    assert {"schema.json", "hard_negatives.yaml", "prompts.yaml", "tokenizer.json"} <= {file.name for file in files}
