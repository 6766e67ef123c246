"""Segments: parts of a model's traffic, by the values of a categorical feature, each counted in decision cells alone.

A change that touches one country is diluted in whole traffic. So a row counts once more for each column that is named:
in the segment of its value, or in that of all others (the rare ones, those that the reference never had, and rows
without one). Which values have a segment of their own is decided by the reference, never by what comes first. A
segment has no fine cells and no figures, only its tally: sums of integers, which any order and any split leave equal.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, Column, Predictions
from monitor.profiles.categorical import came_once
from monitor.profiles.decision import WIDTH, Codes, DecisionCells, coded
from monitor.profiles.history import History
from monitor.profiles.layout import CategoricalLayout
from monitor.profiles.profile import Fold, Profile, column_of

OTHER = "__other__"
"""In place of a value, all that have no segment of their own."""

SEGMENTS_MAX = 50
"""Segments of a model at most, of all its columns together."""

ROWS_MIN = 200
"""Rows of the reference that a segment needs to be compared with."""

WINDOWS_MAX = 672
"""Newest windows of the reference that are kept of segments: four weeks of hours, in which each of the week is four
times."""

Counts = NDArray[np.int64]


@dataclass(frozen=True)
class Segments:
    """values: by column, those with a segment of their own, the most frequent first; after them comes OTHER."""

    values: Mapping[str, tuple[str, ...]]

    @cached_property
    def names(self) -> tuple[str, ...]:
        """As in country=PL."""
        return tuple(f"{column}={value}" for column, own in self.values.items() for value in (*own, OTHER))

    @cached_property
    def columns(self) -> tuple[str, ...]:
        """Of each segment, the feature by which it is one."""
        return tuple(column for column, own in self.values.items() for _ in (*own, OTHER))

    def __len__(self) -> int:
        return len(self.columns)

    def places(self, batch: Predictions) -> list[Counts]:
        """Of each column, int64[n]: which segment a row belongs to."""
        found, first = [], 0
        for column, own in self.values.items():
            values, other = batch.features[column], first + len(own)
            assert isinstance(values, CategoricalColumn)
            codes = values.recode({value: first + place for place, value in enumerate(own)}, other)
            found.append(np.where(codes < 0, other, codes).astype(np.int64))
            first = other + 1
        return found

    @classmethod
    def most_frequent(cls, columns: Sequence[str], rows: Mapping[tuple[str, str], int], most: int) -> Segments:
        """At most `most` segments of these columns; rows: by column and value. Of equally frequent values the first."""
        able = [(column, value) for (column, value), held in rows.items() if column in columns and held >= ROWS_MIN]
        able.sort(key=lambda each: -rows[each])
        own = able[: max(most - len(columns), 0)]
        return cls({column: tuple(value for mine, value in own if mine == column) for column in columns})


NONE = Segments({})


@dataclass(frozen=True, eq=False)
class SegmentCells:
    """Counts rows by segment, feature and decision cell."""

    segments: Segments
    cells: DecisionCells

    def empty(self) -> Counts:
        """int64[segments, features, WIDTH]: of no rows."""
        return np.zeros((len(self.segments), len(self.cells.groups), WIDTH), dtype=np.int64)

    def bases(self, batch: Predictions, part: Counts) -> list[Counts]:
        """Of each column, int64[n]: where a row's counts begin; part: int64[n], which tally it belongs to."""
        return [(part * len(self.segments) + place) * WIDTH for place in self.segments.places(batch)]

    def counted(self, name: str, codes: Codes, bases: Sequence[Counts], parts: int) -> Counts:
        """int64[parts, segments, WIDTH]: rows of one feature; codes: as of `coded`."""
        place = self.cells.places(name)[codes + 2]
        size = parts * len(self.segments) * WIDTH
        found = np.zeros(size, dtype=np.int64)
        for base in bases:
            found += np.bincount(base + place, minlength=size)
        return found.reshape(parts, len(self.segments), WIDTH)

    def adding(self, tallies: Sequence[Counts], batch: Predictions, starts: NDArray[np.intp]) -> Fold:
        """What adds rows of the batch to the tallies, each from its start on, as they are folded."""
        sizes = np.diff(np.append(starts, len(batch)))
        bases = self.bases(batch, np.repeat(np.arange(len(starts)), sizes))
        order = {name: place for place, name in enumerate(self.cells.groups)}

        def add(name: str, rows: slice, column: Column, cells: Codes) -> None:
            codes = coded(self.cells.layout.features[name], column, cells)
            found = self.counted(name, codes, [base[rows] for base in bases], len(tallies))
            for tally, mine in zip(tallies, found, strict=True):
                tally[:, order[name]] += mine

        return add


@dataclass(frozen=True, eq=False)
class Segmented:
    """The segments of a reference's rows. total: int64[S F, WIDTH], segments one after the other; past: int[W, S F,
    WIDTH], the same of the newest windows of its history, in the smallest integers that hold them; None where it has
    none.
    """

    segments: Segments
    total: Counts
    past: NDArray[Any] | None

    @classmethod
    def of_rows(cls, cells: DecisionCells, rows: Predictions, segments: Segments, history: History | None) -> Segmented:
        """history: of the whole of these rows."""
        counting, layouts = SegmentCells(segments, cells), cells.layout.features
        total, windows, past = counting.empty(), 0, None
        whole = counting.bases(rows, np.zeros(len(rows), dtype=np.int64))
        if history is not None:
            starts = history.starts[-WINDOWS_MAX:]
            recent = np.flatnonzero(rows.time_ms >= starts[0])
            window = np.searchsorted(starts, rows.time_ms[recent] // history.size * history.size)
            windows, bases = len(starts), counting.bases(rows.take(recent), window)
            largest = int(np.bincount(window).max())
            past = np.zeros((windows, *total.shape), dtype=np.min_scalar_type(largest))
        for place, (name, layout) in enumerate(layouts.items()):
            column = column_of(rows, name, layout)
            codes = coded(layout, column)
            if past is not None:
                past[:, :, place] = counting.counted(name, codes[recent], bases, windows)
            if isinstance(layout, CategoricalLayout):
                # As many as came once are expected to be of values never seen: see `Reference.build`.
                assert isinstance(column, CategoricalColumn)
                codes = np.where(came_once(column)[np.maximum(column.codes, 0)] & (codes >= 0), layout.cells - 1, codes)
            total[:, place] = counting.counted(name, codes, whole, 1)[0]
        return cls(segments, total.reshape(-1, WIDTH), None if past is None else past.reshape(windows, -1, WIDTH))

    def only(self, columns: Sequence[str], most: int) -> Segmented:
        """At most so many segments, of these columns; the rows of the others are theirs of all other values."""
        size, features = len(self.segments), len(self.total) // max(len(self.segments), 1)
        rows = self.total.reshape(size, features, WIDTH)[:, 0].sum(axis=1).tolist()
        values = _values(self.segments)
        held = {
            (column, value): count
            for column, value, count in zip(self.segments.columns, values, rows, strict=True)
            if value != OTHER
        }
        chosen = Segments.most_frequent(columns, held, most)
        if chosen == self.segments:
            return self
        index = {place: where for where, place in enumerate(zip(chosen.columns, _values(chosen), strict=True))}
        kept = [place for place, column in enumerate(self.segments.columns) if column in columns]
        goes = [
            index.get((self.segments.columns[place], values[place]), index[self.segments.columns[place], OTHER])
            for place in kept
        ]

        def joined(counts: NDArray[Any]) -> NDArray[Any]:
            before = counts.reshape(-1, size, features, WIDTH)
            after = np.zeros((len(before), len(chosen), features, WIDTH), dtype=counts.dtype)
            for place, where in zip(kept, goes, strict=True):
                after[:, where] += before[:, place]
            return after.reshape(*counts.shape[:-2], -1, WIDTH)

        return Segmented(chosen, joined(self.total), None if self.past is None else joined(self.past))

    def plain(self) -> list[Any]:
        values = [[column, list(own)] for column, own in self.segments.values.items()]
        past = None
        if self.past is not None:
            kind = self.past.dtype.newbyteorder("<")
            past = [kind.str, list(self.past.shape), self.past.astype(kind, copy=False).tobytes()]
        return [values, self.total.tobytes(), past]

    @classmethod
    def of_plain(cls, plain: list[Any]) -> Segmented:
        values, total, past = plain
        return cls(
            Segments({column: tuple(own) for column, own in values}),
            np.frombuffer(total, dtype="<i8").reshape(-1, WIDTH),
            None if past is None else np.frombuffer(past[2], dtype=past[0]).reshape(tuple(past[1])),
        )


def _values(segments: Segments) -> list[str]:
    return [value for own in segments.values.values() for value in (*own, OTHER)]


def chosen(profile: Profile, columns: Sequence[str]) -> Segments:
    """The segments that a reference's rows give by these columns."""
    rows: dict[tuple[str, str], int] = {}
    for column in columns:
        layout = profile.layout.features[column]
        assert isinstance(layout, CategoricalLayout)
        counts = profile.features[column].counts[: len(layout.vocabulary)].tolist()
        rows |= {(column, value): held for value, held in zip(layout.vocabulary, counts, strict=True) if value != OTHER}
    return Segments.most_frequent(columns, rows, SEGMENTS_MAX)
