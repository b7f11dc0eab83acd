"""Work in a thread of its own."""

import threading

import pytest

from deixis.serving.own_thread import in_own_thread


def test_work_is_done_in_a_thread_that_ends():
    thread = in_own_thread(threading.current_thread)
    assert thread is not threading.current_thread()
    assert not thread.is_alive()


def test_what_it_raises_is_raised_here():
    with pytest.raises(ZeroDivisionError, match="division by zero"):
        in_own_thread(lambda: 1 / 0)
