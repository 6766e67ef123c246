"""What all dashboards share: variables, annotations, links, and how one is put together."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.models import dashboard as models

from dashboards.source.panels import DRIFTING, IDLE, OK, SOURCE, Panel
from dashboards.source.promql import Scope

TAG = "model-monitor"
"""Of the dashboards, and of the annotations that `monitor grafana annotate` writes."""

FLEET, MODEL, FEATURE, SERVICE = (f"model-monitor-{name}" for name in ("fleet", "model", "feature", "service"))

ANY = ".*"
"""All of a variable whose label may be missing, as an incident's version."""

WHOLE_TRAFFIC = "^$"
"""All of the segments: a version's whole traffic, which has none."""

GRAFANA = models.DataSourceRef(type_val="grafana", uid="-- Grafana --")

STEP = "1m"
"""The finest that annotations are looked for."""

_CARRIED = "${datasource:queryparam}&${job:queryparam}&${instance:queryparam}&${__url_time_range}"


def to_model(model: str, version: str = "") -> str:
    """Where a model's dashboard is, for the time that is shown. model, version: what Grafana fills in."""
    return _to(MODEL, model=model, **({"version": version} if version else {}))


def to_feature(feature: str, version: str = "", segment: str = "") -> str:
    """The same of a feature of the model that is shown. Without version or segment: those that are chosen."""
    chosen = "" if version else "&${version:queryparam}"
    chosen += "" if segment else "&${segment:queryparam}"
    given = {"version": version, "segment": segment}
    return _to(FEATURE, feature=feature, **{name: value for name, value in given.items() if value}) + (
        "&${model:queryparam}" + chosen
    )


def _to(uid: str, **values: str) -> str:
    return f"/d/{uid}?{_CARRIED}" + "".join(f"&var-{name}={value}" for name, value in values.items())


def variable(
    name: str,
    query: str,
    description: str,
    *,
    label: str = "",
    every: str = "",
    multi: bool = False,
    regex: str = "",
    sort: models.VariableSort = models.VariableSort.ALPHABETICAL_CASE_INSENSITIVE_ASC,
) -> builders.QueryVariable:
    """every: the pattern of All, which is chosen at first; without it one value is."""
    made = builders.QueryVariable(name).label(label or name.capitalize()).description(description)
    made.query(query).datasource(SOURCE).refresh(models.VariableRefresh.ON_TIME_RANGE_CHANGED).sort(sort).multi(multi)
    if regex:
        made.regex(regex)
    if every:
        made.include_all(True).all_value(every)
        chosen = (["All"], ["$__all"]) if multi else ("All", "$__all")
        made.current(models.VariableOption(selected=True, text=chosen[0], value=chosen[1]))
    return made


def targets() -> list[Any]:
    """Data source, job and instance: the first variables of every dashboard."""
    info = "model_monitor_build_info"
    source = builders.DatasourceVariable("datasource").label("Data source").type("prometheus")
    source.description("A Prometheus that scrapes the service.")
    return [
        source.current(models.VariableOption(selected=True, text="Model monitor", value="model-monitor")),
        variable("job", f"label_values({info}, job)", "What scrapes the service.", every=".+", multi=True),
        variable(
            "instance",
            f'label_values({info}{{job=~"$job"}}, instance)',
            "Services, where there are several.",
            every=".+",
            multi=True,
        ),
    ]


def model_variable(*, multi: bool = False) -> builders.QueryVariable:
    query = f"label_values({Scope()('triggers_in_flight')}, model)"
    return variable("model", query, "Models that the services watch.", every=".+" if multi else "", multi=multi)


def version_variable() -> builders.QueryVariable:
    query = f"label_values({Scope()('window_rows', model='$model')}, version)"
    return variable("version", query, "Versions that answer, or have until lately.", every=ANY, multi=True)


def segment_variable() -> builders.QueryVariable:
    query = f"label_values({Scope()('window_rows', model='$model', segment='!')}, segment)"
    return variable(
        "segment",
        query,
        "All: the whole traffic of a version, as one. Else one segment of it.",
        every=WHOLE_TRAFFIC,
    )


class PrometheusAnnotation(models.AnnotationQuery):
    """With what the SDK's has no fields for: texts, and the query as Grafana's Prometheus data source reads it."""

    def __init__(self, name: str, expr: str, colour: str, text: str) -> None:
        super().__init__(name=name, datasource=SOURCE, icon_color=colour, expr=expr)
        self._text = text

    def to_json(self) -> dict[str, object]:
        target = {"refId": "Anno", "expr": self.expr, "interval": STEP, "range": True, "instant": False}
        texts = {"titleFormat": self.name, "textFormat": self._text, "tagKeys": "model,version,cause,result"}
        return {**super().to_json(), **texts, "step": STEP, "target": target}


class _Built:
    def __init__(self, annotation: models.AnnotationQuery) -> None:
        self._annotation = annotation

    def build(self) -> models.AnnotationQuery:
        return self._annotation


def marks(scope: Scope, *tags: str) -> list[Any]:
    """What happened to the models in scope: read from Prometheus, and what was written into Grafana under `tags`.

    Each mark is where something differs from a step before, so that there is one at any zoom; a series that begins, as
    after a restart, is nothing that happened. A version is new where the service was there without it.
    """
    incidents = f"sum without (severity) ({scope('incidents_open')})"
    before = f"sum without (severity) ({scope('incidents_open')} offset $__interval)"
    versions = scope("incidents_open", version="!")
    new = (
        f"group without (cause, severity) ({versions})"
        f" unless group without (cause, severity) ({versions} offset $__interval)"
        f" and on (job, instance) {Scope()('build_info')} offset $__interval"
    )
    steps = scope("triggers_total", result="~requested|accepted|succeeded|failed|expired")
    who = "{{model}} version {{version}}"
    made = [
        PrometheusAnnotation("Incident opened", f"{incidents} > {before}", DRIFTING, f"{who}: {{{{cause}}}}"),
        PrometheusAnnotation("Incident over", f"{before} > {incidents}", OK, f"{who}: {{{{cause}}}}"),
        PrometheusAnnotation(
            "Retraining", f"increase({steps}[$__rate_interval]) > 0", "purple", f"{who}: request {{{{result}}}}"
        ),
        PrometheusAnnotation("New version", new, "blue", who),
    ]
    written = builders.AnnotationQuery().name("Written by monitor grafana annotate").datasource(GRAFANA)
    written.icon_color(IDLE).enable(True)
    written.target(builders.AnnotationTarget().type("tags").tags([TAG, *tags]).match_any(False).limit(200))
    return [*map(_Built, made), written]


def dashboard(
    uid: str, title: str, description: str, since: str, variables: Sequence[Any], happened: Sequence[Any] = ()
) -> builders.Dashboard:
    """Without panels. since: how far back it shows at first."""
    made = builders.Dashboard(title).uid(uid).description(description).tags([TAG]).readonly().refresh("1m")
    made.time(since, "now").tooltip(models.DashboardCursorSync.CROSSHAIR).variables([*targets(), *variables])
    made.annotations(list(happened))
    others = builders.DashboardLink("Model monitor").type(models.DashboardLinkType.DASHBOARDS).tags([TAG])
    return made.link(others.include_vars(True).keep_time(True).as_dropdown(True).icon("external link"))


def filled(made: builders.Dashboard, rows: Mapping[str, Iterable[Panel]]) -> builders.Dashboard:
    """With its panels, under the headings of their rows."""
    for title, panels in rows.items():
        made.with_row(builders.Row(title))
        for panel in panels:
            made.with_panel(panel)
    return made


def text(made: builders.Dashboard) -> str:
    """The file's content. Panels are numbered in their order, so that links to one stay as long as that does."""
    built = made.build()
    for number, panel in enumerate(built.panels or (), start=1):
        panel.id_val = number
    return json.dumps(built, cls=JSONEncoder, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
