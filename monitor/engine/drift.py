"""What a closed window says of its features: readings, verdicts, and the drift incident that follows from them."""

from __future__ import annotations

from dataclasses import dataclass, field

from monitor.detection import drift
from monitor.detection.drift import FeatureState
from monitor.detection.incidents import Incidents
from monitor.detection.records import State, Verdict
from monitor.detection.triggers import Evidence, describe_drift
from monitor.engine.pane import Pane
from monitor.profiles.layout import NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile, Summary
from monitor.profiles.reference import Reference
from monitor.snapshot import WindowView
from monitor.spec import FeatureSpec, ModelSpec
from monitor.statistics.effect import Effect, debiased_effect
from monitor.statistics.reading import Estimate, Reading
from monitor.statistics.registry import DRIFT, QUALITY
from monitor.statistics.statistic import Absence, View, evaluate
from monitor.statistics.views import Cells, Counts, Grid, Quality, decision_groups
from monitor.windows.window import Window

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
        readings: list[Reading] = []
        effects: dict[str, Effect | None] = {}
        for name, summary in profile.features.items():
            watched = self.spec.features.get(name, FeatureSpec()).monitor
            if watched == "off":
                continue
            views: list[View] = [Quality.of(summary)]
            statistics = QUALITY
            if watched == "drift":
                statistics = DRIFT + QUALITY
                views += self._views(name, summary)
                effects[name] = _effect(views)
            readings += [
                _reading(window, name, entry.name, summary.rows, evaluate(entry, views)) for entry in statistics
            ]
        return readings, effects

    def _views(self, name: str, summary: Summary) -> list[View]:
        views: list[View] = [self.cells[name].facing(self.groups[name], summary.counts)]
        layout = self.reference.layout.features[name]
        if isinstance(layout, NumericLayout) and isinstance(summary, NumericSummary):
            views.append(self.grids[name].facing(layout, summary))
        return views


def _effect(views: list[View]) -> Effect | None:
    cells = next(view for view in views if isinstance(view, Cells))
    if cells.rows < ROWS_MIN:
        return None
    effect = debiased_effect(cells)
    return effect if effect.cells >= CELLS_MIN else None


def _reading(window: Window, feature: str, statistic: str, rows: int, outcome: Estimate | Absence) -> Reading:
    if isinstance(outcome, str):
        return Reading(window, feature, statistic, rows, outcome)
    return Reading(window, feature, statistic, rows, "ok", outcome.value, outcome.lower, outcome.upper)


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
