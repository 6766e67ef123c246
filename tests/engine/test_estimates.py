"""What is expected of windows without labels, through the engine: of each window, of spans, and deciding nothing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.special import expit

from monitor.engine import Output
from monitor.events.batch import CategoricalColumn, NumericColumn, Predictions
from monitor.profiles.predicted import PredictedScores
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.runtime.backtest import run_backtest
from monitor.runtime.tables import Table
from monitor.spec import PerformanceSpec
from monitor.statistics.performance.estimate import ESTIMATED, Estimator
from monitor.statistics.reading import Reading
from monitor.windows.streams import Now
from tests.engine.test_losses import HOUR_MS, SPEC, classes, predictions, reference, run

HOURLY, HOURS = 300, 8
RANKED = replace(SPEC, performance=PerformanceSpec("roc_auc", 0.2))


def scored(seed: int, rows: int, spread: float = 1.5) -> tuple[Predictions, CategoricalColumn]:
    """Calibrated scores; a narrower spread is a population of which the model is less sure."""
    random = np.random.default_rng(seed)
    score = expit(random.normal(0.0, spread, rows))
    label = random.random(rows) < score
    return predictions(classes(score >= 0.5), {"yes": NumericColumn.of(score)}, HOURLY), classes(label)


def made() -> Reference:
    return reference(*scored(0, 20_000))


def kept(made: Reference, batch: Predictions) -> PredictedScores:
    profile = Profile.empty(made.layout)
    profile.fold(batch)
    return profile.scores


def wanted(made: Reference, batch: Predictions, metric: str = "roc_auc") -> float:
    """One pass over the rows of a window, or of a span."""
    found = Estimator(made.layout.outcome, made.outcome).estimates(kept(made, batch), [metric])[metric][2]
    assert found is not None
    return found.value


def expected(readings: tuple[Reading, ...], metric: str = "roc_auc") -> Reading:
    (found,) = (each for each in readings if each.statistic == f"{metric}_estimate")
    return found


def hours(batch: Predictions, first: int, last: int) -> Predictions:
    return batch.take(slice(first * HOURLY, (last + 1) * HOURLY))


def windows(outputs: list[Output]) -> dict[int, tuple[Reading, ...]]:
    return {view.window.start_ms // HOUR_MS: view.estimates for output in outputs for view in output.windows}


def unlabelled(made: Reference, batch: Predictions) -> list[Output]:
    outputs = run_backtest(RANKED, {"3": made}, Table(batch, None, False), None, lambda: Now.at(0)).outputs
    assert not any(change.incident.cause == "performance" for output in outputs for change in output.changes)
    return outputs


def test_a_window_has_the_estimate_of_its_rows_and_a_settled_one_that_of_its_span() -> None:
    reference, (batch, label) = made(), scored(1, HOURLY * HOURS)
    outputs = run(reference, batch, label, RANKED)
    found = windows(outputs)
    assert sorted(found) == list(range(HOURS))
    for hour, estimates in found.items():
        assert [each.statistic for each in estimates] == [f"{metric}_estimate" for metric in ESTIMATED["binary"]]
        assert expected(estimates).value == wanted(reference, hours(batch, hour, hour))
        assert expected(estimates).rows == HOURLY
    spans = {
        view.window.start_ms // HOUR_MS: view
        for output in outputs
        for view in output.performance
        if view.span_start_ms < view.window.start_ms
    }
    assert len(spans) > 3, "two windows hold the 500 labels that one does not"
    for hour, view in spans.items():
        rows = hours(batch, view.span_start_ms // HOUR_MS, hour)
        assert expected(view.estimates).value == wanted(reference, rows)
    assert {reading for output in outputs for reading in output.readings} >= set(found[0])


def test_spans_that_one_boundary_reads_are_each_of_their_own_windows() -> None:
    """All labels come at once, so that each span is made from the one before it."""
    made_of, (batch, label) = made(), scored(7, HOURLY * HOURS)
    outputs = run(made_of, batch, label, RANKED, known_ms=np.full(len(batch), (HOURS + 1) * HOUR_MS))
    views = [view for output in outputs for view in output.performance if view.settled]
    assert len({view.window for view in views}) == HOURS - 1, "the first alone holds too few labels"
    for view in views:
        first, last = view.span_start_ms // HOUR_MS, view.window.start_ms // HOUR_MS
        assert expected(view.estimates).value == wanted(made_of, hours(batch, first, last))


def test_an_estimate_falls_with_who_comes_and_not_with_what_is_true_of_them() -> None:
    """Neither is an incident before there are labels."""
    reference, (known, _), (unsure, _) = made(), scored(2, HOURLY * HOURS), scored(3, HOURLY * HOURS, 0.7)
    usual, fallen = (windows(unlabelled(reference, batch)) for batch in (known, unsure))
    value = {hour: expected(estimates).value for hour, estimates in usual.items()}
    assert all(expected(fallen[hour]).value < figure - 0.05 for hour, figure in value.items() if figure)
    noise = classes(np.random.default_rng(4).random(HOURLY * HOURS) < 0.5)
    outputs = run(reference, known, noise, RANKED)
    assert {hour: expected(estimates).value for hour, estimates in windows(outputs).items()} == value
    newest = [view for output in outputs for view in output.performance if view.settled][-1]
    realised = next(each for each in newest.readings if each.statistic == "roc_auc")
    assert realised.value == pytest.approx(0.5, abs=0.1)
    assert expected(newest.estimates).value == pytest.approx(0.83, abs=0.03)


def test_a_version_compared_with_anothers_reference_has_none_yet() -> None:
    batch, label = scored(5, HOURLY * HOURS)
    other = replace(batch, version=CategoricalColumn(batch.version.codes, ("4",)))
    found = windows(run(made(), other, label, RANKED))
    assert {each.status for estimates in found.values() for each in estimates} == {"learning"}


def test_without_scores_or_a_labelled_reference_it_is_not_applicable() -> None:
    batch, label = scored(6, HOURLY * HOURS)
    unlabelled = Reference.build(SPEC.schema, batch, None, version="3")
    for by, rows in ((unlabelled, batch), (made(), replace(batch, scores={}))):
        found = windows(run(by, rows, label, RANKED))
        assert {each.status for estimates in found.values() for each in estimates} == {"not_applicable"}
