"""How far a run is, as whoever started it wants to be told."""

from typing import Protocol, runtime_checkable


@runtime_checkable
class Progress(Protocol):
    """What a run tells: that a stage of so many begins (None: it is not known), and that so many more are done."""

    def stage(self, title: str, total: int | None) -> None: ...

    def advance(self, count: int) -> None: ...


class Silent:
    """Nobody is told."""

    def stage(self, title: str, total: int | None) -> None:
        pass

    def advance(self, count: int) -> None:
        pass
