"""What is specific to the model: how its rows are read from Kafka, how it is trained, how it is told to its server."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pandas as pd
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

POSITIVE = "default"
TERMS = {
    "log income": lambda rows: np.log(rows["income"]),
    "log loan_amount": lambda rows: np.log(rows["loan_amount"]),
    "age": lambda rows: rows["age"],
    "months_employed": lambda rows: rows["months_employed"],
}
"""What the model weighs, made of an application's features."""


def labelled_rows(servers: str, topics: Mapping[str, str], asked: Mapping[str, Any], at_least: int) -> pd.DataFrame:
    """Predictions of the model's version with their labels, in order of time: from the window that asked for retraining
    on, by the offsets of the request. What has come since is of the changed world too, so reading goes on until there
    are rows enough. TimeoutError after a minute.
    """
    model, version, offsets = asked["model"], asked["version"], asked["data"]["offsets"]
    predictions: dict[str, dict[str, Any]] = {}
    labels: dict[str, str] = {}
    consumer = Consumer({"bootstrap.servers": servers, "group.id": "retraining", "enable.auto.commit": False})
    try:
        consumer.assign(
            [
                TopicPartition(topics[kind], partition, offsets[kind].get(str(partition), [OFFSET_BEGINNING])[0])
                for kind in ("predictions", "labels")  # Of a window whose labels have not come, none are named.
                for partition in consumer.list_topics(topics[kind], 10).topics[topics[kind]].partitions
            ]
        )
        deadline = time.monotonic() + 60
        while len(predictions.keys() & labels.keys()) < at_least:
            if time.monotonic() > deadline:
                raise TimeoutError(f"fewer than {at_least} labelled rows came within a minute")
            for record in consumer.consume(10_000, timeout=0.5):
                event = orjson.loads(record.value()) if record.error() is None else {}
                if event.get("model") != model:
                    continue
                if event["type"] == "label":
                    labels[event["id"]] = event["label"]
                elif event["version"] == version:
                    predictions.setdefault(event["id"], event)
    finally:
        consumer.close()
    rows = [
        {"id": name, "timestamp": event["timestamp"], "score": event["score"], "label": labels[name]}
        | event["features"]
        for name, event in predictions.items()
        if name in labels
    ]
    return pd.DataFrame(rows).sort_values("timestamp", ignore_index=True)


def trained(rows: pd.DataFrame) -> dict[str, Any]:
    """A logistic regression of the label, as the model server takes it: intercept and weights, by term."""
    terms = np.column_stack([term(rows) for term in TERMS.values()])
    fitted = make_pipeline(StandardScaler(), LogisticRegression()).fit(terms, rows["label"] == POSITIVE)
    scaler, regression = fitted[0], fitted[1]
    weights = regression.coef_[0] / scaler.scale_
    intercept = float(regression.intercept_[0] - weights @ scaler.mean_)
    return {"intercept": intercept, "weights": dict(zip(TERMS, weights.tolist(), strict=True))}


def scored(model: Mapping[str, Any], rows: pd.DataFrame) -> pd.DataFrame:
    """The rows as this model answers them."""
    logit = model["intercept"] + sum(weight * TERMS[term](rows) for term, weight in model["weights"].items())
    score = 1 / (1 + np.exp(-logit))
    return rows.assign(score=score, prediction=np.where(score >= 0.5, POSITIVE, "repaid"))
