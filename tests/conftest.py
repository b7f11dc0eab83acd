"""Fixtures that every room shares. Files beside the repository are used where they are and skipped where not."""

import gc
import signal
import sys
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import settings
from jaxtyping import _import_hook

from tests import checked_types


def _run_checked_module(loader: Any, module: ModuleType) -> None:
    """Read a checked module's byte code under the names of jaxtyping's hook, and run it under the usual ones.

    The hook keeps its own names until the module has run, so whatever the module is the first to import, PyTorch and
    Transformers among it, is looked for under them, not found, and compiled from its source: seconds per process.
    """
    names = partial(_import_hook._optimized_cache_from_source, loader._typechecker.get_hash())
    with patch("importlib._bootstrap_external.cache_from_source", names):
        code = loader.get_code(module.__name__)
    exec(code, module.__dict__)


patch.object(_import_hook._JaxtypingLoader, "exec_module", _run_checked_module).start()
checked_types.install()

import deixis.signals  # noqa: E402, F401  # names the modalities in the messages of deixis.geometry

settings.register_profile("deixis", deadline=None)  # a busy machine is no failure
settings.load_profile("deixis")
SHARED = Path(__file__).parents[2] / "shared"


def pytest_collection_finish():
    """Garbage collection looks no more at what was imported: every training asks for it, and it takes a second then."""
    gc.collect()
    gc.freeze()


def _folder_or_skip(folder: Path) -> Path:
    if not folder.is_dir():
        pytest.skip(f"no folder {folder.name} beside the repository: this test reads files that cannot be shipped")
    return folder


@pytest.fixture(scope="session", autouse=True)
def _interrupts_arrive():
    """Ctrl-C works in tests that raise it, also where the tests run in the background, whose shell turns it off."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session", autouse=True)
def _no_lines_of_progress():
    """Tests that count the lines on stderr do so on a busy machine too."""
    from deixis.cli import progress

    before, progress.EVERY_S = progress.EVERY_S, 3600.0
    yield
    progress.EVERY_S = before


@pytest.fixture(scope="module", autouse=True)
def _ray_ends():
    """A Ray cluster of this machine, where a test asked for one, ends with its file: connected processes write logs at
    any time, and abort where they cannot."""
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real files (public data sets' samples)."""
    return _folder_or_skip(SHARED / "data" / "real")


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """The folder of the official systems' recorded weights and outputs, tiny."""
    return _folder_or_skip(SHARED / "golden")


@pytest.fixture(scope="session")
def toy():
    """(network, processor) of toy sizes with random weights, shared: tests must leave it as it is."""
    from tests.toy import toy_network, toy_tokenizer

    return toy_network(toy_tokenizer())
