"""False alarms and delay of ways to decide on drift, ours and others', on the same simulated traffic.

Run as `python -m benchmarks.detection [--write docs/DETECTION.md]`; a few minutes, progress on standard error. It
prints a Markdown table for each kind of traffic, or puts them between two lines of a file: `<!-- detection: begin -->`
and `<!-- detection: end -->`.

A false alarm is a window and feature flagged where nothing has shifted. A delay is counted from the first shifted
window, that one included: 1 is at once. Where chance alone would flag half of all features within the horizon, no delay
means anything, and none is shown.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from benchmarks.comparators import METHODS, Alarms, Method, OfRows
from tests.acceptance.traffic import HOURS, LARGE, MONTH, NULLS, WEEK, Model, Shift, Traffic, watched

WEEKS = 4
"""Of reference."""

SEEDS = (1, 2, 3)
"""A month without shift each, and every shift once; methods that read raw rows get the first."""

SHIFTS = (0.15, 0.2, 0.3, 0.5, 1.0)
SHIFTED = 8
"""Features that shift, the first ones."""

STARTS = {seed: HOURS + 8 * place for place, seed in enumerate(SEEDS)}
"""Windows before the shift: it comes at midnight, in the morning and in the afternoon."""

HORIZON = 3 * HOURS
"""Windows from the shift's start in which it is looked for."""

CHANCE = 1.0 - 0.5 ** (1.0 / HORIZON)
"""Share of clean tests flagged above which half of all features are found within the horizon without any shift."""

ROWS_MAX = 5_000
"""Rows an hour above which methods that read raw rows get a week without shift in place of a month."""

BEGIN, END = "<!-- detection: begin -->", "<!-- detection: end -->"

TRAFFIC: Mapping[str, Model] = {
    "1,000 independent rows an hour": NULLS["iid"],
    "200 to 2,000 rows an hour, daily cycle of 0.3 sd, over-dispersed": NULLS["daily cycle, over-dispersed"],
    "4,000 to 40,000 rows an hour, daily cycle of 0.3 sd, over-dispersed": Model(rows=LARGE, cycle=0.3, rho=5e-4),
}


@dataclass(slots=True)
class Result:
    """What one method did on one kind of traffic.

    months: without shift, so far. alarms: false ones in these; windows: with at least one. delays: of every shifted
    feature, by shift; windows, inf where it was not found within the horizon.
    """

    months: float = 0.0
    alarms: int = 0
    windows: int = 0
    delays: dict[float, list[float]] = field(default_factory=lambda: {sd: [] for sd in SHIFTS})

    def add_clean(self, alarms: Alarms, windows: int) -> None:
        self.months += windows / MONTH
        self.alarms += len(alarms)
        self.windows += len({window for window, _ in alarms})

    def means_nothing(self, features: int) -> bool:
        """Whether a flag may as well be chance."""
        return self.alarms / (self.months * MONTH * features) > CHANCE


def main(arguments: Sequence[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.detection", description="False alarms and delay.")
    parser.add_argument("--write", type=Path, metavar="FILE", help="put the tables between the marks of this file")
    path: Path | None = parser.parse_args(arguments).write
    if path is not None and not _marked(path):
        print(f"{path} has no lines {BEGIN} and {END}: add them where the tables belong", file=sys.stderr)
        return 2
    tables = "\n\n".join(table(name, model.features, measure(name, model)) for name, model in TRAFFIC.items())
    if path is None:
        print(tables)
    else:
        before, rest = path.read_text().split(BEGIN)
        path.write_text(f"{before}{BEGIN}\n\n{tables}\n\n{END}{rest.partition(END)[2]}")
    return 0


def measure(name: str, model: Model, methods: Sequence[Method] = METHODS) -> Mapping[str, Result]:
    """Each method's result on one kind of traffic; first without shift, then where a delay may mean something."""
    results = {method.name: Result() for method in methods}
    for seed in SEEDS:
        reference, live = watched(model, WEEKS, MONTH, seed)
        for method in _asked(methods, seed):
            windows = WEEK if isinstance(method, OfRows) and max(model.rows) > ROWS_MAX else MONTH
            results[method.name].add_clean(method.alarms(reference, live.between(0, windows)), windows)
            _progress(f"{name}: month {seed} without shift: {method.name}")
    fit = [method for method in methods if not results[method.name].means_nothing(model.features)]
    for seed in SEEDS:
        for sd in SHIFTS:
            start = STARTS[seed]
            reference, live = watched(model, WEEKS, start + HORIZON, seed, Shift(sd, range(SHIFTED), start))
            for method in _asked(fit, seed):
                results[method.name].delays[sd] += _found(method, reference, live, start)
            _progress(f"{name}: shift of {sd:g} sd, seed {seed}")
    return results


def _asked(methods: Sequence[Method], seed: int) -> list[Method]:
    return [method for method in methods if seed == SEEDS[0] or not isinstance(method, OfRows)]


def _found(method: Method, reference: Traffic, live: Traffic, start: int) -> list[float]:
    if isinstance(method, OfRows):  # It judges each feature and each window by itself.
        part = slice(SHIFTED)
        return delays(method.alarms(reference.take(part), live.take(part).between(start, live.windows)), 0)
    return delays(method.alarms(reference, live), start)


def delays(alarms: Alarms, start: int) -> list[float]:
    """Windows from `start` to the first alarm of each shifted feature, both included; inf without one."""
    found = dict.fromkeys(range(SHIFTED), np.inf)
    for window, feature in alarms:
        if window >= start and feature in found:
            found[feature] = min(found[feature], window - start + 1)
    return list(found.values())


def table(name: str, features: int, results: Mapping[str, Result]) -> str:
    """Markdown."""
    head = ["method", "false alarms a month", "windows with one", *(f"{sd:g} sd" for sd in SHIFTS)]
    lines = [head, ["---", *["---:"] * (len(head) - 1)]]
    for method, result in results.items():
        counts = (f"{count / result.months:,.1f}" for count in (result.alarms, result.windows))
        lines.append([method, *counts, *(_shown(result, sd, features) for sd in SHIFTS)])
    return f"**{name}**\n\n" + "\n".join(f"| {' | '.join(line)} |" for line in lines)


def _shown(result: Result, sd: float, features: int) -> str:
    if result.means_nothing(features):
        return "always"
    median = float(np.median(result.delays[sd]))
    return f"{median:g}" if np.isfinite(median) else "never"


def _progress(sentence: str) -> None:
    print(sentence, file=sys.stderr, flush=True)


def _marked(path: Path) -> bool:
    text = path.read_text() if path.exists() else ""
    return text.count(BEGIN) == text.count(END) == 1 and text.index(BEGIN) < text.index(END)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
