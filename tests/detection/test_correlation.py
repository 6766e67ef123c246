"""Pairs of features under watch: nothing while they go together as ever, the right pair when they do not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.detection.budget import CORRELATION_SHARE
from monitor.detection.correlation import Correlations, worst
from monitor.detection.records import Moved
from monitor.detection.streams import Judged, StreamState
from monitor.events.schema import Schema
from monitor.profiles.together import Together, counts
from monitor.spec import AlarmSpec, FeatureSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import WindowSpec

HOUR_MS = 3_600_000
NAMES = ("a", "b", "c", "@score")
TOGETHER = Together(NAMES)
WEEKS, ROWS = 2, 400
SPEC = ModelSpec(
    "m",
    Schema("m", "binary", dict.fromkeys(NAMES[:-1], "numeric"), positive="1"),
    WindowSpec(HOUR_MS),
    PerformanceSpec("accuracy", 0.03),
)


def drawn(random: np.random.Generator, rows: int, r: float = 0.0) -> NDArray[np.int64]:
    """int64[P, 2] of rows in which a and b go together by r, b and c by 0.6, and the score by itself."""
    normal = random.normal(size=(4, rows))
    b = r * normal[0] + np.sqrt(1.0 - r**2) * normal[1]
    values = np.stack([normal[0], b, 0.6 * b + 0.8 * normal[2], normal[3]])
    return counts(values, np.ones(values.shape, dtype=np.bool_))[np.triu_indices(4, 1)]


def history(rows: int = ROWS, swing: float = 0.0) -> NDArray[np.int64]:
    """swing: a and b go together by up to so much, by the hour of the day."""
    random = np.random.default_rng(0)
    return np.stack([drawn(random, rows, usual(hour, swing)) for hour in range(WEEKS * 168)])


def usual(hour: int, swing: float) -> float:
    return swing * float(np.sin(2.0 * np.pi * (hour % 24) / 24.0))


def learned(spec: ModelSpec = SPEC, past: NDArray[np.int64] | None = None) -> Correlations:
    past = history() if past is None else past
    hours = np.arange(len(past))
    return Correlations(spec, TOGETHER, past, hours % 168, hours // 24)


@dataclass
class Run:
    """Hours that follow the history."""

    pairs: Correlations
    hour: int = WEEKS * 168
    said: list[tuple[Judged, tuple[Moved, ...]]] = field(default_factory=list)
    state: StreamState = field(default_factory=lambda: StreamState.empty(len(TOGETHER.pairs), 2))
    random: np.random.Generator = field(default_factory=lambda: np.random.default_rng(1))

    def feed(
        self, hours: int, r: float = 0.0, swing: float = 0.0, rows: int = ROWS, explained: tuple[str, ...] = ()
    ) -> Run:
        for _ in range(hours):
            window = drawn(self.random, rows, r + usual(self.hour, swing)), self.hour * HOUR_MS
            at = self.hour % 168, self.hour // 24
            self.said.append(
                self.pairs.judge(self.state, *window, *at, known=True, versions=1, explained=set(explained))
            )
            self.hour += 1
        return self

    def alarms(self) -> list[tuple[int, tuple[str, str]]]:
        """Place among the windows fed so far, and the pair."""
        return [
            (place, TOGETHER.pairs[pair])
            for place, (judged, _) in enumerate(self.said)
            for pair in np.flatnonzero(judged.alarmed).tolist()
        ]


def test_a_month_in_which_nothing_changes_alarms_of_nothing() -> None:
    assert Run(learned()).feed(720).alarms() == []


def test_a_change_is_found_in_two_windows_and_the_pair_is_named() -> None:
    run = Run(learned()).feed(30)
    run.feed(3, r=0.5)
    (alarm, *others) = run.alarms()
    assert alarm == (31, ("a", "b"))
    assert all(pair == ("a", "c") for _, pair in others)  # c follows b, so it goes with a now, too.
    judged, (first, *_) = run.said[31]
    assert first.cell == "a and b"
    assert (first.usual, first.now) == pytest.approx((0.0, 0.5), abs=0.12)
    assert judged.effect[worst(judged, run.pairs.judged)] == max(judged.effect[judged.drifting])
    assert judged.onset_ms[0] == (WEEKS * 168 + 30) * HOUR_MS


@pytest.mark.parametrize(("now", "found"), [(0.1, False), (0.35, True), (-0.35, True)])
def test_within_the_tolerance_nothing_is_found_either_way_in_the_end(now: float, found: bool) -> None:
    assert (("a", "b") in [pair for _, pair in Run(learned()).feed(15 * 24, r=now).alarms()]) is found


def test_what_swings_with_the_hour_is_usual() -> None:
    run = Run(learned(past=history(swing=0.4))).feed(24 * 14, swing=0.4)
    assert run.pairs.detector.baseline.season[0] == "hour"
    assert run.alarms() == []
    assert Run(learned()).feed(24 * 14, swing=0.4).alarms() != []


def test_it_ends_when_they_go_together_as_before() -> None:
    run = Run(learned()).feed(12, r=0.6)
    assert run.said[-1][0].drifting[0]
    assert not run.feed(12).said[-1][0].drifting.any()
    assert run.said[-1][1] == ()


def test_pairs_of_a_feature_that_was_told_of_wait() -> None:
    run = Run(learned()).feed(40, r=0.6, explained=("a",))
    assert run.alarms() == []  # Nor does the day that ended among them.
    assert not run.said[-1][0].tested[0]
    assert run.said[-1][0].tested[3]
    evidence = run.state.scales[0].evidence[0]
    assert evidence == 0.0
    assert run.feed(2, r=0.6).alarms()[0] == (41, ("a", "b"))


def test_a_day_that_ends_does_not_alarm_of_a_feature_that_was_told_of_meanwhile() -> None:
    """The evidence of the hours before is there when the feature is itself again."""
    weak = learned(replace(SPEC, alarms=AlarmSpec(persistence=1)))
    weak.detector.limits.limit[0] = 1e300
    run = Run(weak).feed(20, r=0.25).feed(6, r=0.6, explained=("a",))
    assert run.alarms() == []
    assert run.feed(24, r=0.25).alarms() != []


def test_the_budget_is_shared_by_importance_among_pairs_that_are_watched() -> None:
    features: Mapping[str, FeatureSpec] = {"a": FeatureSpec(importance=4.0), "c": FeatureSpec("quality")}
    pairs = learned(replace(SPEC, features=features))
    assert [pair for pair, judged in zip(TOGETHER.pairs, pairs.judged, strict=True) if judged] == [
        ("a", "b"),
        ("a", "@score"),
        ("b", "@score"),
    ]
    month = np.array([[730.5], [30.4375]]) / pairs.detector.limits.limit
    assert month.sum() == pytest.approx(0.1 * CORRELATION_SHARE)
    assert month[:, 0] == pytest.approx(2.0 * month[:, 4])  # The root of 4 times 1.
    assert Run(pairs).feed(5, r=0.9).alarms()[0][1] == ("a", "b")


def test_without_windows_to_learn_from_nothing_is_judged() -> None:
    pairs = learned(past=np.zeros((0, len(TOGETHER.pairs), 2), dtype=np.int64))
    assert not pairs.judged.any()
    assert Run(pairs).feed(30, r=0.9).alarms() == []
    assert np.isnan(pairs.detectable(500.0)).all()


def test_other_rows_can_be_what_is_compared_with() -> None:
    before = sum((drawn(np.random.default_rng(each), ROWS, 0.6) for each in range(24)), TOGETHER.none)
    facing = learned().facing(before, 24, 1)
    assert Run(facing).feed(48, r=0.6).alarms() == []
    assert Run(facing).feed(3).alarms()[0] == (1, ("a", "b"))


@pytest.mark.parametrize("rows", [60, 500])
def test_the_smallest_change_is_found_about_as_often_as_not(rows: int) -> None:
    pairs = learned(past=history(rows))
    smallest = float(pairs.detectable(float(rows))[0])
    assert 0.15 < smallest < 1.0

    def found(change: float) -> int:
        runs = [Run(pairs, random=np.random.default_rng(seed)).feed(2, change, rows=rows) for seed in range(20)]
        return sum(("a", "b") in [pair for _, pair in run.alarms()] for run in runs)

    assert found(0.75 * smallest) <= 6
    assert found(min(1.3 * smallest, 0.98)) >= 14


def test_few_rows_are_no_surprise() -> None:
    assert Run(learned(past=history(50))).feed(720, rows=12).alarms() == []


def test_windows_in_which_a_pair_waits_are_none_of_its_own() -> None:
    """They date no onset, are no calm windows of a drift, and make no pair untestable."""
    run = Run(learned()).feed(20, explained=("a",)).feed(5).feed(3, r=0.6)
    assert run.alarms()[0] == (26, ("a", "b"))
    assert run.said[26][0].onset_ms[0] == (WEEKS * 168 + 25) * HOUR_MS
    run.feed(10, explained=("a",))
    assert run.feed(3).state.drifting[0], "four calm windows end it, of those in which it was judged"
    assert not run.feed(5).state.drifting[0]
    assert not run.feed(40, explained=("a",)).state.untestable.any()


def test_the_pair_that_speaks_is_one_that_is_watched() -> None:
    features: Mapping[str, FeatureSpec] = {"a": FeatureSpec("off")}
    run = Run(learned(replace(SPEC, features=features))).feed(40, explained=("b", "c"))
    watched = run.pairs.judged
    assert not watched[0]
    assert watched[worst(run.said[-1][0], watched)]
