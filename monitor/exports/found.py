"""What a request is about, found in the newest snapshot."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, HTTPException, Query, Request

from monitor.detection.life import Life, TriggerState
from monitor.detection.records import Incident
from monitor.events.batch import CORRELATION, OUTPUTS, ROWS
from monitor.exports.behind import Behind
from monitor.exports.resource import Instant, epoch_ms
from monitor.exports.text import clean, named
from monitor.snapshot import ModelView, Snapshot


async def _newest(request: Request) -> Snapshot:
    snapshot: Snapshot = request.app.state.current()
    return snapshot


async def _behind(request: Request) -> Behind:
    behind: Behind = request.app.state.behind
    return behind


Newest = Annotated[Snapshot, Depends(_newest)]
Back = Annotated[Behind, Depends(_behind)]
OfModel = Annotated[str | None, Query(description="Of this model only.")]
OfState = Annotated[TriggerState | None, Query(description="In this state only.")]
OfVersion = Annotated[str | None, Query(description="Of this version only.")]
OfWindow = Annotated[Instant | None, Query(description="Of the window that ends then; the newest if not given.")]
OfIncident = Annotated[str | None, Query(description="Of the newest window that this incident was seen in.")]
OnlyOpen = Annotated[bool | None, Query(alias="open", description="Only those that are open, or only those closed.")]


def incidents(snapshot: Snapshot, model: str | None, only_open: bool | None) -> list[Incident]:
    """Those that are asked for, newest first."""
    found = [
        incident
        for view in snapshot.models.values()
        for incident in view.incidents
        if model in (None, view.name) and only_open in (None, incident.open)
    ]
    return sorted(found, key=lambda incident: (-incident.opened.end_ms, incident.id))


def triggers(snapshot: Snapshot, model: str | None, state: TriggerState | None) -> list[Life]:
    """Those that are asked for, newest first."""
    found = [
        life
        for view in snapshot.models.values()
        for life in view.triggers
        if model in (None, view.name) and state in (None, life.state)
    ]
    return sorted(found, key=lambda life: (-life.trigger.window.end_ms, life.trigger.id))


def _find_model(model: str, snapshot: Newest) -> ModelView:
    found = snapshot.models.get(model)
    if found is None:
        raise HTTPException(404, f"there is no such model; the configured ones: {named(sorted(snapshot.models))}")
    return found


def _find_feature(feature: str, model: Annotated[ModelView, Depends(_find_model)]) -> str:
    """Its name as the model has it: in an address, lone surrogates are spelled out."""
    for name in (*model.features, *OUTPUTS, ROWS, CORRELATION):
        if feature in (name, clean(name)):
            return name
    raise HTTPException(404, f"the model has no such feature; it has: {named(sorted(model.features))}")


def _find_incident(incident: str, snapshot: Newest) -> tuple[ModelView, Incident]:
    for view in snapshot.models.values():
        for candidate in view.incidents:
            if candidate.id == incident:
                return view, candidate
    raise HTTPException(404, "there is no such incident; /api/v1/incidents lists those that are still held")


def _find_trigger(trigger: str, snapshot: Newest) -> tuple[ModelView, Life]:
    for view in snapshot.models.values():
        for candidate in view.triggers:
            if candidate.trigger.id == trigger:
                return view, candidate
    raise HTTPException(404, "there is no such trigger; /api/v1/triggers lists those that are still held")


def _find_window(
    model: Annotated[ModelView, Depends(_find_model)],
    version: OfVersion = None,
    window: OfWindow = None,
    incident: OfIncident = None,
) -> tuple[str | None, int | None]:
    if incident is None:
        return version, None if window is None else epoch_ms(window)
    if window is not None:
        raise HTTPException(422, "a window is named by its end or by an incident: leave out `window` or `incident`")
    for candidate in model.incidents:
        if candidate.id == incident:
            return candidate.latest.version, candidate.latest.end_ms
    raise HTTPException(404, "the model has no such incident; /api/v1/incidents lists those that are still held")


FoundFeature = Annotated[str, Depends(_find_feature)]
FoundWindow = Annotated[tuple[str | None, int | None], Depends(_find_window)]
"""Version and end of the window that is asked for; None where any, or the newest, will do."""
FoundModel = Annotated[ModelView, Depends(_find_model)]
FoundIncident = Annotated[tuple[ModelView, Incident], Depends(_find_incident)]
FoundTrigger = Annotated[tuple[ModelView, Life], Depends(_find_trigger)]
