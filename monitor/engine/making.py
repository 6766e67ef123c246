"""References made in production: of a model's first windows, or of its newest ones when these are the new normal."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import replace

import numpy as np

from monitor.engine.memory import Memory
from monitor.profiles.history import History, Unit
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.together import Together
from monitor.spec import ModelSpec

ROWS_MIN = 200
"""Rows that a reference is made of at least."""

WINDOWS_MIN = 2
"""Windows that they come from at least."""


def enough(memory: Memory, version: str, starts: list[int]) -> bool:
    """Whether these windows hold what a reference needs."""
    rows = sum(len(memory.kept[version, start].sample.order) for start in starts)
    return len(starts) >= WINDOWS_MIN and rows >= ROWS_MIN


def made_of(
    spec: ModelSpec, memory: Memory, version: str, starts: list[int], outcome: OutcomeLayout | None = None
) -> Reference:
    """The reference of the rows that are kept of some windows: cells, seasons and over-dispersion as from a table.

    outcome: as in `Reference.build`.
    """
    rows = memory.predictions(version, starts)
    threshold = spec.performance.threshold
    reference = Reference.build(spec.schema, rows, None, version=version, threshold=threshold, outcome=outcome)
    unit: Unit = "ms" if spec.window.timed else "rows"
    return replace(reference, history=History.of_rows(reference.cells, rows, unit, spec.part))


def with_features(old: Reference, new: Reference, features: Collection[str]) -> Reference:
    """The old reference with some features as in the new one. Its history holds the windows of both: those of the old
    one without the rows of these features, those of the new one with no others.
    """
    layouts = {name: (new if name in features else old).layout.features[name] for name in old.layout.features}
    layout = Layout(layouts, old.layout.outcome)
    summaries = {name: (new if name in features else old).profile.features[name] for name in layouts}
    profile = Profile(layout, old.profile.rows, summaries, new.profile.sample, old.profile.scores)
    return Reference(old.version, layout, profile, old.outcome, _together(old, new, features))


def _together(old: Reference, new: Reference, features: Collection[str]) -> History | None:
    before, after = old.history, new.history
    if before is None or after is None or (before.unit, before.size) != (after.unit, after.size):
        before = None
    if after is None:
        return None
    places = list(new.layout.features)
    order = [places.index(name) if name in features else 0 for name in old.layout.features]
    theirs = np.array([name in features for name in old.layout.features])
    newer = np.where(theirs[:, None], after.tallies[:, order], 0)
    mine, other = Together.of(old.layout), Together.of(new.layout)
    touched = mine.touching(features)[:, None]
    paired = np.where(touched, other.reordered(after.pairs, mine), 0)
    if before is None:
        return History(after.unit, after.size, after.starts, newer, paired)
    older, stands = np.where(theirs[:, None], 0, before.tallies), np.where(touched, 0, before.pairs)
    starts = np.concatenate([before.starts, after.starts])
    tallies, pairs = np.concatenate([older, newer]), np.concatenate([stands, paired])
    return History(before.unit, before.size, starts, tallies, pairs)
