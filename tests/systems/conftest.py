"""The toy checkpoints of the conversions."""

from tests.checkpoints.conftest import copy_of, sources

__all__ = ["copy_of", "sources"]
