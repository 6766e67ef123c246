"""Plain l1 expected calibration error."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.profiles.outcome_summaries import UNIT, BinaryOutcome
from monitor.statistics.performance.calibration import gaps
from tests.statistics.performance.populations import binary, binned, truth, typical_binary


@pytest.mark.parametrize("seed", range(5))
def test_the_value_is_that_of_the_raw_rows_in_the_same_bins(seed: int) -> None:
    population = typical_binary(2000, seed)
    expected = truth(population)["calibration_error"]
    assert population.estimate("calibration_error").value == pytest.approx(expected, abs=0.5 / UNIT)


def test_scores_on_either_side_of_an_edge_fall_into_different_bins() -> None:
    edge = 1 / 15
    label = np.repeat([0, 1], 20)
    apart = binary(label, np.repeat([np.nextafter(edge, 0), edge], 20))
    together = binary(label, np.repeat([edge, np.nextafter(edge, 1)], 20))
    assert apart.estimate("calibration_error").value == pytest.approx(0.5, abs=1e-6)
    assert together.estimate("calibration_error").value == pytest.approx(0.5 - edge, abs=1e-6)


def test_the_variance_of_a_gap_is_the_rows_own_or_the_promised_one() -> None:
    population = typical_binary(5000, 6)
    summary = population.outcome().summary
    assert isinstance(summary, BinaryOutcome)
    _, got = gaps(summary.bins)
    bins, promised = binned(population.scores), population.scores * (1 - population.scores)
    residual = population.label - population.scores
    own = [len(rows) * rows.var() if len(rows := residual[bins == place]) else 0.0 for place in range(15)]
    expected = [max(own[place], promised[bins == place].sum()) for place in range(15)]
    assert got == pytest.approx(np.array(expected), abs=len(population) / UNIT)


def test_the_interval_of_a_calibrated_model_reaches_zero_in_19_of_20_windows() -> None:
    reached = [typical_binary(400, seed).estimate("calibration_error").lower == 0.0 for seed in range(100)]
    assert np.mean(reached) >= 0.95
