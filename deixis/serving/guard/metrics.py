"""Prometheus metrics: requests by route, method and status, how long they took, and what parts of the server count."""

import time
from collections.abc import Callable, Iterator, Mapping

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import choose_encoder
from prometheus_client.metrics_core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from deixis.serving.guard.logs import CLIENT_GONE, method_of
from deixis.serving.guard.paths import route_of

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 120.0, 300.0)
"""Bounds of the histograms: from a health check to a long answer behind a full queue."""
TOTAL = "_total"
"""Ending of numbers that only grow."""
Source = Callable[[], Mapping[str, float]]


class Metrics:
    """The metrics of one server. `add` has a part counted; `response` is what Prometheus reads."""

    def __init__(self):
        self.registry = CollectorRegistry()
        labels = ("route", "method", "status")
        self.requests = Counter("deixis_requests", "Requests that have ended.", labels, registry=self.registry)
        self.seconds = Histogram(
            "deixis_request_seconds", "From the request to the end of its response.", labels[:2],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.first_byte_seconds = Histogram(
            "deixis_first_byte_seconds", "From the request to the beginning of its response.", labels[:2],
            buckets=SECONDS, registry=self.registry,
        )  # fmt: skip
        self.running = Gauge("deixis_requests_running", "Requests that are being answered.", registry=self.registry)

    def add(self, name: str, source: Source) -> None:
        """Shows the numbers of a part, read when they are asked for, as `deixis_NAME_KEY`."""
        self.registry.register(_Parts(f"deixis_{name}", lambda: {"": source()}))

    def add_each(self, name: str, label: str, source: Callable[[], Mapping[str, Mapping[str, float]]]) -> None:
        """Shows the numbers of several parts alike, told apart by the values of a label, which `source` maps."""
        self.registry.register(_Parts(f"deixis_{name}", source, label))

    async def response(self, request: Request) -> Response:
        """The metrics in the format that the client reads."""
        encode, content_type = choose_encoder(request.headers.get("accept", ""))
        return Response(encode(self.registry), headers={"Content-Type": content_type})


class _Parts(Collector):
    """Numbers of parts of the server."""

    def __init__(self, name: str, source: Callable[[], Mapping[str, Mapping[str, float]]], label: str | None = None):
        self.name, self.source, self.label = name, source, label

    def collect(self) -> Iterator[Metric]:
        labels = [] if self.label is None else [self.label]
        families: dict[str, CounterMetricFamily | GaugeMetricFamily] = {}
        for part, numbers in self.source().items():
            for key, value in numbers.items():
                if key not in families:
                    name, text = f"{self.name}_{key}", f"{key.removesuffix(TOTAL).replace('_', ' ')}"
                    family = CounterMetricFamily if key.endswith(TOTAL) else GaugeMetricFamily
                    families[key] = family(name.removesuffix(TOTAL), text, labels=labels)
                families[key].add_metric([part] if labels else [], value)
        yield from families.values()

    def describe(self) -> Iterator[Metric]:
        """Nothing: what there is, is known when it is asked for."""
        return iter(())


class MetricsMiddleware:
    """Counts every request once its response has ended."""

    def __init__(self, app: ASGIApp, metrics: Metrics):
        self.app, self.metrics = app, metrics

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            return await self.app(scope, receive, send)
        began_s, status, first_s = time.perf_counter(), CLIENT_GONE, None

        async def counted(message: Message) -> None:
            nonlocal status, first_s
            if message["type"] == "http.response.start":
                status, first_s = message["status"], time.perf_counter() - began_s
            await send(message)

        self.metrics.running.inc()
        try:
            await self.app(scope, receive, counted)
        except BaseException:
            status = 500 if first_s is None else status
            raise
        finally:
            self.metrics.running.dec()
            labels = route_of(scope), method_of(scope)
            self.metrics.requests.labels(*labels, str(status)).inc()
            self.metrics.seconds.labels(*labels).observe(time.perf_counter() - began_s)
            if first_s is not None:
                self.metrics.first_byte_seconds.labels(*labels).observe(first_s)
        return None
