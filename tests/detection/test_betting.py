"""Bets on a loss are fair, evidence is what its recursion says, and alarms are as rare as promised."""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import optimize, special, stats

from monitor.detection.betting import CONFIDENCE, RELEASE, STEPS, TOLERANCE, Stream, bearable, log_winnings

LIMITS = (0.01, 0.105, 0.3, 0.7)


@pytest.mark.parametrize("p", LIMITS)
@pytest.mark.parametrize("labels", [1, 2, 5, 12])
def test_winnings_on_bits_are_likelihood_ratios_worth_exactly_one(p: float, labels: int) -> None:
    """By enumeration of every number of errors; below p a bet is worth less."""
    for worth, mean in ((1.0, p), (0.9999, 0.9 * p)):
        law = stats.binom.pmf(np.arange(labels + 1), labels, mean)
        won = np.array([log_winnings(p, labels, float(errors)) for errors in range(labels + 1)])
        expected = law @ np.exp(won)
        assert (expected <= worth + 1e-12).all()
        assert mean < p or expected == pytest.approx(np.ones(len(STEPS)), rel=1e-12)


@pytest.mark.parametrize("p", LIMITS)
@pytest.mark.parametrize("rho", [0.0, 0.1])
def test_bets_on_any_bounded_loss_are_fair(p: float, rho: float) -> None:
    """By enumeration of three losses of four values each, for every law on them of mean p that a grid holds."""
    values = np.array([0.0, 0.25, 0.6, 1.0])
    laws = [np.array(law) / 10 for law in product(range(11), repeat=4) if sum(law) == 10]
    rows = np.array(list(product(range(4), repeat=3)))
    won = np.exp([log_winnings(p, 3, total, rho) for total in values[rows].sum(axis=1)])
    tried = 0
    for law in laws:
        if law @ values <= p:
            assert (law[rows].prod(axis=1) @ won <= 1 + 1e-12).all()
            tried += 1
    assert tried > 5 or p == LIMITS[0]


@pytest.mark.parametrize(("mean", "least", "most"), [(0.105, 0.99, 1.01), (0.1, 0.0, 0.98), (0.12, 1.1, math.inf)])
def test_a_windows_e_value_is_one_in_the_mean_at_what_is_bearable(mean: float, least: float, most: float) -> None:
    random = np.random.default_rng(1)
    counted, number = np.unique(random.binomial(4, mean, 400_000), return_counts=True)
    e_values = np.array([np.exp(log_winnings(0.105, 4, float(errors))).mean() for errors in counted[number > 0]])
    assert least < number @ e_values / number.sum() < most


def test_a_bounded_loss_of_clusters_is_fair_where_labels_are_counted_by_their_effective_number() -> None:
    """Windows of 200 labels whose error rate varies by a beta law: the labels of a window correlate by 1 / 101."""
    random = np.random.default_rng(2)
    p, rho = 0.1, 1 / 101
    errors = random.binomial(200, random.beta(100 * p, 100 * (1 - p), 40_000))
    naive = np.exp([log_winnings(p, 200, float(each))[1] for each in errors]).mean()
    shrunk = np.exp([log_winnings(p, 200, float(each), rho)[1] for each in errors]).mean()
    assert shrunk < 1.05 < 2 < naive


@given(st.lists(st.tuples(st.integers(1, 300), st.floats(0, 1)), min_size=2, max_size=6), st.sampled_from(LIMITS))
def test_winnings_of_windows_add_up(windows: list[tuple[int, float]], p: float) -> None:
    apart = np.sum([log_winnings(p, labels, share * labels) for labels, share in windows], axis=0)
    labels, total = sum(n for n, _ in windows), sum(n * share for n, share in windows)
    assert log_winnings(p, labels, total) == pytest.approx(tuple(apart), rel=1e-9, abs=1e-9)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.integers(0, 30), min_size=1, max_size=12))
def test_evidence_is_the_sum_over_every_onset_of_what_was_won_since(errors: list[int]) -> None:
    stream, p, limit = Stream(), 0.3, 1e200
    for window, each in enumerate(errors):
        stream.update(p, 30, float(each), window, limit)
    expected = []
    for step in STEPS:
        q = special.expit(special.logit(p) + step)
        won = np.array([(q / p) ** each * ((1 - q) / (1 - p)) ** (30 - each) for each in errors])
        expected.append(sum(won[start:].prod() for start in range(len(won))))
    assert [bet.evidence for bet in stream.bets] == pytest.approx(expected)
    assert stream.ratio == pytest.approx(np.mean(expected) / limit)


def test_a_stream_at_the_edge_of_what_is_bearable_alarms_as_seldom_as_its_limit_says() -> None:
    """Where the promise is hardest to keep: in T windows at most T / limit alarms, here within 3 standard errors."""
    random = np.random.default_rng(3)
    windows, limit, opened = 60_000, 100.0, 0
    stream = Stream()
    for window, errors in enumerate(random.binomial(40, 0.2, windows).tolist()):
        before = stream.alarmed
        stream.update(0.2, 40, float(errors), window, limit)
        opened += stream.alarmed and not before
    allowed = windows / limit
    assert 20 < opened <= allowed + 3 * math.sqrt(allowed)


def test_a_rise_is_dated_and_held_until_the_losses_are_back() -> None:
    random = np.random.default_rng(4)
    stream, limit, alarmed = Stream(), 146_100.0, []
    for window in range(120):
        rate = 0.15 if 40 <= window < 80 else 0.1
        stream.update(0.105, 100, float(random.binomial(100, rate)), 1_000 * window, limit)
        alarmed.append(stream.alarmed)
        if window == 79:
            assert 37_000 <= stream.leading.since_ms <= 43_000
            assert stream.leading.total / stream.leading.labels == pytest.approx(0.15, abs=0.015)
            assert 0.5 < stream.ratio <= 100
    first, last = alarmed.index(True), 119 - alarmed[::-1].index(True)
    assert 43 <= first <= 60
    assert 80 <= last <= 95
    assert all(alarmed[first : last + 1]), "one alarm, not several"
    assert stream.ratio < RELEASE


def test_after_an_alarm_evidence_begins_anew() -> None:
    stream = Stream()
    stream.update(0.1, 100, 90.0, 0, 1_000.0)
    assert stream.alarmed
    assert stream.ratio == pytest.approx(1_000 / len(STEPS) * 4, rel=1), "beyond a thousand limits all are alike"
    while stream.alarmed:
        stream.update(0.1, 100, 0.0, 1, 1_000.0)
    assert [bet.evidence for bet in stream.bets] == [0.0] * len(STEPS)


def test_a_window_without_labels_says_nothing() -> None:
    one, other = Stream(), Stream()
    for window in range(10):
        one.update(0.1, 50, 7.0, window, 1e6)
        other.update(0.1, 50, 7.0, window, 1e6)
        other.update(0.1, 0, 0.0, window, 1e6)
    assert one == other


@pytest.mark.parametrize(("labels", "errors"), [(50, 0), (50, 50), (200, 3), (2_000, 200), (100_000, 80_000)])
def test_what_the_references_labels_leave_in_doubt_is_bearable(labels: int, errors: int) -> None:
    p = bearable(labels, float(errors))
    if errors == labels:
        assert p >= 1 - 1e-9
        return
    assert stats.binom.cdf(errors, labels, p) <= 1 - CONFIDENCE + 1e-12, (
        "the binomial's own tail is smaller than the bound"
    )
    mean = errors / labels
    edge = optimize.brentq(
        lambda q: labels * sum(special.rel_entr([mean, 1 - mean], [q, 1 - q])) + math.log(1 - CONFIDENCE),
        mean + 1e-12,
        1 - 1e-12,
    )
    assert p == pytest.approx(max(edge, (1 + TOLERANCE) * mean))


def test_of_a_large_reference_the_tolerance_alone_counts() -> None:
    assert bearable(100_000, 10_000.0) == pytest.approx(0.105)


def test_enormous_evidence_stays_finite() -> None:
    stream = Stream()
    for window in range(3):
        stream.update(0.01, 10_000_000, 9_000_000.0, window, 1e9)
        assert stream.alarmed
        assert math.isfinite(stream.ratio)
