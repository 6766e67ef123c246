"""The service's own loop over files: what would have been read, alarmed and triggered."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.engine import Monitor, Output
from monitor.errors import ConfigError
from monitor.events.batch import Labels, Origin, Predictions
from monitor.events.decoder import Decoded
from monitor.profiles.reference import Reference
from monitor.runtime.intake import Topics
from monitor.runtime.loop import Loop
from monitor.runtime.source import Polled
from monitor.runtime.store import Store
from monitor.runtime.tables import Table
from monitor.spec import FeatureSpec, MadeSpec, ModelSpec
from monitor.windows.streams import FOREVER, Now
from monitor.windows.window import Place, WindowSpec

CHUNK = 50_000
"""Rows of a table that one step takes in."""

_PREDICTIONS, _LABELS = "predictions", "labels"
_WATCHED = FeatureSpec()
Batch = TypeVar("Batch", Predictions, Labels)


class TableSource:
    """A `monitor.runtime.source.Source` over the rows of one model, in order of event time."""

    def __init__(self, predictions: Predictions, labels: Labels | None) -> None:
        self._predictions = _in_order(predictions, _PREDICTIONS)
        self._labels = None if labels is None else _in_order(labels, _LABELS)
        self._next = 0
        self._next_label = 0

    @property
    def exhausted(self) -> bool:
        return self._next >= len(self._predictions)

    def start(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        self._next = self._next_label = 0

    def poll(self, timeout_ms: int) -> Polled:
        """The next rows, and the labels up to the time of the last of them; after the last row, all labels."""
        rows = self._predictions.take(slice(self._next, self._next + CHUNK))
        self._next += len(rows)
        predictions = (rows,) if len(rows) else ()
        labels = self._labels_until(None if self.exhausted else int(rows.time_ms[-1]))
        read = len(rows) + sum(map(len, labels))
        return Polled(((Decoded(read, predictions, labels, (), (), 0), None),) if read else ())

    def _labels_until(self, time_ms: int | None) -> tuple[Labels, ...]:
        if self._labels is None:
            return ()
        known = self._labels.time_ms
        end = len(known) if time_ms is None else int(np.searchsorted(known, time_ms, side="right"))
        rows = self._labels.take(slice(self._next_label, end))
        self._next_label = max(self._next_label, end)
        return (rows,) if len(rows) else ()

    def hold(self, places: Collection[Place]) -> None:
        """A table is one partition, and never ahead of itself."""

    def places(self) -> frozenset[Place]:
        places = {(_PREDICTIONS, 0)} if self._labels is None else {(_PREDICTIONS, 0), (_LABELS, 0)}
        return frozenset(places)

    def lag(self) -> Mapping[Place, int]:
        return {}

    def trouble(self) -> str | None:
        return None

    def committed(self, positions: Mapping[Place, int]) -> None:
        """A table has no consumer group."""

    def close(self) -> None:
        """Nothing to close."""


@dataclass(frozen=True, slots=True)
class Backtest:
    """What a run over tables gave. spec: in force, windows by rows included. references: by version, also those made of
    the table's rows. by_row: windows are spans of row numbers. events: predictions and labels by result. left_over:
    rows at the end that fill no window of their own. absent: as of the table, features that are off left out. seconds:
    of reading, not of loading. unknown: labels that name no class of the model.
    """

    spec: ModelSpec
    references: Mapping[str, Reference]
    outputs: list[Output]
    by_row: bool
    events: Mapping[str, int]
    predictions: int
    labels: int
    left_over: int
    absent: Mapping[str, str]
    seconds: float
    unknown: int = 0

    def compared_with(self, version: str) -> str | None:
        """The version whose reference another's windows are compared with; None where there is none."""
        known = (version, "", *list(self.references)[::-1])
        return next((each for each in known if each in self.references), None)


def run_backtest(
    spec: ModelSpec,
    references: Mapping[str, Reference],
    table: Table,
    labels: Labels | None,
    clock: Callable[[], Now],
    progress: Callable[[int, int], None] = lambda done, total: None,
) -> Backtest:
    """Run one model's table, with labels from it or from a file of their own. progress: rows done, and in all."""
    started = time.perf_counter()
    given = labels if labels is not None else table.labels
    predictions = table.predictions
    if labels is None and given is not None:
        # Labels of the same rows need no id to find their prediction.
        predictions = replace(predictions, identified=np.ones(len(predictions), dtype=np.bool_))
    by_row = table.by_row or spec.window.unit == "rows"
    if table.by_row and spec.window.unit == "ms":
        raise ConfigError("the table has no timestamps to cut windows by: give --window '500 rows', or name the column")
    spec = replace(spec, made=_made(spec, predictions, by_row=by_row, timed=not table.by_row))
    if by_row:
        spec = replace(spec, window=WindowSpec(spec.window.size, "numbered rows"))
        predictions, given = _timed_by_row(predictions, given, labels is None)
    if spec.retrain is not None:  # There is no pipeline that could be done with a request, or fail.
        spec = replace(spec, retrain=replace(spec.retrain, expires_ms=0))
    # A table's times are taken as they are: there is no clock that they could be ahead of.
    spec = replace(spec, lateness_ms=0, future_ms=FOREVER, labelled=given is not None)
    source = TableSource(predictions, given)
    store = Store.in_memory()
    loop = Loop(
        lambda: Monitor([spec], {spec.name: references}),
        store,
        source,
        Topics(frozenset({_PREDICTIONS}), frozenset({_LABELS})),
        lambda output, now_ms: [],
        clock,
        durable=False,
    )
    outputs: list[Output] = []
    while not source.exhausted:
        outputs += loop.step(0)[1]
        progress(source._next, len(predictions))
    # A last window by rows that is not full says nothing that can be compared with the others.
    left_over = len(predictions) % spec.window.size if by_row else 0
    outputs += loop.finish(len(predictions) - left_over if by_row else FOREVER)
    store.close()
    seconds = time.perf_counter() - started
    known = loop.monitor.models[spec.name].references
    used = {each.version: each.reference for each in known.values() if each.reference.layout.features}
    return Backtest(
        spec,
        used,
        outputs,
        by_row,
        {result: rows for (_, result), rows in loop.snapshot.service.events.items()},
        len(predictions),
        0 if given is None else len(given),
        left_over,
        {name: meant for name, meant in table.absent.items() if spec.features.get(name, _WATCHED).monitor != "off"},
        seconds,
        loop.snapshot.models[spec.name].labels["unknown"],
    )


def _made(spec: ModelSpec, predictions: Predictions, *, by_row: bool, timed: bool) -> MadeSpec | None:
    """How a reference is made of the rows; of a span of time in rows, where windows are by rows."""
    made = spec.made
    if made is None or (made.unit == "ms" and not by_row):
        return made
    if not by_row:
        raise ConfigError(f"--window cannot be a span of time: the reference of {spec.name} is learned of rows")
    if made.unit == "rows":
        return replace(made, unit="numbered rows")
    if not timed:
        raise ConfigError(
            f"the table has no timestamps, and the reference of {spec.name} is learned of a span of time: write a "
            "number of rows instead, as in reference: {learn: 5000 rows}"
        )
    rows = int((predictions.time_ms < predictions.time_ms.min() + made.size).sum()) if len(predictions) else 0
    return replace(made, size=rows, unit="numbered rows")


def _in_order(batch: Batch, topic: str) -> Batch:
    """The rows by time, as one partition of a topic would hold them."""
    if (np.diff(batch.time_ms) < 0).any():
        batch = batch.take(np.argsort(batch.time_ms, kind="stable"))
    zeros = np.zeros(len(batch), dtype=np.int32)
    return replace(batch, origin=Origin(topic, zeros, np.arange(len(batch), dtype=np.int64), zeros))


def _timed_by_row(
    predictions: Predictions, labels: Labels | None, same_rows: bool
) -> tuple[Predictions, Labels | None]:
    """Event time becomes the row's rank in time; a label's, its own row's or that of the last prediction before it."""
    order = np.argsort(predictions.time_ms, kind="stable")
    rank: NDArray[np.int64] = np.empty(len(order), dtype=np.int64)
    rank[order] = np.arange(len(order))
    if labels is not None:
        before = np.searchsorted(predictions.time_ms[order], labels.time_ms, side="right") - 1
        known = rank[labels.origin.offset] if same_rows else np.maximum(before, 0).astype(np.int64)
        labels = replace(labels, time_ms=known)
    return replace(predictions, time_ms=rank), labels
