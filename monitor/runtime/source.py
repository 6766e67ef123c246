"""Where events come from, as the loop sees it."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from monitor.events.decoder import Decoded, RawRecords
from monitor.windows.window import Place


@dataclass(frozen=True, slots=True)
class Gap:
    """Offsets [expected, found) of a partition that the broker no longer holds, skipped by the operator's policy.

    Where the topic was deleted and created again, `found` counts in the new one, and may be the smaller.
    """

    topic: str
    partition: int
    expected: int
    found: int


@dataclass(frozen=True, slots=True)
class Polled:
    """Everything that arrived since the last poll.

    decoded: one entry a topic that had records, beside its raw records (None where the source has none, as a table).
    next_offset: where to go on after these. topic_ids: of these places, the broker's id of the topic that the offset
    counts in; absent where the broker knows no ids. caught_up: steady clock in ms, by place: all that had arrived there
    by then is in this poll or in an earlier one. That says nothing of later records, so it only grows while they keep
    coming; a place that is behind, or does not answer, is absent.
    """

    decoded: tuple[tuple[Decoded, RawRecords | None], ...] = ()
    next_offset: Mapping[Place, int] = field(default_factory=dict)
    topic_ids: Mapping[Place, str] = field(default_factory=dict)
    caught_up: Mapping[Place, int] = field(default_factory=dict)
    gaps: tuple[Gap, ...] = ()


class Source(Protocol):
    """Delivers each record once, in offset order within its partition, from the positions it was told."""

    def start(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        """Begin (again) at these offsets; a place that is not named begins by the source's own policy.

        topic_ids: as they came with the offsets. One that the broker no longer gives makes a gap of its position.
        """

    def poll(self, timeout_ms: int) -> Polled:
        """What has arrived; waits at most `timeout_ms` for the first record. Never raises for a bad record."""

    def hold(self, places: Collection[Place]) -> None:
        """Read on everywhere but here, until the next call or `start`; what was read already may still come."""

    def places(self) -> frozenset[Place]:
        """Every partition that is read."""

    def lag(self) -> Mapping[Place, int]:
        """Records between the position and the high-water mark."""

    def trouble(self) -> str | None:
        """One sentence on why nothing can be read now, or None."""

    def committed(self, positions: Mapping[Place, int]) -> None:
        """Everything before these offsets is stored: let tools that watch the source know. Never waits or raises."""

    def close(self) -> None: ...
