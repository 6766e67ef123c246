"""What the loop has read and sent, in totals that outlive a restart."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Self

from monitor.actions.outbox import Attempt
from monitor.profiles import codec

_VERSION = 1


@dataclass(slots=True)
class Counts:
    """Totals since the state directory was made. events: by (topic, result); deliveries: by (receiver, result)."""

    events: dict[tuple[str, str], int] = field(default_factory=dict)
    deliveries: dict[tuple[str, str], int] = field(default_factory=dict)
    unknown_keys: int = 0
    gaps: int = 0

    def read(self, topic: str, counted: Mapping[str, int]) -> None:
        """Add the events of one poll of a topic, by result."""
        for result, rows in counted.items():
            self.events[topic, result] = self.events.get((topic, result), 0) + rows

    def attempted(self, attempt: Attempt) -> None:
        """Add one attempt to deliver."""
        key = (attempt.receiver, "retry" if attempt.state == "pending" else attempt.state)
        self.deliveries[key] = self.deliveries.get(key, 0) + 1

    def dump(self) -> bytes:
        return codec.pack("STAT", _VERSION, self)

    @classmethod
    def load(cls, data: bytes) -> Self:
        return codec.unpack("STAT", _VERSION, data, cls)
