"""How often one client may ask: a token bucket for each key, or each address where there are no keys."""

import ipaddress
import math
import time
from collections import OrderedDict
from collections.abc import Callable

from starlette.types import ASGIApp, Receive, Scope, Send

from deixis.serving.errors import RequestError, respond
from deixis.serving.guard.paths import is_among

MAX_CLIENTS = 10_000
"""Buckets that are remembered; the client that has been silent longest is forgotten first."""
NETWORK_BITS = 64
"""Of an IPv6 address: the rest one client chooses itself."""


class Rates:
    """Buckets of `per_minute` requests that fill up at that rate."""

    def __init__(self, per_minute: int, max_clients: int = MAX_CLIENTS, clock: Callable[[], float] = time.monotonic):
        self.per_minute, self.max_clients, self.clock = per_minute, max_clients, clock
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()  # client -> (requests left, as of when)

    def wait_s(self, client: str) -> float:
        """0 for a request that may pass, which is counted; else the seconds until one may."""
        now_s = self.clock()
        left, then_s = self._buckets.pop(client, (float(self.per_minute), now_s))
        left = min(self.per_minute, left + (now_s - then_s) * self.per_minute / 60)
        passes = left >= 1
        self._buckets[client] = left - passes, now_s
        if len(self._buckets) > self.max_clients:
            self._buckets.popitem(last=False)
        return 0.0 if passes else (1 - left) * 60 / self.per_minute


class RateMiddleware:
    """Refuses requests beyond the rate with 429 and Retry-After.

    free_paths: those that are not counted; one that ends in a slash stands for all that begin with it.
    """

    def __init__(self, app: ASGIApp, rates: Rates, free_paths: tuple[str, ...] = ()):
        self.app, self.rates, self.free_paths = app, rates, free_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        wait_s = 0.0
        if scope["type"] in ("http", "websocket") and not is_among(scope["path"], self.free_paths):
            wait_s = self.rates.wait_s(client_of(scope))
        if not wait_s:
            return await self.app(scope, receive, send)
        message = (
            f"expected at most {self.rates.per_minute} requests a minute, got more; send the next in {wait_s:.1f} s"
        )
        headers = {"Retry-After": str(math.ceil(wait_s))}
        error = RequestError(message, 429, code="rate_limit_exceeded", headers=headers)
        return await respond(error)(scope, receive, send)


def client_of(scope: Scope) -> str:
    """Whose request it is: the name of its key, else its address; of an IPv6 address the network."""
    owner = scope.get("state", {}).get("owner")
    if owner:
        return f"key {owner}"
    host = (scope.get("client") or ("",))[0]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:  # a socket of this machine has none
        return f"address {host}"
    if address.version == 6:
        return f"address {ipaddress.ip_network((int(address), NETWORK_BITS), strict=False)}"
    return f"address {address}"
