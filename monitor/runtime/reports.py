"""Reports on windows: of the rows that the store keeps of one, beside those of what it was compared with."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from monitor.detection.sentences import called
from monitor.errors import ConfigError, NotFoundError, RefusedError
from monitor.events.batch import OUTPUTS, PRESENT, Column, NumericColumn
from monitor.events.timestamps import instant, iso
from monitor.exports.report import Report, Scope, banner
from monitor.exports.text import clean
from monitor.profiles.sample import Sample
from monitor.runtime.rendering import Renderer
from monitor.runtime.store import Store
from monitor.runtime.store.kept import KeptCounts, KeptRows
from monitor.snapshot import ModelView, Snapshot

FEATURES_MAX = 40
"""Features of one report, besides what the model answers: each takes a fifth of a second and 100 kB of the page."""


@dataclass(frozen=True, slots=True)
class Reporter:
    """Answers the API. snapshot: the newest one. url: where people reach the service."""

    store: Store
    snapshot: Callable[[], Snapshot]
    renderer: Renderer
    url: str

    def report(self, model: str, version: str | None = None, window: str | None = None) -> Report:
        """window: its end, ISO 8601, or the id of an incident, for the newest window that it was seen in; None: the
        newest one. version: None, the newest of that window. For any thread.

        ConfigError where it is neither, NotFoundError where no such window is kept, else as `Renderer.render`.
        """
        view = self.snapshot().models[model]
        version, end_ms = _named(view, version, window)
        rows = self.store.kept_rows(model, version, end_ms)
        counts = None if rows is None else self.store.kept_counts(model, rows.window.version, rows.window.end_ms)
        if rows is None or counts is None:
            raise NotFoundError(_not_kept(view, version, end_ms))
        return self._of(rows, counts, view)

    def _of(self, rows: KeptRows, counts: KeptCounts, view: ModelView) -> Report:
        window, basis = rows.window, counts.basis
        current, reference = (_columns(each, counts) for each in (rows.sample, rows.reference))
        empty = [name for name in current if not (_valued(current[name]) and _valued(reference[name]))]
        features = [name for name in current if name not in OUTPUTS]
        shown = [name for name in _most_moved(counts) if name in features and name not in empty][:FEATURES_MAX]
        answers = [name for name in current if name in OUTPUTS and name not in empty]
        if not shown and not answers:
            raise RefusedError(
                f"the window that ends at {iso(window.end_ms)} and its reference have no feature with a value in the "
                "samples of both: there is nothing to report on"
            )
        scope = Scope(
            window=window,
            rows=_rows(counts.tally),
            sampled=len(rows.sample.order),
            reference_rows=_rows(basis.tally),
            reference_sampled=len(rows.reference.order),
            features=len(features),
            shown=len(shown),
            empty=tuple(empty),
            url=self.url,
        )
        now, before = (_table(each, [*answers, *shown]) for each in (current, reference))
        decided = next((each for each in view.windows if each.window == window), None)
        title = clean(f"Report on {window.model}, version {called(window.version)}, {iso(window.end_ms)}")
        return Report(scope, self.renderer.render(now, before, title, banner(scope, decided)))


def _named(view: ModelView, version: str | None, window: str | None) -> tuple[str | None, int | None]:
    """Version and end of the window that is asked for."""
    if window is None:
        return version, None
    if window.startswith("inc_"):
        found = next((each.latest for each in view.incidents if each.id == window), None)
        if found is None:
            raise NotFoundError(f"model {view.name!r} has no incident {window!r}: /api/v1/incidents lists those held")
        return found.version, found.end_ms
    end_ms = instant(window)
    if end_ms < 0:
        raise ConfigError("window is the end of one, as in 2026-11-23T10:00:00Z, or the id of an incident")
    return version, end_ms


def _not_kept(view: ModelView, version: str | None, end_ms: int | None) -> str:
    of = f"model {view.name!r}" + ("" if version is None else f", version {called(version)}")
    at = "" if end_ms is None else f" that ends at {iso(end_ms)}"
    return f"no rows are kept of a window of {of}{at}: /api/v1/models/{view.name}/windows lists the newest ones"


def _columns(sample: Sample, counts: KeptCounts) -> dict[str, Column]:
    """By feature and output, in the order of the layout."""
    return {name: sample.column(name, numeric) for name, numeric in counts.basis.numeric.items()}


def _valued(column: Column) -> bool:
    if isinstance(column, NumericColumn):
        return bool((column.state == PRESENT).any())
    return bool((column.codes >= 0).any())


def _most_moved(counts: KeptCounts) -> list[str]:
    """Features by how far the shares of their cells are from the reference's, on all rows; farthest first."""
    now, before = (tally / np.maximum(tally.sum(1, keepdims=True), 1) for tally in (counts.tally, counts.basis.tally))
    distance = np.abs(now - before).sum(1)
    names = list(counts.basis.numeric)
    return [names[place] for place in np.argsort(-distance, kind="stable")]


def _rows(tally: np.ndarray[tuple[int, ...], np.dtype[np.int64]]) -> int:
    """Of all features together: each counts the same rows."""
    return int(tally.sum(1).max(initial=0))


def _table(columns: dict[str, Column], names: list[str]) -> pa.Table:
    return pa.table({clean(name): _values(columns[name]) for name in names})


def _values(column: Column) -> pa.Array:
    """Numbers or text; null where there is no usable value."""
    if isinstance(column, NumericColumn):
        return pa.array(column.values, mask=column.state != PRESENT)
    values = np.array([*column.values, None], dtype=object)
    return pa.array(values[np.where(column.codes < 0, -1, column.codes)], pa.string())
