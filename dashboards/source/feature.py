"""One feature: its story over time."""

from __future__ import annotations

from collections.abc import Iterator

from grafana_foundation_sdk.builders import dashboard as builders
from grafana_foundation_sdk.models import dashboard as models

from dashboards.source import frame
from dashboards.source.panels import (
    ALARM_AT_ONE,
    EVIDENT,
    IDLE,
    NONE_IS_WELL,
    WATCH,
    Line,
    Panel,
    chart,
    dashed,
    figure,
    fixed,
    states,
    timeline,
)
from dashboards.source.promql import Scope

MODEL = Scope(model="$model")
VERSIONS = MODEL.narrower(version="~$version")
SLICES = VERSIONS.narrower(segment="~$segment")
HERE = SLICES.narrower(feature="$feature")
WHOLES = VERSIONS.narrower(segment="", feature="$feature")
PARTS = VERSIONS.narrower(feature="$feature")

VERSION = "version {{version}}"
SHOWN = ["psi", "jensen_shannon", "hellinger"]


def build() -> builders.Dashboard:
    made = frame.dashboard(
        frame.FEATURE,
        "Model monitor: a feature",
        "One feature of a model, or what it answers: how it has moved, how sure that is, and what its values are like.",
        "now-7d",
        [frame.model_variable(), frame.version_variable(), frame.segment_variable(), _feature(), _statistic()],
        frame.marks(MODEL, "model:$model"),
    )
    back = builders.DashboardLink("Its model").url("/d/" + frame.MODEL).include_vars(True).keep_time(True)
    made.link(back)
    rows = {"Now": _now(), "Has it moved?": _moved(), "What are its values like?": _values(), "Where?": _where()}
    return frame.filled(made, rows)


def _feature() -> builders.QueryVariable:
    """Those that are watched for drift, and those whose data quality alone is read."""
    watched = MODEL.selector(__name__="~model_monitor_(drift_state|feature_missing_ratio)")
    return frame.variable(
        "feature", f"label_values({watched}, feature)", "Features, and what the model answers: @prediction, @score."
    )


def _statistic() -> builders.QueryVariable:
    """Those that are of one scale are shown at first: others would dwarf them."""
    made = frame.variable(
        "statistic",
        f"label_values({MODEL('drift_score')}, statistic)",
        "Of the chart of scores. Each has a unit of its own.",
        multi=True,
    )
    return made.current(models.VariableOption(selected=True, text=SHOWN, value=SHOWN))


def _now() -> Iterator[Panel]:
    yield figure(
        "State",
        "drifting: an alarm stands. watch: evidence is half-way to it. learning, insufficient, untestable: nothing can"
        " be said yet, or of so few rows.",
        Line(HERE.feature_states("")),
        mappings=states(),
    )
    yield figure(
        "Effect",
        "De-biased size of the drift in PSI units: 0.1 is moderate, 0.25 major.",
        Line(f"max({HERE('drift_effect')})"),
        decimals=3,
        none="not tested",
    )
    yield figure(
        "Noise floor",
        "Effect that chance alone gives at this window's size.",
        Line(f"max({HERE('drift_noise_floor')})"),
        decimals=3,
        none="not tested",
    )
    yield figure(
        "Tolerance",
        "Largest difference that nobody cares about, as configured.",
        Line(f"max({WHOLES('drift_tolerance')})"),
        decimals=3,
        none="not watched",
    )
    yield figure(
        "Evidence",
        "Over the alarm's limit: the alarm is at 1.",
        Line(f"max({HERE('drift_evidence_ratio')})"),
        unit="sci",
        decimals=1,
        steps=NONE_IS_WELL,
        none="not watched",
    )
    yield figure(
        "Smallest change found",
        "What windows of the usual size would show, in PSI units.",
        Line(f"max({HERE('drift_detectable_effect')})"),
        decimals=3,
        none="unknown",
    )
    yield figure(
        "Last tested",
        "End of the newest window that held enough rows, in event time.",
        Line(f"1000 * max({HERE('drift_last_tested_timestamp_seconds')})"),
        unit="dateTimeFromNow",
        none="never",
    )
    yield figure(
        "Rows of the last window",
        "Of the versions that are chosen, in whole traffic or the segment.",
        Line(f"sum({SLICES('window_rows')})"),
        none="no window yet",
    )


def _moved() -> Iterator[Panel]:
    lines = {
        "effect": HERE("drift_effect"),
        "noise floor": HERE("drift_noise_floor"),
        "tolerance": WHOLES("drift_tolerance"),
        "smallest found": HERE("drift_detectable_effect"),
    }
    yield timeline(
        "State",
        "Of each version, in whole traffic or the segment that is chosen.",
        Line(HERE.feature_states("version"), VERSION),
        span=24,
        height=5,
    )
    yield chart(
        "Effect of $feature, beside what chance gives and what nobody cares about",
        "In PSI units. An effect below its noise floor is as good as none; one below the tolerance alarms nobody; one"
        " below the smallest that is found may take several windows.",
        *(Line(f"max by (version) ({expr})", f"{name}, {VERSION}") for name, expr in lines.items()),
        height=10,
        decimals=3,
        styles={
            "effect.*": {"custom.lineWidth": 3},
            "noise floor.*": fixed(IDLE, **{"custom.fillOpacity": 25, "custom.lineWidth": 0}),
            "tolerance.*": dashed(WATCH),
            "smallest found.*": dashed("purple"),
        },
    )
    yield chart(
        "Evidence",
        "Over the alarm's limit, which is at 1. It grows by powers: each step of the axis is ten times as much.",
        Line(f"max by (version) ({HERE('drift_evidence_ratio')})", VERSION),
        unit="sci",
        logarithmic=True,
        lowest=EVIDENT,
        steps=ALARM_AT_ONE,
        height=10,
    )


def _values() -> Iterator[Panel]:
    shown = {
        "missing": "missing",
        "invalid": "invalid",
        "unseen": "of an unseen category",
        "out_of_range": "out of the reference's range",
    }
    yield chart(
        "Scores by statistic",
        "Between the reference and the last closed window, in whole traffic, each in its own unit: they describe; what"
        " alarms is the evidence. The variable Statistic adds others.",
        Line(
            f"max by (statistic, version) ({WHOLES('drift_score', statistic='~$statistic')})",
            "{{statistic}}, " + VERSION,
        ),
        lowest=None,
        decimals=3,
        height=9,
    )
    yield chart(
        "Rows whose value is missing or odd",
        "Share of the last closed window's rows, in whole traffic. Unseen is of categories, out of range of numbers.",
        *(
            Line(f"max by (version) ({WHOLES(f'feature_{name}_ratio')})", f"{words}, {VERSION}")
            for name, words in shown.items()
        ),
        unit="percentunit",
        height=9,
    )


def _where() -> Iterator[Panel]:
    def by_segment(expr: str) -> str:
        return f'label_replace({expr}, "segment", "whole traffic", "segment", "")'

    labels = "{{segment}}, " + VERSION
    yield timeline(
        "State by segment",
        "A change of one segment alone shows here before it shows in whole traffic.",
        Line(by_segment(PARTS.feature_states("segment, version")), labels),
        height=10,
    )
    yield chart(
        "Effect by segment",
        "In PSI units. Of few rows it is larger by chance alone: see the evidence.",
        Line(by_segment(f"max by (segment, version) ({PARTS('drift_effect')})"), labels),
        height=10,
        decimals=3,
    )
