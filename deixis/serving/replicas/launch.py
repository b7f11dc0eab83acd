"""Starts the replicas on a Ray cluster, and ends them when this process is told to end."""

import logging
import re
import signal
import tempfile
import threading
from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager, redirect_stdout
from dataclasses import dataclass, replace
from pathlib import Path
from types import FrameType
from typing import Any, no_type_check
from urllib.parse import urlsplit

from deixis.cluster import LOCAL, connect, has_gpus
from deixis.errors import InputError, UnsupportedError, one_line
from deixis.inference import Model
from deixis.options import Checked, Count
from deixis.serving.guard.metrics import Metrics
from deixis.serving.guard.stack import guards_of
from deixis.serving.replicas import APPLICATION, DEPLOYMENT
from deixis.serving.replicas.http_proxy import environment
from deixis.serving.replicas.replica import Replica
from deixis.serving.run import GRACE_S, listening
from deixis.serving.settings import ServerSettings

HEALTH_S = 5.0
"""Between two looks at whether a replica lives, after which a new one is started."""
DRAINED_S = 0.5
"""Between two looks at whether a replica that is to end has answered all."""
STARTS = 3
"""Times that a replica is tried to start."""
_COUNT = re.compile(r"([0-9]{1,4})(?:-([0-9]{1,4}))?")


@no_type_check
@dataclass(frozen=True)
class Replicas(Checked):
    """How many processes answer, each with a model, and the cluster that runs them.

    Attributes:
        least, most: replicas; between them, as many as there are requests for.
        address: of a Ray cluster, or `LOCAL`: one of this machine.
    """

    least: Count = 1
    most: Count = 1
    address: str = LOCAL

    @classmethod
    def of(cls, count: str, address: str | None = None) -> "Replicas":
        """Those of "2" or "1-4". Raises InputError for another word, and for least and most the wrong way round."""
        match = _COUNT.fullmatch(count)
        least, most = (int(match[1]), int(match[2] or match[1])) if match else (0, 0)
        if not 1 <= least <= most:
            raise InputError(f"--replicas: expected a number from 1, or two as 1-4; got {count!r:.40}")
        return cls(least, most, address or LOCAL)


def serve_on_ray(
    load: Callable[[], Model],
    settings: ServerSettings,
    replicas: Replicas,
    is_on_cpu: bool,
    ready: Callable[[str], None],
) -> None:
    """Serves until SIGINT or SIGTERM, then finishes what it has accepted. A second signal ends it at once.

    load: gives the model, in a replica. is_on_cpu: replicas get no GPU. ready: is called with the address when replicas
    answer.
    Raises InputError for a cluster, port, folder or number of replicas that cannot be had, UnsupportedError for
    replicas that do not start.
    """
    guards_of(settings, Metrics())  # raises what the proxy would raise
    if settings.uploads is None and replicas.address != LOCAL:
        raise InputError("--uploads: expected with --ray-address, a folder that all machines of the cluster see")
    with listening(settings) as (_, address):
        settings = replace(settings, port=urlsplit(address).port)
    with ExitStack() as over:
        over.enter_context(redirect_stdout(None))  # on which Ray quotes its logs, also those of an end as it should be
        folder = settings.uploads or over.enter_context(tempfile.TemporaryDirectory(prefix="deixis-uploads-"))
        settings = replace(settings, uploads=Path(folder).absolute())
        connect(replicas.address, environment(settings))
        _check_free_head()
        with_gpus = has_gpus("--replicas", replicas.least, "replicas") and not is_on_cpu
        over.enter_context(_ray_serve(settings))
        _run(load, settings, replicas, with_gpus)
        ready(address)
        with _told_to_end() as told:
            told.wait()
            _drain()


def _check_free_head() -> None:
    """Raises InputError where Ray Serve runs already, or on a machine that is not the head, where it would listen."""
    import ray
    from ray import serve

    heads = [node["NodeID"] for node in ray.nodes() if "node:__internal_head__" in node.get("Resources", {})]
    if ray.get_runtime_context().get_node_id() not in heads:
        raise InputError("--ray-address: expected to be started on the head of the cluster, which is another machine")
    if serve.status().proxies:
        raise InputError("--ray-address: expected a cluster without Ray Serve, got one on which it runs already")


@contextmanager
def _ray_serve(settings: ServerSettings) -> Generator[None]:
    """Ray Serve on the cluster while the block runs, with one HTTP proxy, on the head."""
    from ray import serve
    from ray.exceptions import RayError
    from ray.serve.schema import LoggingConfig

    logging.getLogger("ray.serve").setLevel(logging.ERROR)
    try:
        try:
            serve.start(
                proxy_location="HeadOnly",
                http_options={"host": settings.host, "port": settings.port},
                logging_config=LoggingConfig(log_level="WARNING", enable_access_log=False),
            )
        except (RayError, RuntimeError) as error:
            raise UnsupportedError(f"--ray: expected Ray Serve to start; {one_line(error, 400)}") from error
        yield
    finally:
        serve.shutdown()


def _run(load: Callable[[], Model], settings: ServerSettings, replicas: Replicas, with_gpus: bool) -> None:
    from ray import serve

    if replicas.least == replicas.most:
        count: dict[str, Any] = {"num_replicas": replicas.most}
    else:
        bounds = {"min_replicas": replicas.least, "max_replicas": replicas.most}
        count = {"autoscaling_config": {**bounds, "target_ongoing_requests": settings.batch_rows}}
    deployment: Any = serve.deployment
    deployed = deployment(
        serve.ingress()(Replica),
        name=DEPLOYMENT,
        ray_actor_options={"num_cpus": 1, "num_gpus": 1 if with_gpus else 0},
        max_ongoing_requests=settings.batch_rows + settings.queue_size,
        max_queued_requests=settings.queue_size,
        backpressure_config={"status_code": 429},
        graceful_shutdown_timeout_s=GRACE_S,
        graceful_shutdown_wait_loop_s=DRAINED_S,
        health_check_period_s=HEALTH_S,
        max_constructor_retry_count=STARTS,
        **count,
    )
    try:
        serve.run(deployed.bind(load, settings), name=APPLICATION, route_prefix="/")
    except RuntimeError as error:
        raise UnsupportedError(f"--replicas: expected replicas that start; {_why_none(error)}") from error


def _why_none(error: RuntimeError) -> str:
    """What a replica that did not start raised, which is the last line of an error in what Ray Serve knows of it."""
    from ray import serve

    told = [one.message for own in serve.status().applications.values() for one in own.deployments.values()]
    lines = [line for line in "\n".join(told).splitlines() if "Error:" in line]
    return one_line(lines[-1] if lines else error, 400)


def _drain() -> None:
    """Takes no more requests, and waits for those that were accepted, for which the proxy is still there."""
    from ray import serve

    serve.delete(APPLICATION)


@contextmanager
def _told_to_end() -> Generator[threading.Event]:
    """An event that SIGINT and SIGTERM set; the second one ends the process as it is used to."""
    told, names = threading.Event(), (signal.SIGINT, signal.SIGTERM)

    def tell(number: int, frame: FrameType | None) -> None:
        if told.is_set():
            raise KeyboardInterrupt
        told.set()

    before = [signal.signal(name, tell) for name in names]
    try:
        yield told
    finally:
        for name, handler in zip(names, before, strict=True):
            signal.signal(name, handler)
