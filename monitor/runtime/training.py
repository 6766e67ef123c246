"""Would training learn a world that is not there? The features of a training table beside those of live rows.

The training table is compiled to a reference with the model's settings, and the back-test's engine judges all live rows
as one window of it. Columns that are not there, or hold nothing usable, are told apart first.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path

import numpy as np

from monitor.config.problems import listed
from monitor.detection.budget import ROW_WINDOWS
from monitor.detection.records import Moved, Verdict
from monitor.detection.sentences import went
from monitor.errors import ConfigError
from monitor.events.batch import INVALID, INVALID_CODE, PRESENT, CategoricalColumn, Column, NumericColumn
from monitor.exports.text import named
from monitor.profiles.distribution import span
from monitor.profiles.reference import Reference
from monitor.runtime.backtest import run_backtest
from monitor.runtime.clock import now
from monitor.runtime.plan_text import short
from monitor.runtime.tables import Table, read_features
from monitor.spec import ModelSpec
from monitor.windows.window import WindowSpec

FALSE = 0.01
"""Chance that tables which do not differ are said to."""


@dataclass(frozen=True, slots=True)
class Held:
    """What one table holds of a feature: shares of its rows that are missing or of the wrong type; of numbers, mean,
    median and standard deviation.
    """

    rows: int
    missing: float
    invalid: float
    mean: float | None = None
    median: float | None = None
    sd: float | None = None

    @property
    def usable(self) -> float:
        return 1.0 - self.missing - self.invalid


@dataclass(frozen=True, slots=True)
class Difference:
    """Of one feature. what: "column", "type", "missing", "invalid", "out of range", "unseen", "unit" or "drift".
    effect: of its values, de-biased, PSI units; said: the same in words, in the feature's own unit.
    """

    feature: str
    what: tuple[str, ...]
    effect: float | None
    training: Held
    live: Held
    moved: tuple[Moved, ...]
    said: str


@dataclass(frozen=True, slots=True)
class Training:
    """training, live: rows. features: how many were compared; differences: the worst first. unjudged: features of which
    there are too few rows.
    """

    training: int
    live: int
    features: int
    differences: tuple[Difference, ...]
    unjudged: tuple[str, ...]

    @property
    def alike(self) -> bool:
        """Whether no feature differs, of those that could be judged."""
        return not self.differences and len(self.unjudged) < self.features


def compare_training(spec: ModelSpec, training: Path, live: Path) -> Training:
    """ConfigError where a table cannot be read, or has none of the model's features."""
    off, quality = (
        {name for name, feature in spec.features.items() if feature.monitor == monitor}
        for monitor in ("off", "quality")
    )
    schema = replace(
        spec.schema, features={name: kind for name, kind in spec.schema.features.items() if name not in off}
    )
    tables = [read_features(file, schema) for file in (training, live)]
    for file, table in zip((training, live), tables, strict=True):
        if len(table.absent) == len(schema.features):
            raise ConfigError(
                f"{file} has none of the model's features ({listed(schema.features)}): name another table"
            )
    spec = replace(
        spec,
        schema=schema,
        features={name: replace(feature, monitor="drift") for name, feature in spec.features.items()},
        window=WindowSpec(len(tables[1].predictions), "rows"),
        alarms=replace(spec.alarms, budget=FALSE * ROW_WINDOWS, persistence=1, learning_ms=0),
        retrain=None,
        made=None,
        calendar=(),
        segments=(),
    )
    verdicts = _verdicts(spec, *tables)
    compared = [
        _Feature(name, (training, live), (tables[0], tables[1]), verdicts.get(name), name in quality)
        for name in schema.features
    ]
    differences = [found for each in compared if (found := each.difference()) is not None]
    known = {found.feature for found in differences}
    return Training(
        len(tables[0].predictions),
        len(tables[1].predictions),
        len(compared),
        tuple(sorted(differences, key=lambda each: (not _broken(each), -(each.effect or 0.0), each.feature))),
        tuple(
            name
            for name in schema.features
            if name not in known and (name not in verdicts or verdicts[name].state in ("insufficient", "untestable"))
        ),
    )


def _broken(difference: Difference) -> bool:
    return difference.what != ("drift",)


def _verdicts(spec: ModelSpec, training: Table, live: Table) -> Mapping[str, Verdict]:
    """Of all live rows as one window; by feature."""
    reference = Reference.build(spec.schema, training.predictions, None)
    result = run_backtest(spec, {"": reference}, live, None, now)
    views = [view for output in result.outputs for view in output.windows]
    return {verdict.feature: verdict for view in views for verdict in view.verdicts}


@dataclass(frozen=True, eq=False)
class _Feature:
    """One feature in both tables. quality: nobody cares what its values are like, only whether they are sound."""

    name: str
    files: tuple[Path, Path]
    tables: tuple[Table, Table]
    verdict: Verdict | None
    quality: bool

    @cached_property
    def columns(self) -> tuple[Column, Column]:
        training, live = (table.predictions.features[self.name] for table in self.tables)
        return training, live

    @cached_property
    def held(self) -> tuple[Held, Held]:
        training, live = map(_held, self.columns)
        return training, live

    def difference(self) -> Difference | None:
        found = dict(self._lacking()) or dict(self._wrong())
        effect: float | None = None
        moved: tuple[Moved, ...] = ()
        if not found.keys() & {"column", "type"} and not self.quality and self.verdict and self.verdict.moved:
            found["drift"] = self._drift(self.verdict)
            effect, moved = self.verdict.effect, self.verdict.moved
        if not found:
            return None
        return Difference(
            self.name, tuple(found), effect, *self.held, moved, f"{self.name}: {'; '.join(found.values())}"
        )

    def _lacking(self) -> Iterator[tuple[str, str]]:
        """Where one table has nothing to compare."""
        for file, table, held in zip(self.files, self.tables, self.held, strict=True):
            if self.name in table.absent:
                meant = table.absent[self.name]
                yield "column", f"{file} has no such column" + (f" (did you mean {meant!r}?)" if meant else "")
            elif held.usable == 0.0:
                kind = "numbers" if isinstance(self.columns[0], NumericColumn) else "categories"
                yield "type", f"{file} holds no {kind} in it"

    def _wrong(self) -> Iterator[tuple[str, str]]:
        training, live = self.held
        verdict = self.verdict
        if verdict is None:
            return
        # New values that go with a shift are part of it to the engine; whoever trains wants to know them all the same.
        if verdict.moved and isinstance(self.columns[0], CategoricalColumn) and (new := self._unseen()):
            yield "unseen", new
        for aspect in verdict.wrong:
            if aspect in ("missing", "invalid"):
                yield aspect, self._share(aspect)
            elif aspect == "unseen":
                yield aspect, self._unseen()
            elif aspect == "out of range":
                yield aspect, self._beyond()
            else:
                yield (
                    aspect,
                    (
                        f"all values seem to be of another unit (median {_number(training.median)} in training, "
                        f"{_number(live.median)} live)"
                    ),
                )

    def _share(self, aspect: str) -> str:
        training, live = (getattr(held, aspect) for held in self.held)
        of = "missing" if aspect == "missing" else "of the wrong type"
        return f"{live:.1%} of live rows are {of}, {training:.1%} of training"

    def _unseen(self) -> str:
        training, live = self.columns
        assert isinstance(training, CategoricalColumn)
        assert isinstance(live, CategoricalColumn)
        known = {training.values[code] for code in np.unique(training.codes[training.codes >= 0]).tolist()}
        counts = np.bincount(live.codes[live.codes >= 0], minlength=len(live.values))
        new = [code for code in np.argsort(-counts, kind="stable").tolist() if live.values[code] not in known]
        new = [code for code in new if counts[code]]
        if not new:
            return ""
        share = counts[new].sum() / max(int(counts.sum()), 1)
        names = named([repr(live.values[code]) for code in new], 5)
        return f"{share:.1%} of live values are categories that training has none of ({names})"

    def _beyond(self) -> str:
        training, live = (
            each.values[each.state == PRESENT] for each in self.columns if isinstance(each, NumericColumn)
        )
        low, high = float(training.min()), float(training.max())
        share = float(np.mean((live < low) | (live > high)))
        median = _number(self.held[1].median)
        return f"{share:.1%} of live values lie beyond training's, {span(low, high)} (live median {median})"

    def _drift(self, verdict: Verdict) -> str:
        cells = f"from training to live, {went(verdict.moved[0])} (effect {verdict.effect or 0.0:.2f})"
        training, live = self.held
        if training.mean is None or live.mean is None or training.sd is None:
            return cells
        by = f", {(live.mean - training.mean) / training.sd:+.2g} sd" if training.sd else ""
        return f"mean {_number(training.mean)} in training, {_number(live.mean)} live{by}; {cells}"


def _number(value: float | None) -> str:
    return "none" if value is None else short(value)


def _held(column: Column) -> Held:
    if isinstance(column, CategoricalColumn):
        usable, invalid = column.codes >= 0, column.codes == INVALID_CODE
    else:
        usable, invalid = column.state == PRESENT, column.state == INVALID
    rows, wrong = len(usable), float(np.mean(invalid))
    held = Held(rows, 1.0 - float(np.mean(usable)) - wrong, wrong)
    if isinstance(column, CategoricalColumn) or not usable.any():
        return held
    values = column.values[usable]
    with np.errstate(over="ignore", invalid="ignore"):
        return replace(held, mean=float(values.mean()), median=float(np.median(values)), sd=float(values.std()))
