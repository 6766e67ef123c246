"""All models at a glance: which one needs somebody, and what for."""

from __future__ import annotations

from grafana_foundation_sdk.builders import dashboard as builders

from dashboards.source import frame
from dashboards.source.panels import (
    NONE_IS_CALM,
    NONE_IS_WELL,
    WATCH,
    Column,
    Line,
    Panel,
    chart,
    figure,
    listing,
    state_column,
    timeline,
)
from dashboards.source.promql import Scope, rate, risen

EVERY = Scope(model="~$model")
VERSIONS = EVERY.narrower(segment="")
A_VERSION = "model, version"

TO_MODEL = ("Its dashboard", frame.to_model("${__field.labels.model}"))
TO_VERSION = ("Its dashboard", frame.to_model("${__data.fields.model}", "${__data.fields.version}"))


def build() -> builders.Dashboard:
    made = frame.dashboard(
        frame.FLEET,
        "Model monitor: all models",
        "Every model that is watched, the worst first. A model's name leads to its own dashboard.",
        "now-24h",
        [frame.model_variable(multi=True)],
        frame.marks(EVERY),
    )
    return frame.filled(made, {"Now": [*_now(), _models()], "Over time": _over_time()})


def _now() -> list[Panel]:
    incidents = EVERY("incidents_open")
    return [
        figure(
            "Models",
            "Models that are configured, with or without traffic.",
            Line(f"count(count by (model) ({EVERY('triggers_in_flight')}))"),
        ),
        figure(
            "Models with an open incident",
            "A model with several counts once. The table below says which.",
            Line(f"sum(sum by (model) ({incidents}) > bool 0)"),
            steps=NONE_IS_WELL,
        ),
        figure(
            "Open incidents by cause",
            "data: values or rows are not as they should be. drift: what is asked or answered has changed. performance:"
            " labels say that the model is worse.",
            Line(f"sum by (cause) ({incidents})", "{{cause}}"),
            steps=NONE_IS_WELL,
            span=6,
        ),
        figure(
            "Features drifting",
            "Of whole traffic, in all versions. Those beyond the series budget are counted, too.",
            Line(f"sum({VERSIONS('drift_features', state='drifting')})"),
            steps=NONE_IS_WELL,
        ),
        figure(
            "Features on watch",
            "Their evidence is half-way to the alarm: a change may be beginning.",
            Line(f"sum({VERSIONS('drift_features', state='watch')})"),
            steps=NONE_IS_CALM,
        ),
        figure(
            "Retrainings asked for",
            "Requests that a pipeline has not done with.",
            Line(f"sum({EVERY('triggers_in_flight')})"),
        ),
        figure(
            "Longest silence",
            "Since the newest event of the model that has been without for longest; a model that is scored in batches"
            " is silent between them.",
            Line(f"max({EVERY.age('last_event_timestamp_seconds', 'model')})"),
            unit="s",
            decimals=0,
            none="no event yet",
        ),
    ]


def _models() -> Panel:
    columns = [
        state_column(VERSIONS.slice_states(A_VERSION)),
        Column("Open incidents", f"sum by ({A_VERSION}) ({EVERY('incidents_open', version='!')})", steps=NONE_IS_WELL),
        Column(
            "Drifting",
            f"sum by ({A_VERSION}) ({VERSIONS('drift_features', state='drifting')})",
            steps=NONE_IS_WELL,
        ),
        Column("On watch", f"sum by ({A_VERSION}) ({VERSIONS('drift_features', state='watch')})", steps=NONE_IS_CALM),
        Column("Performance", VERSIONS.held_to(A_VERSION), decimals=3),
        Column("Drop used", VERSIONS.drop_used(A_VERSION), "percentunit", 0, NONE_IS_CALM),
        Column("Labelled", f"max by ({A_VERSION}) ({VERSIONS('label_coverage_ratio')})", "percentunit", 0),
        Column("Rows", f"sum by ({A_VERSION}) ({VERSIONS('window_rows')})"),
        Column(
            "Window ended",
            f"1000 * max by ({A_VERSION}) ({VERSIONS('window_end_timestamp_seconds')})",
            "dateTimeFromNow",
        ),
    ]
    return listing(
        "Versions, the worst first",
        "State is the gravest of any feature. Performance is of the metric that the model is held to; drop used is how"
        " much of the drop that is no alarm has gone: 0 % as good as the reference, 100 % at the limit. Rows are those"
        " of the last closed window.",
        {"model": "Model", "version": "Version"},
        columns,
        ["Open incidents", "State", "Drop used"],
        links={"model": [TO_VERSION]},
    )


def _over_time() -> list[Panel]:
    return [
        timeline(
            "State",
            "The gravest state of any feature of a version's whole traffic.",
            Line(VERSIONS.slice_states(A_VERSION), "{{model}}, version {{version}}"),
        ),
        chart(
            "Drop used",
            "How much of the drop in performance that is no alarm has gone: 0 % as good as the reference, 100 % at the"
            " limit; below 0 it is better. Beyond the limit it is a fall once the evidence says so: an incident opens.",
            Line(VERSIONS.drop_used(A_VERSION), "{{model}}, version {{version}}"),
            unit="percentunit",
            lowest=None,
            steps=((None, "transparent"), (1, WATCH)),
            links=[TO_MODEL],
        ),
        chart(
            "Open incidents",
            "By model and cause; models without are left out of the picture by a stacked height of 0.",
            Line(f"sum by (model, cause) ({EVERY('incidents_open')})", "{{model}}: {{cause}}"),
            stacked=True,
            decimals=0,
            links=[TO_MODEL],
        ),
        chart(
            "Predictions",
            "Accepted, by model. One that falls to nothing at an hour that is usually busy has lost its source.",
            Line(rate(EVERY("predictions_total"), "model"), "{{model}}"),
            unit="reqps",
            links=[TO_MODEL],
        ),
        chart(
            "Age of the newest event",
            "Event time behind the clock. A line that rises at 45 degrees is a model of which nothing arrives.",
            Line(EVERY.age("last_event_timestamp_seconds", "model"), "{{model}}"),
            unit="s",
            links=[TO_MODEL],
        ),
        chart(
            "Predictions that have a label",
            "In the span that performance is of. Where few have, performance is of those few.",
            Line(f"max by ({A_VERSION}) ({VERSIONS('label_coverage_ratio')})", "{{model}}, version {{version}}"),
            unit="percentunit",
            highest=1,
            links=[TO_MODEL],
        ),
        figure(
            "Retrain requests in the time shown, by what became of them",
            "Each request counts at every step that it has reached. Withheld: none was made; /api/v1/triggers says"
            " why.",
            Line(risen(EVERY("triggers_total"), "result"), "{{result}}"),
            span=24,
        ),
    ]
