"""What of the arriving events counts: each is accepted, a duplicate, late, or rejected, and exactly one of these.

Everything here is judged partition by partition in offset order, so that no interleaving of partitions matters.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import IntEnum

import numpy as np
from numpy.typing import NDArray

from monitor.engine.control import Note, Quarantined, Woke
from monitor.events.batch import BatchEnd, CategoricalColumn, Labels, Origin, Predictions
from monitor.spec import ModelSpec
from monitor.windows.seen import Seen
from monitor.windows.streams import NEVER, Now, Streams
from monitor.windows.window import Place

Earlier = Mapping[tuple[int, int, str], int]
"""End of the latest open window in which (partition, key, version) was accepted before this batch."""


class Result(IntEnum):
    """What became of a row."""

    ACCEPTED = 0
    DUPLICATE = 1
    LATE = 2
    FUTURE = 3


@dataclass(frozen=True, slots=True)
class Judged:
    """result: uint8[n] of Result, one a row; window_end_ms: int64[n], the pane each row belongs to.

    notes: what of it the clock had a part in.
    """

    result: NDArray[np.uint8]
    window_end_ms: NDArray[np.int64]
    notes: tuple[Note, ...]


def judge_predictions(
    spec: ModelSpec,
    streams: Streams,
    seen: dict[int, Seen],
    batch: Predictions,
    ends: Sequence[BatchEnd],
    earlier: Earlier,
    now: Now,
) -> Judged:
    """Judge a batch and move the streams on; the far future first, then lateness, then identity."""
    grid = spec.window.grid_ms
    window_end = (batch.time_ms // grid + 1) * grid
    result = _future(batch.time_ms, batch.received_ms, spec.future_ms, now)
    notes = _quarantined(spec.name, batch, result)
    for place, rows in _partitions(batch.origin, ends):
        closes = [end.offset for end in ends if end.partition == place[1]]
        mine = seen.setdefault(place[1], Seen())
        for part, closed in _split(batch.origin.offset, rows, closes):
            usable = part[result[part] == Result.ACCEPTED]
            time, offset = batch.time_ms[usable], batch.origin.offset[usable]
            before = streams.watermark_before(place, time, offset)
            late = window_end[usable] <= before
            result[usable[late]] = Result.LATE
            result[usable[_repeats(batch, usable, window_end, before, late, earlier)]] = Result.DUPLICATE
            if streams.observe(place, time, now.steady_ms):
                first = _first_offset(batch.origin.offset, part, closes)
                notes.append(Woke(spec.name, *place, first, streams.streams[place].floor_ms))
            if closed and streams.batch and streams.streams[place].high_ms != NEVER:
                streams.end_batch(place, (streams.streams[place].high_ms // grid + 1) * grid)
            kept = usable[(result[usable] == Result.ACCEPTED) & batch.identified[usable]]
            mine.add(batch.key[kept], window_end[kept])
        mine.forget(streams.watermark(place))
    return Judged(result, window_end, tuple(notes))


def known_labels(spec: ModelSpec, streams: Streams, batch: Labels, now: Now) -> tuple[Judged, NDArray[np.int64]]:
    """Judge labels, and int64[n]: when each counts from: its own time, or what its partition had reached before it."""
    result = _future(batch.time_ms, batch.received_ms, spec.future_ms, now)
    known = batch.time_ms.copy()
    notes = _quarantined(spec.name, batch, result)
    for place, rows in _partitions(batch.origin, ()):
        usable = rows[result[rows] == Result.ACCEPTED]
        time, offset = batch.time_ms[usable], batch.origin.offset[usable]
        floor = streams.streams[place].floor_ms
        known[usable] = np.maximum(time, np.maximum(streams.high_before(place, time, offset), floor))
        if streams.observe(place, time, now.steady_ms):
            notes.append(Woke(spec.name, *place, int(batch.origin.offset[rows[0]]), floor))
    return Judged(result, known, tuple(notes)), known


def _future(time_ms: NDArray[np.int64], received_ms: NDArray[np.int64], ahead_ms: int, now: Now) -> NDArray[np.uint8]:
    """A time that its broker, or where the topic does not say, this machine, cannot have seen yet is quarantined.

    By the clock of this machine that is further on: one that was just set back must not cost what is on time.
    """
    limit = np.where(received_ms >= 0, received_ms, max(now)) + ahead_ms
    return np.where(time_ms > limit, Result.FUTURE, Result.ACCEPTED).astype(np.uint8)


def _quarantined(model: str, batch: Predictions | Labels, result: NDArray[np.uint8]) -> list[Note]:
    """The rows that this machine's clock put aside: where the broker's did, the topic says so again."""
    aside = (result == Result.FUTURE) & (batch.received_ms < 0)
    if not aside.any():
        return []
    records: list[tuple[int, int, int]] = []
    some = np.zeros(len(aside), dtype=np.bool_)
    for (_, partition), rows in _partitions(batch.origin, ()):
        offset, starts, record = np.unique(batch.origin.offset[rows], return_index=True, return_inverse=True)
        whole = np.logical_and.reduceat(aside[rows], starts)
        some[rows] = aside[rows] & ~whole[record]
        ends = np.flatnonzero(np.diff(np.r_[0, whole, 0])).reshape(-1, 2).tolist()
        records += [(partition, int(offset[first]), int(offset[end - 1])) for first, end in ends]
    origin = batch.origin.take(some)
    single = zip(origin.partition.tolist(), origin.offset.tolist(), origin.row.tolist(), strict=True)
    return [Quarantined(model, origin.topic, tuple(records), tuple(single))]


def _partitions(origin: Origin, ends: Sequence[BatchEnd]) -> list[tuple[Place, NDArray[np.int64]]]:
    """Each partition of a batch with the indices of its rows, in offset order."""
    numbers = sorted({*np.unique(origin.partition).tolist(), *(end.partition for end in ends)})
    return [((origin.topic, number), np.flatnonzero(origin.partition == number)) for number in numbers]


def _split(
    offset: NDArray[np.int64], rows: NDArray[np.int64], closes: list[int]
) -> list[tuple[NDArray[np.int64], bool]]:
    """Rows of one partition up to each `batch_end`, those of its own record included, and whether one follows."""
    cuts = np.searchsorted(offset[rows], sorted(closes), side="right")
    parts = np.split(rows, cuts)
    return [(part, number < len(cuts)) for number, part in enumerate(parts)]


def _first_offset(offset: NDArray[np.int64], part: NDArray[np.int64], closes: list[int]) -> int:
    return int(offset[part[0]]) if len(part) else min(closes)


def _repeats(
    batch: Predictions,
    usable: NDArray[np.int64],
    window_end: NDArray[np.int64],
    before: NDArray[np.int64],
    late: NDArray[np.bool_],
    earlier: Earlier,
) -> NDArray[np.bool_]:
    """bool[len(usable)]: rows whose (version, id) was accepted before, in a window that is still open for them."""
    repeated = np.zeros(len(usable), dtype=np.bool_)
    key = batch.key[usable]
    for place in _candidates(key, late | ~batch.identified[usable], earlier):
        # Few rows come here: ids that stand twice in the batch, or that the store confirmed.
        latest: dict[tuple[int, int, str], int] = {}
        for index in place:
            row = usable[index]
            code = batch.version.codes[row]
            identity = (
                int(batch.origin.partition[row]),
                int(batch.key[row]),
                batch.version.values[code] if code >= 0 else "",
            )
            accepted_in = latest.get(identity, earlier.get(identity, NEVER))
            if accepted_in > before[index]:
                repeated[index] = True
            else:
                latest[identity] = int(window_end[row])
    return repeated


def _candidates(key: NDArray[np.uint64], excluded: NDArray[np.bool_], earlier: Earlier) -> list[list[int]]:
    """Groups of row indices, in order, that share a key with each other or with an earlier batch."""
    order = np.argsort(key, kind="stable")
    ranked = key[order]
    same = ranked[1:] == ranked[:-1]
    doubtful = np.zeros(len(key), dtype=np.bool_)
    doubtful[order[1:][same]] = True
    doubtful[order[:-1][same]] = True
    if earlier:
        doubtful |= np.isin(key, np.array([number for _, number, _ in earlier], dtype=np.uint64))
    groups: dict[int, list[int]] = {}
    for index in np.flatnonzero(doubtful & ~excluded).tolist():
        groups.setdefault(int(key[index]), []).append(index)
    return list(groups.values())


def by_pane(
    rows: Predictions, window_end: NDArray[np.int64]
) -> tuple[Predictions, list[tuple[int, str]], NDArray[np.intp]]:
    """The rows in order of version and pane; (end, version) of each run that shares both, and intp[runs], its start."""
    codes = rows.version.codes
    if (np.diff(codes) != 0).any() or (np.diff(window_end) < 0).any():
        order = np.lexsort((window_end, codes))
        rows, codes, window_end = rows.take(order), codes[order], window_end[order]
    starts = np.flatnonzero(np.append(True, (np.diff(codes) != 0) | (np.diff(window_end) != 0))[: len(codes)])
    panes = [(int(window_end[start]), _name(rows.version, int(codes[start]))) for start in starts]
    return rows, panes, starts


def _name(version: CategoricalColumn, code: int) -> str:
    return version.values[code] if code >= 0 else ""
