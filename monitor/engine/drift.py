"""What a closed window says of its features: readings, verdicts, and the drift incident that follows from them."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

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
from monitor.statistics.effect import Effect, debiased_effect
from monitor.statistics.reading import Estimate, Reading
from monitor.statistics.registry import DRIFT, QUALITY
from monitor.statistics.statistic import Absence, Statistic
from monitor.statistics.views import Cells, Counts, Grid, Quality, decision_groups
from monitor.windows.window import Window

V = TypeVar("V", Cells, Grid, Quality)

ROWS_MIN = 200
"""Rows with a value that a drift verdict needs: below it chance alone often exceeds the threshold."""


CELLS_MIN = 3
"""Decision cells, after rare ones were pooled, that a verdict needs."""


@dataclass(slots=True)
class DriftReader:
    """Compares the windows of one model version with its reference.

    groups: decision cell of each fine cell; cells, grids: the reference beside itself, of which windows take the place.
    """

    spec: ModelSpec
    reference: Reference
    groups: dict[str, Counts] = field(default_factory=dict)
    cells: dict[str, Cells] = field(default_factory=dict)
    grids: dict[str, Grid] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name, layout in self.reference.layout.features.items():
            summary = self.reference.profile.features[name]
            groups = self.groups[name] = decision_groups(layout, summary.counts)
            ordered = isinstance(layout, NumericLayout)
            self.cells[name] = Cells.of(groups, summary.counts, summary.counts, ordered)
            if isinstance(layout, NumericLayout) and isinstance(summary, NumericSummary):
                self.grids[name] = Grid.of(layout, summary, summary)

    def read(self, window: Window, profile: Profile) -> tuple[list[Reading], dict[str, Effect | None]]:
        """Readings of every feature that is watched, and the effect of each that may drift (None: too few rows)."""
        qualities: dict[str, Quality] = {}
        cells: dict[str, Cells] = {}
        grids: dict[str, Grid] = {}
        for name, summary in profile.features.items():
            watched = self.spec.features.get(name, FeatureSpec()).monitor
            if watched != "off":
                qualities[name] = Quality.of(summary)
            if watched == "drift":
                cells[name] = self.cells[name].facing(self.groups[name], summary.counts)
                layout = self.reference.layout.features[name]
                if isinstance(layout, NumericLayout) and isinstance(summary, NumericSummary):
                    grids[name] = self.grids[name].facing(layout, summary)
        figures = _Figures(window, {name: summary.rows for name, summary in profile.features.items()})
        figures.read(QUALITY, qualities, lambda view: view.kind)
        figures.read(DRIFT, cells, lambda view: (view.ordered, len(view.reference)))
        figures.read(DRIFT, grids, lambda view: len(view.edges))
        names = [entry.name for entry in DRIFT + QUALITY]
        found = figures.found
        ordered = [found[name, each] for name in qualities for each in names if (name, each) in found]
        return ordered, {name: _effect(each) for name, each in cells.items()}


@dataclass(slots=True)
class _Figures:
    """The readings of one window, by (feature, statistic); features of one shape are computed together."""

    window: Window
    rows: Mapping[str, int]
    found: dict[tuple[str, str], Reading] = field(default_factory=dict)

    def read(
        self, statistics: Iterable[Statistic[Any]], views: Mapping[str, V], shape: Callable[[V], Hashable]
    ) -> None:
        """Every statistic over this kind of view, of each feature."""
        stacks: dict[Hashable, dict[str, V]] = {}
        for name, view in views.items():
            stacks.setdefault(shape(view), {})[name] = view
        for stack in stacks.values():
            kind = type(next(iter(stack.values())))
            mine = [entry for entry in statistics if entry.over is kind]
            enough = {name: view for name, view in stack.items() if view.rows > 0}
            stacked = kind.stack(list(enough.values())) if enough else None
            for entry in mine:
                for name in stack.keys() - enough.keys():
                    self._note(name, entry, "insufficient")
                if stacked is not None:
                    self._evaluate(entry, list(enough), stacked)

    def _evaluate(self, entry: Statistic[Any], names: Sequence[str], view: Any) -> None:
        if view.kind not in entry.applies:
            for name in names:
                self._note(name, entry, "not_applicable")
            return
        figures = entry.figures(view)
        for place, (name, rows) in enumerate(zip(names, view.rows.tolist(), strict=True)):
            self._note(name, entry, figures.at(place) if rows >= entry.rows_min else "insufficient")

    def _note(self, feature: str, entry: Statistic[Any], outcome: Estimate | Absence) -> None:
        rows, key = self.rows[feature], (feature, entry.name)
        if isinstance(outcome, str):
            self.found[key] = Reading(self.window, feature, entry.name, rows, outcome)
        else:
            figures = (outcome.value, outcome.lower, outcome.upper)
            self.found[key] = Reading(self.window, feature, entry.name, rows, "ok", *figures)


def _effect(cells: Cells) -> Effect | None:
    if cells.rows < ROWS_MIN:
        return None
    effect = debiased_effect(cells)
    return effect if effect.cells >= CELLS_MIN else None


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
    return view, Evidence(window, "drift", changes, reason, profile.rows, pane.offsets, tuple(drifting))
