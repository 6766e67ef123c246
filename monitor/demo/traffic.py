"""A simulated credit model: applications, scores, and loans that default weeks (here: seconds) later.

Once it has drifted, incomes have risen, as after an inflation, and protect from default no more, while a steady job
does: the inputs drift, and so does what they mean, so drift shows at once and performance falls as the labels arrive,
and a model that is trained on what has come since is better.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import orjson
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Origin, Pairs, Predictions
from monitor.events.ids import digests
from monitor.events.schema import Kind, Schema

MODEL = "credit"
VERSION = "1"
CLASSES = ("repaid", "default")
COUNTRIES = ("PL", "DE", "FR", "ES")
CHANNELS = ("app", "web", "branch")
FEATURES: dict[str, Kind] = {
    "income": "numeric",
    "age": "numeric",
    "loan_amount": "numeric",
    "months_employed": "numeric",
    "country": "categorical",
    "channel": "categorical",
}
LATENCY_MS = 18.0
"""Median of the time that the model takes to answer."""

SCHEMA = Schema(MODEL, "binary", FEATURES, positive="default")


TERMS = ("log income", "log loan_amount", "age", "months_employed")
"""What a model weighs: features, or their logarithms."""


@dataclass(frozen=True, slots=True)
class Scorer:
    """A logistic regression. weights: by term; log-odds of default a unit of it."""

    intercept: float
    weights: Mapping[str, float]

    def score(self, features: Mapping[str, NDArray[Any]]) -> NDArray[np.float64]:
        """float64[n]: probability of default."""
        logit = np.full(len(features["income"]), self.intercept)
        for term, weight in self.weights.items():
            name = term.removeprefix("log ")
            values = features[name].astype(np.float64)
            logit += weight * (np.log(values) if name != term else values)
        probability: NDArray[np.float64] = 1.0 / (1.0 + np.exp(-logit))
        return probability


LEARNED = Scorer(-0.58, {"log income": -1.6, "log loan_amount": 1.6, "age": -0.02, "months_employed": -0.01})
"""Version 1: right about the world that it was trained in."""

DRIFTED = Scorer(1.38, {"log income": -0.25, "log loan_amount": 0.25, "age": -0.02, "months_employed": -0.03})
"""What is true of the world that has drifted."""


@dataclass(slots=True)
class Applications:
    """n applications: raw feature columns, how many milliseconds the model takes for each, and how each loan ended."""

    ids: list[str]
    features: dict[str, NDArray[Any]]
    latency_ms: NDArray[np.float64]
    default: NDArray[np.bool_]

    def prediction_events(
        self, time_ms: NDArray[np.int64], version: str = VERSION, scorer: Scorer = LEARNED
    ) -> list[bytes]:
        """Native JSON, one event an application."""
        names = list(self.features)
        columns = [column.tolist() for column in self.features.values()]
        scores = scorer.score(self.features).tolist()
        events = []
        for identity, at, score, latency_ms, *values in zip(
            self.ids, time_ms.tolist(), scores, self.latency_ms.tolist(), *columns, strict=True
        ):
            event = {
                "type": "prediction",
                "id": identity,
                "model": MODEL,
                "version": version,
                "timestamp": at,
                "features": dict(zip(names, values, strict=True)),
                "prediction": CLASSES[int(score >= 0.5)],
                "score": score,
                "latency_ms": latency_ms,
            }
            events.append(orjson.dumps(event))
        return events

    def label_events(self, time_ms: Sequence[int]) -> list[bytes]:
        """Native JSON, one label an application, and its time."""
        return [
            orjson.dumps({"type": "label", "id": identity, "model": MODEL, "timestamp": at_ms, "label": CLASSES[late]})
            for identity, late, at_ms in zip(self.ids, self.default.astype(int).tolist(), time_ms, strict=True)
        ]

    def table(self) -> tuple[Predictions, Pairs]:
        """The same as columns: a training table for the reference."""
        rows = len(self.ids)
        features: dict[str, Column] = {
            name: NumericColumn.of(column) if FEATURES[name] == "numeric" else _categories(column)
            for name, column in self.features.items()
        }
        ints = np.zeros(rows, dtype=np.int32)
        score = LEARNED.score(self.features)
        decision = CategoricalColumn((score >= 0.5).astype(np.int32), CLASSES)
        scores = {"default": NumericColumn.of(score)}
        predictions = Predictions(
            MODEL,
            Origin("training", ints, np.arange(rows), ints),
            np.arange(rows),
            np.full(rows, -1),
            digests(self.ids),
            np.ones(rows, dtype=np.bool_),
            CategoricalColumn(ints, (VERSION,)),
            features,
            decision,
            scores,
        )
        label = CategoricalColumn(self.default.astype(np.int32), CLASSES)
        return predictions, Pairs(decision, scores, label)


@dataclass(slots=True)
class Traffic:
    """Draws applications from a seed."""

    seed: int
    _random: np.random.Generator = field(init=False)
    _pace: np.random.Generator = field(init=False)
    _drawn: int = 0

    def __post_init__(self) -> None:
        self._random = np.random.default_rng(self.seed)
        self._pace = self._random.spawn(1)[0]  # What is drawn of the world does not depend on how fast it is answered.

    def draw(self, rows: int, drifted: bool = False) -> Applications:
        """`rows` applications, of the world before or after it has drifted."""
        random = self._random
        income = random.lognormal(8.0 + 0.4 * drifted, 0.5, rows)
        age = random.normal(42, 12, rows).clip(18, 90).round()
        amount = random.lognormal(9.0, 0.7, rows)
        employed = random.exponential(48, rows).round()
        country = random.choice(COUNTRIES, rows, p=(0.4, 0.3, 0.2, 0.1))
        channel = random.choice(CHANNELS, rows, p=(0.6, 0.3, 0.1))
        features = {
            "income": income.round(2),
            "age": age,
            "loan_amount": amount.round(2),
            "months_employed": employed,
            "country": country,
            "channel": channel,
        }
        first = self._drawn
        self._drawn += rows
        return Applications(
            [f"{self.seed}-{number}" for number in range(first, first + rows)],
            features,
            self._pace.lognormal(np.log(LATENCY_MS), 0.6, rows).round(3),
            random.random(rows) < (DRIFTED if drifted else LEARNED).score(features),
        )


def _categories(column: NDArray[np.str_]) -> CategoricalColumn:
    values, codes = np.unique(column, return_inverse=True)
    return CategoricalColumn(codes.astype(np.int32), tuple(values.tolist()))
