"""Which metric applies, to how many rows, and what a model's default is."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.events.batch import MISSING, CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import METRICS, default_metric, labels_by_class, performance, usable_rows
from monitor.statistics.reading import Status
from tests.statistics.performance.populations import (
    BINARY,
    REGRESSION,
    binary,
    multiclass,
    regression,
    typical_binary,
    typical_multiclass,
)

LABELS = CategoricalColumn(np.repeat([0, 1], 30).astype(np.int32), ("ok", "fraud"))


def status(layout: OutcomeLayout, pairs: Pairs, metric: str) -> Status:
    outcome = Outcome.empty(layout)
    outcome.fold(layout, pairs)
    return performance(layout, outcome, metric)[0]


@pytest.mark.parametrize("name", METRICS)
def test_a_metric_of_another_task_is_not_applicable(name: str) -> None:
    for population in (
        typical_binary(100, 1),
        typical_multiclass(100, 1),
        regression(np.arange(100.0), np.arange(100.0)),
    ):
        got, estimate = performance(population.layout, population.outcome(), name)
        assert (got == "not_applicable") is (population.layout.task not in METRICS[name].tasks)
        assert (estimate is None) is (got != "ok")


def test_an_outcome_without_labels_is_insufficient() -> None:
    assert performance(BINARY, Outcome.empty(BINARY), "roc_auc") == ("insufficient", None)


@pytest.mark.parametrize("name", METRICS)
def test_one_row_less_than_needed_is_insufficient(name: str) -> None:
    """Thirty rows of a metric's own kind are enough, in balanced classes; 29 are not."""
    label = np.tile([0, 1, 2], 10)
    populations = {
        "binary": lambda rows: binary(label[:rows] % 2, np.linspace(0.0, 1.0, rows)),
        "multiclass": lambda rows: multiclass(label[:rows], np.eye(3)[label[:rows]]),
        "regression": lambda rows: regression(1.0 + np.arange(rows), np.arange(rows) + 0.5),
    }
    for task in METRICS[name].tasks:
        enough, short = populations[task](METRICS[name].rows_min), populations[task](METRICS[name].rows_min - 1)
        assert performance(enough.layout, enough.outcome(), name)[0] == "ok"
        assert performance(short.layout, short.outcome(), name)[0] == "insufficient"


def test_without_decision_and_threshold_a_decision_metric_is_not_applicable() -> None:
    layout = OutcomeLayout("binary", ("ok", "fraud"), "fraud", None)
    pairs = Pairs(None, {"fraud": NumericColumn.of(np.linspace(0.0, 1.0, 60))}, LABELS)
    assert status(layout, pairs, "f1") == "not_applicable"
    assert status(layout, pairs, "roc_auc") == "ok"
    assert status(BINARY, pairs, "f1") == "ok"


def test_without_scores_a_score_metric_is_not_applicable() -> None:
    pairs = Pairs(LABELS, {}, LABELS)
    for name in ("roc_auc", "pr_auc", "log_loss", "brier", "calibration_error"):
        assert status(BINARY, pairs, name) == "not_applicable"
    assert status(BINARY, pairs, "f1") == "ok"


def test_scores_that_are_no_probabilities_are_not_used() -> None:
    pairs = Pairs(None, {"fraud": NumericColumn.of(np.full(60, 1.5))}, LABELS)
    assert status(BINARY, pairs, "roc_auc") == "not_applicable"


def test_values_that_are_missing_make_a_regression_metric_not_applicable() -> None:
    missing = NumericColumn(np.zeros(60), np.full(60, MISSING, dtype=np.uint8))
    assert status(REGRESSION, Pairs(missing, {}, NumericColumn.of(np.arange(60.0))), "mae") == "not_applicable"
    assert status(REGRESSION, Pairs(None, {}, NumericColumn.of(np.arange(60.0))), "mae") == "not_applicable"


@pytest.mark.parametrize(("classes", "expected"), [(50, "ok"), (51, "not_applicable")])
def test_beyond_fifty_classes_there_is_no_ranking(classes: int, expected: Status) -> None:
    label = np.tile(np.arange(classes), 3)
    population = multiclass(label, np.eye(classes)[label])
    for name in ("roc_auc_macro", "roc_auc_weighted"):
        assert performance(population.layout, population.outcome(), name)[0] == expected
    assert performance(population.layout, Outcome.empty(population.layout), "roc_auc_macro")[0] != "ok"
    assert performance(population.layout, population.outcome(), "log_loss")[0] == "ok"


def test_scores_of_a_layout_without_classes_are_not_applicable() -> None:
    layout = OutcomeLayout("multiclass")
    assert status(layout, Pairs(LABELS, {}, LABELS), "roc_auc_macro") == "not_applicable"
    assert status(layout, Pairs(LABELS, {}, LABELS), "brier") == "not_applicable"


def test_usable_rows_are_those_with_what_is_needed() -> None:
    score = NumericColumn.of(np.array([0.1, 0.9, np.nan, 2.0]))
    decision = CategoricalColumn(np.array([0, -1, -1, 1], dtype=np.int32), ("ok", "fraud"))
    layout = OutcomeLayout("binary", ("ok", "fraud"), "fraud", None)
    outcome = Outcome.empty(layout)
    outcome.fold(layout, Pairs(decision, {"fraud": score}, CategoricalColumn(np.zeros(4, dtype=np.int32), ("ok",))))
    assert (outcome.rows, usable_rows(outcome, "decisions"), usable_rows(outcome, "scores")) == (4, 2, 2)
    assert usable_rows(outcome, "values") == 0


@pytest.mark.parametrize(("task", "name"), [("binary", "roc_auc"), ("multiclass", "accuracy"), ("regression", "mae")])
def test_every_task_has_a_default_metric_of_its_own(task: str, name: str) -> None:
    assert default_metric(task) == name
    assert task in METRICS[name].tasks


def test_labels_are_counted_by_class_whatever_the_rows_lack() -> None:
    pairs = Pairs(None, {}, CategoricalColumn(np.array([1, 0, 0, 2, -1], dtype=np.int32), ("ok", "fraud", "?")))
    outcome = Outcome.empty(BINARY)
    outcome.fold(BINARY, pairs)
    assert labels_by_class(BINARY, outcome) == {"ok": 2, "fraud": 1}, "the third is no class of the model"
    layout = OutcomeLayout("multiclass", ("fraud", "ok", "unheard of"))
    outcome = Outcome.empty(layout)
    outcome.fold(layout, pairs)
    assert labels_by_class(layout, outcome) == {"fraud": 1, "ok": 2, "unheard of": 0}
    assert labels_by_class(REGRESSION, regression(np.arange(9.0), np.arange(9.0)).outcome()) == {}


def test_a_binary_layout_that_names_one_class_still_counts_two() -> None:
    layout = OutcomeLayout("binary", ("fraud",), "fraud")
    assert labels_by_class(layout, Outcome.empty(layout)) == {"not fraud": 0, "fraud": 0}
