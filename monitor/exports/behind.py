"""What stands behind the API besides the snapshot, and is asked when somebody asks, on a thread of the server's."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from monitor.detection.records import IncidentChange
from monitor.engine import Order
from monitor.errors import UnavailableError
from monitor.exports.distribution import Compared
from monitor.exports.orders import Registration
from monitor.exports.report import Report
from monitor.statistics.comparison import Comparison

STEPS_MAX = 100
"""Steps of an incident that are shown, the newest: each of them names all of its features."""


def _nothing(*_: object) -> Any:
    raise UnavailableError("this service only shows what was: it takes no orders, and keeps nothing to look up")


@dataclass(frozen=True, slots=True)
class Behind:
    """Each for any thread; UnavailableError where it cannot be had now. What is left out is not there, and says so.

    obey: carries out what a person asks and says what came of it; RefusedError where it does not. compare: two versions
    of a model, by name, champion and challenger. distributed: a feature in a closed window, by model, feature, version
    and end, the newest where these are None. report: on a window, by model, version and end, the same.
    copy: begins a backup: bytes in all, and the pieces. steps: of an incident, by its id, the newest STEPS_MAX that are
    kept, oldest first. request: the event that was stored to be sent for a trigger, by its id, as JSON.
    """

    obey: Callable[[Order | Registration], str] = _nothing
    compare: Callable[[str, str, str], Comparison] = _nothing
    distributed: Callable[[str, str, str | None, int | None], Compared] = _nothing
    report: Callable[[str, str | None, int | None], Report] = _nothing
    copy: Callable[[], tuple[int, Iterator[bytes]]] = _nothing
    steps: Callable[[str], Sequence[IncidentChange]] = lambda _: ()
    request: Callable[[str], bytes | None] = lambda _: None


NOTHING = Behind()
