"""Windows that the calendar says to ignore: everything else is as if their rows had never come."""

from __future__ import annotations

import functools
from collections.abc import Collection, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from monitor.detection.records import IncidentChange, Verdict
from monitor.engine import Monitor
from monitor.engine.making import ROWS_MIN
from monitor.events.batch import ROWS, NumericColumn
from monitor.events.schema import Schema
from monitor.exports.latest import slices
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView, WindowView
from monitor.spec import DAY_MS, AlarmSpec, CalendarSpec, FeatureSpec, MadeSpec, ModelSpec
from monitor.windows.streams import Now
from monitor.windows.window import Window, WindowSpec
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.engine.test_losses import SPEC as LABELLED
from tests.engine.test_losses import decided, error_reference
from tests.engine.test_losses import run as outputs_of
from tests.profiles import rows as table

HOUR_MS = 3_600_000
COUNT = 200
SPEC = HOURLY
REFERENCE = Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(0), 20_000), None, version="3")


def between(first: int, last: int, spec: ModelSpec = SPEC) -> ModelSpec:
    """With a sale from one hour up to another, but for a minute at either end: what it touches is ignored."""
    entry = CalendarSpec("sale", first * HOUR_MS + 60_000, last * HOUR_MS - 60_000)
    return replace(spec, calendar=(CalendarSpec("long ago", -2 * HOUR_MS, 0), entry))


@dataclass
class Run:
    """Hours of traffic, each closed at once."""

    spec: ModelSpec
    references: dict[str, Reference] = field(default_factory=lambda: {"3": REFERENCE})
    changes: list[IncidentChange] = field(default_factory=list)
    views: list[WindowView] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.engine = Monitor([self.spec], {"m": self.references})

    def feed(
        self,
        hours: Iterable[int],
        shift: float = 0.0,
        rows: int = COUNT,
        missing: float = 0.0,
        version: str = "3",
    ) -> Run:
        model = self.engine.models["m"]
        for hour in hours:
            random = np.random.default_rng(hour)
            times = hour * HOUR_MS + np.arange(rows, dtype=np.int64) * (HOUR_MS // rows)
            first = hour * 10_000
            batch = table.predictions(
                random, rows, first=first, offset=first, time_ms=times, version=version, shift=shift
            )
            amount = batch.features["amount"]
            assert isinstance(amount, NumericColumn)
            values = np.where(random.random(rows) < missing, np.nan, amount.values)
            batch = replace(batch, features={**batch.features, "amount": NumericColumn.of(values)})
            model.ingest(batch, (), {}, Now.at(1 << 50))
            output = model.finish((hour + 1) * HOUR_MS)
            self.changes += output.changes
            self.views += output.windows
            if (due := model.due()) is not None:
                self.changes += model.settle(due, None).changes
        return self

    def restart(self) -> None:
        pieces = saved(self.engine)
        self.engine = Monitor([self.spec], {"m": self.references})
        self.engine.restore(pieces)

    def without(self, hours: Collection[int]) -> list[WindowView]:
        return [view for view in self.views if view.window.start_ms // HOUR_MS not in hours]

    def verdicts(self, feature: str, hours: Collection[int]) -> list[Verdict]:
        return [
            verdict
            for view in self.views
            if view.window.start_ms // HOUR_MS in hours
            for verdict in view.verdicts
            if verdict.feature == feature
        ]

    def pieces(self) -> dict[str, bytes]:
        """What is remembered of versions and of their rows."""
        kinds = ("watch", "lesson", "memory", "recent", "reference")
        return {key: piece for key, piece in saved(self.engine).items() if key.split("/")[1] in kinds}


SALE = range(20, 30)


def test_a_window_is_ignored_that_an_entry_touches_and_no_other() -> None:
    spec = replace(SPEC, calendar=(CalendarSpec("a", 2 * HOUR_MS, 4 * HOUR_MS), CalendarSpec("b", 5_000, 6_000)))

    def name(start_ms: int, end_ms: int, spec: ModelSpec = spec) -> str:
        return spec.ignored(Window(end_ms, "m", "3", "", start_ms))

    assert [name(hour * HOUR_MS, (hour + 1) * HOUR_MS) for hour in range(-1, 5)] == ["", "b", "", "a", "a", ""]
    assert name(0, 5_000) == name(6_000, HOUR_MS) == ""
    assert name(0, 5_001) == name(5_999, HOUR_MS) == "b"
    assert name(0, 5_001, replace(spec, window=WindowSpec(500, "rows"))) == "b"
    assert name(0, 5_001, replace(spec, window=WindowSpec(500, "numbered rows"))) == ""


@pytest.mark.parametrize("begins", [10, 18, 20])
def test_everything_else_is_as_if_the_rows_had_never_come(begins: int) -> None:
    """Whatever they hold, also while a change goes on around them, and across restarts."""
    said, silent = Run(between(20, 30)), Run(SPEC)
    for each in (said, silent):
        each.feed(range(begins)).feed(range(begins, 20), shift=0.6)
    said.feed(range(20, 24), shift=4.0, rows=50)
    said.restart()
    said.feed(range(24, 30), shift=4.0, missing=0.5)
    for each in (said, silent):
        each.feed(range(30, 40), shift=0.6).feed(range(40, 50))
    assert said.changes == silent.changes
    assert [view.verdicts for view in said.without(SALE)] == [view.verdicts for view in silent.views]
    assert [view.ignored for view in said.views] == [""] * 20 + ["sale"] * 10 + [""] * 20
    kept, other = said.engine.models["m"], silent.engine.models["m"]
    for state in (kept.watching.states["3"], other.watching.states["3"]):
        state.volume.start_ms = state.volume.rows = 0  # Which hour is counted now is not the same.
        state.volume.hours, state.volume.since_ms = np.zeros((0, 3), dtype=np.int64), 0
    assert said.pieces() == silent.pieces()
    assert {change.event for change in said.changes} >= {"opened", "resolved"}


def test_the_same_rows_alarm_without_the_entry() -> None:
    found = Run(SPEC).feed(range(20)).feed(SALE, shift=4.0, missing=0.5)
    assert {change.incident.cause for change in found.changes} == {"data", "drift"}
    assert Run(between(20, 30)).feed(range(20)).feed(SALE, shift=4.0, missing=0.5).changes == []


def test_an_ignored_window_says_nothing_and_what_stood_before_stands() -> None:
    run = Run(between(20, 30)).feed(range(18)).feed((18, 19), shift=0.17).feed(SALE, shift=4.0)
    verdicts = run.verdicts("amount", SALE)
    (before,) = run.verdicts("amount", (19,))
    assert before.evidence_ratio > 0
    assert {verdict.state for verdict in verdicts} == {"insufficient"}
    assert {verdict.evidence_ratio for verdict in verdicts} == {before.evidence_ratio}
    assert {(verdict.effect, verdict.p_value, verdict.tested_ms) for verdict in verdicts} == {
        (None, None, before.tested_ms)
    }
    (part,) = slices(run.engine.views()["m"])
    (standing,) = [verdict for verdict in part.standing if verdict.feature == "amount"]
    assert (standing.state, standing.window.end_ms) == (before.state, 20 * HOUR_MS)


def test_incidents_that_were_open_stay_as_they_were_and_end_by_what_comes_after() -> None:
    run = Run(between(20, 30)).feed(range(10)).feed(range(10, 20), shift=1.0, missing=0.3)
    opened = {change.incident.id for change in run.changes}
    assert len(opened) == 2
    known = list(run.engine.models["m"].progress.incidents.standing)
    run.feed(range(20, 25))
    run.restart()
    run.feed(range(25, 30))
    assert run.engine.models["m"].progress.incidents.standing == known
    verdicts = run.verdicts("amount", SALE)
    assert {(verdict.state, verdict.wrong) for verdict in verdicts} == {("drifting", ("missing",))}
    run.feed(range(30, 60))
    ended = {
        change.incident.id: change.window.start_ms // HOUR_MS for change in run.changes if not change.incident.open
    }
    assert ended.keys() == opened
    assert all(hour >= 30 for hour in ended.values())


DAYS = 20
SMALL = replace(
    SPEC, schema=Schema("m", "binary", {"amount": "numeric"}, positive="1"), window=WindowSpec(HOUR_MS // 2)
)
CELLS = {"3": Reference.build(SMALL.schema, table.predictions(np.random.default_rng(0), 20_000), None, version="3")}


@functools.cache
def usual() -> dict[str, bytes]:
    """What is saved after DAYS of 60 rows an hour."""
    return saved(Run(SMALL, CELLS).feed(range(DAYS * 24), rows=60).engine)


def after_usual(*calendar: CalendarSpec) -> Run:
    run = Run(replace(SMALL, calendar=calendar), CELLS)
    run.engine.restore(usual())
    return run


def test_how_many_rows_come_is_judged_neither_in_it_nor_of_an_hour_that_it_touches() -> None:
    """Hours of two windows, of which the sale takes the last of its first hour, and the first of its last."""
    first, last = DAYS * 24, DAYS * 24 + 5
    entry = CalendarSpec("sale", first * HOUR_MS + HOUR_MS // 2, last * HOUR_MS + HOUR_MS // 2)
    for run, changes in ((after_usual(), 2), (after_usual(entry), 0)):
        run.feed(range(first, last + 1), rows=600).feed(range(last + 1, last + 12), rows=60)
        assert len([change for change in run.changes if ROWS in change.incident.features]) == changes


def test_too_few_rows_before_it_are_too_few_until_it_is_over() -> None:
    first = DAYS * 24 + 3
    sale = range(first, first + 5)
    run = after_usual(CalendarSpec("sale", first * HOUR_MS, (first + 5) * HOUR_MS))
    run.feed(range(DAYS * 24, first), rows=6)
    (opened,) = run.changes
    assert opened.incident.features == (ROWS,)
    run.feed(sale, rows=60)
    assert {verdict.state for verdict in run.verdicts(ROWS, sale)} == {"drifting"}
    assert run.changes == [opened]
    run.feed(range(first + 5, first + 17), rows=60)
    assert [change.event for change in run.changes] == ["opened", "resolved"]


def test_a_version_is_not_forgotten_for_what_was_ignored() -> None:
    """It drifts in nothing, and has half of the evidence that it takes."""
    weeks = 3 * 7 * DAY_MS // (2 * HOUR_MS)
    run = Run(between(20, 20 + weeks)).feed(range(18)).feed((18, 19), shift=0.17)
    known = run.engine.models["m"].watching.states["3"]
    run.feed(range(20, 20 + weeks), rows=10, shift=1.0).feed((20 + weeks,))
    assert run.engine.models["m"].watching.states["3"] is known


def test_what_is_ignored_is_no_silence() -> None:
    days = [CalendarSpec("a", day * DAY_MS, (day + 1) * DAY_MS) for day in (3, 5, 6)]
    spec = replace(SPEC, calendar=tuple(days))

    def since(end: float, silent: float) -> float:
        return spec.silent_since(round(end * DAY_MS), round(silent * DAY_MS)) / DAY_MS

    # By hand: days 0, 1, 2, 4, 7, 8, ... count.
    assert [since(9, silent) for silent in (1, 2, 2.5, 3, 3.5, 4)] == [8, 7, 4.5, 4, 2.5, 2]
    assert [since(6.5, silent) for silent in (0.5, 1, 2)] == [4.5, 4, 2]
    assert since(3, 1) == 2


def test_what_was_ignored_is_no_lesson() -> None:
    """Neither of what is usual, nor of a reference that is learned in production."""
    for spec in (
        replace(SPEC, alarms=AlarmSpec(learning_ms=3 * DAY_MS)),
        replace(SPEC, made=MadeSpec(2 * DAY_MS), alarms=AlarmSpec(learning_ms=0)),
        replace(SPEC, made=MadeSpec(2 * DAY_MS, against="rolling", windows=5), alarms=AlarmSpec(learning_ms=0)),
    ):
        references = {} if spec.made else {"3": REFERENCE}
        said, silent = Run(between(20, 30, spec), references), Run(spec, references)
        said.feed(range(20)).feed(SALE, shift=4.0, missing=0.5).feed(range(30, 80))
        silent.feed(range(20)).feed(range(30, 80))
        assert [view.verdicts for view in said.without(SALE)] == [view.verdicts for view in silent.views]
        assert {verdict.state for verdict in said.verdicts("amount", SALE)} <= {"learning", "insufficient"}
        assert said.changes == silent.changes == []
        kept, other = said.pieces(), silent.pieces()
        assert kept.keys() == other.keys()
        assert all(kept[key] == other[key] for key in kept if "/watch/" not in key)
    assert ROWS_MIN <= COUNT


def test_labels_of_ignored_windows_are_read_and_are_no_evidence() -> None:
    """Hours 40 to 80 have an error rate of 0.6; a span takes five hours and more."""
    batch, label = decided(np.random.default_rng(1), [(4_000, 0.1), (4_000, 0.6), (6_000, 0.1)])
    made = error_reference()

    def performance(spec: ModelSpec) -> tuple[list[IncidentChange], dict[int, PerformanceView]]:
        outputs = outputs_of(made, batch, label, spec)
        views = {view.window.start_ms // HOUR_MS: view for output in outputs for view in output.performance}
        return [change for output in outputs for change in output.changes], views

    changes, _ = performance(LABELLED)
    assert {change.incident.cause for change in changes} >= {"performance"}
    changes, views = performance(between(40, 80, LABELLED))
    assert changes == []
    for hour, view in views.items():
        accuracy = next(each for each in view.readings if each.statistic == "accuracy")
        inside = 40 <= hour < 80
        if accuracy.value is not None:
            assert (accuracy.value < 0.5) == inside, "no span holds windows of both kinds"
        assert (view.evidence_ratio is None) == inside or not view.settled
    assert {view.span_start_ms // HOUR_MS >= 40 for hour, view in views.items() if 46 <= hour < 80} == {True}
    assert min(hour for hour, view in views.items() if view.span_start_ms // HOUR_MS < 40 and hour >= 80) == 80


def test_a_broken_feature_whose_data_alone_is_watched_has_no_verdict_there_either() -> None:
    spec = between(6, 9, replace(SPEC, features={"amount": FeatureSpec("quality")}))
    run = Run(spec).feed(range(9), missing=0.5)
    assert {change.incident.features for change in run.changes} == {("amount",)}
    said = [verdict for view in run.views[-3:] for verdict in view.verdicts]
    assert {verdict.state for verdict in said} == {"insufficient"}
    assert "amount" not in {verdict.feature for verdict in said}
