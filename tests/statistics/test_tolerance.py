"""p-values of a tolerated difference, against scipy's own distributions."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from scipy.spatial.distance import jensenshannon

from monitor.statistics.tolerance import (
    P_MIN,
    divergence8,
    noncentral_isf,
    noncentral_sf,
    share_p_values,
    tolerated_shares,
)

FREE = [1.0, 2.0, 3.0, 9.0, 19.0]


def array(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


@given(seed=st.integers(0, 2**32), cells=st.integers(2, 20))
def test_divergence8_is_eight_times_scipys(seed: int, cells: int) -> None:
    random = np.random.default_rng(seed)
    p, q = random.dirichlet(np.full(cells, 0.3), 2)
    assert divergence8(p, q) == pytest.approx(8.0 * jensenshannon(p, q) ** 2, rel=1e-9, abs=1e-12)


@given(free=st.sampled_from(FREE), noncentral=st.floats(0.01, 19_999.0), log10_p=st.floats(-12.0, -1e-3))
def test_the_tail_is_scipys(free: float, noncentral: float, log10_p: float) -> None:
    x = stats.ncx2.isf(10.0**log10_p, free, noncentral)
    assert noncentral_sf(array(x), array(free), array(noncentral))[0] == pytest.approx(10.0**log10_p, rel=0.02)


@given(free=st.sampled_from(FREE), noncentral=st.floats(20_000.0, 1e6), log10_p=st.floats(-10.0, -1e-3))
def test_beyond_the_series_the_tail_is_nearly_scipys(free: float, noncentral: float, log10_p: float) -> None:
    x = stats.ncx2.isf(10.0**log10_p, free, noncentral)
    found = noncentral_sf(array(x, x), array(free, free), array(noncentral, 1.0))
    assert found[0] == pytest.approx(10.0**log10_p, rel=0.01)
    assert found[1] == P_MIN  # The two ways go side by side in one call.


@pytest.mark.parametrize("free", FREE)
def test_without_a_difference_the_tail_is_that_of_a_chi_square(free: float) -> None:
    x = np.linspace(0.0, 60.0, 50)
    found = noncentral_sf(x, np.full(50, free), np.zeros(50))
    np.testing.assert_allclose(found, np.maximum(stats.chi2.sf(x, free), P_MIN), rtol=1e-2)
    assert found[0] == 1.0


@given(free=st.sampled_from(FREE), noncentral=st.floats(0.0, 1e7), x=st.floats(0.0, 1e9))
def test_a_tail_is_always_a_p_value(free: float, noncentral: float, x: float) -> None:
    found = noncentral_sf(array(x), array(free), array(noncentral))[0]
    assert P_MIN <= found <= 1.0


@given(free=st.sampled_from(FREE), noncentral=st.floats(0.0, 1e5), log10_p=st.floats(-6.0, -0.5))
def test_patnaiks_quantile_is_too_large_by_a_fifth_at_most(free: float, noncentral: float, log10_p: float) -> None:
    p = 10.0**log10_p
    wanted = stats.ncx2.isf(p, free, noncentral) if noncentral > 0 else stats.chi2.isf(p, free)
    assert 0.96 * wanted <= noncentral_isf(array(p), array(free), array(noncentral))[0] <= 1.2 * wanted


@given(rows=st.integers(1, 5_000), share=st.floats(0.0, 1.0), least=st.floats(0.0, 1.0), most=st.floats(0.0, 1.0))
def test_shares_have_binomial_tails(rows: int, share: float, least: float, most: float) -> None:
    bad = round(share * rows)
    upper, lower = share_p_values(array(bad), array(rows), array(least), array(most))
    assert upper[0] == pytest.approx(max(stats.binom.sf(bad - 1, rows, most), P_MIN), rel=1e-6)
    assert lower[0] == pytest.approx(max(stats.binom.cdf(bad, rows, least), P_MIN), rel=1e-6)


@given(rows=st.floats(0.1, 1e7), share=st.floats(0.0, 1.0), expected=st.floats(0.0, 1.0))
def test_fractions_of_rows_have_p_values_too(rows: float, share: float, expected: float) -> None:
    upper, lower = share_p_values(array(rows * share), array(rows), array(expected), array(expected))
    assert P_MIN <= upper[0] <= 1.0
    assert P_MIN <= lower[0] <= 1.0
    fewer, _ = share_p_values(array(rows * share / 2.0), array(rows), array(expected), array(expected))
    assert fewer[0] >= upper[0] - 1e-12


def difference(p: float, q: float) -> float:
    return 8.0 * float(jensenshannon([p, 1.0 - p], [q, 1.0 - q])) ** 2


@pytest.mark.parametrize("delta", [0.005, 0.02, 0.1])
@pytest.mark.parametrize("share", [1e-6, 1e-4, 0.003, 0.02, 0.1, 0.31, 0.5, 0.77, 0.98, 0.999])
def test_tolerated_shares_are_as_far_away_as_is_tolerated(share: float, delta: float) -> None:
    (least,), (most,) = tolerated_shares(array(share), delta)
    assert least <= share <= most
    for found, end in ((least, 0.0), (most, 1.0)):
        if difference(share, end) > delta:
            assert difference(share, found) == pytest.approx(delta, rel=0.01)
        else:
            assert found == pytest.approx(end, abs=1e-12)


def test_shares_of_none_and_of_all_are_mirror_images() -> None:
    (low, high), (top, one) = tolerated_shares(array(0.0, 1.0), 0.02)
    assert (low, one) == (0.0, 1.0)
    assert difference(0.0, top) == pytest.approx(0.02, rel=1e-6)
    assert top == pytest.approx(0.0072, abs=1e-4)
    assert high == pytest.approx(1.0 - top)
