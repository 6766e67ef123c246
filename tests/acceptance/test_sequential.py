"""How soon a risen error rate is found, beside ADWIN, and that a clean stream is left alone."""

from __future__ import annotations

from statistics import median

import numpy as np
import pytest
from numpy.typing import NDArray
from river.drift import ADWIN

from monitor.detection.betting import Stream, bearable
from monitor.detection.budget import evidence_limit

CLEAN, AFTER = 10_000, 100_000
LABELS = 100
"""Of a window."""

LIMIT = evidence_limit(730.5, 0.1, 0.2 / 4)
"""Of one of a binary model's four losses, with windows of an hour and the default budget."""

BEARABLE = bearable(100_000, 10_000.0)
SEEDS = range(15)


def errors(seed: int, rate: float) -> NDArray[np.bool_]:
    """An error rate of 0.10, and from CLEAN on another."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.random(CLEAN) < 0.10, random.random(AFTER) < rate])


def by_adwin(stream: NDArray[np.bool_]) -> int | None:
    """Labels from the change to the detection; ADWIN is given each at once."""
    detector = ADWIN(delta=0.002)
    for number, error in enumerate(stream.tolist()):
        detector.update(float(error))
        if detector.drift_detected and number >= CLEAN:
            return number + 1 - CLEAN
    return None


def by_evidence(stream: NDArray[np.bool_]) -> int | None:
    """Labels from the change to the end of the window that alarms."""
    followed = Stream()
    for window, total in enumerate(stream.reshape(-1, LABELS).sum(axis=1).tolist()):
        followed.update(BEARABLE, LABELS, float(total), window, LIMIT)
        if followed.alarmed:
            assert window * LABELS >= CLEAN, "an alarm before the change"
            return (window + 1) * LABELS - CLEAN
    return None


@pytest.mark.parametrize("rate", [0.15, 0.12])
def test_a_risen_error_rate_is_found_within_twice_the_labels_that_adwin_needs(rate: float) -> None:
    streams = [errors(seed, rate) for seed in SEEDS]
    ours = median(by_evidence(stream) or AFTER for stream in streams)
    adwin = median(by_adwin(stream) or AFTER for stream in streams)
    print(f"error rate 0.10 -> {rate:.2f}: found after {ours:.0f} labels, by ADWIN after {adwin:.0f} (medians)")
    assert ours <= 2 * adwin


def test_a_long_clean_stream_never_alarms() -> None:
    random = np.random.default_rng(0)
    alarms, highest = 0, 0.0
    for _ in range(3):
        followed = Stream()
        for window, total in enumerate(random.binomial(LABELS, 0.10, 10_000).tolist()):
            followed.update(BEARABLE, LABELS, float(total), window, LIMIT)
            highest = max(highest, followed.ratio)
            alarms += followed.alarmed
    print(f"3 clean streams of 1,000,000 labels: {alarms} alarms, evidence at most {highest:.3f} of its limit")
    assert alarms == 0
