"""What is kept of closed windows, to be shown and reported on: their counts, samples of rows, and what they were
compared with. Written by the loop, read on demand, never held in memory.

Counts are a hundredth of a sample's size, so the two have their own shares of the bytes that a model may take. They
have tables of their own, too: DuckDB uses the space of deleted rows again where few others are among them.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
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

_FIELDS = ("model", "version", "end_ms", "start_ms", "basis", "size", "body")

_SIZE = """
SELECT coalesce(sum(size), 0) FROM (
    SELECT size FROM kept_{part} WHERE model = $model UNION ALL SELECT size FROM basis_{part} WHERE model = $model)
"""

# The newest stays whatever it takes, then come those that incidents name, then the others, newest first. A basis counts
# with the first that was compared with it. Windows by rows may end alike: each is known by its row of the table.
_TRIM = """
WITH marked AS (
    SELECT kept.rowid AS place, basis, kept.size AS size, basis.size AS shared,
        list_contains($named::VARCHAR[], end_ms || ' ' || start_ms || ' ' || version) AS named,
        row_number() OVER (ORDER BY end_ms DESC, start_ms DESC, version DESC) AS age
    FROM kept_{part} AS kept JOIN basis_{part} AS basis ON basis.model = kept.model AND basis.name = kept.basis
    WHERE kept.model = $model),
ranked AS (
    SELECT *, if(age = 1, 0, if(named AND sum(size) OVER (PARTITION BY named ORDER BY age) <= $half, 1, 2)) AS rank
    FROM marked),
charged AS (SELECT *, row_number() OVER (PARTITION BY basis ORDER BY rank, age) = 1 AS brings FROM ranked),
summed AS (SELECT place, age, sum(size + if(brings, shared, 0)) OVER (ORDER BY rank, age) AS held FROM charged)
DELETE FROM kept_{part} WHERE rowid IN (SELECT place FROM summed WHERE held > $most AND age > 1)
"""

_TIDY = "DELETE FROM basis_{part} WHERE (model, name) NOT IN (SELECT (model, basis) FROM kept_{part})"

_KNOWN = "SELECT size FROM basis_{part} WHERE model = ? AND name = ?"

# The window is looked for without reading the bodies of all others.
_FIND = """
SELECT version, end_ms, start_ms, kept.body, basis.body
FROM kept_{part} AS kept JOIN basis_{part} AS basis ON kept.model = basis.model AND kept.basis = basis.name
WHERE kept.rowid = (
    SELECT rowid FROM kept_{part}
    WHERE model = $model AND version = coalesce($version, version) AND end_ms = coalesce($end_ms, end_ms)
    ORDER BY end_ms DESC, start_ms DESC, version DESC LIMIT 1)
"""

_WINDOWS = """
SELECT end_ms, version, start_ms FROM kept_{part} WHERE model = ? ORDER BY end_ms DESC, start_ms DESC, version DESC
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
    """What takes more than a model may, with its basis alone, is not written: it would be thrown away at once."""
    bases = {(each.window.model, each.basis.name): each.basis for each in kept}
    written = [(each.window, each.basis.name, bodies(each)) for each in kept]
    for part, limit in KEPT_MAX.items():
        known = {key: database.rows(_KNOWN.format(part=part), key) for key in bases}
        lacking = {key: shared(basis, part) for key, basis in bases.items() if not known[key]}
        sizes = {key: found[0][0] if found else len(lacking[key]) for key, found in known.items()}
        rows = [
            (window.model, window.version, window.end_ms, window.start_ms, basis, len(body[part]), body[part])
            for window, basis, body in written
            if len(body[part]) + sizes[window.model, basis] <= limit
        ]
        needed = {(model, basis) for model, _, _, _, basis, _, _ in rows}
        new = [(*key, len(body), body) for key, body in lacking.items() if key in needed]
        if new:
            database.append(f"basis_{part}", from_rows(("model", "name", "size", "body"), new))
        if rows:
            database.append(f"kept_{part}", from_rows(_FIELDS, rows))


def bodies(kept: Kept) -> dict[Part, bytes]:
    """What is written of a window."""
    return {
        "counts": codec.pack("KEPT", _VERSION, packed(kept.tally)),
        "rows": _packed_rows(kept.sample, kept.tally),
    }


def shared(basis: Basis, part: Part) -> bytes:
    """What is written once for all windows that were compared with the same."""
    return basis.dump() if part == "counts" else _packed_rows(basis.sample, basis.tally)


def fitting(part: Part, size: int, basis: int) -> int:
    """Of how many windows a model keeps a part, at most, from the bytes of one and of what all are compared with."""
    return max(KEPT_MAX[part] - basis, 0) // size


def trim(database: Database, model: str, named: Collection[Window]) -> int:
    deleted = 0
    names = [f"{window.end_ms} {window.start_ms} {window.version}" for window in named]
    for part, limit in KEPT_MAX.items():
        ((size,),) = database.rows(_SIZE.format(part=part), {"model": model})
        if size > limit:
            most = limit * _TRIMMED
            asked = {"model": model, "named": names, "half": most * _NAMED, "most": most}
            deleted += database.delete(_TRIM.format(part=part), asked)
    if deleted:
        tidy(database)
    return deleted


def tidy(database: Database) -> None:
    """Delete every basis of which no window is kept."""
    for part in KEPT_MAX:
        database.delete(_TIDY.format(part=part), [])


def windows(database: Database, model: str, part: Part) -> list[Window]:
    found = database.committed(_WINDOWS.format(part=part), [model])
    return [Window(end_ms, model, version, "", start_ms) for end_ms, version, start_ms in found]


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
    asked = {"model": model, "version": version, "end_ms": end_ms}
    for name, end, start, body, basis in database.committed(_FIND.format(part=part), asked):
        return Window(end, model, name, "", start), body, basis
    return None


def _packed_rows(sample: Sample, tally: NDArray[np.int64]) -> bytes:
    """And of how many rows it is: a tally counts all of them for each feature."""
    return codec.pack("ROWS", _VERSION, (sample.plain(), int(tally[0].sum())))
