"""What two models answered to the same requests, side by side with what turned out: matched by id."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from monitor.events.batch import CategoricalColumn, Column, Labels, NumericColumn, Pairs, Predictions

Rows = NDArray[np.intp]
Keys = NDArray[np.uint64]


@dataclass(frozen=True, slots=True)
class Side:
    """Rows of one model that are in no pair. alone: requests that the other did not answer; repeated: further answers
    to a request, the first of which counts; nameless: rows without an id.
    """

    alone: int
    repeated: int
    nameless: int


@dataclass(frozen=True, slots=True)
class Paired:
    """champion, challenger: the same requests in both, in the order of the champion's event time, with the same labels.
    common: requests that both answered; those without a label are not among the pairs. differing: requests with several
    labels that are not the same, of which the newest counts.
    """

    champion: Pairs
    challenger: Pairs
    common: int
    sides: tuple[Side, Side]
    differing: int


def paired(champion: Predictions, challenger: Predictions, given: Sequence[Labels]) -> Paired:
    """Match by id. Labels of rows without an id match nothing."""
    labels = _joined(given)
    keys, rows = zip(*(_first(each) for each in (champion, challenger)), strict=True)
    shared, *places = np.intersect1d(keys[0], keys[1], assume_unique=True, return_indices=True)
    label_keys, label_rows = _newest(labels)
    labelled, among, label_places = np.intersect1d(shared, label_keys, assume_unique=True, return_indices=True)
    ours, theirs = (own[place[among]] for own, place in zip(rows, places, strict=True))
    order = np.lexsort((labelled, champion.time_ms[ours]))
    value = labels.value.take(label_rows[label_places[order]])
    return Paired(
        _pairs(champion.take(ours[order]), value),
        _pairs(challenger.take(theirs[order]), value),
        len(shared),
        (_side(champion, len(keys[0]), len(shared)), _side(challenger, len(keys[1]), len(shared))),
        _differing(labels, labelled),
    )


class _Known(NamedTuple):
    """Labels of several batches."""

    key: Keys
    time_ms: NDArray[np.int64]
    value: Column


def _joined(given: Sequence[Labels]) -> _Known:
    numbers = [each.value for each in given if isinstance(each.value, NumericColumn)]
    classes = [each.value for each in given if isinstance(each.value, CategoricalColumn)]
    return _Known(
        np.concatenate([each.key for each in given]),
        np.concatenate([each.time_ms for each in given]),
        NumericColumn.concatenate(numbers) if numbers else CategoricalColumn.concatenate(classes),
    )


def _first(predictions: Predictions) -> tuple[Keys, Rows]:
    """Each id, and the row that answered it first."""
    named = np.flatnonzero(predictions.identified)
    ordered = named[np.argsort(predictions.time_ms[named], kind="stable")]
    keys, first = np.unique(predictions.key[ordered], return_index=True)
    return keys, ordered[first]


def _newest(labels: _Known) -> tuple[Keys, Rows]:
    """Each id, and the row of its newest label; of equally new ones the last."""
    ordered = np.argsort(labels.time_ms, kind="stable")[::-1]
    keys, first = np.unique(labels.key[ordered], return_index=True)
    return keys, ordered[first]


def _pairs(predictions: Predictions, value: Column) -> Pairs:
    return Pairs(predictions.prediction, predictions.scores, value)


def _side(predictions: Predictions, requests: int, common: int) -> Side:
    named = int(np.count_nonzero(predictions.identified))
    return Side(requests - common, named - requests, len(predictions) - named)


def _differing(labels: _Known, among: Keys) -> int:
    """How many of these ids have labels that are not the same."""
    value = labels.value
    said = value.codes.astype(np.float64) if isinstance(value, CategoricalColumn) else value.values
    distinct = np.unique(np.stack([labels.key, said.view(np.uint64)]), axis=1)[0]
    several = distinct[1:][distinct[1:] == distinct[:-1]]
    return len(np.intersect1d(several, among))
