"""The frozen cells that rows are counted in.

A layout is made once, from the reference. Windows of the same layout can be merged and compared exactly, whatever
order their rows came in, because a cell never moves.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property

import msgspec
import numpy as np
from numpy.typing import NDArray

from monitor.events.ids import digest
from monitor.events.schema import Task

CELLS = 256
"""Fine cells of a numeric feature: the Kolmogorov-Smirnov bound is then at most 1/256 wide."""

CATEGORIES_MAX = 200
"""Categories with a cell of their own; rarer ones share `OTHERS_MAX` cells."""

OTHERS_MAX = 16
"""Cells of rarer categories: among ten thousand that are equally rare, some must be told from others."""


@dataclass(frozen=True, eq=False)
class NumericLayout:
    """Cells of a numeric feature: [edges[i], edges[i+1]) for i < k, one below the first edge, one from the last on.

    edges: float64[k+1], strictly increasing; the last lies just above the reference's maximum. centre and scale
    (> 0): the reference's mean and standard deviation, the unit that sums are kept in.
    """

    edges: NDArray[np.float64]
    centre: float
    scale: float

    @property
    def cells(self) -> int:
        """Number of counts: k cells, one below and one above."""
        return len(self.edges) + 1

    def assign(self, values: NDArray[np.float64]) -> NDArray[np.intp]:
        """intp[n]: the cell of each value: 0 below the range, 1 to k inside, k+1 above."""
        return np.searchsorted(self.edges, values, side="right")

    def plain(self) -> list[object]:
        return ["numeric", self.edges.tobytes(), self.centre, self.scale]


@dataclass(frozen=True, eq=False)
class CategoricalLayout:
    """Cells of a categorical feature: one a category, a few for the rarer ones, one for those never seen.

    vocabulary: most frequent first. others: the reference's remaining categories; which of their cells one falls into
    is decided by a digest of its name.
    """

    vocabulary: tuple[str, ...]
    others: tuple[str, ...] = ()

    @property
    def cells(self) -> int:
        """Number of counts: the vocabulary, then others, then unseen."""
        return len(self.vocabulary) + min(len(self.others), OTHERS_MAX) + 1

    @cached_property
    def index(self) -> Mapping[str, int]:
        """Cell of each known category; one that is not here belongs to the unseen cell."""
        known = {value: cell for cell, value in enumerate(self.vocabulary)}
        first, buckets = len(self.vocabulary), min(len(self.others), OTHERS_MAX)
        return known | {value: first + digest(value) % buckets for value in self.others}

    def plain(self) -> list[object]:
        return ["categorical", list(self.vocabulary), list(self.others)]


FeatureLayout = NumericLayout | CategoricalLayout


@dataclass(frozen=True, eq=False)
class OutcomeLayout:
    """How predictions are scored against labels.

    classes: the model's classes in a fixed order, empty for regression; others count as one more class. threshold:
    of a binary task without decisions, else None. centre, scale: unit of a regression's sums, from its labels.
    """

    task: Task
    classes: tuple[str, ...] = ()
    positive: str | None = None
    threshold: float | None = None
    centre: float = 0.0
    scale: float = 1.0

    def plain(self) -> list[object]:
        return [self.task, list(self.classes), self.positive, self.threshold, self.centre, self.scale]


@dataclass(frozen=True, eq=False)
class Layout:
    """The cells of every feature of a model, and of its outcome."""

    features: Mapping[str, FeatureLayout]
    outcome: OutcomeLayout

    @cached_property
    def digest(self) -> str:
        """Sha-256 of the layout's bytes: two layouts merge exactly where these are equal."""
        return hashlib.sha256(self.dump()).hexdigest()

    def dump(self) -> bytes:
        """Bytes of this layout; the same on every machine."""
        features = [[name, *layout.plain()] for name, layout in self.features.items()]
        return msgspec.msgpack.encode([features, self.outcome.plain()])

    @classmethod
    def load(cls, data: bytes) -> Layout:
        """The layout of `dump`."""
        features, outcome = msgspec.msgpack.decode(data)
        layouts: dict[str, FeatureLayout] = {}
        for name, kind, *parts in features:
            if kind == "numeric":
                layouts[name] = NumericLayout(np.frombuffer(parts[0], dtype="<f8"), parts[1], parts[2])
            else:
                layouts[name] = CategoricalLayout(tuple(parts[0]), tuple(parts[1]))
        task, classes, positive, threshold, centre, scale = outcome
        return cls(layouts, OutcomeLayout(task, tuple(classes), positive, threshold, centre, scale))
