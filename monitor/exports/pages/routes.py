"""Where each page is, and the files that pages load."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, HTTPException, Query, Request
from fastapi.responses import HTMLResponse, Response

from monitor.exports import report
from monitor.exports.distribution import Compared
from monitor.exports.found import FoundFeature, FoundModel, Newest
from monitor.exports.pages import feature as of_feature
from monitor.exports.pages import model as of_model
from monitor.exports.pages import overview, reference
from monitor.exports.pages.assets import asset
from monitor.exports.resource import Instant, epoch_ms

_KEPT = {"cache-control": "public, max-age=31536000, immutable"}

router = APIRouter(include_in_schema=False, default_response_class=HTMLResponse)

OfVersion = Annotated[str | None, Query()]
OfSegment = Annotated[str, Query()]
OfWindow = Annotated[Instant | None, Query()]


@router.get("/")
def index(snapshot: Newest) -> str:
    return overview.page(snapshot)


@router.get("/docs")
def docs(request: Request) -> str:
    return reference.page(request.app.openapi())


# A model, and a feature, may have slashes in their names.
@router.get("/models/{model:path}/features/{feature:path}")
def feature_page(
    snapshot: Newest,
    model: FoundModel,
    feature: FoundFeature,
    request: Request,
    version: OfVersion = None,
    segment: OfSegment = "",
    window: OfWindow = None,
) -> str:
    def distributed(of_version: str | None, end_ms: int | None) -> Compared:
        found: Compared = request.app.state.distributed(model.name, feature, of_version, end_ms)
        return found

    end_ms = None if window is None else epoch_ms(window)
    return of_feature.page(snapshot, model, feature, distributed, version, segment, end_ms)


@router.get("/models/{model:path}/report")
def report_page(
    model: FoundModel, request: Request, version: OfVersion = None, window: report.OfWindow = None
) -> Response:
    found = report.made(request.app.state.reports, model.name, version, window)
    return HTMLResponse(found.html, headers={"content-security-policy": report.CONTENT_SECURITY_POLICY})


@router.get("/models/{model:path}")
def model_page(
    snapshot: Newest,
    model: FoundModel,
    version: OfVersion = None,
    segment: OfSegment = "",
    features: Annotated[str | None, Query(max_length=200)] = None,
) -> str:
    return of_model.page(snapshot, model, version, segment, features)


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
