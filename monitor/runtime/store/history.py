"""What was read and decided: readings, the steps of incidents, triggers. Written by the loop, paged by the API."""

from __future__ import annotations

from collections.abc import Sequence

from pydantic import TypeAdapter

from monitor.detection.records import IncidentChange, Trigger
from monitor.runtime.store.columns import from_rows
from monitor.runtime.store.database import Database
from monitor.runtime.store.kept import KEPT_MAX
from monitor.statistics.reading import Reading
from monitor.windows.window import Window

_READING_FIELDS = Reading._fields[1:]
_DECISION = ("model", "end_ms", "body")

_change_json = TypeAdapter(IncidentChange)
_trigger_json = TypeAdapter(Trigger)

_READINGS = """
FROM reading WHERE model = $model AND feature = coalesce($feature, feature)
ORDER BY end_ms DESC, version, segment, start_ms, feature, statistic, revision DESC LIMIT $limit OFFSET $offset
"""

_CHANGES = """
SELECT body FROM incident_change WHERE model = coalesce($model, model) AND incident = coalesce($incident, incident)
ORDER BY number DESC LIMIT $limit OFFSET $offset
"""

_TRIGGERS = """
SELECT body FROM trigger WHERE model = coalesce($model, model) AND id = coalesce($trigger, id)
ORDER BY number DESC LIMIT $limit OFFSET $offset
"""

_TABLES = ("reading", "incident_change", "trigger", *(f"kept_{part}" for part in KEPT_MAX))
_EXPIRE = "DELETE FROM {table} WHERE end_ms < ?"


def add_readings(database: Database, readings: Sequence[Reading]) -> None:
    if readings:
        rows = ((*reading.window, *reading[1:]) for reading in readings)
        database.append("reading", from_rows((*Window._fields, *_READING_FIELDS), rows))


def add_incident_changes(database: Database, changes: Sequence[IncidentChange]) -> None:
    if changes:
        rows = (
            (change.incident.id, change.window.model, change.window.end_ms, _change_json.dump_json(change))
            for change in changes
        )
        database.append("incident_change", from_rows(("incident", *_DECISION), rows))


def add_triggers(database: Database, triggers: Sequence[Trigger]) -> None:
    if triggers:
        rows = (
            (trigger.id, trigger.window.model, trigger.window.end_ms, _trigger_json.dump_json(trigger))
            for trigger in triggers
        )
        database.append("trigger", from_rows(("id", *_DECISION), rows))


def readings(database: Database, model: str, feature: str | None, limit: int, offset: int) -> list[Reading]:
    found = database.committed(_READINGS, {"model": model, "feature": feature, "limit": limit, "offset": offset})
    width = len(Window._fields)
    return [Reading(Window(*row[:width]), *row[width:]) for row in found]


def incident_changes(
    database: Database, model: str | None, incident: str | None, limit: int, offset: int
) -> list[IncidentChange]:
    found = database.committed(_CHANGES, {"model": model, "incident": incident, "limit": limit, "offset": offset})
    return [_change_json.validate_json(body) for (body,) in found]


def triggers(database: Database, model: str | None, trigger: str | None, limit: int, offset: int) -> list[Trigger]:
    found = database.committed(_TRIGGERS, {"model": model, "trigger": trigger, "limit": limit, "offset": offset})
    return [_trigger_json.validate_json(body) for (body,) in found]


def expire(database: Database, before_ms: int) -> int:
    return sum(database.delete(_EXPIRE.format(table=table), [before_ms]) for table in _TABLES)
