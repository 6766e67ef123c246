"""References made in production: of a model's first windows, or of its newest ones when these are the new normal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.engine.memory import Memory
from monitor.profiles.history import History, Unit
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.segments import WINDOWS_MAX, Segmented, Segments
from monitor.profiles.together import Together
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
    history = _history(old, new, order, theirs, Together.of(layout).touching(features))
    return Reference(old.version, layout, profile, old.outcome, history, _segmented(old, new, order, theirs))


def _history(old: Reference, new: Reference, order: Counts, theirs: Bools, touched: Bools) -> History | None:
    """order: int64[F], where a feature is in the newer one; theirs: bool[F], which are as in it; touched: bool[P]."""
    before, after = old.history, new.history
    if after is None:
        return None
    pairs = Together.of(new.layout).reordered(after.pairs, Together.of(old.layout))
    after = replace(after, tallies=after.tallies[:, order], pairs=pairs)
    if before is None or not _alike(before, after):
        before = replace(after, starts=after.starts[:0], tallies=after.tallies[:0], pairs=pairs[:0])
    return replace(
        after,
        starts=np.concatenate([before.starts, after.starts]),
        tallies=_of_both(before.tallies, after.tallies, theirs),
        pairs=_of_both(before.pairs, after.pairs, touched),
    )


def _segmented(old: Reference, new: Reference, order: Counts, theirs: Bools) -> Segmented | None:
    """Both have the same segments."""
    ours, newer = old.segmented, new.segmented
    if ours is None or newer is None:
        return None
    parts = len(ours.segments)
    order = (order + len(new.layout.features) * np.arange(parts)[:, None]).ravel()
    theirs = np.tile(theirs, parts)
    total = np.where(theirs[:, None], newer.total[order], ours.total)
    past = None
    if newer.past is not None:
        after = newer.past[:, order]
        before = after[:0] if ours.past is None or not _alike(old.history, new.history) else ours.past
        past = _of_both(before, after, theirs)[-WINDOWS_MAX:]
    return Segmented(ours.segments, total, past)


def _alike(before: History | None, after: History | None) -> bool:
    """Whether their windows are of one kind."""
    return before is not None and after is not None and (before.unit, before.size) == (after.unit, after.size)


def _of_both(before: NDArray[Any], after: NDArray[Any], theirs: Bools) -> NDArray[Any]:
    """int[W + W', S, K]: windows of both; theirs: bool[S], streams that only the later ones tell of, and not the
    earlier ones.
    """
    later = theirs[:, None]
    return np.concatenate([np.where(later, 0, before), np.where(later, after, 0)])
