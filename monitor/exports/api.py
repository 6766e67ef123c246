"""The HTTP API: what is shown is read from the newest snapshot; orders are handed to the loop, which answers them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from fastapi import APIRouter, Depends, FastAPI, HTTPException, Query, Request
from fastapi.responses import JSONResponse, Response

from monitor import __version__
from monitor.config.server import SERIES_BUDGET
from monitor.engine import Acknowledge, Approve
from monitor.exports import (
    backup,
    comparison,
    decisions,
    distribution,
    orders,
    problems,
    prometheus,
    report,
    resources,
)
from monitor.exports.behind import NOTHING, Behind
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
    incidents,
    triggers,
)
from monitor.exports.guard import BODY_MAX_BYTES, Guard, own_names
from monitor.exports.latest import Finder
from monitor.exports.pages import routes
from monitor.exports.picture import picture
from monitor.exports.resource import Item, Page, epoch_ms
from monitor.snapshot import Snapshot

LIMIT_MAX = 500

_Entry = TypeVar("_Entry")


def create_app(
    current: Callable[[], Snapshot],
    behind: Behind = NOTHING,
    *,
    host: str = "127.0.0.1",
    series_budget: int = SERIES_BUDGET,
    body_max_bytes: int = BODY_MAX_BYTES,
    token: str | None = None,
    public_url: str | None = None,
) -> FastAPI:
    """The application over the snapshot that `current` returns.

    host: the address it is bound to; on a loopback address only requests for that name are answered, or for that of
    public_url. token: what everybody has to know who asks; None: all may.
    """
    app = FastAPI(
        title="model-monitor",
        version=__version__,
        description="Drift and accuracy of machine-learning models.",
        docs_url=None,  # FastAPI's own pages load scripts from a CDN.
        redoc_url=None,
    )
    app.state.current = current
    app.state.behind = behind
    app.state.scrapes = prometheus.Scrapes(current, series_budget)
    public = urlsplit(public_url).netloc if public_url else None
    app.add_middleware(Guard, names=own_names(host), body_max_bytes=body_max_bytes, token=token, public=public)
    problems.add_handlers(app)
    app.include_router(_service)
    app.include_router(routes.router)
    app.include_router(_api)
    return app


@dataclass(frozen=True, slots=True)
class Paging:
    """Which part of a list is asked for."""

    request: Request
    limit: Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Most items to answer with.")] = 100
    offset: Annotated[int, Query(ge=0, description="Items to skip.")] = 0

    def page(self, entries: Sequence[_Entry], made: Callable[[_Entry], Item]) -> Page[Item]:
        """The part of `entries` that is asked for; no other entry is `made` into an item."""
        end = self.offset + self.limit
        items = [made(entry) for entry in entries[self.offset : end]]
        return Page(items=items, total=len(entries), next=self._link(end) if end < len(entries) else None)

    def _link(self, offset: int) -> str:
        query = dict(self.request.query_params) | {"offset": str(offset), "limit": str(self.limit)}
        return f"{quote(self.request.scope['path'])}?{urlencode(query)}"


Paged = Annotated[Paging, Depends()]
OfSegment = Annotated[str | None, Query(description="Of this segment only; empty for whole traffic.")]

_service = APIRouter(responses=problems.RESPONSES)
_api = APIRouter(prefix="/api/v1", responses=problems.RESPONSES)


@_service.get("/livez")
async def livez() -> resources.Health:
    """Whether the process answers."""
    return resources.Health(status="alive")


@_service.get("/readyz", response_model=resources.Health)
async def readyz(request: Request, snapshot: Newest) -> resources.Health | JSONResponse:
    """Whether events are being read; 503 where they are not, and to who brings the token the reason, which may name
    brokers and topics.
    """
    reason = snapshot.service.not_ready
    if reason is not None:
        return problems.problem(503, reason if request.state.known else "no events are read; the token shows why")
    return resources.Health(status="ready")


@_service.get("/metrics", response_class=Response)
def metrics(request: Request) -> Response:
    """The snapshot in the Prometheus text format, or in OpenMetrics where it is asked for."""
    body, content_type = request.app.state.scrapes.scrape(request.headers.get("accept", ""))
    return Response(body, headers={"content-type": content_type})


@_api.get("/models")
def list_models(snapshot: Newest, paging: Paged) -> Page[resources.Model]:
    """Every model, by name."""
    return paging.page(sorted(snapshot.models.values(), key=lambda model: model.name), resources.Model.of)


@_api.get("/backup", response_class=Response)
def back_up(behind: Back) -> Response:
    """All that is kept, as of the last commit: a tar archive of the files that an empty state directory begins with.
    `monitor state backup` makes one file of it and tries that it can be read. 503 while another is under way.
    """
    return backup.answer(orders.answered(behind.copy))


# A model may be named `team/fraud`: the longer paths come first, so that a name may hold slashes.
@_api.get("/models/{model:path}/windows")
def list_windows(
    model: FoundModel, paging: Paged, version: OfVersion = None, segment: OfSegment = None
) -> Page[resources.WindowSummary]:
    """The closed windows of one model that are still held, newest first."""
    performance = {view.window: view for view in model.performance}
    windows = [
        view
        for view in reversed(model.windows)
        if version in (None, view.window.version) and segment in (None, view.window.segment)
    ]
    return paging.page(windows, lambda view: resources.WindowSummary.of(view, performance.get(view.window)))


@_api.get("/models/{model:path}/features/{feature:path}/distribution")
def show_distribution(
    model: FoundModel,
    feature: FoundFeature,
    behind: Back,
    version: OfVersion = None,
    window: OfWindow = None,
) -> distribution.FeatureDistribution:
    """How the values of one feature, or `@prediction` or `@score`, were distributed in one closed window, and in the
    reference that it was compared with.
    """
    end_ms = None if window is None else epoch_ms(window)
    found = orders.answered(lambda: behind.distributed(model.name, feature, version, end_ms))
    return distribution.FeatureDistribution.of_window(found)


@_api.get("/models/{model:path}/features/{feature:path}")
def show_feature(model: FoundModel, feature: FoundFeature, paging: Paged) -> Page[resources.FeatureWindow]:
    """One feature, or `@prediction`, `@score` or `@correlation`, in the closed windows still held, newest first."""
    finder = Finder(feature)
    return paging.page(model.windows[::-1], lambda view: resources.FeatureWindow.of(view, finder))


@_api.get("/models/{model:path}/comparison")
def compare_versions(
    model: FoundModel,
    champion: Annotated[str, Query(description="Version in use.")],
    challenger: Annotated[str, Query(description="Version that may take its place.")],
    behind: Back,
) -> comparison.VersionComparison:
    """Whether one version is better than another, on the labelled requests that both answered."""
    found = orders.answered(lambda: behind.compare(model.name, champion, challenger))
    return comparison.VersionComparison.of(model.name, champion, challenger, found)


@_api.get("/models/{model:path}/report")
def show_report(model: FoundModel, window: FoundWindow, behind: Back) -> report.WindowReport:
    """Evidently's report on a window, of a sample of its rows: it takes seconds. 404 where no rows are kept of it, 503
    while another one is made.
    """
    return report.WindowReport.of_report(report.made(lambda: behind.report(model.name, *window)))


@_api.get("/models/{model:path}")
def show_model(model: FoundModel) -> resources.ModelDetail:
    """One model, with the standing of each version and segment."""
    return resources.ModelDetail.of(model)


@_api.get("/incidents")
def list_incidents(
    snapshot: Newest, paging: Paged, model: OfModel = None, only_open: OnlyOpen = None
) -> Page[decisions.Incident]:
    """Incidents of all models, newest first."""
    return paging.page(incidents(snapshot, model, only_open), decisions.Incident.of)


@_api.get("/incidents/{incident}")
def show_incident(found: FoundIncident, behind: Back) -> decisions.IncidentDetail:
    """One incident, and how it came to this."""
    return decisions.IncidentDetail.of(found[1], orders.answered(lambda: behind.steps(found[1].id)))


@_api.get("/incidents/{incident}/picture.png", response_class=Response)
def show_picture(found: FoundIncident) -> Response:
    """What the incident is about over the last windows, and when it began, as a small picture."""
    drawn = picture(*found)
    if drawn is None:
        raise HTTPException(404, "the incident's windows are no longer held, so that there is nothing to draw")
    return Response(drawn, media_type="image/png", headers={"cache-control": "max-age=60"})


@_api.post("/incidents/{incident}/acknowledge")
def acknowledge(incident: str, asked: orders.Acknowledgement, behind: Back) -> orders.Done:
    """Say that somebody looks after an incident: what goes wrong from now on is another one."""
    return orders.carried_out(behind.obey, Acknowledge(incident, asked.note))


@_api.post("/models/{model:path}/rebaseline")
def rebaseline(model: FoundModel, asked: orders.NewNormal, behind: Back) -> orders.Done:
    """Accept a new normal: from the next window on, recent data is the reference, and evidence starts again."""
    return orders.carried_out(behind.obey, asked.of(model.name))


@_api.post("/models/{model:path}/versions")
def register(model: FoundModel, asked: orders.NewVersion, behind: Back) -> orders.Done:
    """Register a version with its reference: from its next window on it is judged by that."""
    return orders.carried_out(behind.obey, asked.of(model.name))


@_api.get("/triggers")
def list_triggers(
    snapshot: Newest, paging: Paged, model: OfModel = None, state: OfState = None
) -> Page[decisions.Trigger]:
    """Retrain decisions of all models, newest first."""
    return paging.page(
        triggers(snapshot, model, state), lambda life: decisions.Trigger.of(life, snapshot.service.delivery)
    )


@_api.post("/triggers")
def send_trigger(asked: orders.ByHand, behind: Back) -> orders.Done:
    """Ask for a retrained model by hand, whatever cool-down, budget and labels would say; 409 while a request is in
    flight, or the data is wrong and it is not forced.
    """
    return orders.carried_out(behind.obey, asked.of())


@_api.get("/triggers/{trigger}")
def show_trigger(found: FoundTrigger, snapshot: Newest) -> decisions.Trigger:
    """One retrain decision, and where its messages stand."""
    return decisions.Trigger.of(found[1], snapshot.service.delivery)


@_api.post("/triggers/{trigger}/approve")
def approve(trigger: str, behind: Back) -> orders.Done:
    """Send a trigger that was withheld; again, where it was sent before, changes nothing."""
    return orders.carried_out(behind.obey, Approve(trigger))


@_api.post("/triggers/{trigger}/status")
def take_status(trigger: str, said: orders.Progress, behind: Back) -> orders.Done:
    """A pipeline says how far it is: `links.status` of the request leads here. The same again changes nothing; 409
    where it would be a step back.
    """
    return orders.carried_out(behind.obey, said.of(trigger))
