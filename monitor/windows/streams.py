"""Progress of event time: one watermark a partition and model, and the joint one of several partitions.

A watermark is the running maximum of event time in offset order less `lateness`, or the floor where that is higher.
It is a function of the partition's own records, so how partitions interleave changes nothing that is judged by it.
Akidau et al., "The Dataflow Model", PVLDB 8(12), 2015, section 2.3.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.windows.window import Place

NEVER = -(1 << 62)
"""A time before all others."""

FOREVER = 1 << 60
"""A time after all others, to which a duration can still be added."""


class Now(NamedTuple):
    """The time of a step by two clocks, in epoch milliseconds.

    wall_ms: the machine's clock, which is set now and then. steady_ms: one that never jumps, for how long nothing came.
    """

    wall_ms: int
    steady_ms: int

    @classmethod
    def at(cls, time_ms: int) -> Now:
        """By two clocks that agree."""
        return cls(time_ms, time_ms)


@dataclass(slots=True)
class Stream:
    """One partition's progress for one model.

    high_ms: largest event time so far. floor_ms: the watermark is never lower; it rises while the partition is idle,
    and where a batch ends. met_ms: the floor that its last event met or made. heard_ms: steady clock at the last
    arrival. idle: nothing has come for `idle_after`, though all there is was read; an idle partition holds nothing up.
    """

    high_ms: int = NEVER
    floor_ms: int = NEVER
    met_ms: int = NEVER
    heard_ms: int = NEVER
    idle: bool = False


@dataclass(slots=True)
class Streams:
    """The partitions that one kind of event of one model comes from.

    batch: rows come in any order, so only floors move the watermark (a `batch_end`, or idleness). A partition is idle
    while it is known that nothing of this model came, however busy others keep it: one that is behind, or does not
    answer, holds its model up.
    """

    lateness_ms: int
    batch: bool = False
    streams: dict[Place, Stream] = field(default_factory=dict)

    def expect(self, places: Iterable[Place], steady_ms: int, joint_ms: int) -> None:
        """Count on these partitions: one that has said nothing holds its model up until it is known to be idle.

        A new one starts at the joint watermark: what has been closed without it stays closed.
        """
        for place in places:
            if place not in self.streams:
                self.streams[place] = Stream(floor_ms=joint_ms, heard_ms=steady_ms)

    def resume(self, lateness_ms: int, batch: bool, joint_ms: int) -> None:
        """Go on after a restart with what is configured now; nothing that was closed opens again."""
        self.lateness_ms, self.batch = lateness_ms, batch
        for stream in self.streams.values():
            stream.floor_ms = max(stream.floor_ms, joint_ms)

    def keep(self, topics: Collection[str]) -> None:
        """Forget the partitions of topics that are read no more: nobody would ever call them idle."""
        self.streams = {place: stream for place, stream in self.streams.items() if place[0] in topics}

    def watermark(self, place: Place) -> int:
        """Event time before which no more records of this partition are accepted."""
        stream = self.streams[place]
        return stream.floor_ms if self.batch else max(stream.high_ms - self.lateness_ms, stream.floor_ms)

    def high_before(self, place: Place, time_ms: NDArray[np.int64], offset: NDArray[np.int64]) -> NDArray[np.int64]:
        """int64[n]: the largest event time of the records before each row's own; rows of a record share one."""
        running = np.maximum.accumulate(time_ms)
        first = np.searchsorted(offset, offset)  # Offsets ascend: the first row of each row's record.
        before = np.where(first > 0, running[first - 1], NEVER)
        return np.maximum(before, self.streams[place].high_ms)

    def watermark_before(
        self, place: Place, time_ms: NDArray[np.int64], offset: NDArray[np.int64]
    ) -> NDArray[np.int64]:
        """int64[n]: this partition's watermark as it stood before the record of each row."""
        stream = self.streams[place]
        if self.batch:
            return np.full(len(time_ms), stream.floor_ms)
        return np.maximum(self.high_before(place, time_ms, offset) - self.lateness_ms, stream.floor_ms)

    def observe(self, place: Place, time_ms: NDArray[np.int64], steady_ms: int) -> bool:
        """Take note of a partition's rows; whether they are the first under a floor that its own time had not reached.

        That floor came from others, while the partition was silent, and no replay of its events would find it.
        """
        stream = self.streams[place]
        own_ms = NEVER if self.batch else stream.high_ms - self.lateness_ms
        lifted = stream.floor_ms > max(own_ms, stream.met_ms)
        stream.idle, stream.heard_ms, stream.met_ms = False, steady_ms, stream.floor_ms
        if len(time_ms):
            stream.high_ms = max(stream.high_ms, int(time_ms.max()))
        return lifted

    def rest(self, caught_up: Mapping[Place, int], idle_after_ms: int) -> None:
        """Idle is what was read whole as of `idle_after_ms` or more after this model's last arrival there."""
        for place, stream in self.streams.items():
            stream.idle = caught_up.get(place, NEVER) >= stream.heard_ms + idle_after_ms

    def confirmed(self, caught_up: Mapping[Place, int]) -> int:
        """Steady clock up to which every partition has been read whole; NEVER where one has not."""
        return min((caught_up.get(place, NEVER) for place in self.streams), default=NEVER)

    def joint(self, caught_up: Mapping[Place, int], ahead_ms: int) -> int | None:
        """The smallest watermark of the partitions that are not idle; None where all are.

        An idle one holds up what may have come to it since it was last seen to be read whole, and is on time: events
        no older than that, less `lateness`. ahead_ms: how far that clock may be ahead of the one of the events.
        """
        heard = [self.watermark(place) for place, stream in self.streams.items() if not stream.idle]
        whole = [
            caught_up[place] - self.lateness_ms - ahead_ms for place, stream in self.streams.items() if stream.idle
        ]
        return min([*heard, *whole]) if heard else None

    def holding_up(self) -> set[Place]:
        """The partitions that are not idle and whose watermark is the smallest of these."""
        heard = {place: self.watermark(place) for place, stream in self.streams.items() if not stream.idle}
        return {place for place, watermark in heard.items() if watermark == min(heard.values())}

    def beyond(self, time_ms: int) -> set[Place]:
        """The partitions that are not idle and whose watermark has come to this time."""
        return {place for place, stream in self.streams.items() if not stream.idle and self.watermark(place) >= time_ms}

    def raise_idle(self, watermark_ms: int) -> None:
        """Lift the floor of the idle partitions to the joint watermark."""
        for stream in self.streams.values():
            if stream.idle:
                stream.floor_ms = max(stream.floor_ms, watermark_ms)

    def end_batch(self, place: Place, until_ms: int) -> None:
        """Close what one partition has sent before this time, as an event of its own said."""
        stream = self.streams[place]
        stream.floor_ms = max(stream.floor_ms, until_ms)
        stream.met_ms = stream.floor_ms

    @property
    def high_ms(self) -> int:
        """Largest event time of all partitions; NEVER before the first event."""
        return max((stream.high_ms for stream in self.streams.values()), default=NEVER)
