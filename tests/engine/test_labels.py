"""How long labels take."""

from __future__ import annotations

import numpy as np

from monitor.engine.labels import DELAYS_MS, LabelFlow


def test_a_delay_of_exactly_the_end_of_a_cell_is_in_it_and_one_beyond_the_last_in_none() -> None:
    flow = LabelFlow()
    flow.match(np.array(DELAYS_MS))
    flow.match(np.array([-1, DELAYS_MS[-1] + 1]))
    histogram = flow.delays.histogram()
    assert [rows for _, rows in histogram.rows] == [2] + [1] * (len(DELAYS_MS) - 1)
    assert histogram.beyond == 1
    assert histogram.total == (sum(DELAYS_MS) + DELAYS_MS[-1] + 1) / 1_000
