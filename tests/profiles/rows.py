"""Random prediction batches for the tests of profiles and of the engine."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import (
    CategoricalColumn,
    Column,
    Labels,
    NumericColumn,
    Origin,
    Pairs,
    Predictions,
)
from monitor.events.ids import digests
from monitor.events.schema import Schema

SCHEMA = Schema("m", "binary", {"amount": "numeric", "age": "numeric", "country": "categorical"}, positive="1")
COUNTRIES = ("PL", "DE", "US", "FR")


def features(random: np.random.Generator, rows: int, shift: float = 0.0) -> Mapping[str, Column]:
    """A normal feature, a skewed one with missing and invalid values, and a category with missing ones."""
    age = random.lognormal(3.0, 0.5, rows).round()
    age[random.random(rows) < 0.05] = np.nan
    age[random.random(rows) < 0.01] = np.inf
    country = random.integers(-1, len(COUNTRIES), rows).astype(np.int32)
    return {
        "amount": NumericColumn.of(random.normal(shift, 1.0, rows)),
        "age": NumericColumn.of(age),
        "country": CategoricalColumn(country, COUNTRIES),
    }


def predictions(
    random: np.random.Generator,
    rows: int,
    *,
    first: int = 0,
    shift: float = 0.0,
    time_ms: NDArray[np.int64] | None = None,
    partition: int = 0,
    offset: int = 0,
    version: str = "3",
) -> Predictions:
    """`rows` events with ids "0", "1", ... from `first` on, a second apart unless `time_ms` says otherwise."""
    score = random.random(rows).round(4)
    ints = np.zeros(rows, dtype=np.int32)
    return Predictions(
        "m",
        Origin("predictions", ints + np.int32(partition), np.arange(offset, offset + rows), ints),
        np.arange(first, first + rows) * 1_000 if time_ms is None else time_ms,
        np.full(rows, -1, dtype=np.int64),
        digests(str(number) for number in range(first, first + rows)),
        np.ones(rows, dtype=np.bool_),
        CategoricalColumn(ints, (version,)),
        features(random, rows, shift),
        CategoricalColumn((score >= 0.5).astype(np.int32), ("0", "1")),
        {"1": NumericColumn.of(score)},
    )


def truths(random: np.random.Generator, batch: Predictions, flip: float = 0.0) -> CategoricalColumn:
    """Labels that the scores are right about, but for a share of them that says the opposite."""
    positive = random.random(len(batch)) < batch.scores["1"].values
    wrong = random.random(len(batch)) < flip
    return CategoricalColumn((positive ^ wrong).astype(np.int32), ("0", "1"))


def pairs(batch: Predictions, label: Column) -> Pairs:
    return Pairs(batch.prediction, batch.scores, label)


def labels(
    batch: Predictions, value: Column, time_ms: NDArray[np.int64], *, partition: int = 0, offset: int = 0
) -> Labels:
    """One label event for each prediction of a batch, in its order."""
    ints = np.zeros(len(batch), dtype=np.int32)
    origin = Origin("labels", ints + np.int32(partition), np.arange(offset, offset + len(batch)), ints)
    return Labels(batch.model, origin, time_ms, np.full(len(batch), -1, dtype=np.int64), batch.key, value)
