"""What a model's events must look like to be decoded."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Task = Literal["binary", "multiclass", "regression"]
Kind = Literal["numeric", "categorical"]


@dataclass(frozen=True, slots=True)
class Schema:
    """Of one model: its features and the type of each, and how its outputs are to be read.

    feature_order: names for features that come as an array; empty where they must come by name.
    kafka_time: whether an event without `timestamp` takes its Kafka record's. classes: of a multiclass task, those
    whose scores are read; None: any, up to CLASSES_MAX.
    """

    model: str
    task: Task
    features: Mapping[str, Kind]
    positive: str | None = None
    feature_order: tuple[str, ...] = field(default=())
    kafka_time: bool = False
    classes: frozenset[str] | None = None
