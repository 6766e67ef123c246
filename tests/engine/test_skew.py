"""What a version learns of its own first windows, and how that differs from training: said once, and no alarm."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from monitor.detection.records import Skew
from monitor.engine import Monitor
from monitor.events.batch import NumericColumn, Predictions
from monitor.profiles.reference import Reference
from monitor.spec import DAY_MS, ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.profiles import rows as table

HOUR_MS = 3_600_000
SIZE = 4 * HOUR_MS
DAY, MONDAY, FORTNIGHT, ROWS = 6, 4 * 6, 14 * 6, 240
SPEC = ModelSpec("m", table.SCHEMA, WindowSpec(SIZE), PerformanceSpec("accuracy", 0.1), lateness_ms=0, labelled=False)
TRAINING = table.predictions(np.random.default_rng(0), 4_000)
TIMELESS = Reference.build(table.SCHEMA, TRAINING, None, version="3")

Change = Callable[[int], float]
"""How far `amount` lies from training in a window, deviations."""


@dataclass
class Run:
    """An engine that is fed window by window from a Monday on. states, effects: of `amount`; changes: of incidents."""

    reference: Reference = TIMELESS
    spec: ModelSpec = SPEC
    states: list[str] = field(default_factory=list)
    effects: list[float] = field(default_factory=list)
    skews: list[Skew] = field(default_factory=list)
    changes: int = 0
    amounts: list[NDArray[np.float64]] = field(default_factory=list)
    engine: Monitor = field(init=False)

    def __post_init__(self) -> None:
        self.engine = Monitor([self.spec], {"m": {"3": self.reference}})

    def feed(self, windows: Iterable[int], shift: Change = lambda window: 0.0, gone: Iterable[int] = ()) -> list[str]:
        """gone: windows in which every `age` is missing."""
        model, lost, first = self.engine.models["m"], set(gone), len(self.states)
        for window in windows:
            batch = rows(window, shift(window), gone=window in lost)
            model.ingest(batch, (), {}, Now.at(1 << 50))
            output = model.finish((MONDAY + window + 1) * SIZE)
            (view,) = output.windows
            verdict = next(verdict for verdict in view.verdicts if verdict.feature == "amount")
            assert verdict.effect is not None
            self.states.append(verdict.state)
            self.effects.append(verdict.effect)
            self.skews += output.skews
            self.changes += len(output.changes)
            self.amounts.append(batch.features["amount"].values)
        return self.states[first:]

    def restart(self) -> None:
        pieces = saved(self.engine)
        self.__post_init__()
        self.engine.restore(pieces)

    @property
    def skew(self) -> Skew | None:
        return self.engine.views()["m"].watches["3"].skew


def rows(window: int, shift: float, *, gone: bool = False) -> Predictions:
    first = (MONDAY + window) * ROWS
    times = (MONDAY + window) * SIZE + np.arange(ROWS, dtype=np.int64) * (SIZE // ROWS)
    batch = table.predictions(
        np.random.default_rng(1_000 + window), ROWS, first=first, offset=first, time_ms=times, shift=shift
    )
    missing = {"age": NumericColumn.of(np.full(ROWS, np.nan))} if gone else {}
    return replace(batch, features={**batch.features, **missing})


def working_days() -> Reference:
    """Of ten, with their times."""
    parts = [rows(window - FORTNIGHT, 0.0) for window in range(FORTNIGHT) if window // DAY % 7 < 5]
    times = np.concatenate([part.time_ms for part in parts])
    drawn = table.predictions(np.random.default_rng(3), len(times), time_ms=times)
    return Reference.build(table.SCHEMA, drawn, None, version="3", windows=("ms", SIZE))


def divergence(training: NDArray[np.float64], production: NDArray[np.float64], edges: NDArray[np.float64]) -> float:
    """8 JSD of what lies between the outermost edges, less what chance alone gives."""
    counts = [np.histogram(values, edges)[0] for values in (training, production)]
    m, n = (each.sum() for each in counts)
    return float(8 * jensenshannon(*counts) ** 2 - (len(edges) - 2) * (1 / m + 1 / n))


def test_the_difference_between_training_and_production_is_said_once_and_is_no_alarm() -> None:
    run = Run()
    run.feed(range(FORTNIGHT - 1), lambda window: 0.4)
    assert (run.skew, run.skews) == (None, [])
    run.feed(range(FORTNIGHT - 1, FORTNIGHT + 12), lambda window: 0.4)
    (said,) = run.skews
    assert run.skew == said
    assert run.changes == 0
    assert (said.version, said.start_ms, said.end_ms) == ("3", 4 * DAY_MS, 18 * DAY_MS)
    assert [each.feature for each in said.features] == ["amount"]
    amounts = np.concatenate(run.amounts[:FORTNIGHT])
    expected = divergence(TRAINING.features["amount"].values, amounts, TIMELESS.cells.edges("amount"))
    assert said.features[0].effect == pytest.approx(expected, rel=1e-9)
    assert said.features[0].moved[0].now != said.features[0].moved[0].usual
    run.restart()
    assert run.skew == said
    run.feed([FORTNIGHT + 12], lambda window: 0.4)
    assert run.skew == said
    assert len(run.skews) == 1


def test_nothing_is_named_where_production_is_as_training_was() -> None:
    run = Run()
    run.feed(range(FORTNIGHT + 1))
    (said,) = run.skews
    assert said.features == ()


def test_what_was_broken_for_some_days_is_not_learned() -> None:
    """Two days of values that moved far, and two on which another feature has none."""
    run, moved, lost = Run(), range(3 * DAY, 5 * DAY), range(7 * DAY, 9 * DAY)
    states = run.feed(range(FORTNIGHT + 1), lambda window: 2.0 * (window in moved), gone=lost)
    assert "drifting" in states
    (said,) = run.skews
    assert said.features == ()
    watch = run.engine.models["m"].watching._learned["3"].watch
    assert watch.shares.baseline.shares[0, watch.names.index("age"), 0] == pytest.approx(0.05, abs=0.01)
    assert set(run.feed(range(FORTNIGHT + 1, FORTNIGHT + 4))) <= {"ok", "watch"}


def test_what_is_so_on_most_days_is_learned_however_far_it_is_from_training() -> None:
    run = Run()
    states = run.feed(range(FORTNIGHT + 20), lambda window: 1.5)
    assert "drifting" in states[:FORTNIGHT]
    assert [each.feature for each in run.skews[0].features] == ["amount"]
    assert set(states[-3:]) <= {"ok", "watch"}


def test_hours_of_each_day_that_are_far_from_training_are_learned() -> None:
    run = Run()
    states = run.feed(range(FORTNIGHT + 4 * DAY), lambda window: 1.5 * (window % DAY >= 3))
    assert "drifting" in states[:FORTNIGHT]
    assert set(states[-2 * DAY :]) <= {"ok", "watch"}
    assert len(run.engine.models["m"].watching.lessons) == FORTNIGHT


def test_a_reference_of_working_days_keeps_them_and_learns_of_weekends_alone() -> None:
    """Production's working days differ from the reference's, and its weekends from both."""
    run = Run(working_days())
    weekend = lambda window: window // DAY % 7 >= 5  # noqa: E731
    change = lambda window: 1.0 if weekend(window) else 0.4  # noqa: E731
    first = run.feed(range(19 * DAY), change)
    assert "drifting" in first[: 5 * DAY]
    assert {start // SIZE - MONDAY for _, start in run.engine.models["m"].watching.lessons} == {
        window for window in range(19 * DAY) if weekend(window)
    }
    third = run.feed(range(19 * DAY, 21 * DAY), change)
    assert third[0] != "ok"
    run.restart()
    after = run.feed(range(21 * DAY, 28 * DAY), change)
    assert "learning" not in after
    assert "drifting" in after[: 5 * DAY], "working days are still compared with the reference"
    assert min(run.effects[12 * DAY : 14 * DAY]) > 0.5
    assert max(run.effects[-2 * DAY :]) < 0.25, "weekends with themselves"
    assert (run.skew, run.skews) == (None, [])
