"""A Ray cluster of this machine, where a test asked for one, ends with the tests here."""

import sys

import pytest


@pytest.fixture(scope="package", autouse=True)
def _ray_ends():
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()
