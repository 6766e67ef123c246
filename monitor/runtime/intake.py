"""Steps 3 and 4 of the loop: what was read is judged, remembered, folded and counted; what cannot be used is told."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from monitor.engine import Monitor, Result
from monitor.events.batch import BatchEnd, Labels, Origin, Predictions, no_predictions
from monitor.events.decoder import Decoded, RawRecords
from monitor.events.reject import Reason, Reject
from monitor.runtime.counts import Counts
from monitor.runtime.dead_letters import DeadLetter, dead_letters
from monitor.runtime.source import Polled
from monitor.runtime.store import Store
from monitor.windows.streams import Now
from monitor.windows.window import Place

TABLE = "table"
"""The topic that events of a file are counted under."""


@dataclass(frozen=True, slots=True)
class Topics:
    """Which topics hold predictions, and which labels; one may hold both."""

    predictions: frozenset[str]
    labels: frozenset[str]


@dataclass(frozen=True, slots=True)
class Intake:
    """Into one engine, the store beside it, and the counts of the service."""

    monitor: Monitor
    store: Store
    counts: Counts
    topics: Topics

    def take(self, polled: Polled, places: Collection[Place], now: Now) -> list[DeadLetter]:
        """The records that cannot be used. places: that the source reads."""
        predictions = [place for place in places if place[0] in self.topics.predictions]
        labels = [place for place in places if place[0] in self.topics.labels]
        for model in self.monitor.models.values():
            model.expect(predictions, labels, now)
        letters: list[DeadLetter] = []
        for decoded, raw in polled.decoded:
            topic = raw.topic if raw is not None else TABLE
            counted: Counter[str] = Counter(accepted=len(decoded.ends), rejected=len(decoded.rejects))
            rejects = list(decoded.rejects)
            for batch in self._with_ends(decoded, topic):
                rejects += _future(batch.origin, self._predictions(batch, decoded.ends, now, counted), raw)
            for labelled in decoded.labels:
                rejects += _future(labelled.origin, self._labels(labelled, now, counted), raw)
            # The law of conservation: whatever was read is one of these four, in every single step.
            assert decoded.read == counted.total(), f"read {decoded.read} events but counted {dict(counted)}"
            self.counts.read(topic, counted)
            self.counts.unknown_keys += decoded.unknown_keys
            if raw is not None:
                letters += dead_letters(raw, rejects)
        return letters

    def _with_ends(self, decoded: Decoded, topic: str) -> list[Predictions]:
        """The batches of predictions, an empty one for a model that only ended a batch."""
        sent = {batch.model for batch in decoded.predictions}
        ended = {end.model for end in decoded.ends} - sent
        models = self.monitor.models
        empty = [no_predictions(name, topic, models[name].spec.schema.features) for name in sorted(ended)]
        return [*decoded.predictions, *empty]

    def _predictions(
        self, batch: Predictions, ends: Sequence[BatchEnd], now: Now, counted: Counter[str]
    ) -> NDArray[np.uint8]:
        model = self.monitor.models[batch.model]
        suspects = model.suspects(batch)
        earlier = self.store.recent(batch.model, suspects, model.open_since_ms()) if len(suspects) else {}
        mine = [end for end in ends if end.model == batch.model]
        judged = model.ingest(batch, mine, earlier, now)
        _count_results(judged.result, counted)
        kept = (judged.result == Result.ACCEPTED) & batch.identified
        if kept.any():
            rows = slice(None) if kept.all() else kept
            self.store.add_predictions(batch.take(rows), judged.window_end_ms[rows])
        return judged.result

    def _labels(self, batch: Labels, now: Now, counted: Counter[str]) -> NDArray[np.uint8]:
        judged, known_ms = self.monitor.models[batch.model].ingest_labels(batch, now)
        _count_results(judged.result, counted)
        kept = judged.result == Result.ACCEPTED
        if kept.any() and self.monitor.models[batch.model].spec.labelled:
            rows = slice(None) if kept.all() else kept
            self.store.add_labels(batch.take(rows), known_ms[rows])
        return judged.result


def _count_results(result: NDArray[np.uint8], counted: Counter[str]) -> None:
    rows = np.bincount(result, minlength=len(Result)).tolist()
    counted["accepted"] += rows[Result.ACCEPTED]
    counted["duplicate"] += rows[Result.DUPLICATE]
    counted["late"] += rows[Result.LATE]
    counted["rejected"] += rows[Result.FUTURE]


def _future(origin: Origin, result: NDArray[np.uint8], raw: RawRecords | None) -> list[Reject]:
    """Rejects of the rows that claim to come from the future."""
    if raw is None:
        return []
    rows = np.flatnonzero(result == Result.FUTURE).tolist()
    if not rows:
        return []
    places = zip(raw.partition.tolist(), raw.offset.tolist(), strict=True)
    records = {place: record for record, place in enumerate(places)}
    rejects = []
    for row in rows:
        record = records[int(origin.partition[row]), int(origin.offset[row])]
        detail = "The timestamp is later than its record was received; check the producer's clock and unit."
        rejects.append(Reject(record, int(origin.row[row]), Reason.FUTURE_TIMESTAMP, detail))
    return rejects
