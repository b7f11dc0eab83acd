"""Toy checkpoints, written once a session; tests that change one change a copy."""

import shutil
from pathlib import Path

import pytest

from tests.checkpoints.checkpoints import WRITERS


@pytest.fixture(scope="session")
def sources(tmp_path_factory):
    """system -> a folder with its toy checkpoint."""
    folder = tmp_path_factory.mktemp("sources")
    return {system: write(folder / system) for system, write in WRITERS.items()}


@pytest.fixture
def copy_of(sources, tmp_path):
    """system -> a copy of its toy checkpoint, to be changed."""

    def copied(system: str) -> Path:
        return Path(shutil.copytree(sources[system], tmp_path / "source"))

    return copied
