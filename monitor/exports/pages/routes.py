"""Where each page is, and the files that pages load."""

from __future__ import annotations

import time
from typing import Annotated
from urllib.parse import parse_qsl

from fastapi import APIRouter, Depends, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response
from fastapi.routing import APIRoute

from monitor import addresses
from monitor.engine import Acknowledge, Approve
from monitor.exports import report
from monitor.exports.distribution import Compared
from monitor.exports.found import (
    Back,
    FoundFeature,
    FoundIncident,
    FoundModel,
    FoundTrigger,
    FoundWindow,
    Newest,
    OfModel,
    OfState,
    OfVersion,
    OfWindow,
    OnlyOpen,
)
from monitor.exports.orders import TEXT_MAX, answered, carried_out
from monitor.exports.pages import feature as of_feature
from monitor.exports.pages import incident as of_incident
from monitor.exports.pages import incidents, overview, reference, triggers
from monitor.exports.pages import model as of_model
from monitor.exports.pages import trigger as of_trigger
from monitor.exports.pages.assets import asset
from monitor.exports.resource import epoch_ms

_KEPT = {"cache-control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

OfSegment = Annotated[str, Query()]
Offset = Annotated[int, Query(ge=0, description="Entries to skip.")]


async def _body(request: Request) -> bytes:
    return await request.body()


def _note(body: Annotated[bytes, Depends(_body)]) -> str:
    """What a form says of who looks after an incident."""
    other = HTTPException(422, "the form has fields that it should not have: send `note` alone")
    try:
        fields = dict(parse_qsl(body.decode("utf-8", "replace"), keep_blank_values=True, max_num_fields=1))
    except ValueError:
        raise other from None
    if not fields.keys() <= {"note"}:
        raise other
    note = fields.get("note", "").strip()
    if len(note) > TEXT_MAX:
        raise HTTPException(422, f"the note is longer than {TEXT_MAX:,} characters: shorten it")
    return note


@router.get("/")
def index(snapshot: Newest, offset: Offset = 0) -> str:
    return overview.page(snapshot, int(1000 * time.time()), offset)


@router.get("/docs")
def docs(request: Request) -> str:
    return reference.page(request.app.openapi())


# A model, and a feature, may have slashes in their names.
@router.get("/models/{model:path}/features/{feature:path}")
def feature_page(
    snapshot: Newest,
    model: FoundModel,
    feature: FoundFeature,
    behind: Back,
    version: OfVersion = None,
    segment: OfSegment = "",
    window: OfWindow = None,
) -> str:
    def distributed(of_version: str | None, end_ms: int | None) -> Compared:
        return behind.distributed(model.name, feature, of_version, end_ms)

    end_ms = None if window is None else epoch_ms(window)
    return of_feature.page(snapshot, model, feature, distributed, version, segment, end_ms)


@router.get("/models/{model:path}/report")
def report_page(model: FoundModel, window: FoundWindow, behind: Back) -> Response:
    found = report.made(lambda: behind.report(model.name, *window))
    return HTMLResponse(found.html, headers={"content-security-policy": report.CONTENT_SECURITY_POLICY})


@router.get("/models/{model:path}")
def model_page(
    snapshot: Newest,
    model: FoundModel,
    version: OfVersion = None,
    segment: OfSegment = "",
    window: OfWindow = None,
    features: Annotated[str | None, Query(max_length=200)] = None,
) -> str:
    return of_model.page(snapshot, model, version, segment, None if window is None else epoch_ms(window), features)


@router.get("/incidents")
def incidents_page(snapshot: Newest, model: OfModel = None, only_open: OnlyOpen = None, offset: Offset = 0) -> str:
    return incidents.page(snapshot, model, only_open, offset)


@router.get("/incidents/{incident}")
def incident_page(found: FoundIncident, snapshot: Newest, behind: Back) -> str:
    steps = answered(lambda: behind.steps(found[1].id))
    return of_incident.page(snapshot.service, *found, steps)


# Orders that a page's form gives. The guard refuses those of other servers' pages, also where a browser remembers the
# token; the answer leads back, so that to load the page again does not give the order again.
@router.post("/incidents/{incident}/acknowledge")
def acknowledge(found: FoundIncident, note: Annotated[str, Depends(_note)], behind: Back) -> Response:
    carried_out(behind.obey, Acknowledge(found[1].id, note))
    return RedirectResponse(addresses.incident_page(found[1].id), 303)


@router.get("/triggers")
def triggers_page(snapshot: Newest, model: OfModel = None, state: OfState = None, offset: Offset = 0) -> str:
    return triggers.page(snapshot, model, state, offset)


@router.get("/triggers/{trigger}")
def trigger_page(found: FoundTrigger, snapshot: Newest, behind: Back) -> str:
    request = answered(lambda: behind.request(found[1].trigger.id))
    return of_trigger.page(snapshot.service, *found, request)


@router.post("/triggers/{trigger}/approve")
def approve(found: FoundTrigger, behind: Back) -> Response:
    carried_out(behind.obey, Approve(found[1].trigger.id))
    return RedirectResponse(addresses.trigger_page(found[1].trigger.id), 303)


@router.get("/assets/{digest}/{name}")
def file(digest: str, name: str, request: Request) -> Response:
    try:
        found = asset(name)
    except KeyError:
        raise HTTPException(404) from None
    if found.digest != digest:  # Of a page that an older version rendered.
        raise HTTPException(404)
    headers = _KEPT | {"vary": "accept-encoding"}
    if "gzip" in request.headers.get("accept-encoding", ""):
        return Response(found.compressed, media_type=found.media_type, headers=headers | {"content-encoding": "gzip"})
    return Response(found.body, media_type=found.media_type, headers=headers)


for _route in router.routes:  # Whoever asks whether a page is there is answered; the server leaves out the body.
    if isinstance(_route, APIRoute) and _route.methods == {"GET"}:
        _route.methods = {"GET", "HEAD"}
