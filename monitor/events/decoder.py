"""The shape that every decoder has: one poll of raw records in, columns and rejects out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import BatchEnd, Labels, Predictions
from monitor.events.reject import Reject

BYTES_MAX = 1 << 20
"""Largest payload that is parsed; a larger one is rejected unread (Kafka's own default message limit)."""

DEPTH_MAX = 32
"""Deepest nesting that is accepted; an event needs three levels."""


@dataclass(frozen=True, slots=True)
class RawRecords:
    """Records of one topic as a poll returned them, in offset order within each partition.

    values: the payloads, None for a tombstone. partition int32[n], offset int64[n]. timestamp_ms int64[n]: the Kafka
    timestamp, -1 where there is none; appended bool[n]: whether the broker set it (LogAppendTime). keys, headers: as
    Kafka gave them; only dead letters look at them.
    """

    topic: str
    values: Sequence[bytes | None]
    partition: NDArray[np.int32]
    offset: NDArray[np.int64]
    timestamp_ms: NDArray[np.int64]
    appended: NDArray[np.bool_]
    keys: Sequence[bytes | None]
    headers: Sequence[Sequence[tuple[str, bytes | None]]]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True, slots=True)
class Decoded:
    """What one poll of one topic held.

    read == sum of rows of predictions and labels + len(rejects) + number of ends: a record that cannot be decoded
    counts one, a list or a columnar batch counts its events. There is at most one Predictions and one Labels a model.
    unknown_keys: keys that no schema names, over all events; ignored.
    """

    read: int
    predictions: tuple[Predictions, ...]
    labels: tuple[Labels, ...]
    ends: tuple[BatchEnd, ...]
    rejects: tuple[Reject, ...]
    unknown_keys: int


class Decoder(Protocol):
    """Pure and bounded: returns for any bytes, never raises, does no I/O."""

    def decode(self, records: RawRecords) -> Decoded: ...
