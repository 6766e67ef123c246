"""What is kept of closed windows, to be shown and reported on: their counts, samples of rows, and what they were
compared with. Written by the loop, read on demand, never held in memory.

Counts are a hundredth of a sample's size, so the two have their own shares of the bytes that a model may take.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from monitor.engine.kept import Kept
from monitor.profiles import codec
from monitor.profiles.distribution import Basis, packed
from monitor.profiles.sample import Sample
from monitor.runtime.store.columns import from_rows
from monitor.runtime.store.database import Database
from monitor.windows.window import Window

Part = Literal["counts", "rows"]

KEPT_MAX: dict[Part, int] = {"counts": 16 << 20, "rows": 48 << 20}
"""Bytes that a model may take of each: with 20 features counts of thousands of windows, and rows of five hundred."""

_TRIMMED = 0.9
"""Share of these that is left when there were more, so that the oldest are not looked for at each step."""

_NAMED = 0.5
"""Share of these that windows which incidents name may take before any other: the newest have room too."""

_VERSION = 1

_FIELDS = ("model", "version", "end_ms", "start_ms", "part", "basis", "size", "body")

_SIZE = """
SELECT part, sum(size) FROM (
    SELECT part, size FROM kept WHERE model = $model UNION ALL SELECT part, size FROM basis WHERE model = $model)
GROUP BY part
"""

# Newest first, those that come first before the others; a basis counts with the first that was compared with it.
_TRIM = """
WITH marked AS (
    SELECT version, end_ms, basis, kept.size AS size, basis.size AS shared,
        list_contains($named::VARCHAR[], end_ms || ' ' || version) AS named
    FROM kept JOIN basis ON basis.model = kept.model AND basis.part = kept.part AND basis.name = kept.basis
    WHERE kept.model = $model AND kept.part = $part),
ranked AS (
    SELECT *, named AND sum(size) OVER (PARTITION BY named ORDER BY end_ms DESC, version) <= $half AS first
    FROM marked),
charged AS (
    SELECT *, row_number() OVER (PARTITION BY basis ORDER BY first DESC, end_ms DESC, version) = 1 AS brings
    FROM ranked),
summed AS (
    SELECT version, end_ms,
        sum(size + if(brings, shared, 0)) OVER (ORDER BY first DESC, end_ms DESC, version) AS held
    FROM charged)
DELETE FROM kept WHERE model = $model AND part = $part AND (version, end_ms) IN (
    SELECT (version, end_ms) FROM summed WHERE held > $most)
"""

_TIDY = "DELETE FROM basis WHERE (model, part, name) NOT IN (SELECT (model, part, basis) FROM kept)"

# The window is looked for without reading the bodies of all others.
_FIND = """
SELECT version, end_ms, start_ms, kept.body, basis.body
FROM kept JOIN basis ON kept.model = basis.model AND kept.part = basis.part AND kept.basis = basis.name
WHERE kept.rowid = (
    SELECT rowid FROM kept
    WHERE model = $model AND part = $part
        AND version = coalesce($version, version) AND end_ms = coalesce($end_ms, end_ms)
    ORDER BY end_ms DESC, start_ms DESC, version DESC LIMIT 1)
"""

_WINDOWS = """
SELECT model, version, end_ms, start_ms FROM kept WHERE model = ? AND part = ? ORDER BY end_ms DESC, version
"""


@dataclass(frozen=True, slots=True, eq=False)
class KeptCounts:
    """tally: int64[F, WIDTH], as of `Kept`; basis: without its sample."""

    window: Window
    tally: NDArray[np.int64]
    basis: Basis


@dataclass(frozen=True, slots=True, eq=False)
class KeptRows:
    """sample: of the window's rows; reference: of those it was compared with. rows, reference_rows: of how many."""

    window: Window
    sample: Sample
    rows: int
    reference: Sample
    reference_rows: int


def add(database: Database, kept: Sequence[Kept]) -> None:
    if kept:
        for (model, _), basis in {(each.window.model, each.basis.name): each.basis for each in kept}.items():
            _add_basis(database, model, basis)
        database.append("kept", from_rows(_FIELDS, [row for each in kept for row in _rows(each)]))


def _rows(kept: Kept) -> Iterator[tuple[Any, ...]]:
    window = kept.window
    bodies: dict[Part, bytes] = {
        "counts": codec.pack("KEPT", _VERSION, packed(kept.tally)),
        "rows": _packed_rows(kept.sample, kept.tally),
    }
    for part, body in bodies.items():
        yield window.model, window.version, window.end_ms, window.start_ms, part, kept.basis.name, len(body), body


def _add_basis(database: Database, model: str, basis: Basis) -> None:
    """Write down what the store lacks of it."""
    found = database.rows("SELECT part FROM basis WHERE model = ? AND name = ?", [model, basis.name])
    known = {part for (part,) in found}
    bodies: dict[Part, Callable[[], bytes]] = {
        "counts": basis.dump,
        "rows": lambda: _packed_rows(basis.sample, basis.tally),
    }
    dumped = [(part, dump()) for part, dump in bodies.items() if part not in known]
    rows = [(model, basis.name, part, len(body), body) for part, body in dumped]
    if rows:
        database.append("basis", from_rows(("model", "name", "part", "size", "body"), rows))


def trim(database: Database, model: str, named: Collection[Window]) -> int:
    deleted = 0
    for part, size in database.rows(_SIZE, {"model": model}):
        if size > KEPT_MAX[part]:
            most = KEPT_MAX[part] * _TRIMMED
            names = [f"{window.end_ms} {window.version}" for window in named]
            parameters = {"model": model, "part": part, "named": names, "half": most * _NAMED, "most": most}
            deleted += database.delete(_TRIM, parameters)
    if deleted:
        tidy(database)
    return deleted


def tidy(database: Database) -> None:
    """Delete every basis of which no window is kept."""
    database.delete(_TIDY, [])


def windows(database: Database, model: str, part: Part) -> list[Window]:
    found = database.committed(_WINDOWS, [model, part])
    return [Window(end_ms, name, version, "", start_ms) for name, version, end_ms, start_ms in found]


def counts(database: Database, model: str, version: str | None, end_ms: int | None) -> KeptCounts | None:
    found = _find(database, model, "counts", version, end_ms)
    if found is None:
        return None
    window, body, basis = found
    tally = codec.unpack("KEPT", _VERSION, body, np.ndarray)
    return KeptCounts(window, tally.astype(np.int64), Basis.load(basis))


def rows(database: Database, model: str, version: str | None, end_ms: int | None) -> KeptRows | None:
    found = _find(database, model, "rows", version, end_ms)
    if found is None:
        return None
    window, *bodies = found
    (sample, own), (reference, theirs) = (
        codec.unpack("ROWS", _VERSION, body, tuple[list[Any], int]) for body in bodies
    )
    return KeptRows(window, Sample.of_plain(sample), own, Sample.of_plain(reference), theirs)


def _find(
    database: Database, model: str, part: Part, version: str | None, end_ms: int | None
) -> tuple[Window, bytes, bytes] | None:
    asked = {"model": model, "part": part, "version": version, "end_ms": end_ms}
    for name, end, start, body, basis in database.committed(_FIND, asked):
        return Window(end, model, name, "", start), body, basis
    return None


def _packed_rows(sample: Sample, tally: NDArray[np.int64]) -> bytes:
    """And of how many rows it is: a tally counts all of them for each feature."""
    return codec.pack("ROWS", _VERSION, (sample.plain(), int(tally[0].sum())))
