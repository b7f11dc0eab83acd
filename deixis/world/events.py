"""Events in time: what the sound events of a clip and the activities of a motion trace have in common."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Event:
    """One event of a signal: its kind, start and end.

    cadence_hz: how often its movement repeats in a second; None where none does.
    """

    kind: str
    start_s: float
    end_s: float
    cadence_hz: float | None = None
