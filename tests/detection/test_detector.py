"""Streams of counts under judgement: simulated traffic, from quiet months to sudden and creeping changes."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
import pytest
from scipy import stats

from monitor.detection.baseline import Baseline, learn
from monitor.detection.budget import LAST
from monitor.detection.detector import MERGED_MAX, Detector
from monitor.detection.severity import MAJOR
from monitor.detection.streams import Judged, Limits, StreamState
from monitor.profiles import codec

HOUR_MS = 3_600_000
CELLS = 20
MONTH_HOURS, MONTH_DAYS = 730.5, 30.4375

Rows = int | np.ndarray


def shifted(shift: float, cells: int = CELLS) -> np.ndarray:
    """Shares of cells of equal mass after a normal feature has moved by so many standard deviations."""
    edges = stats.norm.ppf(np.linspace(0.0, 1.0, cells + 1))
    return np.diff(stats.norm.cdf(edges - shift))


USUAL = shifted(0.0)


def draw(random: np.random.Generator, rows: Rows, shares: np.ndarray, streams: int) -> np.ndarray:
    """int64[streams, cells] of one window; rows: of each stream."""
    return random.multinomial(np.broadcast_to(rows, streams), shares)


def baseline(random: np.random.Generator, rows: Rows, streams: int, days: int = 14) -> Baseline:
    """Learned from independent windows of an hour."""
    at = np.arange(24 * days)
    history = np.stack([draw(random, rows, USUAL, streams) for _ in at])
    return learn(history.sum(axis=0), np.ones(streams, dtype=np.bool_), history, at % 168, at // 24)


def limits(streams: int, persistence: int = 2, budget: float = 0.1, tolerance: float = 0.02) -> Limits:
    """Of hourly windows; the two scales and all streams share the budget."""
    mine = budget / 2.0 / streams
    limit = np.stack([np.full(streams, MONTH_HOURS / mine), np.full(streams, MONTH_DAYS / mine)])
    return Limits(np.full(streams, tolerance), limit, persistence)


def share_limits(streams: int, *, both: bool = False) -> Limits:
    limit = np.stack([np.full(streams, MONTH_HOURS * streams / 0.03), np.full(streams, np.inf)])
    return Limits(np.full(streams, 0.02), limit, 1, shares=True, rare=True, both=np.full(streams, both))


@dataclass
class Run:
    """A detector, what it remembers, and all that it has said, an hour at a time."""

    detector: Detector
    state: StreamState
    said: list[Judged]

    @classmethod
    def of(cls, base: Baseline, limit: Limits) -> Run:
        streams, cells = base.shares.shape[1:]
        return cls(Detector(base, limit), StreamState.empty(streams, cells), [])

    def judge(self, windows: Iterable[np.ndarray], *, known: bool = True) -> Run:
        for counts in windows:
            hour = len(self.said)
            counts = counts.astype(np.float64)
            self.said.append(
                self.detector.judge(self.state, counts, hour * HOUR_MS, hour % 168, hour // 24, known=known)
            )
        return self

    def alarms(self, stream: int = 0) -> list[int]:
        """Windows in which the stream began to drift."""
        return [hour for hour, judged in enumerate(self.said) if judged.alarmed[stream]]

    def onset(self, alarm: int, stream: int = 0) -> int:
        """The window from which an alarm says that the change is."""
        return int(self.said[alarm].onset_ms[stream]) // HOUR_MS


def iid(
    random: np.random.Generator, rows: Rows, windows: int, shift: float = 0.0, streams: int = 1
) -> list[np.ndarray]:
    return [draw(random, rows, shifted(shift), streams) for _ in range(windows)]


@pytest.mark.parametrize("persistence", [1, 2, 3, 5])
def test_an_alarm_from_nothing_takes_as_many_windows_as_it_should_persist(persistence: int) -> None:
    random = np.random.default_rng(1)
    run = Run.of(baseline(random, 2_000, 1), limits(1, persistence)).judge(iid(random, 2_000, 8, shift=3.0))
    assert run.alarms() == [persistence - 1]
    assert run.onset(persistence - 1) == 0
    assert run.said[persistence - 1].ratio[0] >= 1.0 > run.said[0].ratio[0] * (persistence > 1)


def test_fifty_quiet_streams_of_all_sizes_alarm_of_nothing_in_a_month() -> None:
    random = np.random.default_rng(2)
    rows = np.geomspace(4, 20_000, 50).astype(np.int64)
    run = Run.of(baseline(random, rows, 50), limits(50)).judge(iid(random, rows, 700, streams=50))
    assert not any(judged.alarmed.any() for judged in run.said)
    tested = np.mean([judged.tested for judged in run.said], axis=0)
    assert (np.diff(tested) > -0.1).all()  # The more rows the more often,
    assert (tested[rows > 100] == 1.0).all()
    assert (tested > 0.03).all()  # and none never.


@pytest.mark.parametrize("seed", [3, 4])
def test_days_that_wander_as_those_of_the_reference_did_alarm_of_nothing(seed: int) -> None:
    """On the scale of days the rows of a day vary together, not those of an hour."""
    random = np.random.default_rng(seed)

    def windows(days: int) -> list[np.ndarray]:
        of_day = [random.dirichlet(USUAL * 400.0, 10) for _ in range(days)]
        return [np.stack([random.multinomial(1_000, each) for each in shares]) for shares in of_day for _ in range(24)]

    history, at = np.stack(windows(28)), np.arange(28 * 24)
    base = learn(history.sum(axis=0), np.ones(10, dtype=np.bool_), history, at % 168, at // 24)
    limit = limits(10, tolerance=0.002)
    of_days = Limits(limit.tolerance, np.stack([np.full(10, np.inf), limit.limit[1]]), 2)
    run = Run.of(base, of_days).judge(windows(40))
    assert not any(judged.alarmed.any() for judged in run.said)


def test_the_error_of_a_small_reference_is_not_taken_for_a_change() -> None:
    """All windows of a reference without a season share its error, however many are taken together."""
    random = np.random.default_rng(5)
    base = baseline(random, 10, 50, days=4)  # 960 rows.
    run = Run.of(base, limits(50, tolerance=0.001)).judge(iid(random, 1_000, 24 * 30, streams=50))
    assert not any(judged.alarmed.any() for judged in run.said)


def test_small_windows_are_taken_together_until_they_are_enough() -> None:
    random = np.random.default_rng(6)
    run = Run.of(baseline(random, 5, 1), limits(1)).judge(iid(random, 5, 60))
    tested = [hour for hour, judged in enumerate(run.said) if judged.tested[0]]
    gaps = set(np.diff(tested).tolist())
    # Three cells of a third need 15 rows, or a little more where masses are uneven.
    assert gaps <= {3, 4, 5}
    assert all(np.isnan(judged.p_value[0]) != judged.tested[0] for judged in run.said)
    assert not any(judged.untestable.any() for judged in run.said)


def test_of_thirty_windows_without_enough_rows_it_is_said_that_they_cannot_be_tested() -> None:
    random = np.random.default_rng(7)
    base = baseline(random, 100, 2)
    nearly_none = [np.eye(1, CELLS, hour % CELLS).repeat(2, axis=0) * [[hour % 3 == 0], [0]] for hour in range(100)]
    run = Run.of(base, limits(2)).judge(nearly_none)
    first = next(hour for hour, judged in enumerate(run.said) if judged.untestable[0])
    assert first == MERGED_MAX - 1
    assert all(judged.untestable.all() for judged in run.said[first:])
    assert not any(judged.tested.any() for judged in run.said)
    # It is over when there are enough.
    run.judge(iid(random, 100, 2, streams=2))
    assert not run.said[-1].untestable.any()


@pytest.mark.parametrize("tolerance", [0.02, 0.005])
def test_what_took_a_day_to_be_found_lasts_until_days_look_as_they_should(tolerance: float) -> None:
    """Hours that do not show it, of which there are many, are no end of it."""
    random = np.random.default_rng(18)
    base, shift = baseline(random, 200, 12, days=28), 0.2 if tolerance == 0.02 else 0.12
    run = Run.of(base, limits(12, tolerance=tolerance)).judge(iid(random, 200, 24 * 20, shift=shift, streams=12))
    first = [run.alarms(stream) for stream in range(12)]
    by_day = [stream for stream, hours in enumerate(first) if hours and hours[0] % 24 == 0]
    assert len(by_day) >= 3
    assert all(len(first[stream]) == 1 and run.said[-1].drifting[stream] for stream in by_day)
    assert all(run.said[-1].day_effect[stream] > tolerance / 2 for stream in by_day)
    run.judge(iid(random, 200, 24 * 7, streams=12))
    assert not run.said[-1].drifting[by_day].any()
    assert np.isnan(run.said[-1].day_effect).all()


def test_days_find_what_single_windows_cannot() -> None:
    random = np.random.default_rng(8)
    base = baseline(random, 200, 4)
    quiet, creeping = iid(random, 200, 48, streams=4), iid(random, 200, 24 * 8, shift=0.2, streams=4)
    both = Run.of(base, limits(4)).judge(quiet).judge(creeping)
    first = [both.alarms(stream)[0] for stream in range(4)]
    assert all(48 < hour <= 48 + 24 * 6 for hour in first)
    assert any(hour % 24 == 0 for hour in first)  # The first window of a day judges the day before.
    of_days = next(stream for stream in range(4) if first[stream] % 24 == 0)
    assert 24 <= both.onset(first[of_days], of_days) <= 72
    # What was said at the alarm is said as long as the drift lasts.
    assert both.said[-1].drifting[of_days]
    assert both.onset(len(both.said) - 1, of_days) == both.onset(first[of_days], of_days)
    alone = limits(4)
    windows_only = Limits(alone.tolerance, np.stack([alone.limit[0], np.full(4, np.inf)]), 2)
    assert not any(judged.alarmed.all() for judged in Run.of(base, windows_only).judge(quiet).judge(creeping[:72]).said)


@pytest.mark.parametrize(("rows", "shift"), [(50, 0.4), (50, 1.0), (200, 0.3), (200, 0.5), (1_000, 0.25), (1_000, 1.0)])
def test_a_constant_change_is_one_alarm(rows: int, shift: float) -> None:
    random = np.random.default_rng(9)
    run = Run.of(baseline(random, rows, 6), limits(6)).judge(iid(random, rows, 24, streams=6))
    run.judge(iid(random, rows, 200, shift, streams=6))
    assert [len(run.alarms(stream)) for stream in range(6)] == [1] * 6
    assert all(min(run.alarms(stream)) >= 24 for stream in range(6))
    assert run.said[-1].drifting.all()


@pytest.mark.parametrize(("rows", "within"), [(50, 40), (200, 20), (1_000, 6)])
def test_drift_ends_when_the_change_has_gone(rows: int, within: int) -> None:
    random = np.random.default_rng(10)
    run = Run.of(baseline(random, rows, 6), limits(6)).judge(iid(random, rows, 40, 0.8, streams=6))
    assert run.said[-1].drifting.all()
    run.judge(iid(random, rows, within, streams=6))
    ended = [next(hour for hour in range(40, 40 + within) if not run.said[hour].drifting[each]) for each in range(6)]
    assert min(ended) >= 43  # Four windows, twice the persistence.
    assert not run.said[-1].drifting.any()
    # Nothing is left of it, and what comes later is a new alarm.
    assert (run.said[-1].ratio < 0.5).all()
    run.judge(iid(random, rows, 12, 2.0, streams=6))
    assert all(len(run.alarms(stream)) == 2 for stream in range(6))


@pytest.mark.parametrize(("rows", "shift"), [(200, 0.8), (1_000, 0.4), (1_000, 1.0), (20_000, 0.3)])
@pytest.mark.parametrize("planted", [0, 30])
def test_the_onset_is_the_window_in_which_the_change_began(rows: int, shift: float, planted: int) -> None:
    random = np.random.default_rng(11)
    run = Run.of(baseline(random, rows, 10), limits(10)).judge(iid(random, rows, planted, streams=10))
    run.judge(iid(random, rows, 20, shift, streams=10))
    for stream in range(10):
        assert abs(run.onset(run.alarms(stream)[0], stream) - planted) <= 2


def test_hours_that_are_not_known_alarm_of_what_is_major_and_last() -> None:
    random = np.random.default_rng(12)
    base = baseline(random, 1_000, 1)

    def alarms(*shifts: float) -> list[int]:
        windows = [window for shift in shifts for window in iid(random, 1_000, 1, shift)]
        return Run.of(base, limits(1)).judge(windows, known=False).alarms()

    assert alarms(*[0.4] * 100) == []  # An effect of 0.16.
    assert alarms(*[0.8] * 100) == [1]
    assert alarms(0.8, 0.0, 0.8, 0.0, 0.8, 0.4, 0.8) == []
    run = (
        Run.of(base, limits(1)).judge(iid(random, 1_000, 5), known=False).judge(iid(random, 1_000, 5, 0.8), known=False)
    )
    assert run.alarms() == [6]
    assert run.onset(6) == 5
    assert (run.state.scales[0].evidence == 0.0).all()


def test_small_windows_at_hours_that_are_not_known_keep_the_budget_too() -> None:
    """What is major by chance alone, as it is in one of a hundred windows of so few rows, is not evidence enough."""
    random = np.random.default_rng(14)
    base, windows = baseline(random, 500, 200), iid(random, 100, 500, streams=200)
    run = Run.of(base, limits(200)).judge(windows, known=False)
    assert np.mean([judged.effect >= MAJOR for judged in run.said]) > 0.0
    assert not run.state.drifting.any()


def test_windows_that_are_not_known_are_no_evidence_when_known_ones_follow() -> None:
    """Small ones that wait for more are not taken together with those after the weekend, nor count as in a row."""
    random = np.random.default_rng(13)
    base = baseline(random, 9, 1)
    run = Run.of(base, limits(1)).judge([draw(random, 15, np.eye(CELLS)[19], 1)], known=False)
    run.judge(iid(random, 9, 6))
    assert not run.said[0].tested[0]
    assert max(judged.effect[0] for judged in run.said if judged.tested[0]) < 1.0
    assert not run.alarms()
    # Nor are they still there when such hours come again.
    assert not run.judge(iid(random, 15, 1), known=False).said[-1].tested[0]
    major = Run.of(base, limits(1))
    major.judge(iid(random, 500, 1, 1.0), known=False).judge(iid(random, 500, 1)).judge(
        iid(random, 500, 1, 1.0), known=False
    )
    assert not major.alarms()


def shares_of(bad: float, rows: int, windows: int, random: np.random.Generator | None = None) -> list[np.ndarray]:
    """Windows in which a share of the rows is wrong: exactly, or drawn."""
    wrong = [rows * bad if random is None else random.binomial(rows, bad) for _ in range(windows)]
    return [np.array([[each, rows - each]]) for each in wrong]


def share_baseline(bad: int, rows: int) -> Baseline:
    return learn(
        np.array([[bad, rows - bad]]),
        np.array([True]),
        np.zeros((0, 1, 2), dtype=np.int64),
        np.zeros(0, dtype=np.int64),
        np.zeros(0, dtype=np.int64),
    )


def test_missing_rows_where_none_were_alarm_at_once() -> None:
    run = Run.of(share_baseline(0, 20_000), share_limits(1)).judge(shares_of(0.0, 1_000, 20))
    assert not run.alarms()
    run.judge(shares_of(0.05, 1_000, 50))
    assert run.alarms() == [20]
    assert run.onset(20) == 20
    run.judge(shares_of(0.0, 1_000, 3))
    assert not run.said[-1].drifting[0]


def test_one_row_in_a_thousand_never_alarms() -> None:
    run = Run.of(share_baseline(0, 20_000), share_limits(1)).judge(shares_of(0.001, 1_000, 5_000))
    assert not run.alarms()
    assert run.said[-1].ratio[0] < 1e-3


def test_windows_without_rows_say_nothing() -> None:
    run = Run.of(share_baseline(0, 20_000), share_limits(1)).judge(shares_of(0.0, 0, 100))
    assert not any(judged.tested[0] or judged.alarmed[0] for judged in run.said)
    values = Run.of(baseline(np.random.default_rng(14), 100, 1), limits(1)).judge([np.zeros((1, CELLS))] * 100)
    assert not any(judged.tested[0] or judged.alarmed[0] for judged in values.said)
    assert values.said[-1].untestable[0]
    assert values.said[-1].ratio.tolist() == [0.0]


@pytest.mark.parametrize("rows", [20, 50, 1_000])
def test_a_constant_share_of_wrong_rows_is_one_alarm(rows: int) -> None:
    random = np.random.default_rng(15)
    for bad in (0.05, 0.2):
        run = Run.of(share_baseline(20, 20_000), share_limits(1)).judge(shares_of(bad, rows, 200, random))
        assert len(run.alarms()) == 1
        assert run.said[-1].drifting[0]


def test_values_that_are_never_missing_any_more_alarm_where_either_way_counts() -> None:
    full, ends = shares_of(0.0, 1_000, 5), share_baseline(4_000, 20_000)
    assert Run.of(ends, share_limits(1, both=True)).judge(full).alarms() == [0]
    assert Run.of(ends, share_limits(1)).judge(full).alarms() == []
    assert (
        Run.of(ends, share_limits(1, both=True)).judge(shares_of(0.2, 1_000, 500, np.random.default_rng(0))).alarms()
        == []
    )


def test_features_without_values_and_constant_ones_are_never_wrong() -> None:
    random = np.random.default_rng(16)
    constant = np.zeros(CELLS)
    constant[3] = 1.0
    history = np.stack(
        [np.stack([np.zeros(CELLS), 500 * constant, draw(random, 500, USUAL, 1)[0]]) for _ in range(336)]
    )
    history = history.astype(np.int64)
    at = np.arange(336)
    base = learn(history.sum(axis=0), np.array([True, False, True]), history, at % 168, at // 24)
    run = Run.of(base, limits(3)).judge(history[:60])
    assert not any(judged.alarmed.any() for judged in run.said)
    assert [judged.tested.tolist() for judged in run.said[:2]] == [[False, True, True]] * 2
    assert all(judged.effect[1] == 0.0 and judged.p_value[1] == 1.0 for judged in run.said)
    # Values where there never were any cannot be compared with anything.
    flipped = [np.stack([window[1], window[1], window[2]]) for window in history[:60]]
    assert not any(judged.alarmed.any() for judged in Run.of(base, limits(3)).judge(flipped).said)


def test_a_change_of_the_few_that_are_not_zero_is_found() -> None:
    """Nineteen of twenty rows are one value: coarse cells must not swallow the others."""
    random = np.random.default_rng(17)
    usual = np.array([0.95] + [0.05 / 9] * 9)
    other = np.array([0.80] + [0.20 / 9] * 9)
    history, at = random.multinomial(400, usual, size=(336, 1)), np.arange(336)
    base = learn(history.sum(axis=0), np.array([True]), history, at % 168, at // 24)
    run = Run.of(base, limits(1)).judge(random.multinomial(400, usual, size=(20, 1)))
    run.judge(random.multinomial(400, other, size=(20, 1)))
    assert run.alarms()
    assert 20 < run.alarms()[0] <= 23


@pytest.mark.parametrize("rows", [10_000_000, 1_000_000_000])
def test_windows_of_millions_of_rows_are_judged_by_what_they_hold(rows: int) -> None:
    random = np.random.default_rng(18)
    base = baseline(random, rows, 1, days=3)
    run = Run.of(base, limits(1)).judge(iid(random, rows, 20))
    assert all(np.isfinite(judged.p_value[0]) for judged in run.said)
    run.judge(iid(random, rows, 60, 0.13))  # An effect of 0.017, within the tolerance.
    assert not run.alarms()
    assert run.judge(iid(random, rows, 3, 0.17)).alarms() == [81]  # 0.029.
    wrong = Run.of(share_baseline(rows // 100, rows), share_limits(1)).judge(shares_of(0.012, rows, 50))
    assert not wrong.alarms()
    assert wrong.judge(shares_of(0.05, rows, 1)).alarms() == [50]


def test_windows_of_very_different_sizes_vary_as_their_own_rows_do() -> None:
    """One large window among many small ones brings its whole over-dispersion: the mean size would hide it."""
    random = np.random.default_rng(19)
    sizes = np.where(np.arange(720) % 25 == 24, 2_000, 0)

    def windows(rows: np.ndarray) -> list[np.ndarray]:
        return [random.multinomial(each, random.dirichlet(USUAL * 30.0, 10)) for each in rows.tolist()]

    history, at = np.stack(windows(np.full(336, 2_000))), np.arange(336)
    base = learn(history.sum(axis=0), np.ones(10, dtype=np.bool_), history, at % 168, at // 24)
    run = Run.of(base, limits(10)).judge(windows(sizes))
    assert not any(judged.alarmed.any() for judged in run.said)
    p_values = np.concatenate([judged.p_value[judged.tested] for judged in run.said])
    assert len(p_values) == 280
    assert (p_values < 0.01).mean() < 0.05


def test_rows_that_hang_together_count_as_fewer_in_every_cell() -> None:
    """Where 2,000 rows vary as 31 independent ones, twenty cells would hold one and a half each."""
    random = np.random.default_rng(19)
    history = np.stack([random.multinomial(2_000, random.dirichlet(USUAL * 30.0, 1)) for _ in range(336)])
    base = learn(history.sum(axis=0), np.array([True]), history, np.arange(336) % 168, np.arange(336) // 24)
    detector = Detector(base, limits(1))
    allowed = {windows: detector.detectable(0, 2_000.0 * windows, windows)[1][:, 0] for windows in (1, 4)}
    cells = base.groupings.cells[:, 0]
    assert allowed[1].tolist() == (31 / cells >= 5).tolist()
    assert allowed[4].tolist() == (4 * 31 / cells >= 5).tolist()


def test_streams_that_may_not_alarm_do_not() -> None:
    random = np.random.default_rng(20)
    limit = limits(2)
    limit.limit[:, 1] = np.inf
    run = Run.of(baseline(random, 1_000, 2), limit).judge(iid(random, 1_000, 30, 1.0, streams=2))
    assert run.alarms(0) == [1]
    assert run.alarms(1) == []
    assert run.judge(iid(random, 1_000, 9, 1.0, streams=2), known=False).alarms(1) == []


def scenario(random: np.random.Generator) -> list[tuple[np.ndarray, bool]]:
    """Sizes, changes, gaps and unknown hours in a row, for three streams."""
    found = []
    for hour in range(150):
        rows = random.choice([0, 6, 40, 900], 3)
        shift = [0.0, 0.5, 2.0, 0.0][hour // 25 % 4]
        found.append((draw(random, rows, shifted(shift), 3), hour % 37 < 30))
    return found


def test_saving_and_restoring_after_every_window_changes_nothing() -> None:
    base = baseline(np.random.default_rng(21), 300, 3)
    plain, saved = Run.of(base, limits(3)), Run.of(base, limits(3))
    for counts, known in scenario(np.random.default_rng(22)):
        plain.judge([counts], known=known)
        saved.detector = Detector(base, limits(3))
        saved.state = codec.unpack("TEST", 1, codec.pack("TEST", 1, saved.state), StreamState)
        saved.judge([counts], known=known)
    assert codec.pack("TEST", 1, saved.state) == codec.pack("TEST", 1, plain.state)
    assert [repr(judged) for judged in saved.said] == [repr(judged) for judged in plain.said]
    assert any(plain.alarms(stream) for stream in range(3))


def test_what_was_said_does_not_change_with_what_comes_later() -> None:
    base = baseline(np.random.default_rng(21), 300, 3)
    run = Run.of(base, limits(3))
    for counts, known in scenario(np.random.default_rng(23)):
        before = repr(run.said[-1:])
        run.judge([counts], known=known)
        assert repr(run.said[-2:-1]) == before


def test_streams_do_not_know_of_each_other() -> None:
    """Three together say what each says alone, with the same limits."""
    random = np.random.default_rng(24)
    history, at = np.stack(iid(random, 300, 336, streams=3)), np.arange(336)

    def of(streams: slice) -> Run:
        part = history[:, streams]
        base = learn(part.sum(axis=0), np.ones(part.shape[1], dtype=np.bool_), part, at % 168, at // 24)
        all_limits = limits(3)
        run = Run.of(base, Limits(all_limits.tolerance[streams], all_limits.limit[:, streams], 2))
        for counts, known in scenario(np.random.default_rng(25)):
            run.judge([counts[streams]], known=known)
        return run

    together = of(slice(0, 3))
    for stream in range(3):
        alone = of(slice(stream, stream + 1))
        assert alone.alarms() == together.alarms(stream)
        ratios = np.array([judged.ratio[stream] for judged in together.said])
        assert [judged.ratio[0] for judged in alone.said] == pytest.approx(ratios, rel=1e-9)


def test_the_smallest_change_that_is_said_to_show_shows_as_often_as_not() -> None:
    """Planned effects against simulated ones: some in as few windows as an alarm takes, most in two more."""
    random = np.random.default_rng(26)
    streams = 200
    base = baseline(random, 500, streams)
    limit = limits(streams)
    effects, allowed = Detector(base, limit).detectable(0, 500, 1)
    planned = float(np.median(np.where(allowed, effects, np.inf).min(axis=0)))
    shift = 0.3
    while effect_of(shift) < planned:
        shift += 0.001
    run = Run.of(base, limit).judge(iid(random, 500, 2, shift, streams))
    assert 0.4 <= run.state.drifting.mean() <= 0.65
    assert run.judge(iid(random, 500, 2, shift, streams)).state.drifting.mean() >= 0.9


def effect_of(shift: float) -> float:
    """8 JSD of a normal's shift, from twenty cells."""
    p, q = USUAL, shifted(shift)
    middle = (p + q) / 2.0
    return 4.0 * float(stats.entropy(p, middle) + stats.entropy(q, middle))


def test_versions_that_share_a_budget_need_as_many_times_the_evidence() -> None:
    random = np.random.default_rng(5)
    base, limit = baseline(random, 1_000, 1), limits(1)
    counts = iid(random, 1_000, 2, shift=1.0)
    evidence = []
    for versions in (1, 4):
        detector, state = Detector(base, limit), StreamState.empty(1, CELLS)
        judged = [detector.judge(state, each, 0, 0, 0, known=True, versions=versions) for each in counts]
        assert [bool(each.alarmed[0]) for each in judged] == [False, True], "persistence is the same"
        assert judged[0].ratio[0] == pytest.approx(1 / LAST), "and so is what the last of these has to say"
        evidence.append(float(state.scales[0].evidence[0]))
    assert evidence[1] == pytest.approx(4**2 * evidence[0], rel=0.01), "two windows, each capped at four times as much"
