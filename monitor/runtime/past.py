"""What the store tells HTTP of what was."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

from monitor.detection.records import IncidentChange
from monitor.errors import StateError, UnavailableError
from monitor.exports.past import STEPS_MAX, Past
from monitor.runtime.store import Store

T = TypeVar("T")


def past(store: Store) -> Past:
    def steps(incident: str) -> Sequence[IncidentChange]:
        return _read(lambda: store.incident_changes(incident=incident, limit=STEPS_MAX)[::-1])

    return Past(steps, lambda trigger: _read(lambda: store.request(trigger)))


def _read(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except StateError as error:
        raise UnavailableError(str(error)) from error
