"""What `plan` says will be found, against simulations that plant exactly that; and what it says of the rest."""

from __future__ import annotations

import re
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.detection.translation import Change, Growth, Move, Shift
from monitor.detection.watch import Watch
from monitor.events.batch import CategoricalColumn, Column, NumericColumn
from monitor.events.schema import Schema
from monitor.profiles.decision import CELLS as CELLS_OF_TALLY
from monitor.profiles.decision import MISSING, UNUSUAL
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.runtime.plan import FeaturePlan, Found, plan_version
from monitor.runtime.plan_text import change_text, short
from monitor.spec import DAY_MS, AlarmSpec, FeatureSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import Window, WindowSpec
from tests.detection.feature_rows import table

HOUR_MS = 3_600_000
MONDAY_MS = 1_790_553_600_000  # 2026-09-28
SCHEMA = Schema("m", "binary", {"normal": "numeric", "skewed": "numeric", "country": "categorical"}, positive="a")
SHARES = np.array([0.5, 0.25, 0.15, 0.1])
COUNTRIES = ("PL", "DE", "FR", "US")
RULES = PerformanceSpec("accuracy", 0.1)


def columns(random: np.random.Generator, rows: int, planted: FeaturePlan | None = None) -> dict[str, Column]:
    change = planted.by_window.change if planted is not None and planted.by_window is not None else None
    rise = change.amount if isinstance(change, Shift) else 0.0
    factor = change.factor if isinstance(change, Growth) else 1.0
    shares = SHARES.copy()
    if isinstance(change, Move):
        place = COUNTRIES.index(change.category)
        shares *= (1.0 - change.after) / (1.0 - SHARES[place])
        shares[place] = 1.0 - np.delete(shares, place).sum()
    return {
        "normal": NumericColumn.of(random.normal(100.0, 20.0, rows) + rise),
        "skewed": NumericColumn.of(random.lognormal(0.0, 0.8, rows) * factor),
        "country": CategoricalColumn(random.choice(4, rows, p=shares).astype(np.int32), COUNTRIES),
    }


def halved(plan: FeaturePlan) -> FeaturePlan:
    """With a planted change of half the size."""
    assert plan.by_window is not None
    change = plan.by_window.change
    if isinstance(change, Shift):
        half: Change = Shift(change.sd / 2, change.amount / 2)
    elif isinstance(change, Growth):
        half = Growth(change.factor**0.5, change.amount / 2)
    else:
        assert isinstance(change, Move)
        half = Move(change.category, change.before, (change.before + change.after) / 2)
    return replace(plan, by_window=replace(plan.by_window, change=half))


class Simulation:
    """Windows of a row count, a reference of the same rows, and what is found in them."""

    def __init__(self, rows: int, persistence: int, reference_rows: int = 100_000) -> None:
        self.rows = rows
        random = np.random.default_rng(rows + persistence)
        features = table(columns(random, reference_rows))
        self.reference = Reference.build(SCHEMA, features, None, windows=("rows", rows))
        alarms = AlarmSpec(persistence=persistence)
        self.spec = ModelSpec("m", SCHEMA, WindowSpec(rows, "rows"), RULES, alarms=alarms)
        self.watch = Watch.of(self.spec, self.reference)
        self.plan = plan_version(self.spec, "", self.reference)

    def found_after(self, planted: FeaturePlan, found: Found, seed: int, most: int) -> int:
        """How many windows it took from the change on; `most` and one where it was not found in as many."""
        random, state = np.random.default_rng(seed), self.watch.blank()
        place = self.watch.names.index(planted.name)
        for number in range(-4 * found.merged, most):
            profile = Profile.empty(self.reference.layout)
            profile.fold(table(columns(random, self.rows, planted if number >= 0 else None)))
            at = number + 4 * found.merged
            window = Window((at + 1) * self.rows, "m", "1", "", at * self.rows)
            findings = self.watch.judge(state, window, self.reference.cells.tally(profile))
            if findings.values.drifting[place]:
                assert number >= 0
                return number + 1
        return most + 1


@pytest.mark.parametrize(("rows", "persistence"), [(30, 2), (300, 1), (1_000, 2), (2_000, 3)])
def test_a_change_of_the_size_that_is_stated_is_found_as_often_as_not(rows: int, persistence: int) -> None:
    simulation, runs = Simulation(rows, persistence), 12
    soon, later, small = [], [], []
    for plan in simulation.plan.features:
        found = plan.by_window
        assert found is not None
        assert found.after == persistence * found.merged
        took = [simulation.found_after(plan, found, seed, 2 * found.after) for seed in range(runs)]
        soon += [windows <= found.after for windows in took]
        later += [windows <= 2 * found.after for windows in took]
        small += [simulation.found_after(halved(plan), found, seed, found.after) <= found.after for seed in range(runs)]
    assert 0.3 <= np.mean(soon) <= 0.95
    assert np.mean(later) >= 0.9
    assert np.mean(small) <= 0.1


HOURLY = 14 * 12 * 660
"""Rows of two weeks of it."""


def hourly(days: NDArray[np.int64], cycle: float = 0.0, extra: dict[str, Column] | None = None) -> Reference:
    """A reference of 60 rows an hour at night and 600 by day, on the given days after a Monday."""
    random = np.random.default_rng(5)
    hours = (days[:, None] * 24 + np.arange(24)).ravel()
    pace = np.where((hours % 24 >= 8) & (hours % 24 < 20), 600, 60)
    hour = np.repeat(hours, pace)
    time_ms = MONDAY_MS + hour * HOUR_MS + random.integers(0, HOUR_MS, len(hour))
    swing = cycle * np.sin(hour / 24 * 2 * np.pi)
    features: dict[str, Column] = {"normal": NumericColumn.of(random.normal(swing, 1.0))} | (extra or {})
    kinds = {
        name: "categorical" if isinstance(column, CategoricalColumn) else "numeric" for name, column in features.items()
    }
    return Reference.build(
        Schema("m", "binary", kinds, positive="a"), table(features, time_ms), None, windows=("ms", HOUR_MS)
    )


def spec_of(reference: Reference, window_ms: int = HOUR_MS, **features: FeatureSpec) -> ModelSpec:
    kinds = dict.fromkeys(reference.layout.features, "numeric")
    return ModelSpec("m", Schema("m", "binary", kinds, positive="a"), WindowSpec(window_ms), RULES, features=features)


def test_rows_a_window_are_those_of_the_reference_in_windows_of_the_model() -> None:
    reference = hourly(np.arange(14))
    plan = plan_version(spec_of(reference), "", reference)
    assert plan.traffic is not None
    assert (plan.traffic.lower, plan.traffic.median, plan.traffic.upper) == (60, 330, 600)
    daily = plan_version(spec_of(reference, DAY_MS), "", reference).traffic
    assert daily is not None
    assert daily.median == 12 * 660
    short = plan_version(spec_of(reference, HOUR_MS // 4), "", reference).traffic
    assert short is not None
    assert short.upper == 150
    told = plan_version(spec_of(reference), "", reference, 42).traffic
    assert told is not None
    assert (told.median, told.source) == (42, "option")


def test_without_a_history_nothing_is_said_of_what_would_be_found() -> None:
    reference = replace(hourly(np.arange(14)), history=None)
    plan = plan_version(spec_of(reference), "", reference)
    assert plan.traffic is None
    assert [(each.by_window, each.by_day, each.untestable) for each in plan.features] == [(None, None, "")]
    assert plan.features[0].tolerated is not None
    assert plan_version(spec_of(reference), "", reference, 500).features[0].by_window is not None


def test_days_find_less_than_hours_and_rows_that_stray_together_find_less_than_others() -> None:
    reference = hourly(np.arange(14), cycle=0.5)
    (plan,) = plan_version(spec_of(reference), "", reference).features
    assert plan.season == "hour"
    assert plan.by_window is not None
    assert plan.by_day is not None
    assert plan.independent is not None
    assert plan.by_day.effect < plan.by_window.effect / 2
    assert plan.rho > 0
    assert plan.independent.effect < plan.by_window.effect
    (daily,) = plan_version(spec_of(reference, DAY_MS), "", reference).features
    assert daily.by_day is None


def test_the_hours_that_a_reference_of_working_days_leaves_out_are_the_weekends() -> None:
    reference = hourly(np.array([0, 1, 2, 3, 4, 7, 8, 9, 10, 11]))
    plan = plan_version(spec_of(reference), "", reference)
    assert plan.unknown_hours == tuple(range(120, 168))
    assert plan.learning_ms == 14 * DAY_MS
    whole = hourly(np.arange(14))
    assert plan_version(spec_of(whole), "", whole).learning_ms == 0


def test_what_cannot_be_tested_is_named_with_its_reason() -> None:
    rows = 14 * 12 * 660
    extra: dict[str, Column] = {
        "always": NumericColumn.of(np.full(rows, 7.0)),
        "never": NumericColumn.of(np.full(rows, np.nan)),
    }
    reference = hourly(np.arange(14), extra=extra)
    spec = spec_of(reference, normal=FeatureSpec("quality"))
    plan = plan_version(spec, "", reference)
    assert plan.unwatched == ("normal",)
    reasons = {each.name: each.untestable for each in plan.features}
    assert "one value in the reference" in reasons["always"]
    assert "no usable value" in reasons["never"]
    (small,) = plan_version(spec_of(hourly(np.arange(14))), "", hourly(np.arange(14)), 0.01).features
    # Five rows in each of three cells, which are not quite equal.
    needed = re.search(r"30 windows hold 0 rows, and the coarsest cells need (\d+)", small.untestable)
    assert needed is not None
    assert 15 <= int(needed[1]) <= 20
    assert small.by_window is None


def test_half_of_the_values_missing_costs_as_much_as_half_of_the_rows() -> None:
    rows = 14 * 12 * 660
    values = np.random.default_rng(8).normal(size=rows)
    half = np.where(np.arange(rows) % 2, values, np.nan)
    reference = hourly(np.arange(14), extra={"half": NumericColumn.of(half), "whole": NumericColumn.of(values)})
    found = {
        rows_: {each.name: each.by_window for each in plan_version(spec_of(reference), "", reference, rows_).features}
        for rows_ in (400, 800)
    }
    missing, whole = found[800]["half"], found[400]["whole"]
    assert missing is not None
    assert whole is not None
    assert missing.effect == pytest.approx(whole.effect, rel=0.02)


def test_the_parts_of_the_budget_make_it_up() -> None:
    reference = hourly(np.arange(14), extra={"other": NumericColumn.of(np.random.default_rng(6).normal(size=HOURLY))})
    alarms = plan_version(spec_of(reference), "", reference).alarms
    assert alarms.values + alarms.pairs + alarms.data + alarms.performance == pytest.approx(0.1)
    # Each of two streams has half of what values are granted, a half of it on each scale: c = windows of a month over
    # its share.
    assert alarms.windows_between == pytest.approx(730.5 / (alarms.values / 4))


def test_the_change_of_correlation_that_is_found_is_said() -> None:
    """Of 600 rows, 500 are looked at: that many show 0.36 between two of 20 columns, 0.3 where there are two."""
    reference = hourly(np.arange(14), extra={"other": NumericColumn.of(np.random.default_rng(6).normal(size=HOURLY))})
    spec = spec_of(reference)
    pairs = plan_version(spec, "", reference, 600.0).pairs
    assert (pairs.judged, pairs.unknown, pairs.left_out, pairs.blind) == (1, 0, 0, 0)
    assert pairs.change == pytest.approx((0.31, 0.31), abs=0.03)
    assert plan_version(spec, "", reference, 5_000.0).pairs == pairs
    fewer = plan_version(spec, "", reference, 100.0).pairs.change
    assert fewer is not None
    assert fewer[0] > 0.5
    # What is usual within an hour is not what is usual within a day.
    assert plan_version(spec_of(reference, DAY_MS), "", reference).pairs == replace(
        pairs, judged=0, unknown=1, change=None
    )
    off = spec_of(reference, other=FeatureSpec("off"))
    assert plan_version(off, "", reference).pairs == replace(pairs, judged=0, change=None)


def test_a_small_references_tolerance_is_what_its_own_rows_cannot_tell() -> None:
    simulation = Simulation(100, 2, reference_rows=1_000)
    plan = plan_version(simulation.spec, "", replace(simulation.reference, history=None))
    assert {each.asked for each in plan.features} == {0.02}
    normal = plan.features[0]
    # The chi-square of 19 degrees of freedom that is exceeded once in ten thousand is 50.8, over 1,000 rows.
    assert normal.tolerance == pytest.approx(0.0508, rel=0.01)


def test_that_many_values_of_few_cells_may_vanish_unseen_is_said() -> None:
    rows, random = 14 * 12 * 660, np.random.default_rng(9)
    extra: dict[str, Column] = {
        "sku": CategoricalColumn(random.integers(0, 5_000, rows, np.int32), tuple(f"s{code}" for code in range(5_000))),
        "country": CategoricalColumn(random.integers(0, 4, rows, np.int32), COUNTRIES),
    }
    reference = hourly(np.arange(14), extra=extra)
    blind = {each.name: each.blind for each in plan_version(spec_of(reference), "", reference).features}
    assert re.match(r"its 5,000 values share few cells: up to 9\d% of them may vanish", blind["sku"])
    assert blind["country"] == blind["normal"] == ""


@pytest.mark.parametrize("rows", [200, 1_000])
def test_the_smallest_shares_that_alarm_at_once_do_and_a_little_less_does_not(rows: int) -> None:
    simulation = Simulation(rows, 2)
    watch, random = simulation.watch, np.random.default_rng(rows)
    place = simulation.watch.names.index("normal")
    (planned,) = [each for each in simulation.plan.features if each.name == "normal"]
    assert planned.missing is not None
    assert planned.unseen is not None

    def alarms(share: float, column: int) -> bool:
        profile = Profile.empty(simulation.reference.layout)
        profile.fold(table(columns(random, rows)))
        tally = simulation.reference.cells.tally(profile)
        tally[place, CELLS_OF_TALLY:] = 0
        bad = round(share * rows)
        counts = random.multinomial(rows - bad, [1 / CELLS_OF_TALLY] * CELLS_OF_TALLY)
        tally[place, :CELLS_OF_TALLY] = counts
        tally[place, column] = bad
        findings = watch.judge(watch.blank(), Window(rows, "m", "1", "", 0), tally)
        return "normal" in findings.wrong

    for share, column in ((planned.missing, MISSING), (planned.unseen, UNUSUAL)):
        assert 0.0 < share < 0.2
        assert alarms(share + 1.5 / rows, column)
        assert not alarms(share - 1.5 / rows, column)


@pytest.mark.parametrize("size", [1e-300, 1e-9, 1.0, 1e9, 1e300])
def test_numbers_of_any_size_are_printed_in_a_few_characters(size: float) -> None:
    assert len(short(size * 1.2345)) <= 9
    assert float(short(size * 1.2345).replace(",", "")) == pytest.approx(size * 1.2345, rel=0.005)
    assert len(change_text(Shift(0.14, size * 1.2345))) <= len("0.14 sd = ") + 9
    assert len(change_text(Growth(1.0 + size, size * 1.2345))) <= len("x1.23e+300 = ") + 9


def test_numbers_that_people_can_read_are_written_out() -> None:
    assert [short(value) for value in (0.142, 18.2, 999.4, 4_310.4, 712_345.0)] == [
        "0.142", "18.2", "999", "4,310", "712,345",
    ]  # fmt: skip
