"""Puts the parts of a poll together again: one Predictions and one Labels a model, in the order of the records."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

from monitor.events.batch import CategoricalColumn, Column, Labels, NumericColumn, Origin, Predictions
from monitor.events.decoder import Decoded
from monitor.events.native_arrow import Parsed
from monitor.events.native_columns import Events, Judged, absent, labels, predictions
from monitor.events.native_rows import Rows
from monitor.events.numbers import missing_column
from monitor.events.reject import Reject


def merged(rows: Rows, parsed: Sequence[Parsed]) -> Decoded:
    """All events of a poll: those that were read one by one, and those that were parsed in bulk."""
    raws = [*rows.raws(), *(part.raw for part in parsed)]
    predicted = [predictions(raw, rows.records) for raw in raws if raw.kind == "prediction"]
    labelled = [labels(raw, rows.records) for raw in raws if raw.kind == "label"]
    rejects = [*rows.rejects]
    rejects += [reject for part in predicted for reject in part.rejects]
    rejects += [reject for part in labelled for reject in part.rejects]
    return Decoded(
        read=rows.read + sum(len(part.raw) for part in parsed),
        predictions=tuple(_predictions(parts) for parts in _by_model(predicted, rows.schemas)),
        labels=tuple(_labels(parts) for parts in _by_model(labelled, rows.schemas)),
        ends=tuple(end for *_, end in sorted(rows.ends, key=lambda placed: placed[:2])),
        rejects=tuple(sorted(rejects, key=_record_and_row)),
        unknown_keys=rows.unknown_keys + sum(part.unknown_keys for part in parsed),
    )


def _record_and_row(reject: Reject) -> tuple[int, int]:
    return reject.record, reject.row


def _by_model(parts: Iterable[Judged[Events]], models: Iterable[str]) -> list[list[Judged[Events]]]:
    groups: dict[str, list[Judged[Events]]] = {model: [] for model in models}
    for part in parts:
        if len(part.usable):
            groups[part.usable.model].append(part)
    return [group for group in groups.values() if group]


def _predictions(parts: Sequence[Judged[Predictions]]) -> Predictions:
    events = [part.usable for part in parts]
    joined = events[0] if len(events) == 1 else _joined_predictions(events)
    return _without_empty(_ordered(joined, parts))


def _labels(parts: Sequence[Judged[Labels]]) -> Labels:
    events = [part.usable for part in parts]
    return _ordered(events[0] if len(events) == 1 else _joined_labels(events), parts)


def _ordered(events: Events, parts: Sequence[Judged[Events]]) -> Events:
    place = np.concatenate([part.place for part in parts])
    return events if (np.diff(place) > 0).all() else events.take(np.argsort(place))


def _without_empty(events: Predictions) -> Predictions:
    """Predictions, scores and latencies that no event carried are none, whatever the batch was decoded with."""
    prediction, latency = events.prediction, events.latency
    return Predictions(
        events.model,
        events.origin,
        events.time_ms,
        events.received_ms,
        events.key,
        events.identified,
        events.version,
        events.features,
        None if prediction is None or absent(prediction).all() else prediction,
        {name: column for name, column in events.scores.items() if not absent(column).all()},
        None if latency is None or absent(latency).all() else latency,
    )


def _joined_predictions(parts: Sequence[Predictions]) -> Predictions:
    classes = dict.fromkeys(name for part in parts for name in part.scores)
    return Predictions(
        parts[0].model,
        _origin([part.origin for part in parts]),
        np.concatenate([part.time_ms for part in parts]),
        np.concatenate([part.received_ms for part in parts]),
        np.concatenate([part.key for part in parts]),
        np.concatenate([part.identified for part in parts]),
        CategoricalColumn.concatenate([part.version for part in parts]),
        {name: _column([part.features[name] for part in parts]) for name in parts[0].features},
        _column([part.prediction for part in parts if part.prediction is not None]),
        {name: _score([part.scores.get(name) for part in parts], list(map(len, parts))) for name in classes},
        NumericColumn.concatenate([part.latency for part in parts if part.latency is not None]),
    )


def _joined_labels(parts: Sequence[Labels]) -> Labels:
    return Labels(
        parts[0].model,
        _origin([part.origin for part in parts]),
        np.concatenate([part.time_ms for part in parts]),
        np.concatenate([part.received_ms for part in parts]),
        np.concatenate([part.key for part in parts]),
        _column([part.value for part in parts]),
    )


def _origin(parts: Sequence[Origin]) -> Origin:
    return Origin(
        parts[0].topic,
        np.concatenate([part.partition for part in parts]),
        np.concatenate([part.offset for part in parts]),
        np.concatenate([part.row for part in parts]),
    )


def _column(parts: Sequence[Column]) -> Column:
    numeric = [part for part in parts if isinstance(part, NumericColumn)]
    categorical = [part for part in parts if isinstance(part, CategoricalColumn)]
    return NumericColumn.concatenate(numeric) if numeric else CategoricalColumn.concatenate(categorical)


def _score(parts: Sequence[NumericColumn | None], rows: Sequence[int]) -> NumericColumn:
    return NumericColumn.concatenate([part or missing_column(n) for part, n in zip(parts, rows, strict=True)])
