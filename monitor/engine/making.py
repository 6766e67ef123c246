"""References made in production: of a model's first windows, or of its newest ones when these are the new normal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.engine.memory import Memory
from monitor.profiles.history import History, Unit
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.segments import WINDOWS_MAX, Segmented, Segments
from monitor.spec import ModelSpec

Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]

ROWS_MIN = 200
"""Rows that a reference is made of at least."""

WINDOWS_MIN = 2
"""Windows that they come from at least."""


def enough(memory: Memory, version: str, starts: list[int]) -> bool:
    """Whether these windows hold what a reference needs."""
    rows = sum(len(memory.kept[version, start].sample.order) for start in starts)
    return len(starts) >= WINDOWS_MIN and rows >= ROWS_MIN


def made_of(
    spec: ModelSpec,
    memory: Memory,
    version: str,
    starts: list[int],
    outcome: OutcomeLayout | None = None,
    segments: Segments | None = None,
) -> Reference:
    """The reference of the rows that are kept of some windows: cells, seasons and over-dispersion as from a table.

    outcome: as in `Reference.build`. segments: None: as these rows have it.
    """
    rows = memory.predictions(version, starts)
    threshold = spec.performance.threshold
    reference = Reference.build(spec.schema, rows, None, version=version, threshold=threshold, outcome=outcome)
    unit: Unit = "ms" if spec.window.timed else "rows"
    whole = replace(reference, history=History.of_rows(reference.cells, rows, unit, spec.part))
    return whole.with_segments(rows, segments or spec.segments)


def with_features(old: Reference, new: Reference, features: Collection[str]) -> Reference:
    """The old reference with some features as in the new one. Its history holds the windows of both: those of the old
    one without the rows of these features, those of the new one with no others.
    """
    layouts = {name: (new if name in features else old).layout.features[name] for name in old.layout.features}
    layout = Layout(layouts, old.layout.outcome)
    summaries = {name: (new if name in features else old).profile.features[name] for name in layouts}
    profile = Profile(layout, old.profile.rows, summaries, new.profile.sample, old.profile.scores)
    places = list(new.layout.features)
    order = np.array([places.index(name) if name in features else 0 for name in layouts])
    theirs = np.array([name in features for name in layouts])
    history = _together(old.history, new.history, order, theirs)
    return Reference(old.version, layout, profile, old.outcome, history, _segmented(old, new, order, theirs))


def _segmented(old: Reference, new: Reference, order: Counts, theirs: Bools) -> Segmented | None:
    """Both have the same segments."""
    ours, newer = old.segmented, new.segmented
    if ours is None or newer is None:
        return None
    parts = len(ours.segments)
    order = (order + len(new.layout.features) * np.arange(parts)[:, None]).ravel()
    theirs = np.tile(theirs, parts)
    past = _together(ours.history, newer.history, order, theirs)
    total = np.where(theirs[:, None], newer.total[order], ours.total)
    return Segmented(ours.segments, total, None if past is None else past.newest(WINDOWS_MAX))


def _together(before: History | None, after: History | None, order: Counts, theirs: Bools) -> History | None:
    """order: int64[S], where a stream is in the newer one; theirs: bool[S], which are as in it."""
    if before is None or after is None or (before.unit, before.size) != (after.unit, after.size):
        before = None
    if after is None:
        return None
    newer = np.where(theirs[:, None], after.tallies[:, order], 0)
    if before is None:
        return History(after.unit, after.size, after.starts, newer)
    older = np.where(theirs[:, None], 0, before.tallies)
    starts = np.concatenate([before.starts, after.starts])
    return History(before.unit, before.size, starts, np.concatenate([older, newer]))
