"""Rows of one version in one cell of the time grid, and where in their topic they lie."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np

from monitor.events.batch import Predictions
from monitor.profiles import codec
from monitor.profiles.layout import Layout
from monitor.profiles.profile import Profile

_VERSION = 1


@dataclass(slots=True)
class Pane:
    """offsets: [first, last + 1) of the rows' records, by "topic/partition"."""

    profile: Profile
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)

    def fold(self, batch: Predictions) -> None:
        """Add rows, in any order and any split."""
        self.profile.fold(batch)
        for partition in np.unique(batch.origin.partition).tolist():
            offset = batch.origin.offset[batch.origin.partition == partition]
            self._reach(f"{batch.origin.topic}/{partition}", int(offset.min()), int(offset.max()) + 1)

    def merge(self, other: Pane) -> Pane:
        """The pane of both panes' rows; the two stay as they are."""
        merged = Pane(self.profile.merge(other.profile), dict(self.offsets))
        for place, (first, end) in other.offsets.items():
            merged._reach(place, first, end)
        return merged

    def dump(self) -> bytes:
        return codec.pack("PANE", _VERSION, (self.profile.dump(), self.offsets))

    @classmethod
    def load(cls, layout: Layout, data: bytes) -> Pane:
        """The pane of `dump`; LayoutMismatchError where it was made under another layout."""
        profile, offsets = codec.unpack("PANE", _VERSION, data, tuple[bytes, dict[str, tuple[int, int]]])
        return cls(Profile.load(layout, profile), offsets)

    def _reach(self, place: str, first: int, end: int) -> None:
        known = self.offsets.get(place, (first, end))
        self.offsets[place] = (min(known[0], first), max(known[1], end))
