"""Ctrl-C ends a command also where a library takes it for an error of its own."""

import os
import signal
import time
from threading import Timer

import pytest

from deixis.cli.termination import ended_cleanly

SWALLOW = """
def work(over):
    try:
        while time.monotonic() < over:
            time.sleep(0.01)
    except BaseException:
        pass
"""


@pytest.fixture
def interrupts():
    """Ctrl-C raises KeyboardInterrupt, also where the test run ignores it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_that_a_library_would_swallow_comes_behind_it():
    library = {"__name__": "trimesh.graph", "time": time}
    exec(SWALLOW, library)
    began = time.monotonic()
    Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()

    def run():
        with ended_cleanly():
            library["work"](began + 0.5)
            while time.monotonic() < began + 20:
                time.sleep(0.01)

    with pytest.raises(KeyboardInterrupt):
        run()
    assert 0.4 < time.monotonic() - began < 5


@pytest.mark.usefixtures("interrupts")
def test_an_interrupt_elsewhere_comes_at_once():
    began = time.monotonic()
    Timer(0.1, os.kill, (os.getpid(), signal.SIGINT)).start()
    with pytest.raises(KeyboardInterrupt), ended_cleanly():
        time.sleep(20)
    assert time.monotonic() - began < 5
    assert signal.getsignal(signal.SIGINT) == signal.default_int_handler
