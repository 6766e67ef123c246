"""A risen error rate is found within twice the labels that ADWIN needs, and a clean stream is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from statistics import median

import numpy as np
from numpy.typing import NDArray
from river.drift import ADWIN

from monitor.detection.betting import Stream, bearable
from monitor.detection.budget import PERFORMANCE_SHARE, evidence_limit
from monitor.engine.ledger import Ledger
from monitor.engine.losses import Followed
from monitor.engine.performance import PerformanceReader
from monitor.engine.spans import Span
from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.events.schema import Schema
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.snapshot import PerformanceView
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.statistics.performance import performance
from monitor.statistics.reading import Reading
from monitor.windows.window import Window, WindowSpec
from tests.acceptance.figures import Figure

SEEDS = range(15)
CLEAN, AFTER = 10_000, 100_000
LABELS = 100
"""Of a window."""

LIMIT = float(evidence_limit(730.5, 0.1, PERFORMANCE_SHARE / 5))
"""Of one of a binary model's four losses and its metric, with windows of an hour and the default budget."""

BEARABLE = bearable(100_000, 10_000.0)
HOUR_MS = 3_600_000
SPAN = 600
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
    for metric in ("roc_auc", "accuracy"):
        for budget in (0.1, 5.0):
            count = sum(metric_alarms(metric, seed, budget) for seed in seeds)
            allowed = budget * PERFORMANCE_SHARE * len(seeds)
            what = f"{metric}, false alarms of performance in {len(seeds)} months, budget {budget:g}"
            yield Figure.at_most("G", what, count, max(1.0, allowed) if budget > 1 else 0.0)


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


def metric_alarms(metric: str, seed: int, budget: float) -> int:
    """Alarms of the metric and the losses of a binary model in a clean month of hours of SPAN labels, a fifth positive,
    against a reference of twenty times as many.
    """
    random = np.random.default_rng([seed, 2])
    layout = Layout({}, OutcomeLayout("binary", ("no", "yes"), "yes", 0.5))
    made = Reference("1", layout, Profile.empty(layout), outcome(layout, random, 20 * SPAN))
    schema = Schema("m", "binary", {}, positive="yes")
    spec = ModelSpec("m", schema, WindowSpec(HOUR_MS), PerformanceSpec(metric, 0.03), alarms=AlarmSpec(budget))
    followed: dict[str, Followed] = {}
    reader, alarms = PerformanceReader(spec, made), 0
    for hour in range(730):
        start, end = hour * HOUR_MS, (hour + 1) * HOUR_MS
        seen = outcome(layout, random, SPAN)
        ledger = Ledger(Window(end, "m", "1", "", start), SPAN, "1").holding(layout.outcome, seen, {})
        span = Span(ledger.window, start, SPAN, 1.0, True, min(ledger.by_class.values()))
        _, estimate = performance(layout.outcome, seen, metric)
        assert estimate is not None
        view = PerformanceView(
            ledger.window, start, SPAN, 1.0, (Reading(ledger.window, "", metric, SPAN, "ok", *estimate),), True
        )
        before = bool(followed) and followed["1"].alarmed
        reader.follow(view, span, ledger, followed)
        alarms += followed["1"].alarmed and not before
    return alarms


def outcome(layout: Layout, random: np.random.Generator, labels: int) -> Outcome:
    """Labels of scores that are as far apart as an ROC AUC of 0.91 asks, and mean what they say."""
    yes = random.random(labels) < 0.2
    log_odds = 1.9 * random.normal(1.9 * yes, 1.0) - 1.9**2 / 2 + np.log(0.25)
    classes = CategoricalColumn(yes.astype(np.int32), ("no", "yes"))
    found = Outcome.empty(layout.outcome)
    found.fold(layout.outcome, Pairs(None, {"yes": NumericColumn.of(1 / (1 + np.exp(-log_odds)))}, classes))
    return found
