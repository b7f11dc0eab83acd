"""A stream of events that several replicas give in turn, each from its beginning: what the client has is left out.

An answer is the same whoever gives it, for it is greedy or its sampling is seeded; but it may come in other pieces. So
texts are compared, not events, and regions are counted.
"""

import json
from typing import Any


class Diverged(Exception):
    """Another replica does not say what the client has already."""


class ContinuedStream:
    """The events of one streamed answer, as `chat.completion.chunks` writes them, once each."""

    def __init__(self) -> None:
        self._head: dict[str, Any] = {}  # of the first replica, whose id and time the client knows
        self._sent_text, self._sent_regions, self._has_role = "", 0, False
        self.begin()

    def begin(self) -> None:
        """A replica gives the answer from its beginning."""
        self._text, self._regions, self._rest = "", 0, b""

    def feed(self, data: bytes) -> bytes:
        """The events that are complete with these bytes, less what was sent. Raises Diverged."""
        *events, self._rest = (self._rest + data).split(b"\n\n")
        return b"".join(self._unsent(event) for event in events)

    def _unsent(self, event: bytes) -> bytes:
        text = event.decode().removeprefix("data: ")
        chunk = json.loads(text) if text.startswith("{") else {}
        if "choices" not in chunk:  # the end, or an error
            return event + b"\n\n"
        self._head = self._head or {name: chunk[name] for name in ("id", "created")}
        for choice in chunk["choices"]:
            delta = self._unsent_delta(choice["delta"])
            if not delta and choice["finish_reason"] is None:
                return b""
            choice["delta"] = delta
        return f"data: {json.dumps(chunk | self._head, ensure_ascii=False)}\n\n".encode()

    def _unsent_delta(self, delta: dict[str, Any]) -> dict[str, Any]:
        unsent = {}
        for name, value in delta.items():
            if name == "role":
                if not self._has_role:
                    unsent |= {"role": value, "content": ""}
                self._has_role = True
            elif name == "content":
                if text := self._unsent_text(value):
                    unsent["content"] = text
            elif name == "regions":
                self._regions += len(value)
                new = self._regions - self._sent_regions
                if new > 0:
                    unsent["regions"], self._sent_regions = value[-new:], self._regions
            else:
                unsent[name] = value
        return unsent

    def _unsent_text(self, text: str) -> str:
        known = self._sent_text[len(self._text) :]
        if not (known.startswith(text) or text.startswith(known)):
            raise Diverged
        self._text += text
        self._sent_text += text[len(known) :]
        return text[len(known) :]
