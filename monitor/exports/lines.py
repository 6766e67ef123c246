"""What was read and decided as JSON, one object a line: the back-test's output.

What the model answers is watched as its features are, but is none of them: its lines are of kinds of their own. What
was to be expected of a window without labels is a reading whose statistic is the metric's name and `_estimate`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from monitor.detection.records import IncidentChange, Trigger, Verdict
from monitor.detection.subject import is_of
from monitor.engine import Output
from monitor.events.batch import OUTPUTS
from monitor.events.timestamps import iso
from monitor.snapshot import ESTIMATE
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

Line = dict[str, Any]


def lines(outputs: Iterable[Output], by_row: bool) -> Iterator[Line]:
    """Every reading in its last revision, verdict, incident and trigger, in order of their windows.

    by_row: windows are spans of row numbers, not of times.
    """
    readings: dict[tuple[Window, str, str], Reading] = {}
    evidence: dict[Window, Line] = {}
    others: list[tuple[Window, int, Line]] = []
    for output in outputs:
        for view in output.performance:
            if view.evidence_ratio is not None:
                evidence[view.window] = {"evidence_ratio": view.evidence_ratio, "evidence_loss": view.evidence_loss}
        for reading in output.readings:
            readings[(reading.window, reading.feature, reading.statistic)] = reading
        parts = [part for view in output.windows for part in view.parts]
        others += [(part.window, 1, _verdict(each, by_row)) for part in parts for each in part.verdicts]
        others += [(change.window, 2, _incident(change, by_row)) for change in output.changes]
        others += [(trigger.window, 3, _trigger(trigger, by_row)) for trigger in output.triggers]
    everything = [
        (each.window, 0, _reading(each, by_row) | (evidence.get(each.window, {}) if _realised(each) else {}))
        for each in readings.values()
    ] + others
    everything.sort(key=lambda each: each[:2])
    return (line for _, _, line in everything)


def _span(window: Window, by_row: bool) -> Line:
    if by_row:
        return {"first_row": window.start_ms, "last_row": window.end_ms - 1}
    return {"window_start": iso(window.start_ms), "window_end": iso(window.end_ms)}


def _head(kind: str, window: Window, by_row: bool) -> Line:
    identity = {"kind": kind, "model": window.model, "version": window.version, "segment": window.segment}
    return identity | _span(window, by_row)


def _reading(reading: Reading, by_row: bool) -> Line:
    kind = "output_reading" if reading.feature in OUTPUTS else "reading"
    line = _head(kind, reading.window, by_row) | {
        "rows": reading.rows,
        **_subject(reading.feature),
        "statistic": reading.statistic,
        "value": reading.value,
        "status": reading.status,
    }
    if reading.lower is not None or reading.upper is not None:
        line |= {"lower": reading.lower, "upper": reading.upper}
    return line | {"revision": reading.revision} if _realised(reading) else line


def _realised(reading: Reading) -> bool:
    """Whether it is of the model's performance by its labels."""
    return not reading.feature and not reading.statistic.endswith(ESTIMATE)


def _subject(name: str) -> Line:
    """Of what a line is: a feature, or what the model answers."""
    return {"output": name[1:]} if name in OUTPUTS else {"feature": name}


def _verdict(verdict: Verdict, by_row: bool) -> Line:
    kind = "output" if verdict.feature in OUTPUTS else "verdict"
    line = _head(kind, verdict.window, by_row) | {
        "rows": verdict.rows,
        **_subject(verdict.feature),
        "effect": verdict.effect,
        "noise_floor": verdict.noise_floor,
        "p_value": verdict.p_value,
        "evidence_ratio": verdict.evidence_ratio,
        "state": verdict.state,
    }
    if verdict.wrong:
        line["wrong"] = list(verdict.wrong)
    if verdict.moved:
        line["moved"] = [cell._asdict() for cell in verdict.moved]
    return line


def _incident(change: IncidentChange, by_row: bool) -> Line:
    incident, window = change.incident, change.window
    return {
        "kind": "incident",
        "event": change.event,
        "id": incident.id,
        "model": window.model,
        "version": window.version,
        "cause": incident.cause,
        "severity": incident.severity,
        **_span(window, by_row),
        **({"onset_row": change.onset_ms} if by_row else {"onset": iso(change.onset_ms)}),
        "features": [name for name in incident.features if not is_of(name, OUTPUTS)],
        "outputs": [name[1:] for name in incident.features if is_of(name, OUTPUTS)],
        "reason": change.reason,
    }


def _trigger(trigger: Trigger, by_row: bool) -> Line:
    window = trigger.window
    line = {
        "kind": "trigger",
        "id": trigger.id,
        "model": window.model,
        "version": window.version,
        "reason": trigger.reason,
        "summary": trigger.summary,
        **_span(window, by_row),
    }
    return line | {"withheld": trigger.withheld} if trigger.withheld else line
