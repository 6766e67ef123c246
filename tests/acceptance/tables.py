"""Tables of a model's traffic, written, initialised and back-tested as a user would: what acceptance points share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from monitor.config import Columns
from monitor.runtime.initialise import initialise
from monitor.runtime.trial import Trial, trial_lines

HOUR_MS = 3_600_000
START_MS = 1_763_942_400_000
"""A Monday, midnight."""


@dataclass(frozen=True, slots=True)
class Found:
    """first: by feature or output (as "@score"), the number of the window in which it was first drifting. wrong: what
    was then wrong with its data. states: how often each state was given. untested: features without a single test.
    summary: the last line.
    """

    first: Mapping[str, int]
    wrong: Mapping[str, tuple[str, ...]]
    states: Mapping[str, int]
    untested: frozenset[str]
    windows: int
    summary: Mapping[str, Any]

    def since(self, window: int) -> dict[str, int]:
        """Windows from a change, which `window` was the first to hold, to each report; 1 is at once."""
        return {name: first - window + 1 for name, first in self.first.items()}


def backtested(reference: pd.DataFrame, live: pd.DataFrame, window: str | None = None, calendar: str = "") -> Found:
    """What `init` on the one and `backtest` of the other find. calendar: as it is to stand in the configuration."""
    with TemporaryDirectory() as place:
        directory = Path(place)
        reference.to_parquet(directory / "reference.parquet")
        live.to_parquet(directory / "live.parquet")
        initialise(directory / "reference.parquet", "simulated", None, Columns(), directory)
        config = directory / "monitor.yaml"
        if calendar:
            head = "    reference: "
            config.write_text(config.read_text().replace(head, f"    calendar: {calendar}\n{head}"))
        trial = Trial(config, directory / "live.parquet", window=window)
        lines = [json.loads(line) for line in trial_lines(trial, lambda done, total: None)]
    first: dict[str, int] = {}
    wrong: dict[str, tuple[str, ...]] = {}
    states: dict[str, int] = {}
    places: dict[str, int] = {}
    tested: dict[str, bool] = {}
    for line in lines:
        if line["kind"] not in ("verdict", "output"):
            continue
        name = line["feature"] if line["kind"] == "verdict" else f"@{line['output']}"
        number = places.setdefault(str(line.get("window_end", line.get("last_row"))), len(places))
        tested[name] = tested.get(name, False) or line["effect"] is not None
        states[line["state"]] = states.get(line["state"], 0) + 1
        if line["state"] == "drifting":
            first.setdefault(name, number)
            wrong.setdefault(name, tuple(line.get("wrong", ())))
    untested = frozenset(name for name, ever in tested.items() if not ever)
    return Found(first, wrong, states, untested, len(places), lines[-1])
