"""What the windows of a log say of what is watched, worked out afresh: every window's rows counted one at a time in
plain Python, its `Watch` shown them in order, incidents and requests followed from what it says.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from itertools import groupby
from typing import Any

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import Cause, Severity, Verdict
from monitor.detection.severity import severity
from monitor.detection.units import Seen
from monitor.detection.watch import Findings, Watch, WatchState
from monitor.profiles import decision
from monitor.profiles.layout import NumericLayout
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec
from monitor.windows.window import Window
from tests.simulation.oracle import Meaning, Prediction

RANK: list[Severity] = ["minor", "moderate", "major"]


@dataclass
class Incident:
    """Of one cause. calm: its newest window showed nothing beyond the tolerance. began: since when that window's
    evidence has grown.
    """

    opened: Window
    severity: Severity
    features: tuple[str, ...]
    calm: bool = False
    began: int | None = None
    said: list[str] = field(default_factory=list)


@dataclass
class Judgements:
    """verdicts: by window and name. changes: (window, cause, event, severity, features). triggers, of a model without
    labels or cool-down: (window, onset, why not).
    """

    verdicts: dict[tuple[Window, str], Verdict] = field(default_factory=dict)
    changes: list[tuple[Window, Cause, str, Severity, tuple[str, ...]]] = field(default_factory=list)
    triggers: list[tuple[Window, int, str]] = field(default_factory=list)
    _open: dict[tuple[str, Cause], Incident] = field(default_factory=dict)

    @classmethod
    def of(cls, meaning: Meaning, spec: ModelSpec, references: Mapping[str, Reference]) -> Judgements:
        found = cls()
        states: dict[str, WatchState] = {}
        for _, spans in groupby(sorted(meaning.members), key=lambda span: span.end):
            windows = []
            for span in spans:
                window = Window(span.end, spec.name, span.version, "", span.start)
                name = span.version if span.version in references else "" if "" in references else list(references)[-1]
                watch = Watch.of(spec, references[name])
                registered = not span.version or name in (span.version, "")
                state = states.setdefault(span.version, watch.blank()) if registered else watch.blank()
                members = meaning.members[span]
                counted, seen = tally(members, references[name]), partial(values_of, members)
                findings = watch.judge(state, window, counted, max(1, len(states)), seen)
                found._take(watch, window, len(members), findings, registered, state)
                windows.append(window)
            found._ask({window.version: window for window in windows})
        return found

    def _take(
        self, watch: Watch, window: Window, rows: int, findings: Findings, registered: bool, remembered: WatchState
    ) -> None:
        values = findings.values
        for place, name in enumerate(watch.names):
            tested = bool(values.tested[place])
            wrong = tuple(share.aspect for share in findings.wrong.get(name, ()))
            state = (
                "learning"
                if not registered
                else "drifting"
                if values.drifting[place] or wrong
                else "learning"
                if not findings.known
                else "untestable"
                if values.untestable[place]
                else "insufficient"
                if not tested
                else "watch"
                if values.watch[place]
                else "ok"
            )
            self.verdicts[window, name] = Verdict(
                window,
                name,
                rows,
                state,
                effect=float(values.effect[place]) if tested else None,
                noise_floor=float(values.floor[place]) if tested else None,
                p_value=float(values.p_value[place]) if tested else None,
                evidence_ratio=float(values.ratio[place]),
                wrong=wrong,
                moved=findings.moved.get(name, ()) if registered else (),
                onset_ms=int(values.onset_ms[place]),
                tested_ms=int(remembered.tested_ms[place]),
            )
        if registered:
            effects = {
                name: None if np.isnan(values.effect[place]) else float(values.effect[place])
                for place, name in enumerate(watch.names)
                if values.drifting[place]
            }
            judged = {name: effect for name, effect in effects.items() if effect is not None}
            calm = bool(judged) and all(effect < watch.tolerance[name] for name, effect in judged.items())
            self._live(window, "drift", {name: effect or 0.0 for name, effect in effects.items()}, calm)
            onsets = [
                int(values.onset_ms[place]) for place in np.flatnonzero(values.drifting) if values.onset_ms[place] >= 0
            ]
            if (window.version, "drift") in self._open:
                self._open[window.version, "drift"].began = min(onsets, default=None)
            worst = {name: max(share.effect for share in shares) for name, shares in findings.wrong.items()}
            self._live(window, "data", worst, False)

    def _live(self, window: Window, cause: Cause, effects: Mapping[str, float], calm: bool) -> None:
        """One step in the life of an incident."""
        key = (window.version, cause)
        incident = self._open.get(key)
        names = tuple(sorted(effects, key=lambda name: (-effects[name], name)))
        if not names:
            if incident is not None:
                del self._open[key]
                self.changes.append((window, cause, "resolved", incident.severity, incident.features))
            return
        worst = max((severity(effect) for effect in effects.values()), key=RANK.index)
        if incident is None:
            self._open[key] = Incident(window, worst, names, calm)
            self.changes.append((window, cause, "opened", worst, names))
            return
        joined = tuple(name for name in names if name not in incident.features)
        grew = RANK.index(worst) > RANK.index(incident.severity)
        incident.features += joined
        incident.severity = worst if grew else incident.severity
        incident.calm = calm
        if grew or joined:
            event = "worsened" if grew else "joined"
            self.changes.append((window, cause, event, incident.severity, incident.features))

    def _ask(self, newest: Mapping[str, Window]) -> None:
        """At a boundary."""
        for (version, cause), incident in self._open.items():
            if cause != "drift" or "" in incident.said:
                continue
            reason = ""
            if incident.calm:
                reason = "its newest window no longer drifts"
            elif incident.severity == "minor":
                reason = "the drift is minor"
            elif (version, "data") in self._open:
                reason = "the data is wrong"
            if reason not in incident.said:
                incident.said.append(reason)
                opened = incident.opened.start_ms
                onset = opened if incident.began is None else min(opened, incident.began)
                self.triggers.append((newest[version], onset, reason))


def tally(members: list[Prediction], reference: Reference) -> NDArray[np.int64]:
    """int64[features, WIDTH], a row at a time."""
    counts = np.zeros((len(reference.layout.features), decision.WIDTH), dtype=np.int64)
    for prediction in members:
        for place, name in enumerate(reference.layout.features):
            counts[place, cell(prediction.event, name, reference)] += 1
    return counts


def values_of(members: list[Prediction], name: str) -> Seen:
    """All of a numeric feature's values: no window of the traffic holds more rows than a sample does."""
    found = [prediction.event.get("features", prediction.event).get(name) for prediction in members]
    values = np.array([value for value in found if value is not None], dtype=np.float64)
    return (
        Seen(values, len(values), float(values.mean()), float(values.std()))
        if len(values)
        else Seen(values, 0, 0.0, 0.0)
    )


def cell(event: Mapping[str, Any], name: str, reference: Reference) -> int:
    """Where one row of a feature, or output, is counted; traffic holds no values of the wrong type."""
    value = event.get(name[1:]) if name.startswith("@") else event.get("features", event).get(name)
    if value is None:
        return decision.MISSING
    layout, groups = reference.layout.features[name], reference.cells.groups[name]
    if isinstance(layout, NumericLayout):
        group = groups[bisect_right(layout.edges.tolist(), value)]
    else:
        group = groups[layout.index[value]] if value in layout.index else -1
    return decision.UNUSUAL if group < 0 else int(group)
