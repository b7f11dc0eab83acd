"""A file of API keys."""

import pytest

from deixis.serving.guard.keys import new_key


@pytest.fixture
def keys(tmp_path):
    """(a key, the file that has its hash)."""
    key, line = new_key("ann")
    path = tmp_path / "keys"
    path.write_text(f"# who may ask\n{new_key('bob')[1]}  # until May\n\n{line}\n")
    return key, path
