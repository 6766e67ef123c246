"""Raw rows of a model's newest windows, a few of each: what a reference can be made of in production."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np

from monitor.events.batch import OUTPUTS, CategoricalColumn, Column, NumericColumn, Origin, Predictions, absent
from monitor.events.schema import Schema
from monitor.profiles.sample import SIZE, Sample, joined
from monitor.spec import DAY_MS, HOUR_MS, ModelSpec
from monitor.windows.window import Window

VALUES_MAX = 2_000_000
"""Values that are kept of one version: about 20 MB, and half as much again where there are hundreds of features."""

SPAN_MS = 14 * DAY_MS
"""How long rows are kept at least: two of each day of the week."""

ROW_WINDOWS = 400
"""Windows by number of rows that are kept."""

VERSIONS_MAX = 4
"""Versions without a reference of their own of which rows are kept: a client that makes up versions must not fill the
memory."""

QUIET = 24
"""Windows, or hours, for which such a version must have been silent before another takes its place."""


class Remembered(NamedTuple):
    """Rows of one window, or of the windows of one hour; end_ms: of the newest of them."""

    end_ms: int
    sample: Sample


@dataclass(slots=True)
class Memory:
    """kept: by (version, start of the window, or of the hour)."""

    spec: ModelSpec
    kept: dict[tuple[str, int], Remembered] = field(default_factory=dict)
    _starts: dict[str, list[int]] = field(default_factory=dict)

    @property
    def span_ms(self) -> int:
        """How long a window by time is kept."""
        made = self.spec.made
        return max(SPAN_MS, (made.size if made and made.unit == "ms" else 0) + 2 * self.spec.window.size)

    @property
    def parts(self) -> int:
        """How many of these are kept at most."""
        window, made = self.spec.window, self.spec.made
        if window.timed:
            return self.span_ms // self.spec.part
        return max(ROW_WINDOWS, -(-made.size // window.size) if made and made.unit != "ms" else 0)

    @property
    def rows(self) -> int:
        """Rows kept of each."""
        columns = len(self.spec.schema.features) + len(OUTPUTS)
        return min(max(VALUES_MAX // (columns * max(self.parts, 1)), 1), SIZE)

    @property
    def first_ms(self) -> int | None:
        """When what is kept begins."""
        return min((starts[0] for starts in self._starts.values()), default=None)

    def keep(self, window: Window, sample: Sample, *, owner: bool) -> list[tuple[str, int]]:
        """Take in the rows of a window that has closed, windows in their order; what has changed. owner: whether its
        version has a reference of its own.
        """
        changed = []
        for version in [name for name, starts in self._starts.items() if starts[-1] < window.end_ms - self.span_ms]:
            changed += self._forget(version, len(self._starts[version]))
        version, start = window.version, window.start_ms
        if version not in self._starts and not owner and len(self._starts) >= VERSIONS_MAX:
            silent = min(self._starts, key=lambda name: (self._starts[name][-1], name))
            if self._starts[silent][-1] >= start - QUIET * self.spec.part:
                return changed
            changed += self._forget(silent, len(self._starts[silent]))
        if self.spec.window.timed:
            start = start // HOUR_MS * HOUR_MS
        before = self.kept.get((version, start))
        sample = sample.first(self.rows)
        kept = sample if before is None else before.sample.merge(sample).first(self.rows)
        self.put(version, start, Remembered(window.end_ms, kept))
        starts = self._starts[version]
        if self.spec.window.timed:
            old = sum(1 for each in starts if each < window.end_ms - self.span_ms)
        else:
            old = max(0, len(starts) - self.parts)
        return [*changed, (version, start), *self._forget(version, old)]

    def put(self, version: str, start_ms: int, remembered: Remembered) -> None:
        """Take in rows as they were kept, in order of the windows."""
        starts = self._starts.setdefault(version, [])
        if (version, start_ms) not in self.kept:
            starts.append(start_ms)
        self.kept[version, start_ms] = remembered

    def _forget(self, version: str, windows: int) -> list[tuple[str, int]]:
        """Of a version's oldest windows; which they were."""
        gone = [(version, start) for start in self._starts[version][:windows]]
        for key in gone:
            del self.kept[key]
        del self._starts[version][:windows]
        if not self._starts[version]:
            del self._starts[version]
        return gone

    @property
    def versions(self) -> list[str]:
        """Those of which anything is kept."""
        return sorted(self._starts)

    def starts(self, version: str, since_ms: int, until_ms: int) -> list[int]:
        """Of the windows that lie in [since_ms, until_ms), in order."""
        return [
            start
            for start in self._starts.get(version, [])
            if start >= since_ms and self.kept[version, start].end_ms <= until_ms
        ]

    def predictions(self, version: str, starts: Sequence[int]) -> Predictions:
        """The rows of these windows, each at the time at which its window starts; of windows by number of rows, at the
        number of the window times their size.
        """
        timed = self.spec.window.timed
        times = list(starts) if timed else [place * self.spec.window.size for place in range(len(starts))]
        return rows_of(self.spec.schema, version, [self.kept[version, start].sample for start in starts], times)


def rows_of(schema: Schema, version: str, samples: Sequence[Sample], times: Sequence[int]) -> Predictions:
    """The rows of samples as a batch, those of each sample at one time. Their keys are their places in the sample."""
    order = np.concatenate([np.empty(0, dtype=np.uint64), *(sample.order for sample in samples)])
    rows = len(order)
    names = sorted({name for sample in samples for name in sample.columns})
    columns = {name: joined(samples, name) for name in names}
    zeros = np.zeros(rows, dtype=np.int32)
    features: dict[str, Column] = {
        name: columns.get(f"feature:{name}", absent(kind == "numeric", rows)) for name, kind in schema.features.items()
    }
    scores = {name.removeprefix("score:"): each for name, each in columns.items() if name.startswith("score:")}
    return Predictions(
        model=schema.model,
        origin=Origin("", zeros, np.arange(rows), zeros),
        time_ms=np.repeat(np.array(times, dtype=np.int64), [len(sample.order) for sample in samples]),
        received_ms=np.full(rows, -1),
        key=order,
        identified=np.ones(rows, dtype=np.bool_),
        version=CategoricalColumn(zeros, (version,)),
        features=features,
        prediction=columns.get("prediction"),
        scores={name: each for name, each in scores.items() if isinstance(each, NumericColumn)},
    )
