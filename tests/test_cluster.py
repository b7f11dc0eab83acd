"""A Ray cluster that is not there is a sentence, at once; Ray itself would try for many minutes."""

import socket

import pytest

from deixis.cluster import connect
from deixis.errors import InputError


@pytest.mark.parametrize("scheme", ["", "ray://"], ids=["address", "client"])
def test_an_address_where_nothing_answers_is_refused(scheme):
    with socket.socket() as free:  # bound, and not listening
        free.bind(("127.0.0.1", 0))
        address = f"{scheme}127.0.0.1:{free.getsockname()[1]}"
        with pytest.raises(
            InputError, match=f"--ray-address: expected a Ray cluster at '{address}', but nothing answers"
        ):
            connect(address)
