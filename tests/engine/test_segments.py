"""A change that touches one segment alone is found there, said once, and asks nobody to retrain; a change of whole
traffic stays one incident of whole traffic.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.records import IncidentChange, State, Trigger
from monitor.detection.subject import Subject
from monitor.engine import Monitor, Rebaseline
from monitor.events.batch import CategoricalColumn, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles.reference import Reference
from monitor.snapshot import WindowView
from monitor.spec import CalendarSpec, MadeSpec, ModelSpec, RetrainSpec
from monitor.windows.streams import Now
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
ROWS = 400
COUNTRIES = ("DE", "FR", "PL")
SCHEMA = Schema("m", "binary", {"amount": "numeric", "age": "numeric", "country": "categorical"}, positive="1")
SPEC = replace(HOURLY, schema=SCHEMA, segments=("country",), segments_max=50)
POLISH = "country=PL"
Change = Callable[[dict[str, np.ndarray], np.ndarray], None]
"""Of the numbers by feature, given which rows are Polish."""


def drawn(seed: int, rows: int, change: Change | None = None) -> Predictions:
    """A tenth of the rows is Polish."""
    random = np.random.default_rng(seed)
    batch = table.predictions(random, rows, first=seed * 10_000, offset=seed * 10_000)
    country = random.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.int32)
    numbers = {name: random.normal(country, 1.0) for name in ("amount", "age")}
    if change is not None:
        change(numbers, country == 2)
    columns = {name: NumericColumn.of(values) for name, values in numbers.items()}
    return replace(batch, features={**columns, "country": CategoricalColumn(country, COUNTRIES)})


def amount_there(numbers: dict[str, np.ndarray], polish: np.ndarray) -> None:
    numbers["amount"] += polish * 1.5


def amount_everywhere(numbers: dict[str, np.ndarray], polish: np.ndarray) -> None:
    numbers["amount"] += 1.5


def no_amount_there(numbers: dict[str, np.ndarray], polish: np.ndarray) -> None:
    numbers["amount"][polish & (np.arange(len(polish)) % 3 == 0)] = np.nan


def compiled(seed: int = 0, rows: int = 12_000) -> Reference:
    batch = drawn(seed, rows)
    return Reference.build(SCHEMA, batch, None, version="3").with_segments(batch, ["country"])


REFERENCE = compiled()


class Run:
    """An engine that is given one window after the other."""

    def __init__(self, spec: ModelSpec = SPEC, engine: Monitor | None = None) -> None:
        references = {} if spec.made else {"3": REFERENCE}
        self.engine = engine or Monitor([spec], {"m": references})
        self.changes: list[IncidentChange] = []
        self.views: list[WindowView] = []
        self.triggers: list[Trigger] = []
        self.window = 0

    def windows(self, number: int, change: Change | None = None, partitions: int = 1) -> Run:
        model = self.engine.models["m"]
        for window in range(self.window, self.window + number):
            batch = drawn(window + 1, ROWS, change)
            batch = replace(batch, time_ms=window * HOUR_MS + np.arange(ROWS, dtype=np.int64) * (HOUR_MS // ROWS))
            for part in np.array_split(np.arange(ROWS), partitions)[::-1]:
                origin = replace(batch.origin, partition=np.full(ROWS, int(part[0]), dtype=np.int32))
                model.ingest(replace(batch, origin=origin).take(part), (), {}, Now.at(1 << 50))
            output = model.finish((window + 1) * HOUR_MS)
            self.changes += output.changes
            self.views += output.windows
            due = model.due()
            self.triggers += model.settle(due, None).triggers if due else []
        self.window += number
        return self

    def states(self, subject: Subject) -> list[State]:
        return [
            verdict.state
            for view in self.views
            for part in view.parts
            for verdict in part.verdicts
            if (verdict.feature, part.window.segment) == subject[:2]
        ]

    def said(self) -> list[tuple[str, str, tuple[str, ...]]]:
        return [(each.event, each.incident.cause, each.incident.features) for each in self.changes]


def test_a_change_in_a_tenth_of_the_traffic_is_found_there_though_whole_traffic_does_not_show_it() -> None:
    run = Run().windows(6).windows(8, amount_there)
    assert run.said() == [("opened", "drift", (f"amount in {POLISH}",))]
    (opened,) = run.changes
    assert (opened.incident.opened.segment, opened.incident.severity) == ("", "minor")
    assert opened.reason.startswith(f"amount in {POLISH} (effect ")
    assert f"of amount in {POLISH}, " in opened.reason
    assert opened.window.start_ms - 6 * HOUR_MS <= 3 * HOUR_MS
    assert set(run.states(Subject("amount"))) <= {"ok", "watch"}
    assert run.states(Subject("amount", POLISH))[-1] == "drifting"
    assert set(run.states(Subject("amount", "country=DE"))) <= {"ok", "insufficient"}
    assert not run.states(Subject("country", POLISH))
    named = [view.window.segment for view in run.views[0].segments]
    assert named == ["country=DE", "country=FR", POLISH, "country=__other__"]
    assert sum(view.rows for view in run.views[0].segments) == run.views[0].rows == ROWS


def test_what_whole_traffic_shows_is_not_said_of_its_segments_again() -> None:
    run = Run().windows(6).windows(8, amount_everywhere)
    assert run.said() == [("opened", "drift", ("amount",))]
    assert run.states(Subject("amount", "country=DE"))[-1] == "drifting"
    assert run.changes[0].incident.severity == "major"


def test_whole_traffic_joins_the_incident_that_a_segment_opened_and_the_incident_ends_with_both() -> None:
    run = Run().windows(6).windows(6, amount_there).windows(4, amount_everywhere)
    assert run.said() == [
        ("opened", "drift", (f"amount in {POLISH}",)),
        ("worsened", "drift", (f"amount in {POLISH}", "amount")),
    ]
    run.windows(40)
    assert run.said()[2:] == [("resolved", "drift", (f"amount in {POLISH}", "amount"))]


def test_missing_values_of_one_segment_are_a_cause_in_the_data_named_there() -> None:
    run = Run().windows(6).windows(3, no_amount_there)
    assert ("opened", "data", (f"amount in {POLISH}",)) in run.said()
    (opened,) = [each for each in run.changes if each.incident.cause == "data"]
    assert f"of amount in {POLISH} missing" in opened.reason
    assert opened.incident.severity == "minor"


def test_nobody_is_asked_to_retrain_by_a_segment_alone_but_by_whole_traffic_with_the_segment_named() -> None:
    retrain = RetrainSpec("pipeline", frozenset(("drift",)), labels_min=0)
    run = Run(replace(SPEC, retrain=retrain)).windows(6).windows(6, amount_there)
    assert [trigger.withheld for trigger in run.triggers] == ["the drift is minor"]

    def both(numbers: dict[str, np.ndarray], polish: np.ndarray) -> None:
        amount_there(numbers, polish)
        numbers["age"] += 1.5

    run.windows(5, both)
    sent = [trigger for trigger in run.triggers if not trigger.withheld]
    assert len(sent) == 1
    assert [each.name for each in sent[0].evidence] == ["age", f"amount in {POLISH}"]
    assert sent[0].severity == "major"


@pytest.mark.parametrize("at", [3, 8, 11])
def test_a_restart_changes_nothing(at: int) -> None:
    whole, first = Run().windows(6).windows(8, amount_there), Run()
    first.windows(min(at, 6)).windows(max(0, at - 6), amount_there)
    again = Run(engine=Monitor([SPEC], {"m": {"3": REFERENCE}}))
    again.engine.restore(saved(first.engine))
    again.window = at
    again.windows(max(0, 6 - at)).windows(14 - max(at, 6), amount_there)
    assert first.said() + again.said() == whole.said()
    assert again.views == whole.views[at:]
    one, other = saved(again.engine), saved(whole.engine)
    # A table that ends before it was restarted has partitions that wake; nothing else differs.
    assert {key: one[key] for key in one if "progress" not in key} == {
        key: other[key] for key in other if "progress" not in key
    }


def test_a_restart_within_a_window_loses_no_rows_of_its_segments() -> None:
    run = Run().windows(2)
    batch = replace(drawn(3, ROWS), time_ms=np.full(ROWS, 2 * HOUR_MS))
    run.engine.models["m"].ingest(batch.take(np.arange(150)), (), {}, Now.at(1 << 50))
    again = Monitor([SPEC], {"m": {"3": REFERENCE}})
    again.restore(saved(run.engine))
    for engine in (run.engine, again):
        engine.models["m"].ingest(batch.take(np.arange(150, ROWS)), (), {}, Now.at(1 << 50))
    one, other = (engine.models["m"].finish(3 * HOUR_MS).windows for engine in (run.engine, again))
    assert one == other
    assert sum(part.rows for part in other[0].segments) == ROWS


def test_no_interleaving_of_partitions_matters() -> None:
    one, other = Run().windows(6).windows(8, amount_there), Run().windows(6, None, 5).windows(8, amount_there, 7)
    verdicts = [[part.verdicts for view in run.views for part in view.parts] for run in (one, other)]
    assert verdicts[0] == verdicts[1]
    assert one.said() == other.said()


def test_segments_that_are_named_later_begin_with_what_comes_then() -> None:
    plain = replace(SPEC, segments=())
    run = Run(plain).windows(8)
    assert not any(view.segments for view in run.views)
    again = Run(engine=Monitor([SPEC], {"m": {"3": REFERENCE}}))
    again.engine.restore(saved(run.engine))
    again.window = 8
    again.windows(2).windows(6, amount_there)
    assert again.said() == [("opened", "drift", (f"amount in {POLISH}",))]


def test_a_new_normal_of_the_feature_ends_the_incident_of_its_segment_and_leaves_the_others_evidence() -> None:
    run = Run().windows(6).windows(30, amount_there)
    state = run.engine.models["m"].watching.states["3"]
    names = run.engine.models["m"].references["3"].watch.names
    age, before = names.index(f"age in {POLISH}"), state.values.scales[0].evidence.copy()
    output, _ = run.engine.obey(Rebaseline("m", "it will stay so", ("amount",), from_ms=8 * HOUR_MS), 0)
    assert [(each.event, each.incident.features) for each in output.changes] == [("resolved", (f"amount in {POLISH}",))]
    run.changes.clear()
    run.windows(1, amount_there)
    state = run.engine.models["m"].watching.states["3"]
    assert state.values.scales[0].evidence[names.index(f"amount in {POLISH}")] < 1
    assert before[age] > 0
    run.windows(12, amount_there)
    assert run.said() == []
    run.windows(8)
    assert run.said() == [("opened", "drift", (f"amount in {POLISH}",))], "what was usual before is not any more"


def test_a_whole_new_normal_has_the_segments_that_its_own_rows_give() -> None:
    run = Run().windows(40, amount_there)
    run.engine.obey(Rebaseline("m", "it will stay so"), 0)
    run.changes.clear()
    run.windows(12, amount_there)
    assert run.said() == []
    assert [view.window.segment for view in run.views[-1].segments][:3] == ["country=DE", "country=FR", POLISH]
    assert set(run.states(Subject("amount", POLISH))[-12:]) <= {"ok", "insufficient"}


def test_a_reference_made_of_what_arrives_has_segments() -> None:
    run = Run(replace(SPEC, made=MadeSpec(48 * HOUR_MS))).windows(60).windows(10, amount_there)
    assert run.said() == [("opened", "drift", (f"amount in {POLISH}",))]


@pytest.mark.parametrize("against", ["rolling", "previous"])
def test_windows_that_are_compared_with_newer_ones_are_so_in_segments(against: str) -> None:
    made = MadeSpec(48 * HOUR_MS, "ms", against, 24)  # type: ignore[arg-type]
    run = Run(replace(SPEC, made=made)).windows(80).windows(6, amount_there)
    assert run.said() in ([("opened", "drift", (f"amount in {POLISH}",))], [])
    assert bool(run.said()) == (against == "rolling"), "one window of forty Polish rows is too little to compare with"


def test_a_version_that_nobody_registered_learns_its_segments_too() -> None:
    alarms = replace(SPEC.alarms, learning_ms=72 * HOUR_MS)
    run = Run(replace(SPEC, alarms=alarms))
    run.window = 4 * 24  # A Monday.
    run.windows(72)
    assert set(run.states(Subject("amount", POLISH))) == {"learning"}
    run.windows(24)
    assert run.states(Subject("amount", POLISH))[-1] in ("ok", "insufficient")
    run.windows(12, amount_there)
    assert ("opened", "drift", (f"amount in {POLISH}",)) in run.said()


def test_windows_that_the_calendar_ignores_say_nothing_of_segments() -> None:
    calendar = (CalendarSpec("sale", 8 * HOUR_MS, 14 * HOUR_MS),)
    run = Run(replace(SPEC, calendar=calendar)).windows(8).windows(6, amount_there).windows(4)
    assert run.said() == []
    assert set(run.states(Subject("amount", POLISH))[8:14]) == {"insufficient"}
    assert [part.ignored for part in run.views[8].segments] == ["sale"] * 4
