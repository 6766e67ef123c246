"""A version's features under watch: which streams they are, what each may cost, and what a window says of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest

from monitor.detection.budget import DATA_SHARE, VALUES_SHARE
from monitor.detection.detector import MERGED_MAX
from monitor.detection.subject import Subject
from monitor.detection.watch import Findings, Watch
from monitor.events.batch import CORRELATION, PREDICTION, SCORE, CategoricalColumn, NumericColumn, Predictions
from monitor.profiles.history import History
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.spec import AlarmSpec, FeatureSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import Window, WindowSpec
from tests.profiles.rows import SCHEMA, predictions

HOUR_MS, DAY_MS = 3_600_000, 86_400_000
MONDAY_MS = 4 * DAY_MS  # 5 January 1970.
ROWS = 300


def hourly(days: int, *, rows: int = ROWS, seed: int = 0, first: int = 0, step: int = 24) -> Predictions:
    """Rows of the first `step` hours of each day from a Monday on."""
    random = np.random.default_rng(seed)
    hours = [24 * (first + day) + hour for day in range(days) for hour in range(step)]
    time_ms = MONDAY_MS + np.repeat(np.array(hours), rows) * HOUR_MS
    return predictions(random, len(time_ms), time_ms=time_ms)


REFERENCE = Reference.build(SCHEMA, hourly(14), None, windows=("ms", HOUR_MS))
SPEC = ModelSpec("m", SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("accuracy", 0.03))


def spec(**features: FeatureSpec) -> ModelSpec:
    return replace(SPEC, features=features)


class Run:
    """A watch and the windows of one version, an hour each from a Monday on."""

    def __init__(self, told: ModelSpec, reference: Reference = REFERENCE, hour: int = 0) -> None:
        self.reference, self.watch, self.hour = reference, Watch.of(told, reference), hour
        self.state = self.watch.blank()

    def judge(self, batch: Predictions) -> Findings:
        profile = Profile.empty(self.reference.layout)
        profile.fold(batch)
        start = MONDAY_MS + self.hour * HOUR_MS
        self.hour += 1
        window = Window(start + HOUR_MS, "m", "3", "", start)
        return self.watch.judge(self.state, window, self.reference.cells.tally(profile))

    def drifting(self, findings: Findings) -> list[str]:
        return [name for name, drifts in zip(self.watch.names, findings.values.drifting, strict=True) if drifts]


def usual(seed: int, rows: int = ROWS) -> Predictions:
    return predictions(np.random.default_rng(seed), rows)


def with_amount(batch: Predictions, values: np.ndarray) -> Predictions:
    return replace(batch, features={**batch.features, "amount": NumericColumn.of(values)})


def moved(seed: int, rows: int = ROWS) -> Predictions:
    """Amounts squeezed into the lower half of what is usual, none of them out of range."""
    batch = usual(seed, rows)
    return with_amount(batch, -np.abs(np.clip(batch.features["amount"].values, -3.0, 3.0)))  # type: ignore[union-attr]


def far(seed: int, share: float, rows: int = ROWS) -> Predictions:
    """A share of the amounts lies where none of the reference did; the others are as usual."""
    batch = usual(seed, rows)
    amount = np.clip(batch.features["amount"].values, -3.0, 3.0)  # type: ignore[union-attr]
    return with_amount(batch, np.where(np.arange(rows) < share * rows, 1e6, amount))


def test_outputs_are_watched_beside_the_features() -> None:
    assert Watch.of(SPEC, REFERENCE).names == ("amount", "age", "country", PREDICTION, SCORE)


def test_a_quiet_week_says_nothing() -> None:
    run = Run(SPEC)
    for seed in range(24 * 7):
        findings = run.judge(usual(1_000 + seed))
        assert findings.known
        assert run.drifting(findings) == []
        assert findings.wrong == {}


def test_a_shift_among_usual_values_is_drift_and_no_fault_of_the_data() -> None:
    run = Run(SPEC)
    found = [run.judge(moved(seed)) for seed in range(4)]
    assert [run.drifting(each) for each in found] == [[], ["amount"], ["amount"], ["amount"]]
    assert all(each.wrong == {} for each in found)


def test_values_out_of_range_are_a_fault_of_the_data_and_no_drift() -> None:
    run = Run(SPEC)
    found = [run.judge(far(seed, 0.1)) for seed in range(4)]
    assert all(run.drifting(each) == [] for each in found)
    assert [set(each.wrong) for each in found] == [{"amount"}] * 4
    (share,) = found[0].wrong["amount"]
    assert (share.aspect, share.now) == ("out of range", pytest.approx(0.1))
    assert share.usual == pytest.approx(2.0 / (14 * 24 * ROWS + 2), rel=0.3)
    assert share.effect > 0.1


def test_every_cause_in_the_data_has_its_name() -> None:
    run = Run(SPEC)
    batch = usual(1)
    amount = batch.features["amount"].values.copy()  # type: ignore[union-attr]
    amount[:30], amount[30:60] = np.nan, np.inf
    codes = batch.features["country"].codes.copy()  # type: ignore[union-attr]
    codes[:40] = 4
    country = CategoricalColumn(codes, ("PL", "DE", "US", "FR", "XX"))
    batch = with_amount(batch, amount)
    found = run.judge(replace(batch, features={**batch.features, "country": country}))
    assert {name: {share.aspect: round(share.now, 3) for share in shares} for name, shares in found.wrong.items()} == {
        "amount": {"missing": 0.1, "invalid": 0.1},
        "country": {"unseen": round(40 / (codes >= 0).sum(), 3)},
    }


def test_a_feature_that_is_off_is_not_looked_at_and_one_for_quality_only_at_its_data() -> None:
    off, quality = Run(spec(amount=FeatureSpec("off"))), Run(spec(amount=FeatureSpec("quality")))
    assert tuple(
        run.watch.watches(Subject(name)) for run, name in ((off, "amount"), (quality, "amount"), (off, "age"))
    ) == (
        False,
        False,
        True,
    )
    for seed in range(6):
        assert off.drifting(off.judge(moved(seed))) == quality.drifting(quality.judge(moved(seed))) == []
    for seed in range(3):
        assert off.judge(far(seed, 0.5)).wrong == {}
        assert set(quality.judge(far(seed, 0.5)).wrong) == {"amount"}
    assert set(off.watch.detectable(300)) == set(quality.watch.detectable(300)) == {"age", "country", PREDICTION, SCORE}


def test_a_feature_is_judged_by_its_own_tolerance_where_it_has_one() -> None:
    own = AlarmSpec(learning_ms=0, tolerance=0.03, tolerances={"amount": 0.9, SCORE: 0.1})
    watch = Watch.of(replace(SPEC, alarms=own), REFERENCE)
    tolerated = {"amount": 0.9, "age": 0.03, "country": 0.03, PREDICTION: 0.03, SCORE: 0.1, CORRELATION: 0.03}
    assert watch.tolerance == tolerated


def per_month(limit: np.ndarray, windows: float) -> float:
    """False alarms a month that limits let through."""
    return float((windows / limit).sum())


@pytest.mark.parametrize("budget", [0.1, 5.0])
def test_the_budget_is_shared_by_importance_and_by_scales(budget: float) -> None:
    told = replace(spec(amount=FeatureSpec(importance=3.0), age=FeatureSpec("quality")), alarms=AlarmSpec(budget))
    watch = Watch.of(told, REFERENCE)
    hours, days = watch.values.limits.limit
    assert per_month(hours, 730.5) == pytest.approx(budget * VALUES_SHARE / 2)
    assert per_month(days, 30.4375) == pytest.approx(budget * VALUES_SHARE / 2)
    amount, age, country = hours[:3]
    assert country == pytest.approx(3.0 * amount)
    assert np.isinf(age)
    # Shares of rows are watched by the window alone; whether a model answers is for other monitors.
    windows, none = watch.shares.limits.limit
    assert per_month(windows, 730.5) == pytest.approx(budget * DATA_SHARE)
    assert np.isinf(none).all()
    assert np.isinf(windows).reshape(3, 5).tolist() == [[False] * 3 + [True] * 2] * 2 + [[False] * 5]


def test_the_evidence_that_an_important_feature_needs_is_less() -> None:
    plain, important = Run(SPEC), Run(spec(amount=FeatureSpec(importance=50.0)))
    findings = [run.judge(usual(1)) for run in (plain, important)]
    assert findings[1].values.ratio[0] > findings[0].values.ratio[0] > 0.0


def test_a_day_long_window_has_one_scale() -> None:
    told = replace(SPEC, window=WindowSpec(DAY_MS))
    watch = Watch.of(told, REFERENCE)
    assert per_month(watch.values.limits.limit[0], 30.4375) == pytest.approx(0.1 * VALUES_SHARE)
    assert np.isinf(watch.values.limits.limit[1]).all()
    assert watch.complete


@pytest.mark.parametrize(("days", "complete"), [(5, False), (6, False), (7, True)])
def test_a_reference_of_working_days_knows_no_weekend(days: int, complete: bool) -> None:
    """Two days of a weekend are needed, a Saturday and a Sunday."""
    rows = hourly(days, rows=20)
    watch = Watch.of(SPEC, Reference.build(SCHEMA, rows, None, windows=("ms", HOUR_MS)))
    assert watch.complete == complete

    def knows(day: int, hour: int) -> bool:
        start = MONDAY_MS + (24 * day + hour) * HOUR_MS
        return watch.knows(Window(start + HOUR_MS, "m", "3", "", start))

    assert all(knows(day, hour) for day in range(5) for hour in (0, 9, 23))
    if days < 7:
        assert not any(knows(day, hour) for day in (5, 6, 12) for hour in (0, 9, 23))
    reaching = Window(MONDAY_MS + 5 * DAY_MS + 1, "m", "3", "", MONDAY_MS + 5 * DAY_MS - 2 * HOUR_MS)
    assert watch.knows(reaching) == knows(5, 0)


def test_a_weekend_that_is_not_known_alarms_of_what_is_major_alone() -> None:
    reference = Reference.build(SCHEMA, hourly(5, rows=100), None, windows=("ms", HOUR_MS))
    run = Run(SPEC, reference, hour=5 * 24)
    for seed in range(20):
        batch = usual(seed)
        shifted = with_amount(batch, np.clip(batch.features["amount"].values + 0.3, -3.0, 3.0))  # type: ignore[union-attr]
        findings = run.judge(shifted)
        assert not findings.known
        assert run.drifting(findings) == []
    found = [run.drifting(run.judge(moved(seed))) for seed in range(2)]
    assert found == [[], ["amount"]]
    # A cause in the data does not wait until the weekend is known.
    assert "amount" in Run(SPEC, reference, hour=5 * 24).judge(far(1, 0.5)).wrong


def test_hours_that_the_reference_never_had_are_not_known() -> None:
    """Two weeks of nine to five by Warsaw's clock: from eight o'clock UTC on in winter, from seven on in summer."""
    told = replace(SPEC, timezone="Europe/Warsaw")
    january, july = 1_767_571_200_000, 1_783_296_000_000  # Mondays of 2026 at midnight, UTC.
    hours = np.array([24 * day + hour for day in range(14) for hour in range(8, 16)])
    time_ms = january + np.repeat(hours, 20) * HOUR_MS
    batch = predictions(np.random.default_rng(0), len(time_ms), time_ms=time_ms)
    watch = Watch.of(told, Reference.build(SCHEMA, batch, None, windows=("ms", HOUR_MS)))

    def known(monday_ms: int) -> list[int]:
        starts = [monday_ms + hour * HOUR_MS for hour in range(24)]
        return [at for at, start in enumerate(starts) if watch.knows(Window(start + HOUR_MS, "m", "3", "", start))]

    assert known(january) == list(range(8, 16))
    assert known(july) == list(range(7, 15))
    assert not watch.complete


def test_a_reference_that_is_trusted_knows_every_hour() -> None:
    plain = Reference.build(SCHEMA, usual(1, 3_000), None)
    assert not Watch.of(SPEC, plain).complete
    assert Watch.of(replace(SPEC, alarms=AlarmSpec(learning_ms=0)), plain).complete
    assert Watch.of(replace(SPEC, window=WindowSpec(500, "rows")), plain).complete
    # Windows by rows tell nothing of hours.
    by_rows = Reference.build(SCHEMA, replace(usual(1, 3_000), time_ms=np.arange(3_000)), None, windows=("rows", 100))
    assert not Watch.of(SPEC, by_rows).complete
    assert Watch.of(replace(SPEC, window=WindowSpec(100, "rows")), by_rows).complete


def test_windows_by_rows_alarm_by_their_number() -> None:
    told = replace(SPEC, window=WindowSpec(ROWS, "numbered rows"))
    batch = replace(hourly(4), time_ms=np.arange(4 * 24 * ROWS))
    run = Run(told, Reference.build(SCHEMA, batch, None, windows=("rows", ROWS)))
    assert not any(run.drifting(run.judge(usual(seed))) for seed in range(100))
    assert [run.drifting(run.judge(moved(seed))) for seed in range(3)] == [[], ["amount"], ["amount"]]


def test_rare_categories_of_the_reference_that_come_again_are_not_new() -> None:
    """Of 3,000 postal codes in as many rows most came once: new ones are to be expected, twice as many are not."""
    random = np.random.default_rng(3)

    def codes(rows: int, new: float = 0.0) -> Predictions:
        names = tuple(f"zip {number}" for number in range(6_000))
        drawn = np.where(random.random(rows) < new, 3_000, 0) + random.integers(0, 3_000, rows)
        batch = predictions(random, rows)
        return replace(batch, features={**batch.features, "country": CategoricalColumn(drawn.astype(np.int32), names)})

    reference = Reference.build(SCHEMA, codes(3_000), None, windows=("ms", HOUR_MS))
    told = replace(SPEC, alarms=AlarmSpec(learning_ms=0))
    run = Run(told, reference)
    for _ in range(100):
        findings = run.judge(codes(ROWS))
        assert findings.wrong == {}
        assert run.drifting(findings) == []
    (share,) = run.judge(codes(ROWS, new=0.6)).wrong["country"]
    assert share.aspect == "unseen"
    assert share.usual == pytest.approx(np.exp(-1.0), abs=0.05)


def test_what_would_show_is_said_for_every_feature_that_is_judged() -> None:
    watch = Watch.of(SPEC, REFERENCE)
    found = watch.detectable(1_000)
    assert set(found) == set(watch.names)
    assert all(each is not None and each.windows == 1 and 0.02 < each.effect < 0.25 for each in found.values())
    small = watch.detectable(5)
    assert small["amount"] is not None
    assert 1 < small["amount"].windows <= 5
    assert watch.detectable(0.1)["amount"] is None  # Three rows in MERGED_MAX windows.
    assert MERGED_MAX == 30
    sizes = [watch.detectable(rows)["amount"] for rows in (100, 1_000, 10_000, 100_000)]
    effects = [each.effect for each in sizes if each is not None]
    assert effects == sorted(effects, reverse=True)
    assert min(effects) > SPEC.alarms.tolerance


def test_a_model_without_features_or_answers_is_watched_without_a_word() -> None:
    schema = replace(SCHEMA, features={})
    batch = replace(usual(1), features={}, prediction=None, scores={})
    run = Run(replace(SPEC, schema=schema), Reference.build(schema, batch, None, windows=("ms", HOUR_MS)))
    findings = run.judge(batch)
    assert (findings.wrong, run.watch.names, run.watch.detectable(100)) == ({}, (), {})


def test_a_history_of_longer_windows_tells_the_noise_and_no_hour() -> None:
    """Nothing tells the hours of its days apart, so a daily cycle would be taken for drift every day."""
    batch = hourly(14, rows=50)
    daily = Reference.build(SCHEMA, batch, None, windows=("ms", DAY_MS))
    assert isinstance(daily.history, History)
    watch = Watch.of(SPEC, daily)
    assert not watch.complete
    assert not watch.knows_some
    assert np.isfinite(watch.values.baseline.rho).all()
    assert Watch.of(replace(SPEC, window=WindowSpec(DAY_MS)), daily).complete


@pytest.mark.parametrize("alike", [False, True])
def test_a_slow_sensor_may_leave_the_range_with_many_rows_at_once(alike: bool) -> None:
    """Rows of one hour that are nearly one value: those of the next hours may be one that was never seen."""
    random = np.random.default_rng(3)
    rows, hours = hourly(14, rows=100), 14 * 24
    level = np.repeat(random.normal(size=hours), 100) if alike else random.normal(size=100 * hours)
    sensor = with_amount(rows, level + random.normal(scale=0.2, size=len(level)))
    watch = Watch.of(SPEC, Reference.build(SCHEMA, sensor, None, windows=("ms", HOUR_MS)))
    missing, unusual = watch.smallest_shares(300.0)["amount"]
    assert (unusual > 0.5 or np.isnan(unusual)) if alike else unusual == pytest.approx(missing, rel=0.2)
