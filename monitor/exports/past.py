"""What the store keeps beyond what the snapshot shows: read only when somebody asks for it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.detection.records import IncidentChange

STEPS_MAX = 100
"""Steps of an incident that are shown, the newest: each of them names all of its features."""


def _no_steps(_: str) -> Sequence[IncidentChange]:
    return ()


def _no_request(_: str) -> None:
    return None


@dataclass(frozen=True, slots=True)
class Past:
    """For any thread; UnavailableError where the store cannot be read. Where nothing is kept, there is nothing to tell.

    steps: of an incident, by its id, the newest STEPS_MAX that are kept, oldest first. request: the event that was
    stored to be sent for a trigger, by its id, as JSON; None where none is kept.
    """

    steps: Callable[[str], Sequence[IncidentChange]] = _no_steps
    request: Callable[[str], bytes | None] = _no_request


NOTHING = Past()
