"""The sequential test in the engine: losses followed from labels as they come, and the incidents that follow."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.special import expit, logit

from monitor.detection.betting import RELEASE, Stream
from monitor.detection.incidents import Incidents
from monitor.detection.records import IncidentChange
from monitor.engine import Output
from monitor.engine.ledger import Ledger
from monitor.engine.losses import Followed
from monitor.engine.performance import PerformanceReader
from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Origin, Pairs, Predictions
from monitor.events.ids import digests
from monitor.events.schema import Schema
from monitor.events.timestamps import iso
from monitor.exports.lines import lines
from monitor.profiles.reference import Reference
from monitor.runtime.backtest import run_backtest
from monitor.runtime.findings import Findings
from monitor.runtime.tables import Table
from monitor.runtime.trial_text import _foreign
from monitor.snapshot import PerformanceView
from monitor.spec import ModelSpec, PerformanceSpec, RetrainSpec
from monitor.statistics.performance import losses
from monitor.statistics.reading import Reading
from monitor.windows.streams import Now
from monitor.windows.window import Window, WindowSpec
from tests.profiles import rows

HOUR_MS = 3_600_000
NAMES = ("no", "yes")
SCHEMA = Schema("m", "binary", {"x": "numeric"}, positive="yes")
SPEC = ModelSpec("m", SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("accuracy", 0.2), lateness_ms=0)
HOURLY = 100


def predictions(prediction: Column, scores: dict[str, NumericColumn], hourly: int = HOURLY) -> Predictions:
    """Evenly spread over hours, of version 3, with a feature that never drifts."""
    count = len(prediction.codes if isinstance(prediction, CategoricalColumn) else prediction.values)
    ints = np.zeros(count, dtype=np.int32)
    return Predictions(
        "m",
        Origin("predictions", ints, np.arange(count), ints),
        np.arange(count) * HOUR_MS // hourly,
        np.full(count, -1, dtype=np.int64),
        digests(map(str, range(count))),
        np.ones(count, dtype=np.bool_),
        CategoricalColumn(ints, ("3",)),
        {"x": NumericColumn.of(np.arange(count) % 50 / 50)},
        prediction,
        scores,
    )


def classes(values: NDArray[np.bool_]) -> CategoricalColumn:
    return CategoricalColumn(values.astype(np.int32), NAMES)


def decided(random: np.random.Generator, rates: Sequence[tuple[int, float]]) -> tuple[Predictions, CategoricalColumn]:
    """Decisions without scores, half of them positive, and labels: by turns so many rows of such an error rate."""
    wrong = np.concatenate([random.random(count) < rate for count, rate in rates])
    decision = random.random(len(wrong)) < 0.5
    return predictions(classes(decision), {}), classes(decision ^ wrong)


def reference(batch: Predictions, label: Column, schema: Schema = SCHEMA) -> Reference:
    return Reference.build(schema, batch, Pairs(batch.prediction, batch.scores, label), version="3")


def error_reference() -> Reference:
    return reference(*decided(np.random.default_rng(0), [(100_000, 0.1)]))


def run(
    made: Reference,
    batch: Predictions,
    label: Column,
    spec: ModelSpec = SPEC,
    known_ms: NDArray[np.int64] | None = None,
    labelled: NDArray[np.intp] | None = None,
) -> list[Output]:
    """known_ms: when each label comes, by default with its prediction. labelled: rows that have one."""
    labels = rows.labels(batch, label, batch.time_ms if known_ms is None else known_ms)
    labels = labels if labelled is None else labels.take(labelled)
    return run_backtest(spec, {"3": made}, Table(batch, None, False), labels, lambda: Now.at(0)).outputs


def changes(outputs: list[Output]) -> list[IncidentChange]:
    return [each for output in outputs for each in output.changes if each.incident.cause == "performance"]


def verdicts(outputs: list[Output]) -> dict[int, PerformanceView]:
    """By the hour of the window, as of its verdict or later."""
    views = [view for output in outputs for view in output.performance if view.settled]
    return {view.window.start_ms // HOUR_MS: view for view in views}


def test_a_risen_error_rate_opens_an_incident_that_says_what_and_since_when_and_ends_when_it_is_back() -> None:
    batch, label = decided(np.random.default_rng(1), [(4_000, 0.1), (4_000, 0.15), (6_000, 0.1)])
    outputs = run(error_reference(), batch, label)
    opened, *joined, resolved = changes(outputs)
    assert [each.event for each in (opened, *joined, resolved)] == ["opened", *["joined"] * len(joined), "resolved"]
    hour = opened.window.start_ms // HOUR_MS
    assert 43 <= hour <= 65
    assert opened.incident.severity == "moderate"
    assert set(opened.incident.features) <= {"error_rate", "false_negative_rate", "false_positive_rate"}
    *of_metric, said, evidence, began = opened.reason.split("; ")
    assert of_metric == []
    assert re.fullmatch(r"the error rate rose from 0\.10\d to 0\.1\d+ \(0\.1\d+ to 0\.1\d+\) over \d+ labels", said)
    assert evidence == "the evidence reached its limit"
    assert began.startswith("it began about 1970-01-0")
    assert re.match(
        r"the error rate (and .* are|is) no worse than (they|it) may be any more; accuracy is", resolved.reason
    )
    assert 80 <= resolved.window.start_ms // HOUR_MS <= 125
    views = verdicts(outputs)
    assert views[hour].evidence_ratio is not None
    assert views[hour].evidence_ratio >= 1
    assert views[hour].evidence_loss == "error_rate"
    assert all((view.evidence_ratio or 0) < 1 for each, view in views.items() if each < hour)
    assert (views[resolved.window.start_ms // HOUR_MS].evidence_ratio or 1) <= RELEASE
    printed = [line for line in lines(outputs, by_row=False) if line.get("statistic") == "accuracy"]
    known = [(line["evidence_ratio"], line["evidence_loss"]) for line in printed if "evidence_ratio" in line]
    assert known == [(view.evidence_ratio, view.evidence_loss) for _, view in sorted(views.items())]


def test_a_retrain_request_trains_on_what_came_since_the_rise_began() -> None:
    batch, label = decided(np.random.default_rng(1), [(4_000, 0.1), (4_000, 0.15)])
    spec = replace(SPEC, retrain=RetrainSpec("pipeline", frozenset({"performance"}), labels_min=0))
    outputs = run(error_reference(), batch, label, spec)
    (trigger,) = [each for output in outputs for each in output.triggers if not each.withheld]
    assert trigger.window == changes(outputs)[0].window
    assert 37 <= trigger.onset_ms // HOUR_MS <= 43 < trigger.window.start_ms // HOUR_MS
    assert trigger.training_ms == (trigger.onset_ms, trigger.window.end_ms)
    assert trigger.performance is not None
    assert trigger.performance.metric == "error_rate"
    assert trigger.performance.reference == pytest.approx(0.1, abs=0.003)
    assert 0.13 < trigger.performance.value < 0.18


def test_a_thousand_clean_hours_raises_nothing() -> None:
    batch, label = decided(np.random.default_rng(2), [(100_000, 0.1)])
    outputs = run(error_reference(), batch, label)
    assert len(verdicts(outputs)) == 1_000
    assert changes(outputs) == []


@pytest.mark.parametrize("rows_before", [500, 2_000])
def test_the_noise_of_a_small_reference_raises_nothing(rows_before: int) -> None:
    """A reference that has been lucky: its error rate is two standard errors too low."""
    lucky = 0.1 - 2 * (0.09 / rows_before) ** 0.5
    wrong = np.arange(rows_before) < round(lucky * rows_before)
    decision = np.arange(rows_before) % 2 == 0
    made = reference(predictions(classes(decision), {}), classes(decision ^ wrong))
    batch, label = decided(np.random.default_rng(3), [(60_000, 0.1)])
    assert changes(run(made, batch, label)) == []


def ranked(random: np.random.Generator, count: int, apart: float) -> tuple[Predictions, CategoricalColumn]:
    """A base rate of 1 %; scores of two normal classes, `apart` in log-odds, decided at a score that fits them."""
    truth = random.random(count) < 0.01
    log_odds = random.normal(np.where(truth, apart, 0.0), 1.0) - 4.6
    score = 1 / (1 + np.exp(-log_odds))
    decision = log_odds > -2.0
    return predictions(classes(decision), {"yes": NumericColumn.of(score)}, 1_000), classes(truth)


def test_a_ranking_lost_at_a_base_rate_of_one_percent_is_found_by_the_false_negative_rate() -> None:
    """AUC 0.91 to 0.50; the error rate moves by two in a thousand."""
    before, after = (ranked(np.random.default_rng(seed), 60_000, 1.9 * seed) for seed in (1, 0))
    wrong = [(batch.prediction.codes != label.codes).mean() for batch, label in (before, after)]  # type: ignore[union-attr]
    assert abs(wrong[1] - wrong[0]) < 0.006
    outputs = run(reference(*before), *after, replace(SPEC, performance=PerformanceSpec("accuracy", 0.03)))
    opened = changes(outputs)[0]
    # Ten positives an hour: the first verdict is of the first span that holds a hundred.
    assert opened.window.start_ms // HOUR_MS < 20
    assert opened.incident.features[0] == "false_negative_rate"
    assert opened.reason.startswith("the false-negative rate rose from ")


@pytest.mark.parametrize(("wider", "found"), [(1.0, False), (1.5, True)])
def test_a_regression_whose_errors_have_grown_is_found(wider: float, found: bool) -> None:
    random = np.random.default_rng(5)
    schema = Schema("m", "regression", {"x": "numeric"})
    spec = replace(SPEC, schema=schema, performance=PerformanceSpec("mae", 1e9))

    def values(count: int, size: float) -> tuple[Predictions, Column]:
        truth = random.normal(100, 20, count)
        return predictions(NumericColumn.of(truth + random.standard_t(3, count) * size), {}), NumericColumn.of(truth)

    made = reference(*values(20_000, 0.5), schema)
    opened = changes(run(made, *values(3_000, 0.5 * wider), spec))
    assert [each.incident.features for each in opened[:1]] == ([("large_error_rate",)] if found else [])


def test_a_windows_own_labels_count_once_and_those_of_one_that_had_to_wait_not_after_newer_ones() -> None:
    random = np.random.default_rng(6)
    batch, label = decided(random, [(6_000, 0.11)])
    hour = batch.time_ms // HOUR_MS
    waits = hour % 10 == 3
    known = batch.time_ms + np.where(waits & (random.random(len(batch)) < 0.5), 24 * HOUR_MS, 0)
    kept = np.flatnonzero(random.random(len(batch)) < 0.95)
    # Of a multiclass model without scores, whose one loss is its error rate.
    schema = Schema("m", "multiclass", {"x": "numeric"})
    spec = replace(SPEC, schema=schema, performance=PerformanceSpec("accuracy", 0.2, labels_min=1, class_min=0))
    made = reference(*decided(np.random.default_rng(0), [(100_000, 0.1)]), schema)
    views = verdicts(run(made, batch, label, spec, known_ms=known, labelled=kept))
    before = losses(made.outcome, made.outcome)["error_rate"]
    q = expit(logit(p := 1.05 * before.total / before.labels) + np.array([0.15, 0.3, 0.6, 1.2, 2.4]))
    wrong = batch.prediction.codes != label.codes
    evidence, expected = np.zeros(5), {}
    for each in np.unique(hour[~waits]).tolist():
        errors = wrong[kept[hour[kept] == each]]
        evidence = (evidence + 1) * (q / p) ** errors.sum() * ((1 - q) / (1 - p)) ** (~errors).sum()
        expected[each] = evidence.mean() / (730.5 / (0.1 * 0.2 / 2))
    shown = {each: view.evidence_ratio for each, view in views.items()}
    assert {each for each, ratio in shown.items() if ratio is None} == {*hour[waits].tolist()}
    # An accuracy that may fall by 0.2 is nearer to its limit only where the loss is as far from its own as can be.
    of_loss = [each for each, view in views.items() if view.evidence_loss == "error_rate"]
    assert len(of_loss) > 40
    assert [shown[each] for each in of_loss] == pytest.approx([expected[each] for each in of_loss])
    assert all(ratio is None or ratio >= expected[each] * (1 - 1e-9) for each, ratio in shown.items())


def test_an_incident_of_both_rules_ends_when_neither_holds_any_more() -> None:
    spec = replace(SPEC, performance=PerformanceSpec("accuracy", 0.05))
    batch, label = decided(np.random.default_rng(8), [(3_000, 0.1), (3_000, 0.3), (4_000, 0.1)])
    said = changes(run(error_reference(), batch, label, spec))
    assert [each.event for each in said if each.event != "joined"] == ["opened", "worsened", "resolved"]
    assert said[-1].incident.features[0] in ("error_rate", "false_negative_rate", "false_positive_rate")
    assert "accuracy" in said[-1].incident.features
    worsened = next(each for each in said if each.event == "worsened")
    assert worsened.incident.severity == "major"
    assert worsened.reason.startswith("accuracy fell from 0.898 to 0.")
    assert "; the " in worsened.reason
    assert " rate rose from " in worsened.reason


@pytest.mark.parametrize("by", ["accuracy", "error_rate"])
def test_where_the_metric_cannot_be_read_what_has_alarmed_holds_until_its_evidence_falls(by: str) -> None:
    reader = PerformanceReader(SPEC, error_reference())
    window = Window(2 * HOUR_MS, "m", "3", "", HOUR_MS)
    ledger, incidents = Ledger(window, 100, "3"), Incidents()
    unread = Reading(window, "", "accuracy", 40, "insufficient")
    view = PerformanceView(window, window.start_ms, 40, 0.4, (unread,), True)
    calm, alarmed = Followed({"error_rate": Stream()}), Followed({"error_rate": Stream()})
    assert reader.judge(view, ledger, calm, incidents) is None
    if by == "accuracy":
        alarmed.fall.look(1e-9, HOUR_MS, 10.0)
    else:
        alarmed.streams["error_rate"].update(0.105, 100, 40.0, HOUR_MS, 10.0)
    for events in (["opened"], []):
        said = reader.judge(view, ledger, alarmed, incidents)
        assert said is not None
        assert [each.event for each in said.changes] == events
        assert said.reason.startswith(
            "accuracy had fallen, and too" if by == "accuracy" else "the error rate rose from"
        )
        if by == "error_rate":
            assert said.performance is not None
            assert (said.performance.metric, said.performance.value) == ("error_rate", 0.4)
            # Wilson's interval of 40 in 100, as scipy's `binomtest` gives it.
            assert (said.performance.lower, said.performance.upper) == pytest.approx((0.3094013, 0.4979974), abs=1e-6)
    ended = reader.judge(view, ledger, calm, incidents)
    assert ended is not None
    assert [each.event for each in ended.changes] == ["resolved"]
    name = {"accuracy": "accuracy", "error_rate": "the error rate"}[by]
    assert ended.reason == f"{name} is no worse than it may be any more"


def test_a_collapse_is_major_in_its_first_span_and_says_the_same_onset_everywhere() -> None:
    spec = replace(SPEC, performance=PerformanceSpec("accuracy", 0.05))
    batch, label = decided(np.random.default_rng(9), [(6_000, 0.1), (3_000, 0.45)])
    made = error_reference()
    labels = rows.labels(batch, label, batch.time_ms)
    result = run_backtest(spec, {"3": made}, Table(batch, None, False), labels, lambda: Now.at(0))
    opened = changes(result.outputs)[0]
    assert opened.event == "opened"
    assert opened.incident.severity == "major"
    assert opened.window.start_ms // HOUR_MS <= 63
    assert opened.reason.startswith("accuracy fell from 0.89")
    found = [each for each in Findings(result).found if each.window == opened.window]
    assert {each.onset_ms for each in found} == {opened.onset_ms}
    assert opened.reason.endswith(f"; it began about {iso(opened.onset_ms)}")
    assert 55 <= opened.onset_ms // HOUR_MS <= 61


def test_labels_that_are_wrong_now_and_then_are_one_incident() -> None:
    batch, label = decided(np.random.default_rng(10), [(160_000, 0.1)])
    batch = replace(batch, time_ms=np.arange(160_000) * HOUR_MS // 8_000)
    hour = batch.time_ms // HOUR_MS
    swapped = np.isin(hour, [4, 6, 9, 11]) & (np.random.default_rng(0).random(len(hour)) < 0.2)
    assert isinstance(label, CategoricalColumn)
    wrong = classes((label.codes == 1) ^ swapped)
    said = changes(run(error_reference(), batch, wrong))
    assert [each.event for each in said if each.event in ("opened", "resolved")] == ["opened", "resolved"]


def test_clean_labels_of_a_small_reference_without_skill_open_nothing() -> None:
    """Three hundred labels whose scores say nothing, and windows that hold just enough for a figure."""
    random = np.random.default_rng(11)

    def guessed(count: int) -> tuple[Predictions, CategoricalColumn]:
        score = random.random(count)
        return predictions(classes(score > 0.5), {"yes": NumericColumn.of(score)}, 60), classes(
            random.random(count) < 0.5
        )

    spec = replace(SPEC, performance=PerformanceSpec("roc_auc", 0.03, labels_min=60, class_min=10))
    for _ in range(3):
        assert changes(run(reference(*guessed(300)), *guessed(18_000), spec)) == []


def test_labels_of_no_class_of_the_model_are_no_negatives_and_are_counted() -> None:
    batch, label = decided(np.random.default_rng(12), [(2_000, 0.1)])
    odd = np.arange(2_000) % 10 == 0
    spoiled = CategoricalColumn(np.where(odd, 2, label.codes).astype(np.int32), (*NAMES, "maybe"))
    table, clock = Table(batch, None, False), lambda: Now.at(0)
    result = run_backtest(SPEC, {"3": error_reference()}, table, rows.labels(batch, spoiled, batch.time_ms), clock)
    without = run_backtest(
        SPEC,
        {"3": error_reference()},
        table,
        rows.labels(batch, label, batch.time_ms).take(np.flatnonzero(~odd)),
        clock,
    )
    assert (result.unknown, without.unknown) == (200, 0)

    def last(outputs: list[Output]) -> dict[int, list[float | None]]:
        return {hour: [each.value for each in view.readings] for hour, view in verdicts(outputs).items()}

    assert last(result.outputs) == last(without.outputs)
    assert [*_foreign(without)] == []
    assert [*_foreign(result)] == [
        "200 labels name no class of the model (no, yes) and count for nothing: write labels as the predictions or the "
        "reference do"
    ]
