"""`pytest tests/parity --golden DIR`: which folders are compared, and the report at the end of the run."""

from pathlib import Path

import pytest

HERE = Path(__file__).parents[1] / "golden"
BESIDE = Path(__file__).parents[3] / "shared" / "golden"
REPORTS = pytest.StashKey[list[str]]()


def pytest_addoption(parser):
    parser.addoption(
        "--golden",
        action="append",
        metavar="DIR",
        help="a folder of recorded results of an official system (repeatable); default: tests/golden/*, and those "
        "beside the repository",
    )


def _folders(config) -> list[Path]:
    asked = config.getoption("--golden", default=None)
    if asked:
        folders = [Path(name) for name in asked]
        if absent := [folder for folder in folders if not (folder / "golden.json").is_file()]:
            raise pytest.UsageError(f"--golden {absent[0]}: expected a folder with a golden.json, got none")
        return folders
    return [file.parent for place in (HERE, BESIDE) if place.is_dir() for file in sorted(place.glob("*/golden.json"))]


def pytest_generate_tests(metafunc):
    if "golden_folder" in metafunc.fixturenames:
        folders = _folders(metafunc.config)
        ids = [f"{folder.absolute().parent.parent.name}/{folder.name}" for folder in folders]
        metafunc.parametrize("golden_folder", folders, ids=ids)


def pytest_configure(config):
    config.stash[REPORTS] = []


@pytest.fixture
def report(request) -> list[str]:
    """Lines to be printed at the end of the run, whatever happens."""
    return request.config.stash[REPORTS]


def pytest_terminal_summary(terminalreporter, config):
    for line in config.stash.get(REPORTS, []):
        terminalreporter.write_line(line)
