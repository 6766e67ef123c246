"""What a closed window says of its features: readings, verdicts, and the drift incident that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import numpy as np

from monitor.detection import drift
from monitor.detection.drift import FeatureState
from monitor.detection.incidents import Incidents
from monitor.detection.records import State, Verdict
from monitor.detection.triggers import Evidence, describe_drift
from monitor.engine.pane import Pane
from monitor.profiles.layout import NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.snapshot import WindowView
from monitor.spec import FeatureSpec, ModelSpec
from monitor.statistics.effect import Effect, debiased_effects
from monitor.statistics.reading import Reading
from monitor.statistics.registry import DRIFT, QUALITY
from monitor.statistics.statistic import Statistic
from monitor.statistics.views import Cells, Counts, Grid, Quality, decision_groups
from monitor.windows.window import Window

K = TypeVar("K", bound=Hashable)

ROWS_MIN = 200
"""Rows with a value that a drift verdict needs: below it chance alone often exceeds the threshold."""


CELLS_MIN = 2
"""Decision cells, after rare ones were pooled, that a verdict needs."""


@dataclass(slots=True)
class CellStack:
    """Features with equally many decision cells, all ordered or none. places: the cell of each fine count of all."""

    names: tuple[str, ...]
    places: Counts
    reference: Cells

    def facing(self, profile: Profile) -> Cells:
        counts = np.concatenate([profile.features[name].counts for name in self.names])
        reference = self.reference.reference
        # Sums of counts are exact in float64: a feature has fewer than 2**53 rows.
        current = np.bincount(self.places, weights=counts, minlength=reference.size)
        return Cells(reference, current.astype(np.int64).reshape(reference.shape), self.reference.ordered)


@dataclass(slots=True)
class GridStack:
    """Numeric features with equally many fine cells."""

    names: tuple[str, ...]
    reference: Grid

    def facing(self, profile: Profile) -> Grid:
        return self.reference.facing(_numeric(profile, self.names))


class DriftReader:
    """Compares the windows of one model version with its reference; features of one shape are computed together."""

    def __init__(self, spec: ModelSpec, reference: Reference) -> None:
        self.spec = spec
        watched = {name: spec.features.get(name, FeatureSpec()).monitor for name in reference.layout.features}
        self._order = {name: place for place, name in enumerate(watched)}
        self._kinds = _by(schema_kind(reference), [name for name in watched if watched[name] != "off"])
        drifting = [name for name in watched if watched[name] == "drift"]
        self._cells = _cell_stacks(reference, drifting)
        self._grids = _grid_stacks(reference, drifting)

    def read(self, window: Window, profile: Profile) -> tuple[list[Reading], dict[str, Effect | None]]:
        """Readings of every feature that is watched, and the effect of each that may drift (None: too few rows)."""
        rows = {name: summary.rows for name, summary in profile.features.items()}
        readings: list[Reading] = []
        effects: dict[str, Effect | None] = {}
        for names in self._kinds.values():
            view = Quality.stack([profile.features[name] for name in names])
            readings += _readings(window, QUALITY, names, rows, view)
        for stack in self._cells:
            cells = stack.facing(profile)
            readings += _readings(window, DRIFT, stack.names, rows, cells)
            effects |= _effects(stack.names, cells)
        for grids in self._grids:
            readings += _readings(window, DRIFT, grids.names, rows, grids.facing(profile))
        readings.sort(key=lambda reading: self._order[reading.feature])
        return readings, effects


def schema_kind(reference: Reference) -> Callable[[str], str]:
    """What kind a feature is of."""
    layouts = reference.layout.features
    return lambda name: "numeric" if isinstance(layouts[name], NumericLayout) else "categorical"


def _cell_stacks(reference: Reference, names: Sequence[str]) -> list[CellStack]:
    features = reference.profile.features
    groups = {name: decision_groups(reference.layout.features[name], features[name].counts) for name in names}
    kind = schema_kind(reference)
    stacks = []
    for (cells, feature_kind), members in _by(lambda name: (int(groups[name].max()) + 1, kind(name)), names).items():
        places = np.concatenate([groups[name] + cells * place for place, name in enumerate(members)])
        empty = np.zeros((len(members), cells), dtype=np.int64)
        stack = CellStack(members, places, Cells(empty, empty, feature_kind == "numeric"))
        counts = stack.facing(reference.profile).current
        stacks.append(CellStack(members, places, Cells(counts, counts, stack.reference.ordered)))
    return stacks


def _grid_stacks(reference: Reference, names: Sequence[str]) -> list[GridStack]:
    layouts = {
        name: layout
        for name, layout in reference.layout.features.items()
        if name in names and isinstance(layout, NumericLayout)
    }
    return [
        GridStack(members, Grid.against([layouts[name] for name in members], _numeric(reference.profile, members)))
        for members in _by(lambda name: len(layouts[name].edges), list(layouts)).values()
    ]


def _numeric(profile: Profile, names: Sequence[str]) -> list[NumericSummary]:
    summaries = [profile.features[name] for name in names]
    return [summary for summary in summaries if isinstance(summary, NumericSummary)]


def _by(key: Callable[[str], K], names: Sequence[str]) -> dict[K, tuple[str, ...]]:
    groups: dict[K, tuple[str, ...]] = {}
    for name in names:
        groups[key(name)] = (*groups.get(key(name), ()), name)
    return groups


def _readings(
    window: Window,
    statistics: Sequence[Statistic[Any]],
    names: Sequence[str],
    rows: Mapping[str, int],
    view: Cells | Grid | Quality,
) -> list[Reading]:
    """Every statistic over this kind of view, of each feature of a stack."""
    readings: list[Reading] = []
    usable = view.rows.tolist()
    enough = view.rows > 0
    filled = view if enough.all() else view.take(enough)
    places = (np.cumsum(enough) - 1).tolist()
    for entry in statistics:
        if entry.over is not type(view):
            continue
        if view.kind not in entry.applies:
            readings += [Reading(window, name, entry.name, rows[name], "not_applicable") for name in names]
            continue
        figures = entry.figures(filled).tolist() if enough.any() else []
        for name, count, place in zip(names, usable, places, strict=True):
            if count < entry.rows_min:
                readings.append(Reading(window, name, entry.name, rows[name], "insufficient"))
            else:
                readings.append(Reading(window, name, entry.name, rows[name], "ok", *figures[place]))
    return readings


def _effects(names: Sequence[str], cells: Cells) -> dict[str, Effect | None]:
    """The effect of each feature of a stack; None where too few rows, or cells after pooling, say nothing."""
    enough = cells.rows >= ROWS_MIN
    found: dict[str, Effect | None] = dict.fromkeys(names)
    if enough.any():
        judged = [name for name, held in zip(names, enough.tolist(), strict=True) if held]
        for name, effect in zip(judged, debiased_effects(cells.take(enough)), strict=True):
            found[name] = effect if effect.cells >= CELLS_MIN else None
    return found


def judge_window(
    reader: DriftReader,
    window: Window,
    pane: Pane,
    states: dict[tuple[str, str], FeatureState],
    incidents: Incidents,
    registered: bool,
) -> tuple[WindowView, Evidence]:
    """Read a closed window, move the states of its features on, and the version's drift incident with them.

    A version whose reference nobody registered is compared with an inherited one: it reads as `learning` and never
    alarms.
    """
    profile = pane.profile
    readings, effects = reader.read(window, profile)
    psi = {reading.feature: reading.value for reading in readings if reading.statistic == "psi"}
    verdicts = {}
    for name, effect in effects.items():
        state: State = "learning"
        if registered:
            feature = states.setdefault((window.version, name), FeatureState())
            state = drift.judge(feature, effect.effect if effect else None, reader.spec.persistence)
        size, floor = (effect.effect, effect.noise_floor) if effect else (None, None)
        verdicts[name] = Verdict(window, name, profile.rows, state, size, floor, psi.get(name))
    drifting = [verdict for verdict in verdicts.values() if verdict.state == "drifting"]
    drifting.sort(key=lambda verdict: (-(verdict.effect or 0.0), verdict.feature))
    affected = {verdict.feature: drift.severity(verdict.effect or 0.0) for verdict in drifting}
    reason = describe_drift(drifting)
    changes = tuple(incidents.update(window, "drift", affected, reason))
    view = WindowView(window, profile.rows, tuple(readings), tuple(verdicts.values()))
    return view, Evidence(window, "drift", changes, reason, profile.rows, pane.offsets, profile.digest, tuple(drifting))
