"""Segments: no more false alarms than the budget, a change in one of them found there, and a change of their mix not.

Three columns of segments, from three fifths of the traffic down to a few in a thousand. The share of the countries goes
by the hour, and features differ between them; inside a country nothing changes.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import IncidentChange
from monitor.engine import Monitor
from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles.reference import Reference
from monitor.spec import DAY_MS, HOUR_MS, AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.streams import FOREVER, Now
from monitor.windows.window import WindowSpec
from tests.acceptance.figures import Figure
from tests.detection.feature_rows import table

SEEDS = (1, 2, 3)
MONDAY_MS = 4 * DAY_MS
SHARES = {
    "country": (0.5, 0.25, 0.12, 0.08, 0.04, 0.01),
    "channel": (0.7, 0.3),
    "tier": (0.3, 0.2, 0.15, 0.1, 0.08, 0.06, 0.05, 0.03, 0.02, 0.007, 0.003),
}
NUMBERS = 8
DIFFERENT = np.array([0.0, 0.5, -0.5, 1.0, 0.3, -1.0])
"""By how many standard deviations the first half of the numbers differs in each country."""

Counts = NDArray[np.int64]
Floats = NDArray[np.float64]


@dataclass(slots=True)
class Rows:
    """hour: int64[n], from a Monday on; numbers: float64[NUMBERS, n]; codes: by column, int64[n]."""

    hour: Counts
    numbers: Floats
    codes: dict[str, Counts]


Change = Callable[[Rows, np.random.Generator], None]
SCHEMA = Schema(
    "m", "regression", {f"x{place}": "numeric" for place in range(NUMBERS)} | dict.fromkeys(SHARES, "categorical")
)


def spec(budget: float, segments: Sequence[str]) -> ModelSpec:
    return ModelSpec(
        "m",
        SCHEMA,
        WindowSpec(HOUR_MS),
        PerformanceSpec("mae", 1.0),
        lateness_ms=0,
        future_ms=FOREVER,
        labelled=False,
        alarms=AlarmSpec(budget),
        segments=tuple(segments),
        segments_max=50,
    )


def drawn(random: np.random.Generator, first: int, days: int, rows: int) -> Rows:
    """About so many rows an hour, half more or less of them by the time of day."""
    hours = np.arange(24 * first, 24 * (first + days))
    hour = np.repeat(hours, random.poisson(rows * (1.0 + 0.5 * np.sin(hours / 24 * 2 * np.pi))))
    codes = {name: random.choice(len(p), len(hour), p=np.array(p) / sum(p)) for name, p in SHARES.items()}
    angle = np.arange(24) / 24 * 2 * np.pi
    by_hour = np.tile(SHARES["country"], (24, 1))
    by_hour[:, :2] *= 1.0 + np.stack([0.5 * np.sin(angle), 0.8 * np.cos(angle)], axis=1)
    up_to = (by_hour / by_hour.sum(axis=1, keepdims=True)).cumsum(axis=1)
    codes["country"] = np.minimum((random.random(len(hour))[:, None] > up_to[hour % 24]).sum(axis=1), 5)
    numbers = random.normal(size=(NUMBERS, len(hour)))
    numbers[: NUMBERS // 2] += DIFFERENT[codes["country"]]
    return Rows(hour, numbers, codes)


def batch(random: np.random.Generator, made: Rows) -> Predictions:
    columns: dict[str, Column] = {f"x{place}": NumericColumn.of(values) for place, values in enumerate(made.numbers)}
    for name, codes in made.codes.items():
        values = tuple(f"{name[0]}{code}" for code in range(len(SHARES[name])))
        columns[name] = CategoricalColumn(codes.astype(np.int32), values)
    return table(columns, MONDAY_MS + made.hour * HOUR_MS + random.integers(0, HOUR_MS, len(made.hour)))


def run(
    random: np.random.Generator, spec: ModelSpec, rows: int, days: int, change: Change | None
) -> list[IncidentChange]:
    """Against a reference of four weeks."""
    training = batch(random, drawn(random, 0, 28, rows))
    reference = Reference.build(SCHEMA, training, None, version="1", windows=("ms", HOUR_MS))
    live = drawn(random, 28, days, rows)
    if change is not None:
        change(live, random)
    engine = Monitor([spec], {"m": {"1": reference.with_segments(training, spec.segments)}})
    engine.models["m"].ingest(batch(random, live), (), {}, Now.at(1 << 50))
    return engine.models["m"].finish().changes


def since(change: IncidentChange) -> float:
    """Windows from the start of what is not the reference to the end of its window."""
    return (change.window.end_ms - MONDAY_MS) / HOUR_MS - 28 * 24


def risen(made: Rows, random: np.random.Generator) -> None:
    """By one deviation, of the country of 12 % of the rows."""
    made.numbers[-1] += made.codes["country"] == 2


def mixed(made: Rows, random: np.random.Generator) -> None:
    """The country of 8 % of the rows has a third of them."""
    late = random.random(len(made.hour)) < 0.3
    made.numbers[: NUMBERS // 2] += late * (DIFFERENT[3] - DIFFERENT[made.codes["country"]])
    made.codes["country"] = np.where(late, 3, made.codes["country"])


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """A month without a change at both budgets; a change in one segment; a change of their mix."""
    for budget, limit in ((0.1, 1), (5.0, 5)):
        for rows, some in ((60, seeds), (300, seeds[:1])):
            runs = [run(np.random.default_rng(seed), spec(budget, tuple(SHARES)), rows, 30, None) for seed in some]
            most = max(sum(each.event == "opened" for each in changes) for changes in runs)
            yield Figure.at_most("J", f"{rows} rows an hour, budget {budget:g}: incidents of 30 days", most, limit)
    yield from brief(seeds)


def brief(seeds: Sequence[int]) -> Iterator[Figure]:
    """Without the months."""
    found, whole, others, inside = [], [], 0, 0
    for seed in seeds:
        changes = run(np.random.default_rng(seed), spec(0.1, ("country", "channel")), 300, 2, risen)
        found.append(min((since(each) for each in changes), default=999.0))
        others += len({name for each in changes for name in each.incident.features} - {"x7 in country=c2"})
        whole.append(len(run(np.random.default_rng(seed), spec(0.1, ()), 300, 2, risen)))
        shifted = run(np.random.default_rng(seed), spec(0.1, ("country",)), 300, 3, mixed)
        inside += sum(" in country=" in name for each in shifted for name in each.incident.features)
    yield Figure.at_most("J", "windows to find 1 sd in a segment of 12 %, median", median(found), 4)
    yield Figure.none("J", "other subjects that this was said of", others)
    yield Figure.none("J", "incidents of whole traffic alone by the same change", sum(whole))
    yield Figure.none("J", "features said to drift in a country while only its share grows", inside)
