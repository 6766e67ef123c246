"""Rows that fail to come are an incident of the data; a version that takes over from another is none."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from monitor.detection.records import IncidentChange, Verdict
from monitor.engine import Monitor
from monitor.events.batch import ROWS
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
DAYS, USUAL = 20, 60
SPEC = HOURLY
REFERENCE = Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(0), 4_000), None, version="3")


class Run:
    def __init__(self) -> None:
        self.engine = Monitor([SPEC], {"m": {"3": REFERENCE}})
        self.changes: list[IncidentChange] = []
        self.verdicts: list[Verdict] = []
        self.hour = 0

    def feed(self, **counts: int) -> None:
        """One hour: rows by version, as "v3"."""
        for number, (version, count) in enumerate(counts.items()):
            times = self.hour * HOUR_MS + np.arange(count, dtype=np.int64)
            first = (self.hour * 10 + number) * 10_000
            random = np.random.default_rng(first)
            batch = table.predictions(
                random, count, first=first, offset=first, time_ms=times, version=version[1:], shift=0.0
            )
            self.engine.models["m"].ingest(batch, (), {}, Now.at(1 << 50))
        self.hour += 1
        output = self.engine.models["m"].finish(self.hour * HOUR_MS)
        self.changes += output.changes
        self.verdicts += [each for view in output.windows for each in view.verdicts if each.feature == ROWS]

    def usual(self, hours: int, counts: Mapping[str, int] | None = None) -> None:
        for _ in range(hours):
            noise = int(np.random.default_rng(self.hour).integers(-5, 6))
            self.feed(**(counts or {"v3": USUAL + noise}))

    def restart(self) -> None:
        pieces = saved(self.engine)
        self.engine = Monitor([SPEC], {"m": {"3": REFERENCE}})
        self.engine.restore(pieces)


def test_rows_that_fail_to_come_are_an_incident_of_the_data_until_they_come_again() -> None:
    run = Run()
    run.usual(5 * 24)
    run.restart()
    run.usual((DAYS - 5) * 24)
    assert (run.changes, run.verdicts) == ([], [])
    run.feed(v3=6)
    run.restart()
    run.feed(v3=7)
    run.usual(10)
    opened, resolved = run.changes
    assert (opened.event, opened.incident.cause, opened.incident.features) == ("opened", "data", (ROWS,))
    assert opened.reason == "6 rows came where about 59 are usual"
    assert opened.incident.severity == "major"
    assert opened.window.start_ms == (DAYS * 24 + 1) * HOUR_MS
    assert (resolved.event, resolved.reason) == ("resolved", "the data is as it should be again")
    states = [(verdict.state, verdict.wrong) for verdict in run.verdicts]
    assert states[0] == ("drifting", ("volume",))
    assert states[-1] == ("ok", ())
    assert min(verdict.evidence_ratio for verdict in run.verdicts[:-1]) >= 1.0
    assert {state for state, _ in states[:-1]} == {"drifting"}


def test_a_version_that_takes_over_says_nothing_of_the_data() -> None:
    run = Run()
    run.usual(DAYS * 24)
    run.usual(5, {"v3": 5, "v4": 55})
    run.usual(30, {"v4": 60})
    assert run.changes == []


def test_a_version_that_has_the_traffic_for_itself_again_is_judged_again() -> None:
    run = Run()
    run.usual(DAYS * 24)
    run.feed(v3=5)
    run.feed(v3=5)
    run.usual(5, {"v3": 5, "v4": 55})
    run.usual(2)
    assert [(change.event, change.incident.features) for change in run.changes] == [
        ("opened", (ROWS,)),
        ("resolved", (ROWS,)),
    ]
    assert [verdict.state for verdict in run.verdicts] == ["drifting", "drifting", "ok"]
    run.feed(v3=5)
    run.feed(v3=5)
    assert run.changes[-1].event == "opened"


def test_windows_by_number_of_rows_have_no_volume() -> None:
    spec = ModelSpec("m", table.SCHEMA, WindowSpec(100, "rows"), PerformanceSpec("accuracy", 0.1))
    assert Monitor([spec], {"m": {"3": REFERENCE}}).models["m"].watching._volume is None
