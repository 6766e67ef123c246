"""What the engine was and where it read on: blobs by name, each with a checksum, and offsets by topic and partition.

A statement of MERGE updates blobs in place. To delete them and insert others left 12 times the space behind.
"""

from __future__ import annotations

from collections.abc import Mapping

import pyarrow as pa
import xxhash

from monitor.errors import StateDamagedError
from monitor.events.ids import digest
from monitor.runtime.store.columns import from_rows
from monitor.runtime.store.database import Database
from monitor.runtime.store.directory import REMEDY

_PUT_STATE = """
MERGE INTO piece USING incoming USING (name)
WHEN MATCHED AND incoming.payload IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET payload = incoming.payload, checksum = incoming.checksum
WHEN NOT MATCHED AND incoming.payload IS NOT NULL THEN INSERT
"""

_PUT_POSITIONS = """
MERGE INTO position USING incoming USING (topic, partition)
WHEN MATCHED THEN UPDATE SET next_offset = incoming.next_offset
WHEN NOT MATCHED THEN INSERT
"""


def put_state(database: Database, changes: Mapping[str, bytes | None]) -> None:
    if changes:
        sums = [0 if payload is None else _checksum(name, payload) for name, payload in changes.items()]
        rows = {
            "name": list(changes),
            "payload": pa.array(changes.values(), pa.binary()),
            "checksum": pa.array(sums, pa.uint64()),
        }
        database.write(_PUT_STATE, pa.table(rows))


def state(database: Database) -> dict[str, bytes]:
    pieces = {}
    for name, payload, checksum in database.rows("FROM piece ORDER BY name"):
        if _checksum(name, payload) != checksum:
            raise StateDamagedError(f"The piece {name} of the stored state is not what was written: {REMEDY}")
        pieces[name] = payload
    return pieces


def put_positions(database: Database, positions: Mapping[tuple[str, int], int]) -> None:
    if positions:
        rows = ((*place, next_offset) for place, next_offset in positions.items())
        database.write(_PUT_POSITIONS, from_rows(("topic", "partition", "next_offset"), rows))


def positions(database: Database) -> dict[tuple[str, int], int]:
    found = database.rows("FROM position ORDER BY topic, partition")
    return {(topic, partition): next_offset for topic, partition, next_offset in found}


def _checksum(name: str, payload: bytes) -> int:
    """XXH3-64, seeded by the name: a payload under another piece's name is damage too."""
    return xxhash.xxh3_64_intdigest(payload, seed=digest(name))
