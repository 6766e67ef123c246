"""How one feature's values are distributed over its decision cells: of a window beside what it was compared with.

All of it is counts of rows, as they were when the window was judged, so that it can be shown exactly long after the
rows, and even the reference, are gone.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Self

import numpy as np
from numpy.typing import NDArray

from monitor.profiles import codec
from monitor.profiles.decision import CELLS, INVALID, MISSING, UNUSUAL, DecisionCells
from monitor.profiles.layout import FeatureLayout, NumericLayout
from monitor.profiles.reference import Reference
from monitor.profiles.sample import Sample

Counts = NDArray[np.int64]

_VERSION = 1


class Place(NamedTuple):
    """A decision cell. name: its values, for people; low, high: numeric ones are in [low, high), else None."""

    name: str
    low: float | None = None
    high: float | None = None


class Cell(NamedTuple):
    """The same, with the rows of the reference and of the window in it."""

    name: str
    low: float | None
    high: float | None
    reference: int
    current: int


@dataclass(frozen=True, slots=True)
class Distribution:
    """Of one feature, or output. cells: in the order of the layout, then rows without a value, with one of the wrong
    type, and with one that was never seen (numeric: out of range). rows, reference_rows: of all cells together.
    """

    feature: str
    numeric: bool
    cells: tuple[Cell, ...]
    rows: int
    reference_rows: int


@dataclass(frozen=True, eq=False)
class Basis:
    """What windows were compared with, as far as it is shown later. name: digest of all of it. standing: digest of the
    reference whose cells these are; its own rows too, unless windows are compared with newer ones. numeric: by feature,
    in the order of the layout; places: its decision cells. tally: int64[F, WIDTH]; sample: of the rows in it.
    """

    name: str
    standing: str
    numeric: Mapping[str, bool]
    places: Mapping[str, tuple[Place, ...]]
    tally: Counts
    sample: Sample = field(default_factory=Sample)

    @classmethod
    def of(cls, reference: Reference, standing: str, name: str) -> Self:
        """Of a reference whose profile may hold other rows than its cells were made for."""
        cells, layouts = reference.cells, reference.layout.features
        numeric = {feature: isinstance(layout, NumericLayout) for feature, layout in layouts.items()}
        places = {feature: described(cells, feature) for feature in layouts}
        return cls(name, standing, numeric, places, cells.tally(reference.profile), reference.profile.sample)

    def compared(self, feature: str, tally: Counts) -> Distribution:
        """One feature of a window whose tally is int64[F, WIDTH]; KeyError where it has no such feature."""
        places, numeric, row = self.places[feature], self.numeric[feature], list(self.places).index(feature)
        rest = (Place("missing"), Place("invalid"), Place("out of range" if numeric else "unseen"))
        columns = [*range(len(places)), MISSING, INVALID, UNUSUAL]
        before, now = self.tally[row, columns].tolist(), tally[row, columns].tolist()
        cells = tuple(Cell(*place, *rows) for place, *rows in zip((*places, *rest), before, now, strict=True))
        return Distribution(feature, numeric, cells, sum(now), sum(before))

    def dump(self) -> bytes:
        """Bytes of all but the sample."""
        features = [[name, self.numeric[name], list(places)] for name, places in self.places.items()]
        return codec.pack("BASI", _VERSION, (self.name, self.standing, features, packed(self.tally)))

    @classmethod
    def load(cls, data: bytes) -> Self:
        """What `dump` wrote; CodecError where the bytes are none."""
        name, standing, features, tally = codec.unpack(
            "BASI", _VERSION, data, tuple[str, str, list[tuple[str, bool, list[Place]]], Counts]
        )
        return cls(
            name,
            standing,
            {feature: numeric for feature, numeric, _ in features},
            {feature: tuple(places) for feature, _, places in features},
            tally.astype(np.int64),
        )


def packed(counts: Counts) -> NDArray[Any]:
    """The same in the smallest integers that hold them."""
    return counts.astype(np.min_scalar_type(int(counts.max(initial=0))))


def described(cells: DecisionCells, feature: str) -> tuple[Place, ...]:
    """The decision cells of a feature, in their order."""
    layout, groups = cells.layout.features[feature], cells.groups[feature]
    count = min(int(groups.max(initial=-1)) + 1, CELLS)
    names = [named(layout, groups, cell) for cell in range(count)]
    if not isinstance(layout, NumericLayout):
        return tuple(Place(name) for name in names)
    edges = cells.edges(feature).tolist()
    return tuple(Place(*each) for each in zip(names, edges[:-1], edges[1:], strict=True))


def named(layout: FeatureLayout, groups: Counts, cell: int) -> str:
    """What a decision cell holds, for people: 20 to 45, or categories. groups: as of `monitor.profiles.decision`."""
    fine = np.flatnonzero(groups == cell)
    if isinstance(layout, NumericLayout):
        low, high = layout.edges[fine[0] - 1], layout.edges[fine[-1]]
        return span(low, high)
    own = [layout.vocabulary[place] for place in fine.tolist() if place < len(layout.vocabulary)]
    shown = own[:3]
    more = len(own) - len(shown)
    words = [*shown, *([f"{more} more"] if more else []), *(["rarer ones"] if len(fine) > len(own) else [])]
    return ", ".join(words)


def bound(value: float) -> str:
    """The end of a cell, for people."""
    return f"{value:,.0f}" if 1e4 <= abs(value) < 1e9 else f"{value:.4g}"


def span(low: float, high: float) -> str:
    """Values between two numbers, for people: 0.25 to 18,200."""
    return f"{bound(low)} to {bound(high)}"
