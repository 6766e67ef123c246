"""Quantiles of a histogram, beside those of the values it was made of."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.snapshot import Histogram

ENDS = (1.0, 2.0, 5.0, 10.0)


def histogram(values: list[float]) -> Histogram:
    cells = np.bincount(np.searchsorted(ENDS, values), minlength=len(ENDS) + 1).tolist()
    return Histogram(tuple(zip(ENDS, cells, strict=False)), cells[-1], sum(values))


@given(values=st.lists(st.floats(0, 12), min_size=1, max_size=50), share=st.floats(0.01, 0.99))
def test_a_quantile_lies_in_the_cell_of_the_value_that_has_its_rank(values, share) -> None:
    found = histogram(values).quantile(share)
    exact = sorted(values)[max(0, int(np.ceil(share * len(values) - 1e-9)) - 1)]
    cell = int(np.searchsorted(ENDS, exact))
    low, high = (0.0, *ENDS)[cell], (*ENDS, ENDS[-1])[cell]
    assert low <= found <= high


def test_within_a_cell_values_are_taken_to_lie_evenly_and_beyond_the_last_at_its_end() -> None:
    found = Histogram(((1.0, 0), (2.0, 50), (4.0, 40)), 10, 0.0)
    assert [found.quantile(share) for share in (0.25, 0.5, 0.7, 0.9, 0.95)] == pytest.approx([1.5, 2, 3, 4, 4])
    assert found.count == 100
    assert Histogram(((1.0, 0),), 0, 0.0).quantile(0.5) is None
