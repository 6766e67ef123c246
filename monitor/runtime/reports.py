"""Reports on windows: of the rows that the store keeps of one, beside those of what it was compared with."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from monitor.detection.sentences import called
from monitor.errors import RefusedError
from monitor.events.timestamps import iso
from monitor.exports.report import Report, Scope, banner
from monitor.exports.text import clean
from monitor.runtime.kept import Sampled, sampled
from monitor.runtime.rendering import Renderer
from monitor.runtime.store import Store
from monitor.runtime.store.kept import KeptCounts
from monitor.snapshot import ModelView, Snapshot

FEATURES_MAX = 40
"""Features of one report: each takes a fifth of a second and 80 kB of the page."""

ANSWERS_MAX = 10
"""Columns of what the model answered: its prediction, and the score of each class."""

_FEATURE, _ANSWER = "feature:", "@"


@dataclass(frozen=True, slots=True)
class Reporter:
    """Answers the API. snapshot: the newest one. url: where people reach the service."""

    store: Store
    snapshot: Callable[[], Snapshot]
    renderer: Renderer
    url: str

    def report(self, model: str, version: str | None = None, end_ms: int | None = None) -> Report:
        """On the newest window, of this version or end where they are given. For any thread.

        NotFoundError where no such window is kept, else as `Renderer.render`.
        """
        view = self.snapshot().models[model]
        found = sampled(self.store, model, version, end_ms)
        counts = self.store.kept_counts(model, found.window.version, found.window.end_ms)
        return self._of(found, [] if counts is None else _most_moved(counts), view)

    def _of(self, found: Sampled, moved: Sequence[str], view: ModelView) -> Report:
        """moved: features, those whose rows moved most first."""
        window = found.window
        now, before = (_named_alike(each) for each in (found.current, found.reference))
        names = [*now, *(name for name in before if name not in now)]
        known = [name for name in names if name in now and name in before and _valued(now[name], before[name])]
        if not known:
            raise RefusedError(
                f"no column has a value in both samples, of the window that ended at {iso(window.end_ms)} and of its "
                "reference: there is nothing to report on"
            )
        place = {name: number for number, name in enumerate(moved)}
        answers = [name for name in known if name.startswith(_ANSWER)][:ANSWERS_MAX]
        features = sorted(
            (name for name in known if not name.startswith(_ANSWER)), key=lambda name: place.get(name, len(place))
        )
        shown = [*answers, *features[:FEATURES_MAX]]
        scope = Scope(
            window=window,
            rows=found.window_rows,
            sampled=len(now),
            reference_rows=found.reference_rows,
            reference_sampled=len(before),
            columns=len(names),
            shown=len(shown),
            empty=tuple(name for name in names if name not in known),
            url=self.url,
        )
        decided = next((each for each in view.windows if each.window == window), None)
        title = clean(f"Report on {window.model}, version {called(window.version)}, {iso(window.end_ms)}")
        return Report(scope, self.renderer.render(now[shown], before[shown], title, banner(scope, decided)))


def _named_alike(frame: pd.DataFrame) -> pd.DataFrame:
    """With features under their own names, and what the model answered apart from them."""

    def own(name: str) -> str:
        return clean(name.removeprefix(_FEATURE) if name.startswith(_FEATURE) else _ANSWER + name)

    return frame.rename(columns=own)


def _valued(*columns: pd.Series[Any]) -> bool:
    return all(column.notna().any() for column in columns)


def _most_moved(counts: KeptCounts) -> list[str]:
    """Features by how far the shares of their cells are from the reference's, on all rows; farthest first."""
    now, before = (tally / np.maximum(tally.sum(1, keepdims=True), 1) for tally in (counts.tally, counts.basis.tally))
    distance = np.abs(now - before).sum(1)
    names = list(counts.basis.numeric)
    return [names[place] for place in np.argsort(-distance, kind="stable")]
