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
from monitor.windows.window import Place

_PUT_STATE = """
MERGE INTO piece USING incoming USING (name)
WHEN MATCHED AND incoming.payload IS NULL THEN DELETE
WHEN MATCHED THEN UPDATE SET payload = incoming.payload, checksum = incoming.checksum
WHEN NOT MATCHED AND incoming.payload IS NOT NULL THEN INSERT
"""

_PUT_POSITIONS = """
MERGE INTO position USING incoming USING (topic, partition)
WHEN MATCHED THEN UPDATE SET next_offset = incoming.next_offset, topic_id = incoming.topic_id
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


def put_positions(database: Database, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
    if positions:
        rows = ((*place, next_offset, topic_ids.get(place)) for place, next_offset in positions.items())
        database.write(_PUT_POSITIONS, from_rows(("topic", "partition", "next_offset", "topic_id"), rows))


def positions(database: Database) -> tuple[dict[Place, int], dict[Place, str]]:
    found = database.rows("FROM position ORDER BY topic, partition")
    next_offset = {(topic, partition): offset for topic, partition, offset, _ in found}
    return next_offset, {(topic, partition): topic_id for topic, partition, _, topic_id in found if topic_id}


def _checksum(name: str, payload: bytes) -> int:
    """XXH3-64, seeded by the name: a payload under another piece's name is damage too."""
    return xxhash.xxh3_64_intdigest(payload, seed=digest(name))
