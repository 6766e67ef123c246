"""What is usual is learned from days that were left out: against plain Python, and from planted seasons and noise."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import fields

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from monitor.detection import baseline as module
from monitor.detection.baseline import SHRINKAGE, Baseline, _Past, covered, learn
from monitor.statistics.pooling import Grouping
from monitor.windows.season import SEASONS, Season

Counts = np.ndarray


def shifted(shift: float, cells: int = 10) -> np.ndarray:
    """Shares of cells of equal mass after a normal feature has moved by so many standard deviations."""
    edges = stats.norm.ppf(np.linspace(0.0, 1.0, cells + 1))
    return np.diff(stats.norm.cdf(edges - shift))


def hourly(days: int) -> tuple[Counts, Counts]:
    """Hour of the week and day of each hour from a Monday on."""
    at = np.arange(24 * days)
    return at % 168, at // 24


def learned(history: Counts, hours: Counts, days: Counts) -> Baseline:
    return learn(history.sum(axis=0), np.ones(history.shape[1], dtype=np.bool_), history, hours, days)


def planted(
    seed: int, days: int, shift: Callable[[int], float], rows: int = 500, streams: int = 4
) -> tuple[Counts, Counts, Counts]:
    random = np.random.default_rng(seed)
    hours, dates = hourly(days)
    history = [random.multinomial(rows, shifted(shift(hour)), size=streams) for hour in hours.tolist()]
    return np.stack(history), hours, dates


def same_slot(one: int, other: int, season: Season) -> bool:
    match season:
        case "none":
            return True
        case "hour":
            return one % 24 == other % 24
        case "day type":
            return one % 24 == other % 24 and (one // 24 >= 5) == (other // 24 >= 5)
        case "week":
            return one == other


@given(
    seed=st.integers(0, 2**32),
    season=st.sampled_from(SEASONS),
    kappa=st.sampled_from(SHRINKAGE),
    sparse=st.booleans(),
)
@settings(max_examples=40, deadline=None)
def test_a_window_is_expected_from_other_days_alone(seed: int, season: Season, kappa: float, sparse: bool) -> None:
    random = np.random.default_rng(seed)
    streams, windows, cells = 2, 15, 3
    history = random.integers(0, 30, (windows, streams, cells)) * (random.random((windows, streams, 1)) > 0.4 * sparse)
    hours, days = random.integers(0, 168, windows), np.sort(random.integers(0, 5, windows)) * 3
    overall = history.sum(axis=0) / np.maximum(history.sum(axis=(0, 2)), 1)[:, None]
    past = _Past(history.transpose(1, 0, 2).astype(np.float64), hours, days)
    if season == "none":
        expected, resting = past.without_day(overall)
    else:
        expected, resting = list(past.like_without_day(season, overall))[SHRINKAGE.index(kappa)]
    for stream in range(streams):
        used = [cell for cell in range(cells) if overall[stream, cell] > 0]
        for window in range(windows):
            others = [w for w in range(windows) if days[w] != days[window]]
            rows = int(sum(history[w, stream].sum() for w in others))
            everywhere = [
                (sum(int(history[w, stream, cell]) for w in others) + 0.5 * (cell in used))
                / max(rows + 0.5 * len(used), 1.0)
                for cell in range(cells)
            ]
            alike = [w for w in others if same_slot(int(hours[w]), int(hours[window]), season)]
            held = [sum(int(history[w, stream, cell]) for w in alike) for cell in range(cells)]
            if season == "none":
                wanted, on = everywhere, float(rows)
            else:
                wanted = [(held[cell] + kappa * everywhere[cell]) / (sum(held) + kappa) for cell in range(cells)]
                on = min(sum(held) + kappa, rows)
            assert expected[stream, window] == pytest.approx(wanted, rel=1e-12)
            assert resting[stream, window] == max(on, 1.0)


def chosen(history: Counts, hours: Counts, days: Counts) -> list[Season]:
    return list(learned(history, hours, days).season)


@pytest.mark.parametrize("days", [7, 14])
@pytest.mark.parametrize("seed", [1, 2])
def test_a_daily_cycle_is_seen(seed: int, days: int) -> None:
    found = chosen(*planted(seed, days, lambda hour: 0.3 * np.sin(2.0 * np.pi * hour / 24.0)))
    assert found == ["hour"] * 4


@pytest.mark.parametrize("seed", [1, 2])
def test_weekends_of_their_own_are_seen(seed: int) -> None:
    found = chosen(*planted(seed, 28, lambda hour: 0.3 * (hour // 24 >= 5)))
    assert found == ["day type"] * 4


@pytest.mark.parametrize(("days", "most"), [(3, 6), (7, 2), (14, 2)])
def test_where_no_season_is_none_is_seen_but_rarely(days: int, most: int) -> None:
    found = [season for seed in range(2) for season in chosen(*planted(seed, days, lambda hour: 0.0, streams=20))]
    assert sum(season != "none" for season in found) <= most


def test_the_shares_of_a_season_are_those_of_its_hours() -> None:
    history, hours, days = planted(5, 28, lambda hour: 0.5 * (hour % 24 >= 12))
    base = learned(history, hours, days)
    morning, evening = base.at(24 + 9)[0], base.at(24 + 21)[0]
    assert morning == pytest.approx(np.tile(shifted(0.0), (4, 1)), abs=0.012)
    assert evening == pytest.approx(np.tile(shifted(0.5), (4, 1)), abs=0.012)
    assert base.shares.sum(axis=2) == pytest.approx(np.ones((168, 4)))
    # Each hour rests on its own rows and what it leans on, and no more than there are.
    assert (base.rows >= 28 * 500).all()
    assert (base.rows <= 28 * 500 + max(SHRINKAGE)).all()
    assert (base.total == 28 * 24 * 500).all()


def test_without_a_season_all_hours_are_one() -> None:
    history, hours, days = planted(6, 14, lambda hour: 0.0)
    base = learned(history, hours, days)
    assert base.shares.shape == (1, 4, 10)
    smoothed = history.sum(axis=0) + 0.5
    assert base.at(100)[0] == pytest.approx(smoothed / smoothed.sum(axis=1, keepdims=True))
    assert base.at(100)[1] == pytest.approx(np.full(4, 14 * 24 * 500))
    assert base.typical == pytest.approx(np.array([[500.0] * 4, [12_000.0] * 4]))


def clustered(seed: int, days: int, rho_window: float, rho_day: float = 0.0, rows: int = 1_000) -> Counts:
    """Dirichlet-multinomial windows around each day's shares, which are Dirichlet themselves; 8 streams."""
    random = np.random.default_rng(seed)

    def around(shares: np.ndarray, rho: float) -> np.ndarray:
        if rho == 0.0:
            return shares
        return np.stack([random.dirichlet(np.maximum(each, 1e-9) * (1.0 / rho - 1.0)) for each in shares])

    windows = []
    for _ in range(days):
        of_day = around(np.tile(shifted(0.0), (8, 1)), rho_day)
        for _ in range(24):
            of_window = around(of_day, rho_window)
            windows.append(np.stack([random.multinomial(rows, each) for each in of_window]))
    return np.stack(windows)


def error_of_rho(base: Baseline, rho: float, windows: int = 336, rows: int = 1_000) -> np.ndarray:
    """Standard error of the moment estimate where X is 1 + (n - 1) rho times a chi-square over its degrees."""
    free = base.groupings.cells - 1.0
    return (1.0 + (rows - 1.0) * rho) * np.sqrt(2.0 / free / windows) / (rows - 1.0)


@pytest.mark.parametrize("rho", [5e-4, 5e-3, 0.03])
def test_over_dispersion_of_windows_is_recovered(rho: float) -> None:
    base = learned(clustered(7, 14, rho), *hourly(14))
    error = error_of_rho(base, rho)
    # An upper estimate: by the standard error above, on average.
    assert (np.abs(base.rho[0] - rho - error) <= 4.0 * error + 0.05 * rho).all()
    assert base.rho[0].mean() >= rho


def test_over_dispersion_of_days_is_that_of_their_windows_or_their_own() -> None:
    # Days whose windows wander on their own hold 24 of them: a 24th of it is left.
    own = learned(clustered(8, 28, 0.01), *hourly(28)).rho[1]
    assert np.median(own[0]) == pytest.approx(0.01 / 24, rel=0.5)
    whole = learned(clustered(9, 28, 0.0, rho_day=0.002), *hourly(28)).rho
    assert np.median(whole[0, 0]) == pytest.approx(0.002, rel=0.5)
    assert np.median(whole[1, 0]) == pytest.approx(0.002, rel=0.5)


def test_independent_rows_have_next_to_none() -> None:
    base = learned(clustered(10, 14, 0.0), *hourly(14))
    assert (base.rho[0] <= 5.0 * error_of_rho(base, 0.0)).all()
    assert np.median(base.rho[0] / error_of_rho(base, 0.0)) < 1.5
    assert (base.rho[1] <= 5.0 * error_of_rho(base, 0.0, windows=14, rows=24_000)).all()


@pytest.mark.parametrize("hours", [np.zeros(40, dtype=np.int64), np.arange(40) % 7 * 24])
def test_windows_that_are_all_of_one_hour_have_none(hours: Counts) -> None:
    """A value that the history lacks is better foreseen with less smoothing, which is not what a season is."""
    random = np.random.default_rng(0)
    history = np.stack([random.multinomial(500, [0.4, 0.35, 0.25, 0.0], size=1) for _ in range(40)])
    total = history.sum(axis=0) + np.array([0, 0, 0, 2])
    found = learn(total, np.zeros(1, dtype=np.bool_), history, hours, np.arange(40))
    assert found.season == ("none",)


@pytest.mark.parametrize("windows", [0, 1, 24])
def test_less_than_two_days_teach_nothing(windows: int) -> None:
    total = np.array([[40, 0, 60], [0, 0, 0]], dtype=np.int64)
    history = np.ones((windows, 2, 3), dtype=np.int64)
    base = learn(total, np.array([True, False]), history, np.arange(windows), np.zeros(windows, dtype=np.int64))
    assert base.shares == pytest.approx(np.array([[[40.5 / 101, 0.0, 60.5 / 101], [0.0, 0.0, 0.0]]]))
    assert base.rows.tolist() == [[100.0, 1.0]]
    assert (base.rho == 0.0).all()
    assert base.season == ("none", "none")


def test_two_days_teach_how_windows_vary_and_days_take_it_from_them() -> None:
    base = learned(clustered(11, 2, 0.01), *hourly(2))
    assert base.rho[0] == pytest.approx(np.full(base.rho[0].shape, 0.01), rel=0.6)
    assert (base.rho[1] == base.rho[0]).all()


def test_a_handful_of_small_windows_teach_nothing_and_break_nothing() -> None:
    history = np.random.default_rng(0).multinomial(6, np.full(10, 0.1), size=(4, 3))
    base = learned(history, np.arange(4), np.array([0, 0, 1, 1]))
    assert np.isfinite(base.rho).all()
    assert np.isfinite(base.shares).all()


def test_windows_without_rows_change_nothing_but_their_number() -> None:
    history, hours, days = planted(12, 14, lambda hour: 0.3 * np.sin(2.0 * np.pi * hour / 24.0))
    whole = learned(history, hours, days)
    gaps = np.insert(history, np.arange(0, len(history), 5), 0, axis=0)
    places = [np.insert(each, np.arange(0, len(history), 5), each[::5]) for each in (hours, days)]
    found = learned(gaps, *places)
    assert found.season == whole.season
    assert found.typical == pytest.approx(whole.typical)
    for name in ("shares", "rows"):
        assert getattr(found, name) == pytest.approx(getattr(whole, name))
    assert found.rho == pytest.approx(whole.rho, rel=0.02)


def test_a_stream_without_rows_and_a_constant_one_have_no_noise_and_no_season() -> None:
    history, hours, days = planted(13, 7, lambda hour: 0.3 * np.sin(2.0 * np.pi * hour / 24.0), streams=3)
    history[:, 1] = 0
    history[:, 2] = 0
    history[:, 2, 4] = 77
    base = learned(history, hours, days)
    assert base.season == ("hour", "none", "none")
    assert (base.rho[:, :, 1:] == 0.0).all()
    for part in (base.shares, base.rows, base.total, base.typical):
        assert np.isfinite(part).all()
    assert base.at(50)[0][2].tolist() == [0.0] * 4 + [1.0] + [0.0] * 5


def bits(base: Baseline) -> list[object]:
    parts = [getattr(base, field.name) for field in fields(base) if field.name != "groupings"]
    grouping: Grouping = base.groupings
    parts += [grouping.groups, grouping.cells, grouping.least]
    return [part.tobytes() if isinstance(part, np.ndarray) else part for part in parts]


@pytest.mark.parametrize("streams_at_a_time", [1, 2, 3])
def test_pieces_give_the_same_bits_as_the_whole(monkeypatch: pytest.MonkeyPatch, streams_at_a_time: int) -> None:
    seasonal, hours, days = planted(14, 9, lambda hour: 0.3 * np.sin(2.0 * np.pi * hour / 24.0), streams=3)
    history = np.concatenate([seasonal, clustered(15, 9, 0.003)[:, :4]], axis=1)
    whole = learned(history, hours, days)
    assert {"none", "hour"} <= set(whole.season)
    monkeypatch.setattr(module, "_ELEMENTS", streams_at_a_time * history.shape[0] * history.shape[2])
    assert bits(learned(history, hours, days)) == bits(whole)


def test_a_model_without_streams_has_an_empty_baseline() -> None:
    nothing = np.zeros((0, 20), dtype=np.int64)
    base = learn(nothing, np.zeros(0, dtype=np.bool_), np.zeros((48, 0, 20), dtype=np.int64), *hourly(2))
    assert base.season == ()
    assert base.at(3)[0].shape == (0, 20)


def test_hours_are_covered_by_two_windows_of_their_like() -> None:
    assert not covered([], 1).any()
    # One hour of Monday and of Thursday covers it on working days, and on no weekend.
    found = covered([9, 72 + 9], 1)
    assert np.flatnonzero(found).tolist() == [9, 33, 57, 81, 105]
    assert not covered([9], 1).any()
    # Whole days: two working days, and one of a weekend, which is too few.
    assert np.flatnonzero(covered([0, 24, 120], 24)).tolist() == list(range(120))
    # Windows of six hours from 22 h on reach into the next day, and from a Friday into the weekend.
    late = covered([22, 46, 94 + 24, 94 + 24], 6)
    assert np.flatnonzero(late[:24]).tolist() == [0, 1, 2, 3, 22, 23]
    assert np.flatnonzero(late[120:144]).tolist() == [0, 1, 2, 3]
