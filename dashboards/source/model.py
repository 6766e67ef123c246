"""One model: whether it is still right, what has changed, and whether its data and labels can be trusted."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from dashboards.source import frame
from dashboards.source.panels import (
    ALARM_AT_ONE,
    DRIFTING,
    EVIDENT,
    IDLE,
    NONE_IS_CALM,
    NONE_IS_WELL,
    OK,
    STATE_COLOURS,
    Column,
    Line,
    Panel,
    chart,
    dashed,
    figure,
    fixed,
    listing,
    state_column,
    states,
    timeline,
)
from dashboards.source.promql import LARGEST, STATE_CODES, Scope, quantile, rate

MODEL = Scope(model="$model")
VERSIONS = MODEL.narrower(version="~$version")
WHOLES = VERSIONS.narrower(segment="")
SEGMENTS = VERSIONS.narrower(segment="~$segment")
READINGS = WHOLES.narrower(metric="$metric")

VERSION = "version {{version}}"
FEATURE = "{{feature}}, version {{version}}"
TO_FEATURE = ("Its story", frame.to_feature("${__field.labels.feature}", "${__field.labels.version}"))
TO_ROW = ("Its story", frame.to_feature("${__data.fields.feature}", "${__data.fields.version}"))


def build() -> builders.Dashboard:
    made = frame.dashboard(
        frame.MODEL,
        "Model monitor: a model",
        "One model: whether it is still right, what has changed, and whether its data and labels can be trusted. A"
        " feature's name leads to its story.",
        "now-7d",
        [frame.model_variable(), frame.version_variable(), frame.segment_variable(), _metric()],
        frame.marks(MODEL, "model:$model"),
    )
    rows = {
        "Now": _now(),
        "Is it still right?": _performance(),
        "What has changed?": _drift(),
        "Is its data as it should be?": _quality(),
        "Traffic": _traffic(),
        "Incidents and retraining": _decisions(),
    }
    return frame.filled(made, rows)


def _metric() -> builders.QueryVariable:
    """The metric that the model is held to comes first, and is what is shown at first."""
    held, every = (MODEL(name) for name in ("performance_reference", "performance"))
    query = f"query_result(sort_desc(2 * group by (metric) ({held}) or group by (metric) ({every})))"
    return frame.variable(
        "metric",
        query,
        "Of performance; the one that the model is held to comes first.",
        regex='/metric="([^"]+)"/',
        sort=models.VariableSort.DISABLED,
    )


def _now() -> Iterator[Panel]:
    yield figure(
        "State",
        "The gravest of any feature, in whole traffic.",
        Line(WHOLES.slice_states("")),
        mappings=states(),
    )
    yield figure(
        "Open incidents by cause",
        "data: values or rows are not as they should be. drift: what is asked or answered has changed. performance:"
        " labels say that the model is worse.",
        Line(f"sum by (cause) ({VERSIONS('incidents_open')})", "{{cause}}"),
        steps=NONE_IS_WELL,
        span=6,
    )
    yield figure(
        "Drop used",
        "How much of the drop in performance that is no alarm has gone, of the version that has lost most: 0 % as good"
        " as the reference, 100 % at the limit.",
        Line(WHOLES.drop_used("")),
        unit="percentunit",
        decimals=0,
        steps=NONE_IS_CALM,
        none="no labels, or no reference",
    )
    yield figure(
        "Features drifting",
        "In whole traffic, of the versions that are chosen.",
        Line(f"sum({WHOLES('drift_features', state='drifting')})"),
        steps=NONE_IS_WELL,
    )
    yield figure(
        "Predictions that have a label",
        "In the span that performance is of: the version with fewest.",
        Line(f"min({WHOLES('label_coverage_ratio')})"),
        unit="percentunit",
        decimals=0,
        none="no labels",
    )
    yield figure(
        "Predictions",
        "Accepted, of all versions.",
        Line(rate(MODEL("predictions_total"))),
        unit="reqps",
        decimals=1,
    )
    yield figure(
        "Last window ended",
        "In event time: everything here is as old as that.",
        Line(f"1000 * max({WHOLES('window_end_timestamp_seconds')})"),
        unit="dateTimeFromNow",
        none="none yet",
    )


def _performance() -> Iterator[Panel]:
    names = {"performance": "", "expected": "_estimate", "from": "_lower", "to": "_upper"}
    of_version = READINGS.narrower()
    lines = [Line(f"max ({of_version('performance' + suffix)})", name) for name, suffix in names.items()]
    held = [Line(f"max ({of_version('performance_' + name)})", name) for name in ("reference", "limit")]
    yield (
        chart(
            "$metric of version $version",
            "As labels say, with its 95 % interval, over the newest span that has labels enough; expected: what the"
            " scores alone promise of the newest window, labelled or not, blind to a change of what is true of the same"
            " rows. reference and limit are there for the metric that the model is held to. Where the whole interval is"
            " beyond the limit, an incident is near.",
            *lines,
            *held,
            span=24,
            height=9,
            lowest=None,
            decimals=3,
            styles={
                "performance": fixed("blue", **{"custom.lineWidth": 3}),
                "expected": dashed("purple"),
                "from": fixed("blue", **{"custom.lineWidth": 0}),
                "to": fixed("blue", **{"custom.lineWidth": 0, "custom.fillBelowTo": "from", "custom.fillOpacity": 15}),
                "reference": dashed(OK),
                "limit": dashed(DRIFTING),
            },
        )
        .repeat("version")
        .repeat_direction("h")
        .max_per_row(2)
    )
    yield chart(
        "$metric of versions side by side",
        "Of the versions that are chosen, each over its own span of labelled windows.",
        Line(f"max by (version) ({READINGS('performance')})", VERSION),
        lowest=None,
        decimals=3,
    )
    yield chart(
        "Every metric",
        "As labels say. Those in the model's own units, as errors are, may dwarf the others: choose lines in the"
        " legend.",
        Line(f"max by (metric, version) ({WHOLES('performance')})", "{{metric}}, " + VERSION),
        lowest=None,
        decimals=3,
    )
    yield chart(
        "Predictions that have a label",
        "In the span that performance is of. Where few have, performance is of those few.",
        Line(f"max by (version) ({WHOLES('label_coverage_ratio')})", VERSION),
        unit="percentunit",
        highest=1,
        span=6,
    )
    yield chart(
        "Labels that performance is of",
        "More labels make its interval narrower.",
        Line(f"max by (version) ({WHOLES('performance_labels')})", VERSION),
        span=6,
    )
    yield chart(
        "Labels by what became of them",
        "matched: joined with their prediction. waiting: came first. expired: none came. conflict and unknown cannot be"
        " used: another partition differs, or no class of the model.",
        Line(rate(MODEL("labels_total"), "result"), "{{result}}"),
        unit="cps",
        span=6,
    )
    yield chart(
        "How late labels are",
        "From a prediction to its first label, exact to within the histogram's cell; and how far behind the clock the"
        " span ends that performance is of.",
        Line(quantile(0.5, MODEL("label_delay_seconds_bucket")), "half come within"),
        Line(quantile(0.95, MODEL("label_delay_seconds_bucket")), "95 % come within"),
        Line(WHOLES.age("performance_window_end_timestamp_seconds"), "performance is of before"),
        unit="s",
        span=6,
    )


def _drift() -> Iterator[Panel]:
    keys = {"feature": "Feature", "version": "Version"}
    by = ", ".join(keys)
    scale = {"custom.cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0}
    columns = [
        state_column(SEGMENTS.feature_states(by)),
        Column("Effect", f"max by ({by}) ({SEGMENTS('drift_effect')})", decimals=3, properties=scale),
        Column("Noise floor", f"max by ({by}) ({SEGMENTS('drift_noise_floor')})", decimals=3),
        Column("Tolerance", f"max by ({by}) ({WHOLES('drift_tolerance')})", decimals=3),
        Column("Evidence", f"max by ({by}) ({SEGMENTS('drift_evidence_ratio')})", "sci", 1, NONE_IS_WELL),
        Column("Smallest found", f"max by ({by}) ({SEGMENTS('drift_detectable_effect')})", decimals=3),
        Column("Missing", f"max by ({by}) ({WHOLES('feature_missing_ratio')})", "percentunit", 1),
        Column("Unseen", f"max by ({by}) ({WHOLES('feature_unseen_ratio')})", "percentunit", 1),
        Column("Out of range", f"max by ({by}) ({WHOLES('feature_out_of_range_ratio')})", "percentunit", 1),
        Column(
            "Last tested",
            f"1000 * max by ({by}) ({SEGMENTS('drift_last_tested_timestamp_seconds')})",
            "dateTimeFromNow",
        ),
    ]
    yield listing(
        "Features, the worst first",
        "Effect and tolerance are in PSI units: 0.02 is hardly worth a look, 0.1 moderate, 0.25 major. The noise floor"
        " is what chance alone gives at the window's size. Evidence alarms at 1. Smallest found: the smallest change"
        " that windows of the usual size would show. @prediction and @score are what the model answers.",
        keys,
        columns,
        ["State", "Evidence", "Effect"],
        links={"feature": [TO_ROW]},
    )
    yield timeline(
        f"State of the {2 * LARGEST} features that have most evidence",
        "Of the whole traffic, or of the segment that is chosen.",
        Line(f"{SEGMENTS.feature_states(by)} and {SEGMENTS.most_evident(by)}", FEATURE),
        height=10,
    )
    yield chart(
        "Features by state",
        "All of them, those beyond the series budget included.",
        Line(f"sum by (state) ({SEGMENTS('drift_features')})", "{{state}}"),
        stacked=True,
        decimals=0,
        height=10,
        styles={state: fixed(STATE_COLOURS.get(state, IDLE)) for state in STATE_CODES},
    )
    yield chart(
        f"Effect of the {LARGEST} features that moved most",
        "De-biased size of the drift in PSI units: 0.1 is moderate, 0.25 major. A feature's own dashboard shows it"
        " beside its noise floor.",
        Line(SEGMENTS.largest("drift_effect"), FEATURE),
        decimals=3,
        links=[TO_FEATURE],
    )
    yield chart(
        f"Evidence of the {LARGEST} features that have most",
        "Over the alarm's limit, which is at 1. It grows by powers: each step of the axis is ten times as much.",
        Line(SEGMENTS.largest("drift_evidence_ratio"), FEATURE),
        unit="sci",
        logarithmic=True,
        lowest=EVIDENT,
        steps=ALARM_AT_ONE,
        links=[TO_FEATURE],
    )
    yield listing(
        "Segments, the worst first",
        "Each part of the traffic that is watched for itself, beside the whole.",
        {"segment": "Segment", "version": "Version"},
        _segments(),
        ["State", "Drifting", "Rows"],
        height=7,
    )


def _segments() -> list[Column]:
    def by_segment(expr: str) -> str:
        return f'label_replace({expr}, "segment", "whole traffic", "segment", "")'

    rest = Column(
        "Rows",
        by_segment(f"sum by (segment, version) ({VERSIONS('window_rows')})"),
        properties={"custom.cellOptions": {"type": "gauge", "mode": "basic"}, "min": 0},
    )
    counted = {"Drifting": ("drifting", NONE_IS_WELL), "On watch": ("watch", NONE_IS_CALM)}
    return [
        state_column(by_segment(VERSIONS.slice_states("segment, version"))),
        *(
            Column(
                title,
                by_segment(f"sum by (segment, version) ({VERSIONS('drift_features', state=state)})"),
                steps=steps,
            )
            for title, (state, steps) in counted.items()
        ),
        rest,
    ]


def _quality() -> Iterator[Panel]:
    shown = {
        "missing": ("Missing", "Rows without a value"),
        "invalid": ("Invalid", "Rows whose value is of the wrong type or not finite"),
        "unseen": ("Unseen", "Rows with a category that the reference does not know"),
        "out_of_range": ("Out of range", "Rows with a number outside the reference's range"),
    }
    for name, (title, meaning) in shown.items():
        yield chart(
            title,
            f"{meaning}, in whole traffic: the {LARGEST} features with most.",
            Line(WHOLES.largest(f"feature_{name}_ratio"), FEATURE),
            unit="percentunit",
            links=[TO_FEATURE],
        )


def _traffic() -> Iterator[Panel]:
    latency = MODEL("prediction_latency_seconds_bucket")
    yield chart(
        "Predictions",
        "Accepted, of all versions: these are named by who sends them.",
        Line(rate(MODEL("predictions_total")), "predictions"),
        unit="reqps",
        span=6,
    )
    yield chart(
        "Rows of each window",
        "By version: how the traffic is shared. A window of too few rows tests little.",
        Line(f"max by (version) ({SEGMENTS('window_rows')})", VERSION),
        span=6,
    )
    yield chart(
        "Latency of the model",
        "As its events say, of accepted predictions; exact to within the histogram's cell.",
        Line(quantile(0.5, latency), "half answer within"),
        Line(quantile(0.95, latency), "95 %"),
        Line(quantile(0.99, latency), "99 %"),
        unit="s",
        span=6,
    )
    yield chart(
        "How old what is shown is",
        "Behind the clock, in event time: the newest event, and the watermark up to which windows are closed.",
        Line(MODEL.age("last_event_timestamp_seconds"), "newest event"),
        Line(MODEL.age("watermark_timestamp_seconds"), "watermark"),
        unit="s",
        span=6,
    )


def _decisions() -> Iterator[Panel]:
    severities = {".*major": fixed(DRIFTING), ".*moderate": fixed("orange"), ".*minor": fixed("yellow")}
    yield chart(
        "Open incidents",
        "By cause and severity, over all segments. Those of no version concern the whole model.",
        Line(f"sum by (cause, severity) ({VERSIONS('incidents_open')})", "{{cause}}, {{severity}}"),
        stacked=True,
        decimals=0,
        styles=severities,
    )
    yield chart(
        "Retrain requests by what became of them",
        "Steps that requests have taken, and requests that were withheld, for a reason that /api/v1/triggers gives. in"
        " flight: the pipeline has not done with it.",
        Line(
            f"sum by (result) (increase({VERSIONS('triggers_total')}[$__rate_interval]))",
            "{{result}}",
        ),
        Line(f"sum({MODEL('triggers_in_flight')})", "in flight"),
        bars=True,
        decimals=0,
        styles={"in flight": fixed(IDLE, **{"custom.drawStyle": "line", "custom.lineInterpolation": "stepAfter"})},
    )
