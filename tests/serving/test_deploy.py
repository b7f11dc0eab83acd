"""The container file and the compose file name what is there; building them takes an engine."""

import re
import shlex
from pathlib import Path

import pytest
import yaml
from typer.testing import CliRunner

from deixis.cli.app import build_app

ROOT = Path(__file__).parents[2]
DOCKERFILE = (ROOT / "deploy" / "Dockerfile").read_text().replace("\\\n", " ")
COMPOSE = yaml.safe_load((ROOT / "deploy" / "compose.yaml").read_text())


@pytest.fixture(scope="module")
def help_text() -> str:
    return CliRunner().invoke(build_app(), ["serve", "--help"], env={"COLUMNS": "200", "NO_COLOR": "1"}).output


def test_every_file_that_is_copied_is_there():
    copied = [shlex.split(line)[1:-1] for line in re.findall(r"^COPY (?!--from).*$", DOCKERFILE, re.MULTILINE)]
    assert [name for names in copied for name in names if not (ROOT / name).exists()] == []


def test_the_extras_that_are_installed_are_declared():
    declared = re.findall(r"^(\w+) = \[", (ROOT / "pyproject.toml").read_text(), re.MULTILINE)
    (extras,) = re.findall(r'"\.\[([\w,]+)\]"', DOCKERFILE)
    assert set(extras.split(",")) <= set(declared)


def test_the_command_has_the_options_that_it_is_started_with(help_text):
    (command,) = re.findall(r"^CMD (\[.*\])$", DOCKERFILE, re.MULTILINE)
    for option in [word for word in yaml.safe_load(command) if word.startswith("--")]:
        assert option in help_text


def test_the_composition_runs_that_image_without_rights():
    service = COMPOSE["services"]["deixis"]
    assert (ROOT / "deploy" / service["build"]["context"] / service["build"]["dockerfile"]).is_file()
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"]
    assert set(service["secrets"]) == set(COMPOSE["secrets"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])
