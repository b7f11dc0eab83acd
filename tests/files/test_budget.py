"""What decoding would take is compared with one budget; memory that runs out is a sentence."""

import io
import zlib

import pytest

from deixis.errors import ConfigError, InputError
from deixis.files.budget import MAX_DECODED_MB, MB, VARIABLE, check_decoded, max_decoded_bytes, unpacked, within_memory


class Endless(io.RawIOBase):
    """A stream of zeros without end that counts what was taken."""

    taken = 0

    def read(self, size: int = -1) -> bytes:
        self.taken += size
        return bytes(size)


def test_within_the_budget_nothing_is_said():
    check_decoded("a.png", MAX_DECODED_MB * MB, "1 x 1 px")


@pytest.mark.parametrize("needed", [MAX_DECODED_MB * MB + 1, 10**30, float("inf"), float("nan")])
def test_more_than_the_budget_is_refused(needed):
    with pytest.raises(InputError, match=rf"'a.png': expected what takes at most {MAX_DECODED_MB} MB .* got 9 px"):
        check_decoded("a.png", needed, "9 px")


def test_the_environment_sets_the_budget(monkeypatch):
    monkeypatch.setenv(VARIABLE, "2")
    assert max_decoded_bytes() == 2 * MB
    with pytest.raises(InputError, match=r"at most 2 MB .* takes 3 MB"):
        check_decoded("a.png", 3 * MB, "9 px")


@pytest.mark.parametrize("text", ["0", "-1", "1.5", "much", "9" * 40, "²"])
def test_a_budget_that_is_none(text, monkeypatch):
    monkeypatch.setenv(VARIABLE, text)
    with pytest.raises(ConfigError, match=rf"{VARIABLE}: expected a whole number"):
        max_decoded_bytes()


def test_unpacked_reads_all():
    content = bytes(range(256)) * 9000
    assert unpacked(io.BytesIO(content), "a.gz") == content


def test_unpacked_stops_at_its_limit():
    stream = Endless()
    with pytest.raises(InputError, match=r"'a.gz': expected at most 3 MB once unpacked, got more"):
        unpacked(stream, "a.gz", 3 * MB)
    assert stream.taken == 3 * MB + 1


@pytest.mark.parametrize("error", [MemoryError(), RuntimeError("DefaultCPUAllocator: can't allocate memory")])
def test_exhausted_memory_is_a_sentence(error):
    with pytest.raises(InputError, match=r"'a.png': expected what fits into the free memory"), within_memory("a.png"):
        raise error


@pytest.mark.parametrize("error", [zlib.error("damaged"), KeyError("a")])
def test_other_errors_pass(error):
    with pytest.raises(type(error)), within_memory("a.png"):
        raise error


def test_memory_that_is_really_exhausted():
    with pytest.raises(InputError, match="free memory"), within_memory("a.png"):
        bytearray(2**62)
