"""Rows of one version in one cell of the time grid, and where in their topic they lie."""

from __future__ import annotations

from collections.abc import Container, Sequence, Set
from dataclasses import dataclass, field
from itertools import groupby

import numpy as np
from numpy.typing import NDArray

from monitor.engine.references import References, Standard
from monitor.errors import LayoutMismatchError
from monitor.events.batch import Predictions
from monitor.events.ids import digest
from monitor.profiles import codec, profile
from monitor.profiles.decision import WIDTH, DecisionCells
from monitor.profiles.profile import Profile
from monitor.profiles.segments import SegmentCells
from monitor.windows.window import reaching, reaching_rows

Counts = NDArray[np.int64]

VERSIONS_MAX = 20
"""Versions with an open window of the same end, those with a reference of their own aside; the others share OTHER's."""

OTHER = "__other__"

_VERSION = 2


@dataclass(slots=True)
class Pane:
    """reference: key of the one that its cells are of. offsets: [first, last + 1) of the rows' records, by
    "topic/partition". segments: int64[segments, features, WIDTH], their tallies; None where none are watched.
    """

    reference: str
    profile: Profile
    offsets: dict[str, tuple[int, int]] = field(default_factory=dict)
    segments: Counts | None = None

    @classmethod
    def empty(cls, key: str, standard: Standard) -> Pane:
        """Of no rows, in the cells of a reference."""
        segments = None if standard.counting is None else standard.counting.empty()
        return cls(key, Profile.empty(standard.reference.layout), segments=segments)

    def merge(self, other: Pane) -> Pane:
        """The pane of both panes' rows; the two stay as they are."""
        offsets = self.offsets
        for place, (first, end) in other.offsets.items():
            offsets = reaching(offsets, place, first, end)
        segments = None if self.segments is None or other.segments is None else self.segments + other.segments
        return Pane(self.reference, self.profile.merge(other.profile), offsets, segments)

    def tally(self, cells: DecisionCells) -> Counts:
        """int64[S, WIDTH]: of whole traffic, then of segments."""
        whole = cells.tally(self.profile)
        return whole if self.segments is None else np.concatenate([whole, self.segments.reshape(-1, WIDTH)])

    def dump(self) -> bytes:
        return codec.pack("PANE", _VERSION, (self.reference, self.profile.dump(), self.offsets, self.segments))

    @classmethod
    def load(cls, references: References, data: bytes) -> Pane:
        """The pane of `dump`; LayoutMismatchError where its reference is there no more, or another."""
        reference, profile, offsets, segments = codec.unpack(
            "PANE", _VERSION, data, tuple[str, bytes, dict[str, tuple[int, int]], Counts | None], oldest=_VERSION
        )
        if reference not in references:
            raise LayoutMismatchError(f"the reference of version {reference!r}, which open windows use, is gone")
        pane = cls.empty(reference, references[reference])
        pane.profile, pane.offsets = Profile.load(pane.profile.layout, profile), offsets
        if segments is not None and pane.segments is not None and segments.shape == pane.segments.shape:
            pane.segments = segments  # Else the configuration names others now: these rows are in none of them.
        return pane


def fold_parts(panes: Sequence[Pane], batch: Predictions, starts: NDArray[np.intp], references: References) -> None:
    """Add the rows from starts[i] on, up to the next start or the end, to pane i; a pane may have several parts.

    starts: intp[parts], from 0, ascending. references: those that the panes' cells are of.
    """
    ends = np.append(starts[1:], len(batch))
    for pane, start, end in zip(panes, starts, ends, strict=True):
        origin = batch.origin.take(slice(int(start), int(end)))
        pane.offsets = reaching_rows(pane.offsets, origin.topic, origin.partition, origin.offset)
    for key, run in groupby(range(len(panes)), lambda part: panes[part].reference):
        parts = list(run)
        rows = slice(int(starts[parts[0]]), int(ends[parts[-1]]))
        mine, first = [panes[part] for part in parts], starts[parts] - rows.start
        count_parts(mine, batch.take(rows), first, references[key].counting)


def count_parts(
    panes: Sequence[Pane], batch: Predictions, starts: NDArray[np.intp], counting: SegmentCells | None
) -> None:
    """The same of panes of one reference, without where the rows lie."""
    tallies = [pane.segments for pane in panes if pane.segments is not None]
    adding = counting.adding(tallies, batch, starts) if counting is not None else None
    profile.fold_parts([pane.profile for pane in panes], batch, starts, adding)


def surplus(panes: Set[tuple[int, str]], registered: Container[str]) -> set[tuple[int, str]]:
    """Those of the panes (end, version) that are too many: a client's mistake must not fill memory.

    Of each end the VERSIONS_MAX versions of the smallest digests are kept. A version that is out never comes in again,
    so which ones are kept does not depend on the order in which they came.
    """
    found: dict[int, list[str]] = {}
    if len(panes) > VERSIONS_MAX:
        for end, version in panes:
            if version not in registered and version not in ("", OTHER):
                found.setdefault(end, []).append(version)
    return {(end, version) for end, names in found.items() for version in sorted(names, key=digest)[VERSIONS_MAX:]}
