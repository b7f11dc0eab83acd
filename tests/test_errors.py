"""What errors of libraries say, as parts of our sentences."""

import pytest

from deixis.errors import one_line


@pytest.mark.parametrize(
    ("error", "longest", "line"),
    [
        pytest.param(ValueError("a wide\n\tgap"), None, "a wide gap", id="lines"),
        pytest.param(ValueError("cut short. "), None, "cut short", id="full_stop"),
        pytest.param(ValueError("abc. def"), 4, "abc", id="cut_at_a_full_stop"),
        pytest.param(ValueError("abcdef"), 4, "abcd", id="bounded"),
        pytest.param(EOFError(), 4, "EOFError", id="nothing_said"),
        pytest.param(EOFError("..."), None, "EOFError", id="nothing_but_stops"),
    ],
)
def test_an_error_is_one_line(error, longest, line):
    assert one_line(error, longest) == line
