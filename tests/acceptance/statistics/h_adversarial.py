"""What is made to mislead: single odd rows, constants, windows of nothing and of ten million rows, and replays."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np

from monitor.detection.watch import Findings, Watch
from monitor.events.schema import Schema
from monitor.profiles.decision import CELLS, MISSING, UNUSUAL, WIDTH, DecisionCells
from monitor.profiles.history import History
from monitor.profiles.layout import CategoricalLayout, Layout, OutcomeLayout
from monitor.profiles.together import Together
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import Window, WindowSpec
from tests.acceptance.figures import Figure

SEEDS = (1, 2, 3)
HOUR_MS = 3_600_000
NAMES = ("even", "rare", "constant")
SHARES = {"even": [0.1] * 10, "rare": [0.985, 0.01, 0.005], "constant": [1.0]}
LAYOUT = Layout(
    {name: CategoricalLayout(tuple(f"v{cell}" for cell in range(len(SHARES[name])))) for name in NAMES},
    OutcomeLayout("regression"),
)
CELLS_OF = DecisionCells(LAYOUT, {name: np.append(np.arange(len(SHARES[name])), -1) for name in NAMES})
SPEC = ModelSpec(
    "odd",
    Schema("odd", "regression", dict.fromkeys(NAMES, "categorical")),
    WindowSpec(HOUR_MS),
    PerformanceSpec("mae", 1.0),
    alarms=AlarmSpec(learning_ms=0),
)
WINDOWS = 2_000
MOST = 10_000_000


def figures(seeds: Sequence[int]) -> Iterator[Figure]:
    """Alarms that must not come, and those that must."""
    odd = nothing = large = replayed = missed = 0
    for seed in seeds:
        rng = np.random.default_rng(seed)
        watch = watch_of(rng)
        odd += alarms(watch, (with_unseen(tally(rng, 1_000)) for _ in range(WINDOWS)))
        nothing += alarms(watch, (tally(rng, 0 if window % 3 else 500) for window in range(300)))
        large += alarms(watch, (tally(rng, MOST if window == 50 else 1_000) for window in range(100)))
        same = tally(rng, 1_000)
        replayed += alarms(watch, (2 * same if window % 10 == 0 else tally(rng, 1_000) for window in range(300)))
        missed += (
            alarms(watch, (gone(tally(rng, 1_000)) if window == 5 else tally(rng, 1_000) for window in range(6))) < 3
        )
    yield Figure.none("H", f"alarms in {WINDOWS} windows of 1,000 rows, one unseen category in each", odd)
    yield Figure.none("H", "alarms where two of three windows are empty", nothing)
    yield Figure.none("H", "alarms around a window of ten million rows", large)
    yield Figure.none("H", "alarms where each tenth window is read twice", replayed)
    yield Figure.none("H", "windows without any value that are not reported at once, for each feature", missed)


def watch_of(rng: np.random.Generator) -> Watch:
    history = np.stack([tally(rng, 1_000) for _ in range(14 * 24)])
    starts = HOUR_MS * np.arange(len(history))
    pairs = np.zeros((len(history), *Together.of(CELLS_OF.layout).none.shape), dtype=np.int64)
    return Watch(SPEC, CELLS_OF, history.sum(axis=0), History("ms", HOUR_MS, starts, history, pairs))


def tally(rng: np.random.Generator, rows: int) -> np.ndarray:
    counts = np.zeros((len(NAMES), WIDTH), dtype=np.int64)
    for place, name in enumerate(NAMES):
        shares = np.array(SHARES[name])
        counts[place, : len(shares)] = rng.multinomial(rows, shares / shares.sum())
    return counts


def with_unseen(counts: np.ndarray) -> np.ndarray:
    counts[:, 0] -= 1
    counts[:, UNUSUAL] += 1
    return counts


def gone(counts: np.ndarray) -> np.ndarray:
    counts[:, MISSING] = counts.sum(axis=1)
    counts[:, :CELLS] = 0
    return counts


def alarms(watch: Watch, tallies: Iterator[np.ndarray]) -> int:
    """Streams that alarmed in windows after the reference's."""
    state, found = watch.blank(), 0
    for window, counts in enumerate(tallies):
        start = (14 * 24 + window) * HOUR_MS
        findings: Findings = watch.judge(state, Window(start + HOUR_MS, "odd", "1", "", start), counts)
        found += int(findings.values.alarmed.sum() + findings.shares.alarmed.sum())
    return found
