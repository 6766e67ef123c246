"""What a model's windows are compared with: the cells, and the counts and figures of known good data.

A reference is built once, from a training or production table, and is one file. Its digest names it in receipts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import (
    PREDICTION,
    PRESENT,
    SCORE,
    CategoricalColumn,
    Column,
    NumericColumn,
    Pairs,
    Predictions,
)
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.profiles.categorical import came_once
from monitor.profiles.decision import DecisionCells
from monitor.profiles.history import History, Unit
from monitor.profiles.layout import (
    CATEGORIES_MAX,
    CELLS,
    CategoricalLayout,
    FeatureLayout,
    Layout,
    NumericLayout,
    OutcomeLayout,
)
from monitor.profiles.outcome import Outcome
from monitor.profiles.profile import Profile
from monitor.profiles.segments import Segmented, Segments, chosen

_VERSION = 3
_FREQUENT = 100  # Rows that a category needs for a cell of its own, where there are too many for each to have one.
_PARTS_MIN = 12  # Windows by number of rows that how much they vary is learned from.
_TINY = 1e-290  # Below this the unit of fixed-point sums would overflow; such a feature is constant to all purposes.

Counts = NDArray[np.int64]


@dataclass(frozen=True, eq=False)
class Reference:
    """version: the model version it belongs to, or empty for any. outcome: None where its rows had no labels. history:
    how its rows came, None where that is not known. segmented: its segments, None where none were asked for.
    """

    version: str
    layout: Layout
    profile: Profile
    outcome: Outcome | None
    history: History | None = None
    segmented: Segmented | None = None

    @classmethod
    def build(
        cls,
        schema: Schema,
        predictions: Predictions,
        pairs: Pairs | None,
        *,
        version: str = "",
        threshold: float | None = None,
        windows: tuple[Unit, int] | None = None,
        outcome: OutcomeLayout | None = None,
    ) -> Reference:
        """The reference of a table's rows; `pairs` are those of them that have a label.

        windows: unit and size of those that the rows are cut into, to learn how much these vary; of rows where their
        event time is the row number. outcome: how predictions are scored, where labels are counted so already.
        """
        columns = {name: predictions.features[name] for name in schema.features} | _outputs(predictions)
        features: dict[str, FeatureLayout] = {
            name: _numeric(column) if isinstance(column, NumericColumn) else _categorical(column)
            for name, column in columns.items()
        }
        layout = Layout(
            features, outcome or scoring(schema, predictions, None if pairs is None else pairs.label, threshold)
        )
        profile = Profile.empty(layout)
        profile.fold(predictions)
        for name, part in layout.features.items():
            if isinstance(part, CategoricalLayout):
                _expect_unseen(part, profile.features[name].counts, columns[name])
        labelled = None
        if pairs is not None and len(pairs):
            labelled = Outcome.empty(layout.outcome)
            labelled.fold(layout.outcome, pairs)
        history = None
        if windows is not None:
            unit, size = windows
            if unit == "rows":  # Parts of windows where few would be whole.
                size = max(1, min(size, len(predictions) // _PARTS_MIN))
            history = History.of_rows(DecisionCells.of(profile), predictions, unit, size)
        return cls(version, layout, profile, labelled, history)

    def with_segments(self, predictions: Predictions, by: Sequence[str] | Segments) -> Reference:
        """With segments of the same rows. by: categorical features, whose most frequent values they are; or the
        segments themselves.
        """
        if not by:
            return self
        segments = by if isinstance(by, Segments) else chosen(self.profile, by)
        return replace(self, segmented=Segmented.of_rows(self.cells, predictions, segments, self.history))

    def of_version(self, version: str) -> Reference:
        """The same rows, as those of a version."""
        return self if version == self.version else replace(self, version=version)

    @cached_property
    def cells(self) -> DecisionCells:
        """The cells that decisions are taken on."""
        return DecisionCells.of(self.profile)

    @property
    def rows(self) -> int:
        return self.profile.rows

    @cached_property
    def digest(self) -> str:
        """Sha-256 of the file's bytes, with the algorithm's name before it."""
        return codec.sha256(self.dump())

    def dump(self) -> bytes:
        """Bytes of the compiled file."""
        outcome = None if self.outcome is None else self.outcome.plain()
        history = None if self.history is None else self.history.plain()
        segmented = None if self.segmented is None else self.segmented.plain()
        content = (self.version, self.layout.dump(), self.profile.plain(), outcome, history, segmented)
        return codec.pack("REFE", _VERSION, content)

    @classmethod
    def load(cls, data: bytes) -> Reference:
        """The reference of `dump`; CodecError where the bytes are none."""
        version, layout_bytes, profile, outcome, history, segmented = codec.unpack(
            "REFE",
            _VERSION,
            data,
            tuple[str, bytes, list[Any], list[Any] | None, list[Any] | None, list[Any] | None],
            oldest=_VERSION,
        )
        layout = Layout.load(layout_bytes)
        return cls(
            version,
            layout,
            Profile.of_plain(layout, profile),
            None if outcome is None else Outcome.of_plain(outcome),
            None if history is None else History.of_plain(history),
            None if segmented is None else Segmented.of_plain(segmented),
        )

    def segments_of(self, columns: Sequence[str], most: int) -> Segmented | None:
        """At most so many of its segments, of these columns; None where there are none."""
        return self.segmented.only(columns, most) if columns and self.segmented is not None else None

    def streams(self, segmented: Segmented | None) -> tuple[Counts, History | None]:
        """The tally of all rows, int64[F + S F, WIDTH], and of their windows: of whole traffic, then of segments."""
        total, history = self.cells.tally(self.profile), self.history
        if segmented is None:
            return total, history
        total = np.concatenate([total, segmented.total])
        past = segmented.past
        if history is not None and past is not None:
            parts = np.zeros((len(history.starts), *past.shape[1:]), dtype=past.dtype)
            parts[len(parts) - len(past) :] = past
            smallest = np.min_scalar_type(history.tallies.max(initial=0))
            history = replace(history, tallies=np.concatenate([history.tallies.astype(smallest), parts], axis=1))
        return total, history


def _outputs(predictions: Predictions) -> dict[str, Column]:
    """What the model answered, where any row carries it."""
    outputs: dict[str, Column] = {}
    if predictions.prediction is not None:
        outputs[PREDICTION] = predictions.prediction
    if predictions.scores:
        outputs[SCORE] = predictions.column(SCORE, numeric=True)
    return outputs


def _numeric(column: Column) -> NumericLayout:
    assert isinstance(column, NumericColumn)
    values = column.values[column.state == PRESENT]
    if not len(values):
        return NumericLayout(np.array([0.0, np.nextafter(0.0, 1.0)]), 0.0, 1.0)
    distinct, counts = np.unique(values, return_counts=True)
    bound = max(float(np.abs(distinct).max()), _TINY)
    # Over sorted distinct values, so that the order of rows cannot reach the last bit.
    shares = counts / len(values)
    centre = bound * float(np.sum(distinct / bound * shares))
    scale = bound * float(np.sqrt(np.sum((distinct / bound - centre / bound) ** 2 * shares)))
    if scale <= bound * 1e-12:  # Constant up to rounding: its size is the only unit there is.
        scale = bound
    return NumericLayout(_edges(distinct, counts), centre, scale)


def _edges(distinct: NDArray[np.float64], counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """float64[k+1]: cuts half-way between the distinct values at which a cell of 1/CELLS of the rows is full.

    A value that fills a cell alone (an atom) has one of its own: cut on both sides.
    """
    total = np.cumsum(counts)
    full = np.searchsorted(total, np.arange(1, CELLS) * (int(total[-1]) / CELLS))
    atoms = np.flatnonzero(counts * CELLS >= total[-1])
    after = np.unique(np.concatenate([full, atoms, atoms - 1]))
    after = after[(after >= 0) & (after < len(distinct) - 1)]
    below, above = distinct[after], distinct[after + 1]
    middle = below / 2 + above / 2
    middle = np.where(middle > below, middle, above)
    with np.errstate(over="ignore"):  # Above the largest double there is infinity.
        end = np.nextafter(distinct[-1], np.inf)
    return np.unique(np.concatenate([distinct[:1], middle, [end]]))


def _categorical(column: Column) -> CategoricalLayout:
    assert isinstance(column, CategoricalColumn)
    counts = np.bincount(column.codes[column.codes >= 0], minlength=len(column.values)).tolist()
    # Equal counts are told apart by name, so that the order of rows cannot matter.
    ranked = [
        value
        for count, value in sorted((-count, value) for count, value in zip(counts, column.values, strict=True))
        if count
    ]
    if len(ranked) > CATEGORIES_MAX:
        # Of thousands that are equally rare, the most frequent ones were only lucky: they have no cell of their own.
        frequent = sum(count >= _FREQUENT for count in counts)
        own = min(frequent, CATEGORIES_MAX)
        return CategoricalLayout(tuple(ranked[:own]), tuple(sorted(ranked[own:])))
    return CategoricalLayout(tuple(ranked))


def _expect_unseen(layout: CategoricalLayout, counts: Counts, column: Column) -> None:
    """Move the rows of categories that came once to the cell of those that never did.

    Their share is what further rows of the same source are expected to hold of new ones: with ten thousand postal codes
    in a reference of twice as many rows, one row in seven. Good 1953, Biometrika 40(3/4).
    """
    assert isinstance(column, CategoricalColumn)
    once = [layout.index[column.values[code]] for code in np.flatnonzero(came_once(column)).tolist()]
    np.subtract.at(counts, once, 1)
    counts[-1] += len(once)


def scoring(
    schema: Schema, answers: Predictions | Pairs, label: Column | None, threshold: float | None
) -> OutcomeLayout:
    """How answers are scored against labels, of whatever classes they name, in the unit of these labels."""
    if schema.task == "regression":
        given = answers.prediction if label is None else label
        if not isinstance(given, NumericColumn) or not (given.state == PRESENT).any():
            return OutcomeLayout(schema.task)
        unit = _numeric(given)
        return OutcomeLayout(schema.task, centre=unit.centre, scale=unit.scale)
    named: set[str] = set(answers.scores)
    for column in (answers.prediction, label):
        if isinstance(column, CategoricalColumn):
            named.update(column.values)
    if schema.positive is not None:
        named.add(schema.positive)
    return OutcomeLayout(schema.task, tuple(sorted(named)), schema.positive, threshold)
