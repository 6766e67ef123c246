"""How what an incident is about went over the last windows: what a picture draws, and a message's line of bars."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from monitor.detection.records import Aspect, Cause, Incident, Verdict
from monitor.detection.sentences import listed, spoken
from monitor.snapshot import ModelView, PerformanceView, WindowView
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

WINDOWS_MIN = 24
WINDOWS_BEFORE = 8
"""Windows before it began, to compare with what came after."""


@dataclass(frozen=True, slots=True)
class Step:
    """One window's figure, and its 95 % interval where it has one."""

    window: Window
    value: float
    lower: float | None = None
    upper: float | None = None


@dataclass(frozen=True, slots=True)
class Line:
    """A figure window by window, oldest first. name: for people. limits: lines to compare it with, and their names.
    began_ms: when the change is estimated to have begun.
    """

    name: str
    steps: tuple[Step, ...]
    limits: tuple[tuple[str, float], ...]
    began_ms: int

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(step.value for step in self.steps)


def headline(incident: Incident) -> str:
    """Of which model and version, and what happened."""
    model, version = incident.opened.model, incident.opened.version
    who = f"{model} (version {version})" if version else model
    return f"{who}: {happened(incident.cause, incident.features)}"


def happened(cause: Cause, features: Sequence[str]) -> str:
    """What an incident is, in a few words."""
    if cause == "performance":
        return "performance has fallen"
    names = listed([spoken(name) for name in features])
    return f"{names} drifted" if cause == "drift" else f"faulty data, {names}"


def concerned(model: ModelView, incident: Incident, window: Window) -> list[Verdict]:
    """The verdicts of a window on what has drifted or is wrong: of the incident's cause and features first, then worst
    first. None where the window is not held any more.
    """
    found = [
        verdict
        for view in model.windows
        if (view.window.version, view.window.end_ms) == (window.version, window.end_ms)
        for verdict in view.verdicts
        if verdict.state == "drifting" or verdict.wrong
    ]
    return sorted(
        found,
        key=lambda verdict: (
            bool(verdict.wrong) != (incident.cause == "data"),
            verdict.name not in incident.features,
            verdict.rank,
        ),
    )


def last(model: ModelView, incident: Incident) -> list[Verdict]:
    """Of each of an incident's features the newest verdict that says what is wrong, the worst first."""
    found: dict[str, Verdict] = {}
    wanted = set(incident.features)
    for view in reversed(model.windows):
        if len(found) == len(wanted):
            break
        for verdict in view.verdicts if within(incident, view.window) else ():
            wrong = bool(verdict.wrong) if incident.cause == "data" else verdict.state == "drifting"
            if wrong and (name := verdict.name) in wanted:
                found.setdefault(name, verdict)
    return sorted(found.values(), key=lambda verdict: verdict.rank)


def within(incident: Incident, window: Window) -> bool:
    """Whether a window belongs to an incident's time."""
    return window.version == incident.opened.version and (
        incident.opened.end_ms <= window.end_ms <= incident.latest.end_ms
    )


def began_ms(model: ModelView, incident: Incident) -> int:
    """When an incident is estimated to have begun, as the verdicts of the window that opened it say; with that window
    where they do not, or are no longer held.
    """
    verdicts = concerned(model, incident, incident.opened)
    onsets = [each.onset_ms for each in verdicts if each.onset_ms >= 0 and each.name in incident.features]
    return min([*onsets, incident.opened.start_ms])


def line(model: ModelView, incident: Incident, window: Window, began_ms: int) -> Line | None:
    """Up to a window: the metric, or the worst feature concerned, of an incident that is over the one that last was;
    None where there is nothing to draw.
    """
    if incident.cause == "performance":
        return _metric(model, window, began_ms)
    verdicts = concerned(model, incident, window) if incident.open else last(model, incident)
    worst = next(iter(verdicts), None)
    if worst is None:
        return None
    if incident.cause == "data" and worst.wrong:
        return _faulty(model, worst, worst.wrong[0], window, began_ms)
    return _effect(model, worst, window, began_ms)


def _metric(model: ModelView, window: Window, began_ms: int) -> Line:
    views = [view for view in model.performance if view.window.version == window.version]
    steps = [
        Step(view.window, reading.value, reading.lower, reading.upper)
        for view in views
        if view.window.end_ms <= window.end_ms and (reading := figure(model, view)) and reading.value is not None
    ]
    target = model.targets.get(window.version)
    limits = [] if target is None else [("reference", target.reference)]
    if target is not None and target.limit is not None:
        limits.append(("limit", target.limit))
    return Line(model.metric, _recent(steps, began_ms), tuple(limits), began_ms)


def figure(model: ModelView, view: PerformanceView) -> Reading | None:
    """The model's metric in a view."""
    return next((each for each in view.readings if each.statistic == model.metric), None)


def _faulty(model: ModelView, worst: Verdict, aspect: Aspect, until: Window, began_ms: int) -> Line:
    if aspect in ("unit", "volume"):
        rows = _steps(model, worst.window, until, lambda view: float(view.rows), began_ms)
        return Line("rows", rows, (), began_ms)
    statistic = aspect.replace(" ", "_")

    def share(view: WindowView) -> float | None:
        of = (each for each in view.readings if (each.feature, each.statistic) == (worst.feature, statistic))
        return next((each.value for each in of), None)

    return Line(
        f"share of {spoken(worst.name)} {aspect}", _steps(model, worst.window, until, share, began_ms), (), began_ms
    )


def _effect(model: ModelView, worst: Verdict, until: Window, began_ms: int) -> Line:
    def effect(view: WindowView) -> float | None:
        return next((each.standing for each in view.verdicts if each.feature == worst.feature), None)

    steps = _steps(model, worst.window, until, effect, began_ms)
    return Line(
        f"effect of {spoken(worst.name)}", steps, (("tolerance", model.alarms.tolerance_of(worst.feature)),), began_ms
    )


def _steps(
    model: ModelView, window: Window, until: Window, of: Callable[[WindowView], float | None], began_ms: int
) -> tuple[Step, ...]:
    """Of the windows of the same version and segment, up to another one."""
    mine = (
        view
        for view in model.windows
        if (view.window.version, view.window.segment) == (window.version, window.segment)
        and view.window.end_ms <= until.end_ms
    )
    return _recent([Step(view.window, value) for view in mine if (value := of(view)) is not None], began_ms)


def _recent(steps: Sequence[Step], began_ms: int) -> tuple[Step, ...]:
    """The last ones, and as many more as it takes to see how it was before."""
    since = sum(step.window.start_ms >= began_ms for step in steps)
    return tuple(steps[-max(WINDOWS_MIN, since + WINDOWS_BEFORE) :])
