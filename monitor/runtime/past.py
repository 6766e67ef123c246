"""What the store tells HTTP of what was. For any thread; UnavailableError where it cannot be read."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from monitor.detection.records import IncidentChange
from monitor.errors import StateError, UnavailableError
from monitor.exports.behind import STEPS_MAX
from monitor.runtime.store import Store

T = TypeVar("T")


def steps(store: Store, incident: str) -> Sequence[IncidentChange]:
    """The newest STEPS_MAX steps of an incident that are kept, oldest first."""
    return _read(lambda: store.incident_changes(incident=incident, limit=STEPS_MAX)[::-1])


def request(store: Store, trigger: str) -> bytes | None:
    """The event that was stored to be sent for a trigger."""
    return _read(lambda: store.request(trigger))


def _read(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except StateError as error:
        raise UnavailableError(str(error)) from error
