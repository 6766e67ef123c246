"""The last revisions that a back-test prints, against figures worked out at once from all labels."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, NumericColumn
from monitor.exports.lines import lines
from monitor.profiles.reference import Reference
from monitor.runtime.backtest import run_backtest
from monitor.runtime.tables import Table
from monitor.spec import HOUR_MS, ModelSpec, PerformanceSpec, RetrainSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.specs import HOURLY
from tests.profiles import rows

MINUTE_MS = 60_000
RULES = PerformanceSpec("accuracy", 0.1, 30 * MINUTE_MS, labels_min=150, class_min=40, span_max_ms=12 * MINUTE_MS)
SPEC = ModelSpec("m", rows.SCHEMA, WindowSpec(MINUTE_MS), RULES)


class History:
    """Two hours of predictions at an uneven pace, and labels at once, up to 40 minutes later, or never."""

    def __init__(self, seed: int) -> None:
        random = np.random.default_rng(seed)
        pace = random.choice([0, 3, 20, 60, 400], 120, p=[0.1, 0.4, 0.3, 0.15, 0.05])
        self.minute = np.repeat(np.arange(120), pace)
        time_ms = np.sort(self.minute * MINUTE_MS + random.integers(0, MINUTE_MS, len(self.minute)))
        self.batch = rows.predictions(random, len(time_ms), time_ms=time_ms)
        self.truth = rows.truths(random, self.batch, flip=0.2)
        late = random.random(len(time_ms)) < 0.5
        self.known_ms = time_ms + np.where(late, random.integers(0, 40 * MINUTE_MS, len(time_ms)), 0)
        self.labelled = random.random(len(time_ms)) < 0.8

    def last_accuracies(self) -> dict[int, tuple[int, float | None]]:
        """(labels, accuracy) of each minute's last revision, as the back-test prints it."""
        reference = Reference.build(rows.SCHEMA, self.batch, rows.pairs(self.batch, self.truth))
        labels = rows.labels(self.batch, self.truth, self.known_ms).take(np.flatnonzero(self.labelled))
        result = run_backtest(SPEC, {"3": reference}, Table(self.batch, None, False), labels, lambda: Now.at(0))
        readings = [reading for output in result.outputs for reading in output.readings]
        printed = [line for line in lines(result.outputs, by_row=True) if line.get("statistic") == "accuracy"]
        assert sum(reading.statistic == "accuracy" for reading in readings) > 3 * len(printed), "few were revised"
        return {line["first_row"] // MINUTE_MS: (line["rows"], line["value"]) for line in printed}

    def expected(self) -> dict[int, tuple[int, float | None]]:
        return {minute: self._figure(minute) for minute in np.unique(self.minute).tolist()}

    def _figure(self, minute: int) -> tuple[int, float | None]:
        """Over the fewest minutes up to this one that hold enough labels; where twelve hold too few, over it alone."""
        for first in range(minute, minute - RULES.span_max_ms // MINUTE_MS, -1):
            counted = self._counting(first, minute)
            if len(counted) >= RULES.labels_min and np.bincount(self.truth.codes[counted], minlength=2).min() >= 40:
                assert isinstance(self.batch.prediction, CategoricalColumn)
                right = self.truth.codes[counted] == self.batch.prediction.codes[counted]
                return len(counted), float(right.mean())
        return len(self._counting(minute, minute)), None

    def _counting(self, first: int, last: int) -> NDArray[np.intp]:
        """Rows of some minutes whose label came while their window waited for it."""
        in_time = self.known_ms <= (self.minute + 1) * MINUTE_MS + RULES.wait_ms
        return np.flatnonzero(self.labelled & in_time & (self.minute >= first) & (self.minute <= last))


@pytest.mark.parametrize("seed", range(2))
def test_last_revisions_are_the_figures_of_each_span_with_all_labels_known(seed: int) -> None:
    history = History(seed)
    expected = history.expected()
    assert len({value is None for _, value in expected.values()}) == 2
    assert history.last_accuracies() == expected


def test_a_request_is_over_when_it_is_made_as_there_is_no_pipeline() -> None:
    """Two incidents, more than a cool-down apart: neither waits for what became of the other's request."""
    batch = rows.predictions(np.random.default_rng(0), 60 * 240)
    hour = np.arange(len(batch)) // 240
    drifted = ((hour >= 4) & (hour < 10)) | ((hour >= 40) & (hour < 46))
    amount = NumericColumn.of(np.random.default_rng(1).normal(2.0 * drifted, 1.0))
    times = hour * HOUR_MS + np.arange(len(batch)) % 240 * (HOUR_MS // 240)
    table = Table(replace(batch, time_ms=times, features={**batch.features, "amount": amount}), None, False)
    known = rows.predictions(np.random.default_rng(2), 8_000)
    usual = NumericColumn.of(np.random.default_rng(3).normal(0.0, 1.0, 8_000))
    known = replace(known, features={**known.features, "amount": usual})
    reference = Reference.build(rows.SCHEMA, known, None, version="3")
    spec = replace(HOURLY, retrain=RetrainSpec("pipeline", frozenset({"drift"}), labels_min=0))
    result = run_backtest(spec, {"3": reference}, table, None, lambda: Now.at(0))
    made = [trigger for output in result.outputs for trigger in output.triggers]
    assert [trigger.withheld for trigger in made] == ["", ""]
    assert made[1].window.end_ms - made[0].window.end_ms > 24 * HOUR_MS
