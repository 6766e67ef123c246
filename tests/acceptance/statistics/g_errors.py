"""A risen error rate is found within twice the labels that ADWIN needs, and a clean stream is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from monitor.detection.betting import Stream, bearable
from monitor.detection.budget import evidence_limit
from tests.acceptance.figures import Figure

SEEDS = range(15)
CLEAN, AFTER = 10_000, 100_000
LABELS = 100
"""Of a window."""

LIMIT = float(evidence_limit(730.5, 0.1, 0.2 / 4))
"""Of one of a binary model's four losses, with windows of an hour and the default budget."""

BEARABLE = bearable(100_000, 10_000.0)
LONG = 3_000
"""Clean windows of each seed: three million labels at least in all."""


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Median labels from the change to the alarm; alarms before it, and in long clean streams."""
    early = 0
    for rate in (0.15, 0.12):
        streams = [errors(seed, rate) for seed in seeds]
        alarms = [by_evidence(stream) for stream in streams]
        early += sum(alarm < 0 for alarm in alarms)
        adwin = median(by_adwin(stream) for stream in streams)
        what = f"error rate 0.10 to {rate:.2f}: labels to the alarm (ADWIN: {adwin:,.0f})"
        yield Figure.at_most("G", what, median(alarms), 2.0 * adwin)
    yield Figure.none("G", "alarms before the change", early)
    clean = sum(clean_alarms(seed) for seed in seeds)
    yield Figure.none("G", f"alarms in {LONG * LABELS * len(seeds):,} labels of clean streams", clean)


def errors(seed: int, rate: float) -> NDArray[np.bool_]:
    """An error rate of 0.10, and from CLEAN on another."""
    random = np.random.default_rng(seed)
    return np.concatenate([random.random(CLEAN) < 0.10, random.random(AFTER) < rate])


def by_adwin(stream: NDArray[np.bool_]) -> int:
    """Labels from the change to the detection, AFTER without one; ADWIN is given each at once."""
    detector = ADWIN(delta=0.002)
    for number, error in enumerate(stream.tolist()):
        detector.update(float(error))
        if detector.drift_detected and number >= CLEAN:
            return number + 1 - CLEAN
    return AFTER


def by_evidence(stream: NDArray[np.bool_]) -> int:
    """Labels from the change to the end of the window that alarms, negative before it, AFTER without one."""
    followed = Stream()
    for window, total in enumerate(stream.reshape(-1, LABELS).sum(axis=1).tolist()):
        followed.update(BEARABLE, LABELS, float(total), window, LIMIT)
        if followed.alarmed:
            return (window + 1) * LABELS - CLEAN
    return AFTER


def clean_alarms(seed: int) -> int:
    """Windows of a long clean stream in which it had alarmed."""
    random = np.random.default_rng([seed, 1])
    followed, alarms = Stream(), 0
    for window, total in enumerate(random.binomial(LABELS, 0.10, LONG).tolist()):
        followed.update(BEARABLE, LABELS, float(total), window, LIMIT)
        alarms += followed.alarmed
    return alarms
