"""Tables of a model's traffic, written, initialised and back-tested as a user would: what acceptance points share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from types import MappingProxyType
from typing import Any

import pandas as pd
import yaml

from monitor.config import Columns
from monitor.events.batch import CORRELATION
from monitor.runtime.initialise import initialise
from monitor.runtime.trial import Trial, trial_lines

HOUR_MS = 3_600_000
START_MS = 1_763_942_400_000
"""A Monday, midnight."""


@dataclass(frozen=True, slots=True)
class Found:
    """first: by feature or output (as "@score"), the number of the window in which it was first drifting. wrong: what
    was then wrong with its data. pairs: those that were ever said to go together otherwise, as often as they were.
    states: how often each state was given. tested: by feature or output, whether there was a single test. summary: the
    last line.
    """

    first: Mapping[str, int]
    wrong: Mapping[str, tuple[str, ...]]
    pairs: Sequence[str]
    states: Mapping[str, int]
    tested: Mapping[str, bool]
    windows: int
    summary: Mapping[str, Any]

    @property
    def untested(self) -> frozenset[str]:
        return frozenset(name for name, ever in self.tested.items() if not ever)

    def since(self, window: int) -> dict[str, int]:
        """Windows from a change, which `window` was the first to hold, to each report; 1 is at once."""
        return {name: first - window + 1 for name, first in self.first.items()}


def backtested(
    reference: pd.DataFrame,
    live: pd.DataFrame,
    window: str | None = None,
    labels: pd.DataFrame | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> Found:
    """What `init` on the one and `backtest` of the other find; labels: of a file of their own; settings: of the model
    that are to be other than `init` wrote them.
    """
    return found_in(tried(reference, live, window, labels, settings))


def tried(
    reference: pd.DataFrame,
    live: pd.DataFrame,
    window: str | None = None,
    labels: pd.DataFrame | None = None,
    settings: Mapping[str, Any] = MappingProxyType({}),
) -> list[dict[str, Any]]:
    """The lines that `backtest` prints, as of `backtested`."""
    with TemporaryDirectory() as place:
        directory = Path(place)
        reference.to_parquet(directory / "reference.parquet")
        live.to_parquet(directory / "live.parquet")
        given = None if labels is None else directory / "labels.parquet"
        if labels is not None:
            labels.to_parquet(given)
        fits = window is not None and window.endswith("rows") == ("timestamp" not in reference)
        compiled_for = window if fits else None  # What is usual at each hour is told of windows of that length.
        initialise(directory / "reference.parquet", "simulated", None, Columns(), directory, window=compiled_for)
        config = directory / "monitor.yaml"
        if settings:
            told = yaml.safe_load(config.read_text())
            for name, values in settings.items():
                before = told["models"][0].get(name, {})
                told["models"][0][name] = {**before, **values} if isinstance(values, Mapping) else values
            config.write_text(yaml.safe_dump(told))
        trial = Trial(config, directory / "live.parquet", window=window, labels=given)
        return [json.loads(line) for line in trial_lines(trial, lambda done, total: None)]


def found_in(lines: Sequence[Mapping[str, Any]], version: str | None = None) -> Found:
    """What the lines say, of one version or of any."""
    first: dict[str, int] = {}
    wrong: dict[str, tuple[str, ...]] = {}
    pairs: list[str] = []
    states: dict[str, int] = {}
    places: dict[str, int] = {}
    tested: dict[str, bool] = {}
    for line in lines:
        if version not in (None, line.get("version")):
            continue
        if line["kind"] not in ("verdict", "output"):
            continue
        name = line["feature"] if line["kind"] == "verdict" else f"@{line['output']}"
        number = places.setdefault(str(line.get("window_end", line.get("last_row"))), len(places))
        tested[name] = tested.get(name, False) or line["effect"] is not None
        states[line["state"]] = states.get(line["state"], 0) + 1
        if line["state"] == "drifting":
            first.setdefault(name, number)
            wrong.setdefault(name, tuple(line.get("wrong", ())))
            pairs += [cell["cell"] for cell in line.get("moved", ()) if name == CORRELATION]
    return Found(first, wrong, pairs, states, tested, len(places), lines[-1])
