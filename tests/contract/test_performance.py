"""Every performance metric x every check. A new metric passes all of them; there is no list of exceptions."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator

import msgspec
import numpy as np
import pytest

from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.events.schema import Task
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import METRICS, Metric, performance

CLASSES = ("a", "b", "c")
LAYOUTS: dict[Task, OutcomeLayout] = {
    "binary": OutcomeLayout("binary", ("a", "b"), "b", 0.5),
    "multiclass": OutcomeLayout("multiclass", CLASSES),
    "regression": OutcomeLayout("regression", centre=1.0, scale=2.0),
}


def pairs_of(task: Task, label: np.ndarray, prediction: np.ndarray, scores: np.ndarray) -> Pairs:
    """label, prediction: class numbers or reals. scores: float64[n, 3], whose second column is a binary task's."""
    if task == "regression":
        return Pairs(NumericColumn.of(prediction.astype(float)), {}, NumericColumn.of(label.astype(float)))
    places = (1,) if task == "binary" else (0, 1, 2)
    columns = {CLASSES[place]: NumericColumn.of(scores[:, place]) for place in places}
    labels, decisions = (CategoricalColumn(rows.astype(np.int32), CLASSES) for rows in (label, prediction))
    return Pairs(decisions, columns, labels)


def perfect(task: Task) -> Pairs:
    label = np.tile([0, 1] if task == "binary" else [0, 1, 2], 40)
    return pairs_of(task, label, label, np.eye(3)[label])


def noisy(task: Task, rows: int = 600, seed: int = 0) -> Pairs:
    rng = np.random.default_rng(seed)
    label = rng.integers(0, 2 if task == "binary" else 3, rows)
    prediction = np.where(rng.random(rows) < 0.7, label, rng.permutation(label))
    scores = rng.dirichlet([1.0, 1.0, 1.0], rows)
    if task == "regression":
        return pairs_of(task, label + rng.normal(size=rows), label + rng.normal(size=rows), scores)
    return pairs_of(task, label, prediction, scores)


def degenerate(task: Task) -> Iterator[tuple[str, Pairs]]:
    """Rows that have broken metrics elsewhere."""
    zeros, ones, flat = np.zeros(60, dtype=int), np.ones(60, dtype=int), np.full((60, 3), 1 / 3)
    mixed = np.tile([0, 1], 30)
    yield "no row", pairs_of(task, zeros[:0], zeros[:0], flat[:0])
    yield "one row", pairs_of(task, zeros[:1], ones[:1], flat[:1])
    yield "one class, right", pairs_of(task, ones, ones, np.eye(3)[ones])
    yield "one class, wrong", pairs_of(task, ones, zeros, np.eye(3)[zeros])
    yield "all wrong", pairs_of(task, mixed, 1 - mixed, np.eye(3)[1 - mixed])
    yield "one constant score", pairs_of(task, mixed, mixed, flat)
    yield "scores of 0", pairs_of(task, mixed, mixed, np.zeros((60, 3)))
    yield "scores of 1", pairs_of(task, mixed, mixed, np.ones((60, 3)))
    yield "scores out of range", pairs_of(task, mixed, mixed, np.full((60, 3), 7.0))
    yield "scores missing", pairs_of(task, mixed, mixed, np.full((60, 3), np.nan))
    yield "a class that nobody knows", pairs_of(task, np.full(60, 2), np.full(60, 2), flat)
    plain = pairs_of(task, mixed, mixed, flat)
    yield "no prediction and no score", Pairs(None, {}, plain.label)
    if task == "regression":
        for size in (1e300, -1e300, 1.7e308, 5e-324):
            yield f"predictions of {size}", pairs_of(task, mixed, np.full(60, size), flat)
            yield f"labels of {size}", pairs_of(task, np.full(60, size), mixed, flat)
            yield f"labels up to {size}", pairs_of(task, mixed * size, -mixed * size, flat)


def outcome_of(task: Task, *parts: Pairs) -> Outcome:
    outcome = Outcome.empty(LAYOUTS[task])
    for part in parts:
        outcome.fold(LAYOUTS[task], part)
    return outcome


def check_perfect_predictions_give_the_best_value(metric: Metric, task: Task) -> None:
    status, estimate = performance(LAYOUTS[task], outcome_of(task, perfect(task)), metric.name)
    assert status == "ok"
    assert estimate is not None
    best = {"higher": metric.range[1], "lower": metric.range[0], "zero": 0.0}[metric.better]
    assert estimate.value == pytest.approx(best, abs=1e-12)


def check_errors_move_it_from_the_best_the_way_it_says(metric: Metric, task: Task) -> None:
    best = performance(LAYOUTS[task], outcome_of(task, perfect(task)), metric.name)[1]
    worse = performance(LAYOUTS[task], outcome_of(task, noisy(task)), metric.name)[1]
    assert best is not None
    assert worse is not None
    if metric.better == "zero":
        assert worse.value != 0.0
    else:
        assert (worse.value < best.value) is (metric.better == "higher")


def check_order_split_and_merge_do_not_matter(metric: Metric, task: Task) -> None:
    rows = noisy(task)
    whole = performance(LAYOUTS[task], outcome_of(task, rows), metric.name)
    shuffled = rows.take(np.random.default_rng(1).permutation(len(rows)))
    parts = [shuffled.take(np.arange(start, min(start + 77, len(rows)))) for start in range(0, len(rows), 77)]
    assert performance(LAYOUTS[task], outcome_of(task, *parts), metric.name) == whole
    merged = outcome_of(task, *parts[:3]).merge(outcome_of(task, *parts[3:]))
    assert performance(LAYOUTS[task], merged, metric.name) == whole


def check_retracted_rows_leave_no_trace(metric: Metric, task: Task) -> None:
    outcome = outcome_of(task, noisy(task), noisy(task, seed=5))
    outcome.retract(LAYOUTS[task], noisy(task, seed=5))
    expected = performance(LAYOUTS[task], outcome_of(task, noisy(task)), metric.name)
    assert performance(LAYOUTS[task], outcome, metric.name) == expected


def check_degenerate_rows_give_a_finite_figure_or_a_reason(metric: Metric, task: Task) -> None:
    low, high = metric.range
    for name, rows in degenerate(task):
        status, estimate = performance(LAYOUTS[task], outcome_of(task, rows), metric.name)
        assert (estimate is None) is (status in ("insufficient", "not_applicable")), name
        if estimate is None:
            continue
        figures = (estimate.lower, estimate.value, estimate.upper)
        assert all(type(figure) is float and math.isfinite(figure) for figure in figures), name
        assert low <= estimate.lower <= estimate.value <= estimate.upper <= high, name  # type: ignore[operator]


def check_too_few_rows_give_no_figure(metric: Metric, task: Task) -> None:
    rows = noisy(task, metric.rows_min - 1)
    assert performance(LAYOUTS[task], outcome_of(task, rows), metric.name) == ("insufficient", None)


def check_more_rows_give_a_shorter_interval(metric: Metric, task: Task) -> None:
    few, many = (performance(LAYOUTS[task], outcome_of(task, noisy(task, n)), metric.name)[1] for n in (300, 30_000))
    assert few is not None
    assert many is not None
    assert many.upper - many.lower < 0.5 * (few.upper - few.lower)  # type: ignore[operator]


def check_the_outcome_stays_as_it_is(metric: Metric, task: Task) -> None:
    outcome = outcome_of(task, noisy(task))
    before = msgspec.msgpack.encode(outcome.plain())
    performance(LAYOUTS[task], outcome, metric.name)
    assert msgspec.msgpack.encode(outcome.plain()) == before


def check_it_explains_itself(metric: Metric, task: Task) -> None:
    assert metric.summary.endswith(".")
    assert metric.paper
    assert metric.unit in {"share", "nats", "label", "squared probability"}
    assert task in LAYOUTS


CHECKS: list[Callable[[Metric, Task], None]] = [
    check_perfect_predictions_give_the_best_value,
    check_errors_move_it_from_the_best_the_way_it_says,
    check_order_split_and_merge_do_not_matter,
    check_retracted_rows_leave_no_trace,
    check_degenerate_rows_give_a_finite_figure_or_a_reason,
    check_too_few_rows_give_no_figure,
    check_more_rows_give_a_shorter_interval,
    check_the_outcome_stays_as_it_is,
    check_it_explains_itself,
]


@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
@pytest.mark.parametrize(
    ("name", "task"), [(name, task) for name, metric in METRICS.items() for task in sorted(metric.tasks)]
)
def test_contract(name: str, task: Task, check: Callable[[Metric, Task], None]) -> None:
    assert METRICS[name].name == name
    check(METRICS[name], task)
