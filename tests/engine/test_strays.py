"""Labels that match no prediction are an incident of the data within a day, unless that is only to be expected."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.records import IncidentChange
from monitor.engine.strays import Strays
from monitor.events.batch import LABELS, CategoricalColumn, NumericColumn
from monitor.runtime import backtest
from monitor.runtime.backtest import Backtest, run_backtest
from monitor.runtime.tables import Table
from monitor.spec import DAY_MS, AlarmSpec, ModelSpec, RetrainSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.test_losses import HOURLY, SPEC, decided, error_reference
from tests.profiles import rows

HOUR_MS = 3_600_000
DAY = 24
VERSION = ""
REFERENCES = {"": error_reference()}


def told(
    days: int,
    wrong: tuple[float, float] = (0, 0),
    *,
    delay: int = 1,
    every: int = 1,
    pause: tuple[int, int] = (0, 0),
    spec: ModelSpec = SPEC,
    shift_from: int = 1 << 30,
) -> Backtest:
    """HOURLY predictions an hour, and as many labels, each of the prediction `delay` hours earlier: those of the first
    hours belong to none that is there. From one hour up to another their ids are wrong. every: labels that come, one
    of so many. pause: hours without predictions. shift_from: hour from which the feature drifts.
    """
    batch, label = decided(np.random.default_rng(1), [(days * DAY * HOURLY, 0.1)])
    batch = replace(batch, version=CategoricalColumn(batch.version.codes, (VERSION,)))
    hour = batch.time_ms / HOUR_MS
    feature = batch.features["x"]
    assert isinstance(feature, NumericColumn)
    batch = replace(batch, features={"x": NumericColumn.of(feature.values ** np.where(hour < shift_from, 1, 3))})
    predicted = np.arange(len(batch)) - delay * HOURLY
    known = (predicted >= 0) & (predicted < len(batch)) & ~((hour >= wrong[0]) & (hour < wrong[1]))
    of = np.clip(predicted, 0, len(batch) - 1)
    labels = rows.labels(batch, CategoricalColumn(label.codes[of], label.values), batch.time_ms)
    labels = replace(labels, key=np.where(known, batch.key[of], ~batch.key)).take(slice(0, None, every))
    kept = batch.take((hour < pause[0]) | (hour >= pause[1]))
    return run_backtest(spec, REFERENCES, Table(kept, None, False), labels, lambda: Now.at(0))


def changes(run: Backtest) -> list[IncidentChange]:
    return [each for output in run.outputs for each in output.changes]


def about_labels(run: Backtest) -> list[tuple[str, int]]:
    """What happened to their incident, and at which hour."""
    return [
        (each.event, each.window.end_ms // HOUR_MS) for each in changes(run) if each.incident.opened.segment == LABELS
    ]


@pytest.mark.parametrize("chunk", [1_307, 50_000])
def test_labels_of_other_ids_are_an_incident_a_day_later_and_until_they_match(
    chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Whose version has no name, as the incident has none. Hours are whole, also where a step ends within one."""
    monkeypatch.setattr(backtest, "CHUNK", chunk)
    run = told(6, (50, 130.25), spec=replace(SPEC, window=WindowSpec(HOUR_MS // 2)))
    assert about_labels(run) == [("opened", 74), ("resolved", 131)]
    opened, resolved = changes(run)
    assert (opened.incident.cause, opened.incident.features, opened.incident.severity) == ("data", (LABELS,), "major")
    assert opened.reason == (
        "none of the 2,400 labels of the last day belongs to a prediction: do their ids agree with those of "
        "predictions, and are they sent to the same model name?"
    )
    assert resolved.reason == "75 labels of the last day belong to predictions"


def test_labels_of_predictions_from_before_the_start_are_no_incident() -> None:
    """Nor are labels that come before their predictions, by days."""
    for delay in (3 * DAY, -2 * DAY):
        run = told(5, delay=delay)
        assert run.labels == 5 * DAY * HOURLY
        assert changes(run) == []


def test_labels_that_never_matched_are_one_when_predictions_have_come_for_as_long_as_a_verdict_waits() -> None:
    spec = replace(SPEC, performance=replace(SPEC.performance, wait_ms=3 * DAY_MS))
    assert about_labels(told(6, (0, 1e9), spec=spec)) == [("opened", 4 * DAY)]
    assert about_labels(told(6, (0, 1e9))) == []


def test_a_few_labels_or_a_part_of_them_or_labels_without_predictions_are_no_incident() -> None:
    assert about_labels(told(6, (50, 1e9), every=25)) == []  # 96 a day.
    assert about_labels(told(6, (50, 1e9), every=24)) == [("opened", 74)]
    part = told(6, (50, 73))
    assert about_labels(part) == []
    assert about_labels(told(6, (50, 1e9), pause=(45, 1 << 30))) == []


def test_where_few_ever_matched_many_must_fail_to() -> None:
    strays = Strays(before=(10_000, 100))
    assert not strays.should_match(1_399, waited=True)
    assert strays.should_match(1_400, waited=False)
    assert [Strays().should_match(100, waited) for waited in (False, True)] == [False, True]
    assert not Strays().should_match(99, waited=True)


def test_while_labels_do_not_match_nobody_is_asked_to_retrain() -> None:
    """Also of versions that have a name."""
    spec = replace(
        SPEC, retrain=RetrainSpec("pipeline", frozenset({"drift"}), labels_min=0), alarms=AlarmSpec(learning_ms=0)
    )
    asked = [each for output in told(5, shift_from=90, spec=spec).outputs for each in output.triggers]
    assert [each.withheld for each in asked] == [""]
    run = told(7, (50, 140), shift_from=90, spec=spec)
    refused, sent = (each for output in run.outputs for each in output.triggers)
    assert refused.withheld == "the data is wrong (labels): retraining would learn it"
    assert (sent.withheld, sent.window.end_ms) == ("", 141 * HOUR_MS)
