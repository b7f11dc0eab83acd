"""The command as it is typed, in this process, with whatever it opens."""

import pytest

from deixis.cli import main


def typed(*words) -> int:
    """The exit code of `deixis WORDS`."""
    with pytest.raises(SystemExit) as ended:
        main([str(word) for word in words])
    return ended.value.code
