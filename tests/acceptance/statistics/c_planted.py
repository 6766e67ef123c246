"""Changes of every kind in a model's table are found in two windows by `init` and `backtest`, and nothing else ever."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from monitor.events.batch import CORRELATION
from tests.acceptance.figures import Figure
from tests.acceptance.tables import HOUR_MS, START_MS, backtested

SEEDS = (1, 2, 3)
ROWS = 600
REFERENCE_HOURS = 14 * 24
CLEAN_HOURS = 60
CHANGED_HOURS = 12

KINDS = {
    "mean": "mean, by half a deviation",
    "spread": "spread, to 1.5 times",
    "share": "share of a category, 30 % to 45 %",
    "novel": "a new category in a tenth of the rows",
    "gaps": "missing values, 0.5 % to 8 %",
    "unit": "unit, to a hundredth of its size",
    CORRELATION: "how two features go together, correlation 0 to 0.5",
}


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Worst delay of each kind over the seeds, in windows; features reported that were not changed, or too early; the
    change of unit not said to be one, and others that are; pairs named that did not change.
    """
    delays: dict[str, list[float]] = {name: [] for name in KINDS}
    false = early = misnamed = pairs = 0
    for seed in seeds:
        first, too_early, units, others = found(seed)
        early += too_early
        pairs += others
        misnamed += len(units ^ {"unit"})
        for name in KINDS:
            delays[name].append(first.pop(name, float("inf")))
        false += len(first)
    for name, change in KINDS.items():
        yield Figure.at_most("C", f"change of {change}: found after, windows", max(delays[name]), 2)
    yield Figure.none("C", f"features of {len(seeds)} tables reported without a change", false)
    yield Figure.none("C", "changes of unit not named, and others that are named so", misnamed)
    yield Figure.none("C", "pairs of features named that go together as before", pairs)
    yield Figure.none("C", "features reported before the change", early)


def found(seed: int) -> tuple[dict[str, float], int, set[str], int]:
    """By feature reported since the change, after how many windows; how many were before it; which ones as a change of
    unit; how often another pair was named than the one that changed.
    """
    rng = np.random.default_rng(seed)
    reference = table(rng, 0, REFERENCE_HOURS, changed_from=None)
    live = table(rng, REFERENCE_HOURS, CLEAN_HOURS + CHANGED_HOURS, changed_from=CLEAN_HOURS)
    report = backtested(reference, live)
    delays = report.since(CLEAN_HOURS)
    told = {name: float(delay) for name, delay in delays.items() if name == CORRELATION or not name.startswith("@")}
    units = {name for name, aspects in report.wrong.items() if "unit" in aspects}
    others = sum(pair != "left and right" for pair in report.pairs)
    return told, sum(delay <= 0 for delay in delays.values()), units, others


def table(rng: np.random.Generator, first_hour: int, hours: int, changed_from: int | None) -> pd.DataFrame:
    """Rows of a classifier with a daily cycle in some of its features."""
    n = hours * ROWS
    hour = np.repeat(np.arange(hours), ROWS)
    at = START_MS + (first_hour + hour) * HOUR_MS + rng.integers(0, HOUR_MS, n)
    new = np.zeros(n, dtype=np.bool_) if changed_from is None else hour >= changed_from
    cycle = 0.3 * np.sin(2.0 * np.pi * ((first_hour + hour) % 24) / 24.0)
    shares = np.where(new[:, None], [0.45, 0.25, 0.2, 0.1], [0.3, 0.4, 0.2, 0.1])
    zipf = 1.0 / np.arange(1, 51)
    score = 1.0 / (1.0 + np.exp(-rng.normal(-1.0, 1.0, n)))
    columns: dict[str, NDArray[np.generic]] = {
        "timestamp": at,
        "mean": rng.normal(cycle + 0.5 * new, 1.0),
        "spread": rng.normal(0.0, np.where(new, 1.5, 1.0)),
        "share": np.array(["a", "b", "c", "d"])[(rng.random(n)[:, None] > np.cumsum(shares, axis=1)).sum(axis=1)],
        "novel": np.where(new & (rng.random(n) < 0.1), "other", rng.choice(["x", "y", "z"], n)),
        "gaps": np.where(rng.random(n) < np.where(new, 0.08, 0.005), np.nan, rng.gamma(2.0, 3.0, n)),
        "unit": rng.lognormal(3.0, 0.7, n) / np.where(new, 100.0, 1.0),
        "steady": rng.normal(0.0, 1.0, n),
        "cyclic": rng.normal(2.0 * cycle, 1.0),
        "heavy": rng.standard_t(2.2, n),
        "count": rng.poisson(3.0 + 2.0 * cycle, n),
        "rare": np.where(rng.random(n) < 0.01, "yes", "no"),
        "many": rng.choice([f"k{number}" for number in range(50)], n, p=zipf / zipf.sum()),
        "codes": np.char.add("c", rng.integers(0, 5000, n).astype(str)),
        "constant": np.full(n, 7.0),
        "prediction": np.where(score > 0.5, "yes", "no"),
        "score": score,
        "label": np.where(rng.random(n) < score, "yes", "no"),
    }
    left, other = rng.spawn(1)[0].normal(0.0, 1.0, (2, n))
    r = np.where(new, 0.5, 0.0)
    columns |= {"left": left, "right": r * left + np.sqrt(1.0 - r**2) * other}
    return pd.DataFrame(columns).sort_values("timestamp", ignore_index=True)
