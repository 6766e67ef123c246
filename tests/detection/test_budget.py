"""Evidence is fair while nothing has changed: no more than the agreed number of alarms, whatever hangs together."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import integrate, stats

from monitor.detection.budget import (
    DAY_WINDOWS,
    LAST,
    ROW_WINDOWS,
    e_value,
    evidence_limit,
    largest,
    p_of,
    windows_a_month,
)
from monitor.windows.window import WindowSpec


def mean_of_uniform(cap: float) -> float:
    """Of the e-value, by quadrature over y = -ln p: the density of p-values at a rate that no step misses."""
    parts = [(0.0, 1e-4), (1e-4, 1.0), (1.0, 30.0), (30.0, 600.0)]

    def density(y: float) -> float:
        return float(e_value(np.array([np.exp(-y)]), cap)[0]) * np.exp(-y)

    return sum(integrate.quad(density, *part, limit=200, points=None)[0] for part in parts)


def test_the_mean_of_the_e_value_is_one_without_a_cap() -> None:
    # Beyond y = 600 lies about 1/600 of the mean: the integral of 1/y^2.
    assert mean_of_uniform(np.inf) == pytest.approx(1.0 - 1.0 / 600.0, abs=1e-5)


@pytest.mark.parametrize("cap", [0.5, 1.0, 3.0, 120.0, 1e5, 1e12])
def test_the_mean_of_the_e_value_is_at_most_one_with_a_cap(cap: float) -> None:
    assert mean_of_uniform(cap) <= 1.0
    assert e_value(np.array([1e-300]), cap) == cap


@given(p=st.floats(1e-300, 1.0), step=st.floats(0.0, 0.999))
def test_less_likely_is_never_less_evidence(p: float, step: float) -> None:
    """Between neighbours of a tenth of a percent and less, the last digit may decide otherwise."""
    smaller = max(p * step, 1e-300)
    less, more = e_value(np.array([p, smaller]), np.inf)
    assert 0.5 <= less <= more


@given(p=st.floats(1e-14, 0.9))
def test_the_e_value_is_the_mean_of_powers_of_p(p: float) -> None:
    """Vovk and Wang's mixture: the integral of k p^(k - 1) over k from 0 to 1."""
    # Near k = 0 the integrand is as steep as p is small.
    wanted = integrate.quad(lambda k: k * p ** (k - 1.0), 0.0, 1.0, epsrel=1e-10, limit=200)[0]
    assert e_value(np.array([p]), np.inf)[0] == pytest.approx(wanted, rel=1e-6)


@given(e=st.floats(1.0, 1e14))
def test_p_of_inverts_the_e_value(e: float) -> None:
    p = p_of(np.array([e]))
    assert 0.0 < p[0] < 1.0
    assert e_value(p, np.inf)[0] == pytest.approx(e, rel=1e-5)


@pytest.mark.parametrize(("alike", "limit"), [(0.0, 30.0), (0.5, 30.0), (1.0, 30.0), (0.5, 300.0)])
def test_alarms_of_streams_that_hang_together_stay_within_the_budget(alike: float, limit: float) -> None:
    """Streams share a normal factor, so that they alarm together or not at all; each has at most T / c on average."""
    random = np.random.default_rng(3)
    streams, windows = 400, 3_000
    evidence, alarms = np.zeros(streams), np.zeros(streams)
    # Four families, each of a hundred streams with one factor.
    for _ in range(windows):
        common = np.repeat(random.normal(size=4), streams // 4)
        z = np.sqrt(alike) * common + np.sqrt(1.0 - alike) * random.normal(size=streams)
        evidence = (evidence + 1.0) * e_value(stats.norm.sf(z), limit**0.5)
        alarms += evidence >= limit
        evidence[evidence >= limit] = 0.0
    assert alarms.mean() <= windows / limit
    assert alarms.sum() > 0  # Or the budget would be kept by saying nothing.


def test_windows_of_a_month() -> None:
    hour, day = 3_600_000, 86_400_000
    assert windows_a_month(WindowSpec(hour)) == pytest.approx(365.25 / 12 * 24)
    assert windows_a_month(WindowSpec(day)) == pytest.approx(365.25 / 12) == DAY_WINDOWS
    assert windows_a_month(WindowSpec(5 * 60_000)) == pytest.approx(12 * 730.5)
    # No clock says how many windows by number of rows there are in a month.
    assert windows_a_month(WindowSpec(500, "rows")) == ROW_WINDOWS
    assert windows_a_month(WindowSpec(500, "numbered rows")) == ROW_WINDOWS


def test_a_stream_alarms_once_in_as_many_windows_as_its_share_of_the_budget_says() -> None:
    # A tenth of an alarm a month is one in ten months; a fifth of it, one in fifty.
    assert evidence_limit(730.5, 0.1, 1.0) == pytest.approx(7_305)
    assert evidence_limit(730.5, 0.1, 0.2) == pytest.approx(36_525)


@pytest.mark.parametrize("persistence", [1, 2, 3, 5])
def test_windows_at_the_cap_alarm_after_as_many_as_should_persist(persistence: int) -> None:
    for limit in (50.0, 1e4, 1e8):
        cap = float(largest(np.array(limit), persistence))
        assert cap**persistence >= limit * (1 - 1e-9)
        assert cap ** (persistence - 1) * min(LAST, limit ** (1 / persistence)) <= limit * (1 + 1e-9)
    assert largest(np.array(np.inf), persistence) == 1.0
