"""Whether a metric has fallen: p-values that keep their level, and evidence that keeps the budget."""

from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from monitor.detection.betting import CALM
from monitor.detection.performance import GUARD, SHIFTS, Fall, bound, fallen, p_value
from monitor.statistics.performance import METRICS
from monitor.statistics.performance.intervals import wilson
from monitor.statistics.reading import Estimate

ACCURACY, MAE, BIAS = METRICS["accuracy"], METRICS["mae"], METRICS["bias"]
LIMIT = 10_000.0


@pytest.mark.parametrize("least", [0.55, 0.8, 0.95])
@pytest.mark.parametrize("rows", [60, 500])
def test_a_shares_p_value_keeps_its_level_far_into_the_tail(least: float, rows: int) -> None:
    """By the exact binomial law: a p-value of at most a comes up in hardly more than a of the spans."""
    right = np.arange(rows + 1)
    p = np.array([p_value(ACCURACY, wilson(each / rows, rows), least, rows) for each in right.tolist()])
    chance = stats.binom.pmf(right, rows, least)
    for level in (1e-2, 1e-4, 1e-6):
        assert chance[p <= level].sum() <= 1.6 * level
    assert p[0] < 1e-6
    assert p[-1] > 0.9


def test_a_mean_is_compared_by_its_own_spread() -> None:
    estimate = Estimate(12.0, 12.0 - 1.959963984540054, 12.0 + 1.959963984540054)
    assert p_value(MAE, estimate, 10.0, 31) == pytest.approx(stats.t.sf(2.0, 30))
    assert p_value(MAE, estimate, 13.0, 31) == pytest.approx(stats.t.sf(-1.0, 30))
    assert p_value(MAE, Estimate(12.0, 12.0, 12.0), 10.0, 31) == 0.5, "of equal errors no spread is known"


def test_the_bound_is_the_drop_or_what_the_reference_leaves_in_doubt_where_that_is_more() -> None:
    assert bound(ACCURACY, wilson(0.9, 1e6), 0.03) == pytest.approx(0.87)
    small = bound(ACCURACY, wilson(0.9, 300), 0.03)
    assert small is not None
    distance = 300 * (0.9 * math.log(0.9 / small) + 0.1 * math.log(0.1 / (1 - small)))
    assert math.sqrt(2 * distance) == pytest.approx(GUARD)
    assert bound(MAE, Estimate(5.0, 4.0, 6.0), 0.5) == pytest.approx(5.0 + GUARD / 1.959963984540054)
    assert bound(MAE, Estimate(5.0, 4.9, 5.1), 0.5) == pytest.approx(5.5)
    assert bound(ACCURACY, wilson(0.02, 1e6), 0.03) is None, "nothing could be so bad"
    assert bound(BIAS, Estimate(0.0, -1.0, 1.0), 0.5) is None, "it has no worse side"


def test_a_figure_is_graded_by_the_kindest_end_of_its_interval() -> None:
    assert fallen(ACCURACY, Estimate(0.8, 0.75, 0.86), 0.9, 0.03)
    assert not fallen(ACCURACY, Estimate(0.8, 0.75, 0.88), 0.9, 0.03)
    assert fallen(MAE, Estimate(7.0, 6.0, 8.0), 5.0, 0.9)
    assert not fallen(MAE, Estimate(7.0, 5.8, 8.0), 5.0, 0.9)
    assert not fallen(BIAS, Estimate(7.0, 6.0, 8.0), 0.0, 0.9)


@pytest.mark.parametrize("shift", SHIFTS)
def test_a_bet_on_a_p_value_is_fair(shift: float) -> None:
    """The stream's own winnings, without a cap, over the law of an exact p-value."""

    def won(p: float) -> float:
        fall = Fall()
        fall.take_in(p, 1, 0, 1e300, 1)
        return fall.stream.bets[SHIFTS.index(shift)].evidence

    mean, _ = integrate.quad(lambda z: won(stats.norm.sf(z)) * stats.norm.pdf(z), -8.0, 14.0, limit=200)
    assert mean == pytest.approx(1.0, abs=1e-4)


def test_the_budget_is_kept_by_both_rules_together() -> None:
    random = np.random.default_rng(0)
    limit, looks, opened = 200.0, 60_000, 0
    fall = Fall()
    for window, p in enumerate(random.random(looks).tolist()):
        before = fall.alarmed
        fall.look(p, window, limit)
        fall.take_in(p, 500, window, limit, 2)
        opened += fall.alarmed and not before
    assert looks / limit / 10 < opened < 2 * looks / limit


def test_an_overwhelming_fall_alarms_at_once_and_gathered_labels_in_two_spans_at_the_least() -> None:
    fall = Fall()
    fall.look(1.01 / LIMIT, 7, LIMIT)
    assert not fall.alarmed
    assert fall.ratio == pytest.approx(1 / 1.01)
    fall.look(0.99 / LIMIT, 7, LIMIT)
    assert fall.alarmed
    assert fall.stream.leading.since_ms == 7
    slow = Fall()
    slow.take_in(1e-200, 500, 3, LIMIT, 2)
    assert not slow.alarmed
    slow.take_in(1e-30, 500, 4, LIMIT, 2)
    assert slow.alarmed
    assert slow.stream.leading.since_ms == 3


def test_one_good_span_between_bad_ones_is_no_end_and_several_are() -> None:
    fall = Fall()
    fall.look(1e-9, 0, LIMIT)
    for window, p in enumerate([0.97, 1e-4, 0.99, 0.97, 1e-4] * 4):
        fall.take_in(p, 500, window, LIMIT, 2)
        assert fall.alarmed
    spans = 0
    while fall.alarmed:
        fall.take_in(0.97, 500, 100 + spans, LIMIT, 2)
        spans += 1
    assert CALM <= spans <= 10
    assert fall.stream.ratio < 0.01
