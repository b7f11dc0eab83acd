"""Connects to a Ray cluster, quietly: no dashboard, no usage statistics, no lines of its workers."""

import logging
import os
import signal
import socket
import threading
from collections.abc import Mapping

from deixis.errors import InputError, one_line

logger = logging.getLogger(__name__)
LOCAL = "local"
PATIENCE_S = 10.0
"""For an answer of an address; Ray itself tries for many minutes."""


def connect(address: str, environment: Mapping[str, str] | None = None) -> None:
    """Joins the cluster at `address`, or starts one of this machine (`LOCAL`), until this process ends.

    A cluster that is joined already stays. environment: variables of all processes that are started for this one.
    Raises InputError where there is none.
    """
    _check_answers(address)
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    import ray

    if ray.is_initialized():
        return
    in_main = threading.current_thread() is threading.main_thread()
    ending = signal.getsignal(signal.SIGTERM)
    try:
        ray.init(
            address=address,
            log_to_driver=False,
            logging_level=logging.ERROR,
            include_dashboard=False,
            runtime_env={"env_vars": dict(environment)} if environment else None,
        )
    except Exception as error:  # of no class of its own where a node does not start in time
        raise InputError(f"--ray-address: expected a Ray cluster at {address!r}; {one_line(error, 300)}") from error
    finally:
        if in_main and ending is not None:  # Ray's own handler stays, and ends the process without a word
            signal.signal(signal.SIGTERM, ending)


def has_gpus(field: str, count: int, things: str) -> bool:
    """Whether each of so many processes gets a GPU. Raises InputError for more than the joined cluster has place for.

    field, things: what the sentence names, as "--ray" and "workers".
    """
    import ray

    whole, free = ray.cluster_resources(), ray.available_resources()
    what = "GPU" if whole.get("GPU") else "CPU"
    if count > (most := int(whole.get(what, 0))):
        raise InputError(f"{field}: expected at most {most} {things}, one for each {what} of the cluster; got {count}")
    if count > free.get(what, 0):
        logger.warning("waiting for %d free %ss of the cluster", count, what)
    return what == "GPU"


def _check_answers(address: str) -> None:
    """Raises InputError for HOST:PORT where nothing listens."""
    host, colon, port = address.rpartition("://")[2].rpartition(":")
    if not colon or not port.isdecimal():
        return
    try:
        socket.create_connection((host, int(port)), timeout=PATIENCE_S).close()
    except (OSError, OverflowError) as error:
        raise InputError(
            f"--ray-address: expected a Ray cluster at {address!r}, but nothing answers: {error}"
        ) from None
