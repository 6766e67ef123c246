"""Rows that stop coming, or come twice, are noticed; nights, weekends, growth and uneven days are not."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.detection.sentences import describe_data
from monitor.detection.volume import CALM, MEMORY, Volume, VolumeState
from monitor.events.batch import ROWS
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.spec import DAY_MS, AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.season import days
from monitor.windows.window import Window, WindowSpec

Counts = NDArray[np.int64]

HOUR_MS = 3_600_000
MONDAY_MS = 1_763_942_400_000
SPEC = ModelSpec("m", Schema("m", "regression", {}), WindowSpec(HOUR_MS), PerformanceSpec("mae", 1.0))
FORTNIGHT = 14 * 24


def traffic(days: int, seed: int = 0, *, rows: float = 600.0, uneven: float = 0.1, grow: float = 0.0) -> Counts:
    """int64[24 * days]: rows of each hour: few at night, a third at weekends; days and hours stray by `uneven`."""
    random = np.random.default_rng(seed)
    hour = np.arange(24 * days)
    usual = rows * (1.0 - 0.8 * np.cos(2.0 * np.pi * hour / 24.0)) * np.where(hour // 24 % 7 >= 5, 0.35, 1.0)
    by_day = np.repeat(random.normal(0.0, uneven, days), 24)
    return random.poisson(usual * np.exp(by_day + random.normal(0.0, uneven / 2.0, len(hour)) + grow * hour / 168.0))


class Run:
    def __init__(self, spec: ModelSpec = SPEC, first: int = 0) -> None:
        self.volume, self.state, self.size, self.window = Volume(spec), VolumeState(), spec.window.size, first

    def judge(self, rows: Iterable[int]) -> list[bool]:
        """After each window, whether rows are wrong. A window without rows never closes."""
        found = []
        for count in rows:
            start, self.window = MONDAY_MS + self.window * self.size, self.window + 1
            if count:
                self.volume.judge(self.state, Window(start + self.size, "m", "3", "", start), int(count))
            found.append(self.state.found is not None)
        return found


def after(found: list[bool]) -> int | None:
    """Windows until the first alarm."""
    return found.index(True) + 1 if True in found else None


@pytest.mark.parametrize(("uneven", "grow"), [(0.02, 0.0), (0.1, 0.0), (0.3, 0.0), (0.05, 0.03)])
def test_usual_traffic_alarms_no_more_than_its_share_of_the_budget(uneven: float, grow: float) -> None:
    """At a budget fifty times as large: 0.03 of 5 a month, in a year, are 1.8 alarms."""
    spec = replace(SPEC, alarms=AlarmSpec(5.0))
    alarms = 0
    for seed in range(3):
        found = Run(spec).judge(traffic(120, seed, uneven=uneven, grow=grow))
        alarms += sum(now and not before for before, now in pairwise(found))
    assert alarms <= 1


@pytest.mark.parametrize(
    ("factor", "uneven", "within"), [(0.1, 0.1, 2), (0.2, 0.05, 2), (0.5, 0.01, 2), (8.0, 0.1, 2), (2.0, 0.01, 2)]
)
def test_a_drop_or_a_surge_is_noticed_when_the_next_hour_begins(factor: float, uneven: float, within: int) -> None:
    delays = []
    for seed in range(5):
        days = 28
        rows, run = traffic(days + 2, seed, uneven=uneven), Run()
        at = days * 24 + 10
        assert after(run.judge(rows[:at])) is None
        delays.append(after(run.judge((factor * rows[at : at + 24]).astype(np.int64))))
    assert all(delay is not None and delay <= within for delay in delays), delays


def test_what_is_said() -> None:
    rows, run = traffic(30, uneven=0.05), Run()
    run.judge(rows[: 28 * 24 + 10])
    run.judge([50, 50])
    assert run.state.found is not None
    assert run.state.found.now == 50
    assert run.state.found.effect > 0.25
    said = describe_data({ROWS: (run.state.found,)})
    assert said == f"50 rows came where about {run.state.found.usual:,.0f} are usual"
    assert run.state.found.usual == pytest.approx(rows[10::24][:5].mean(), rel=0.2)


def test_nothing_is_judged_before_it_was_learned_nor_of_hardly_any_rows() -> None:
    young = Run()
    young.judge(traffic(13))
    assert after(young.judge(traffic(1) // 50)) is None
    few = Run()
    few.judge(traffic(40, rows=5.0))
    assert after(few.judge(np.ones(24, dtype=np.int64))) is None


def test_learning_as_told_but_a_week_at_least() -> None:
    trusting = Run(replace(SPEC, alarms=AlarmSpec(learning_ms=0)))
    assert after(trusting.judge([*traffic(6, uneven=0.01), *traffic(1) * 20])) is None
    patient = Run(replace(SPEC, alarms=AlarmSpec(learning_ms=30 * DAY_MS)))
    patient.judge(traffic(29))
    assert after(patient.judge(traffic(1) * 20)) is None


def test_the_hour_in_which_watching_begins_and_the_one_in_which_a_table_ends_are_not_judged() -> None:
    rows = traffic(28, uneven=0.05)
    begun = Run()
    begun.judge([3, *rows[1:]])
    assert begun.state.hours[:, 2].min() > 3
    assert begun.judge([2])[-1] is False
    assert begun.judge([600])[-1] is True


def test_it_ends_when_rows_come_as_they_should_or_have_stayed_so_for_half_of_the_memory() -> None:
    days = 90
    rows = traffic(days + 1, uneven=0.05)
    repaired = Run()
    repaired.judge(rows[: 28 * 24 + 10])
    broken = repaired.judge(rows[28 * 24 + 10 : 28 * 24 + 16] // 10)
    again = repaired.judge(rows[28 * 24 + 16 : 29 * 24 + 16])
    assert broken[1:] == [True] * 5
    assert again[:CALM] == [True] * CALM  # The first hour that is right again is judged by the next one.
    assert not any(again[CALM:])
    moved = Run()
    moved.judge(rows[: 28 * 24 + 10])
    fewer = moved.judge(rows[28 * 24 + 10 :] // 5)
    assert after(fewer) == 2
    assert not any(fewer[(MEMORY - 7) * 24 :])
    assert after(moved.judge(traffic(days + 2, 1, uneven=0.05)[(days + 1) * 24 :])) is not None


@pytest.mark.parametrize("parts", [2, 12])
def test_windows_shorter_than_an_hour_are_judged_by_the_hour(parts: int) -> None:
    rows = [*traffic(20, uneven=0.05), 20, 20, 600, 600]
    whole, parted = Run(), Run(replace(SPEC, window=WindowSpec(HOUR_MS // parts)))
    found = whole.judge(rows)
    split = [rows[hour] // parts + (part < rows[hour] % parts) for hour in range(len(rows)) for part in range(parts)]
    assert parted.judge(split)[::parts] == found
    assert True in found
    assert parted.state.hours.tolist() == whole.state.hours.tolist()


def test_days_are_judged_as_days() -> None:
    daily = Run(replace(SPEC, window=WindowSpec(DAY_MS)))
    rows = traffic(61, uneven=0.05).reshape(-1, 24).sum(axis=1)
    assert after(daily.judge(rows[:58])) is None
    assert after(daily.judge(rows[58:60] // 10)) == 2


@pytest.mark.parametrize(("hours", "most"), [(1, 24), (7, 4)])
def test_a_days_evidence_is_the_mean_of_as_many_hours_as_it_adds_up_also_when_clocks_are_set_back(
    hours: int, most: int
) -> None:
    spec = replace(SPEC, timezone="Europe/Warsaw", window=WindowSpec(hours * HOUR_MS))
    clocks_back_ms = 1_761_436_800_000  # 2025-10-26T00:00:00Z, of a Sunday that began two hours earlier.
    first = (clocks_back_ms - 42 * DAY_MS - MONDAY_MS) // spec.window.size
    run, taken = Run(spec, first), dict[int, int]()
    for count in np.random.default_rng(0).poisson(600, size=50 * 24 // hours):
        before = (run.state.day, run.state.today)
        run.judge([count])
        if run.state.today > (before[1] if run.state.day == before[0] else 0.0):
            taken[run.state.day] = taken.get(run.state.day, 0) + 1
    assert max(taken.values()) == most
    sunday = int(days([clocks_back_ms], "Europe/Warsaw")[0])
    assert 0 < taken[sunday] <= most == run.volume._a_day


def test_while_versions_share_the_traffic_nothing_is_judged() -> None:
    rows, run = traffic(30, uneven=0.05), Run()
    run.judge(rows[: 28 * 24 + 8])
    for _ in range(5):
        run.volume.pause(run.state)
        run.window += 1
    assert after(run.judge([3, *rows[28 * 24 + 14 :]])) is None


def test_what_is_remembered_is_small_and_goes_through_a_restart() -> None:
    rows, whole, parted = traffic(60), Run(), Run()
    whole.judge(rows)
    for first in range(0, len(rows), 100):
        parted.judge(rows[first : first + 100])
        packed = codec.pack("STAT", 1, parted.state)
        assert len(packed) < 6_000
        parted.state = codec.unpack("STAT", 1, packed, VolumeState)
    assert codec.pack("STAT", 1, parted.state) == codec.pack("STAT", 1, whole.state)
