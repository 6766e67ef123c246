"""Labels of which none finds a prediction: their ids, or their model, are not those of the predictions.

Judged at the end of each hour in which labels began to count or found their prediction, by the day up to then: a
function of event times alone. Labels of predictions from before the service started find none either, and nobody knows
how old a label's prediction is: neither their number nor their rate tells, and `wait` alone bounds it. So a day is odd
only where earlier days let expect that many of its labels match; or, where none ever did, once predictions have been
there for as long as a verdict waits for labels.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from monitor.detection.records import IncidentChange, Severity
from monitor.detection.triggers import Evidence
from monitor.events.batch import LABELS
from monitor.spec import DAY_MS, HOUR_MS, ModelSpec
from monitor.windows.window import Window

if TYPE_CHECKING:
    from monitor.engine.progress import Progress

LABELS_MIN = 100
"""Labels of a day of which one should match."""

EXPECTED_MIN = 14.0
"""Matches among them, if they were as earlier ones: that there is none is one chance in a million."""


@dataclass(slots=True)
class Strays:
    """hours: by the number of each hour of the newest day, labels that began to count in it, and that found their
    prediction. before: the same of all hours before these. judged: up to which hour.
    """

    hours: dict[int, tuple[int, int]] = field(default_factory=dict)
    before: tuple[int, int] = (0, 0)
    judged: int = -(1 << 62)

    def count(self, began: Mapping[int, int], found: Mapping[int, int]) -> None:
        """Labels by the boundary at which they did."""
        for place, rows in enumerate((began, found)):
            for boundary, number in rows.items():
                hour = (boundary - 1) // HOUR_MS
                known = self.hours.get(hour, (0, 0))
                self.hours[hour] = (known[0] + number, known[1]) if place == 0 else (known[0], known[1] + number)

    def ended(self, until_ms: int, span_ms: int) -> Iterator[tuple[int, int, int]]:
        """Of each hour that has ended and was not judged: its end; labels that began, and found, in the span to it."""
        for hour in sorted(each for each in self.hours if self.judged < each and (each + 1) * HOUR_MS <= until_ms):
            self.judged, end_ms = hour, (hour + 1) * HOUR_MS
            for old in [each for each in self.hours if (each + 1) * HOUR_MS <= end_ms - span_ms]:
                began, found = self.hours.pop(old)
                self.before = self.before[0] + began, self.before[1] + found
            mine = [rows for each, rows in self.hours.items() if each <= hour]
            yield end_ms, sum(began for began, _ in mine), sum(found for _, found in mine)

    def should_match(self, labels: int, waited: bool) -> bool:
        """Whether some of so many labels of the newest day should. waited: predictions have come for long."""
        began, found = self.before
        return labels >= LABELS_MIN and (labels * found >= EXPECTED_MIN * began if found else waited)


def judge(progress: Progress, spec: ModelSpec, windows: Sequence[Window], until_ms: int) -> list[IncidentChange]:
    """Open the incident of a model's labels, or end it. windows: of predictions that have closed."""
    if spec.window.unit == "numbered rows":
        return []
    strays, span_ms = progress.label_flow.strays, max(DAY_MS, spec.window.grid_ms)
    changes: list[IncidentChange] = []
    first_ms = min((window.start_ms for window in windows), default=until_ms)
    for end_ms, labels, found in strays.ended(until_ms, span_ms):
        window = Window(end_ms, spec.name, "", LABELS, end_ms - span_ms)
        wrong: dict[str, Severity] = {LABELS: "major"}
        if any(incident.opened.segment == LABELS for incident in progress.incidents.standing):
            wrong = wrong if found == 0 else {}
        elif found or not strays.should_match(labels, end_ms - first_ms >= spec.performance.wait_ms + span_ms):
            continue
        elif not any(window.start_ms < each.end_ms <= end_ms for each in windows):
            continue  # Where no predictions come, labels are no wonder.
        said = _said(labels, span_ms) if wrong else f"{found:,} labels of the last day belong to predictions"
        made = tuple(progress.incidents.update(window, "data", wrong, said))
        if made:
            progress.arbiter.note(Evidence(window, "data", made, said, labels, {}, ""))
            progress.note(made)
            changes += made
    return changes


def _said(labels: int, span_ms: int) -> str:
    span = "day" if span_ms == DAY_MS else f"{span_ms / DAY_MS:g} days"
    return (
        f"none of the {labels:,} labels of the last {span} belongs to a prediction: do their ids agree with those of "
        "predictions, and are they sent to the same model name?"
    )
