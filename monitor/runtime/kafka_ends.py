"""Up to when each partition has been read whole, though further records keep arriving."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from monitor.windows.window import Place

BEHIND_MS = 30_000
"""How old the newest time may be at which a place is known to have been read whole; beyond it the place is behind.

An idle partition holds its model up at that time less `lateness`, so the older it is, the later windows close.
"""


@dataclass(slots=True)
class Ends:
    """Questions of one client to the broker where its partitions end, each answered by how far reading has come.

    A high-water mark asked for at a time covers all that the broker had then, transactions that are still open
    included. Once reading has passed it, everything up to that time was read, whatever has arrived since.
    """

    _open: dict[Place, tuple[int, int]] = field(default_factory=dict)
    _whole: dict[Place, int] = field(default_factory=dict)

    def note(self, asked_ms: int, ends: Mapping[Place, int], positions: Mapping[Place, int]) -> dict[Place, int]:
        """Steady clock in ms, by place, at which everything there was is now known to have been read.

        ends: high-water marks, asked for at `asked_ms`. positions: of the next fetch, looked up after the answer and
        with no fetch in between; one beyond its end tells of records that were lost, and confirms nothing.
        """
        for place, end in ends.items():
            position = positions[place]
            if position > end:
                self._open.pop(place, None)
                self._whole.pop(place, None)
                continue
            # An older question stays until it is reached: behind a steady backlog the newest never would be.
            for question in (self._open.pop(place, (end, asked_ms)), (end, asked_ms)):
                if position < question[0]:
                    self._open[place] = question
                    break
                self._whole[place] = question[1]
        return {place: whole_ms for place, whole_ms in self._whole.items() if asked_ms - whole_ms <= BEHIND_MS}
