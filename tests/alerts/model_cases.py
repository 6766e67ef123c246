"""Stories of the alerts on models."""

from __future__ import annotations

from tests.alerts.promtool import Case, Series, Value

TARGET = {"job": "model-monitor", "instance": "monitor-0:8000"}
MODEL = {**TARGET, "model": "fraud"}
VERSION = {**MODEL, "version": "3"}


def named(metric: str, /, **labels: str) -> str:
    pairs = ",".join(f'{name}="{value}"' for name, value in labels.items())
    return f"model_monitor_{metric}{{{pairs}}}"


def incident(cause: str, severity: str) -> Series:
    """Open from minute 5 to 60; the other severities are there at 0."""
    open_: list[Value] = [0] * 5 + [1] * 55 + [0] * 40
    never: list[Value] = [0] * 100
    return {
        named("incidents_open", **VERSION, cause=cause, severity=each): open_ if each == severity else never
        for each in ("minor", "moderate", "major")
    }


def always(metric: str, value: float, /, **labels: str) -> Series:
    return {named(metric, **VERSION, segment="", **labels): [value] * 100}


PERFORMANCE = (
    {named("performance", **VERSION, segment="", metric="roc_auc"): [0.91] * 5 + [0.84] * 95}
    | always("performance_lower", 0.83, metric="roc_auc")
    | always("performance_upper", 0.85, metric="roc_auc")
    | always("performance", 0.7, metric="accuracy")
    | always("performance", 0.1, metric="brier")
    | always("performance_labels", 577)
    | always("performance_window_end_timestamp_seconds", 1764500400)
)

DRIFTING = (
    always("drift_state", 1, feature="amount", state="drifting")
    | always("drift_state", 0, feature="age", state="drifting")
    | always("drift_state", 1, feature="@score", state="drifting")
    | always("drift_effect", 0.314, feature="amount")
    | always("drift_effect", 0.7, feature="age")
    | always("drift_evidence_ratio", 40, feature="amount")
    | always("drift_evidence_ratio", 2, feature="@score")
    | {named("drift_state", **VERSION, segment="country=PL", feature="age", state="drifting"): [1] * 100}
    | {named("drift_effect", **VERSION, segment="country=PL", feature="age"): [0.2] * 100}
    | always("window_rows", 812)
    | always("window_end_timestamp_seconds", 1764504000)
)

MISSING: Series = {
    named("feature_missing_ratio", **VERSION, segment="", feature="amount"): [0.02] * 5 + [0.62] * 95,
    named("feature_missing_ratio", **VERSION, segment="", feature="age"): [0.4] * 100,
    named("feature_unseen_ratio", **VERSION, segment="", feature="country"): [0.0] * 5 + [0.125] * 95,
}

INCIDENTS = (
    Case(
        "ModelPerformanceFallen",
        "critical",
        incident("performance", "major"),
        5,
        60,
        VERSION,
        "fraud version 3: performance has fallen",
        "Labels say: accuracy 0.7 (median of 7 days 0.7), roc_auc 0.84 (0.83 to 0.85; median of 7 days 0.91); "
        "577 labels, to 2025-11-30 11:00:00 UTC. "
        "Drifting too: amount (effect 0.31), age in country=PL (effect 0.20), score.",
        also=PERFORMANCE | DRIFTING,
    ),
    Case(
        "ModelPerformanceFallen",
        "warning",
        incident("performance", "moderate"),
        5,
        60,
        VERSION,
        "fraud version 3: more errors than there should be",
        "No feature drifts: what is true of the same rows may have changed, or their labels.",
    ),
    Case(
        "ModelDrift",
        "warning",
        incident("drift", "major"),
        5,
        60,
        VERSION,
        "fraud version 3: what it is asked or answers has changed",
        "Drifting: amount (effect 0.31), age in country=PL (effect 0.20), score; 0.1 is moderate, 0.25 major. "
        "Newest window: to 2025-11-30 12:00:00 UTC, 812 rows.",
        also=DRIFTING,
    ),
    Case(
        "ModelDrift",
        "info",
        incident("drift", "minor"),
        5,
        60,
        VERSION,
        "fraud version 3: a small change in what it is asked or answers",
        "No feature drifts in the newest window: the incident ends when several are calm.",
    ),
    Case(
        "ModelDataBroken",
        "critical",
        incident("data", "major"),
        5,
        60,
        VERSION,
        "fraud version 3: its data is broken",
        "Risen within a day: amount missing (by 60% of rows), country of a new category (by 12.5% of rows). "
        "What is predicted of it is in doubt, and retraining is withheld while it lasts.",
        also=MISSING,
    ),
    Case(
        "ModelDataBroken",
        "warning",
        incident("data", "minor"),
        5,
        60,
        VERSION,
        "fraud version 3: some of its data is not as it should be",
        "No feature has more missing or odd values than a day ago: a unit may have changed, or the number of rows, or "
        "labels match no prediction; the incident says which. What is predicted of it is in doubt, and retraining is "
        "withheld while it lasts.",
    ),
)

_H, _Q = 12, 4
"""Steps of five minutes, and of a quarter, in an hour."""


def counter(*spans: tuple[int, float]) -> list[Value]:
    """Spans of so many steps, each step by so much more; from 1."""
    total, values = 1.0, list[Value]()
    for steps, rate in spans:
        for _ in range(steps):
            values.append(total)
            total += rate
    return values


FLOW = (
    Case(
        "ModelSilent",
        "warning",
        # A day and an hour of traffic, then eight hours of silence.
        {named("predictions_total", **MODEL): counter((25 * _H, 10), (8 * _H, 0), (6 * _H, 10))},
        26 * 60,
        33 * 60 + 5,
        MODEL,
        "fraud: its predictions no longer arrive",
        "The newest is of 2025-11-30 12:00:00 UTC. At this time yesterday they came. Nothing is watched of this model "
        "meanwhile; what stood stands.",
        step=5,
        lingers=60,
        also={named("last_event_timestamp_seconds", **MODEL): [1764504000] * (40 * _H)},
    ),
    Case(
        "ModelSilent",
        "info",
        {named("predictions_total", **MODEL): [None, *[0] * (30 * _H), *[1] * (2 * _H)]},
        5,
        5 + 30 * 60,
        MODEL,
        "fraud: no prediction of it has ever arrived",
        "It is configured, and a day has passed. Is it in service, do its events carry this name, and is it this "
        "topic?",
        step=5,
    ),
    Case(
        "ModelLabelsStopped",
        "warning",
        # Three days of labels, then none for a day and a half.
        {
            named("labels_total", **MODEL, result="matched"): counter((72 * _Q, 5), (36 * _Q, 0), (3 * _Q, 5)),
            named("labels_total", **MODEL, result="expired"): [0] * (111 * _Q),
            named("predictions_total", **MODEL): counter((111 * _Q, 10)),
        },
        96 * 60,
        108 * 60 + 15,
        MODEL,
        "fraud: its labels no longer arrive",
        "None came in the last day or week, though some did in each before, and predictions go on. Performance is "
        "judged by what came until then: a fall would not be seen. Drift is watched as ever.",
        step=15,
        lingers=24 * 60,
    ),
    Case(
        "ModelLabelCoverageLow",
        "warning",
        {
            named("label_coverage_ratio", **VERSION, segment=""): [0.9] * (48 * _H)
            + [0.4] * (12 * _H)
            + [0.9] * (3 * _H)
        },
        48 * 60,
        60 * 60,
        VERSION,
        "fraud version 3: fewer labels than usual",
        "40% of the predictions in the span that performance is of have a label: less than half of last week's share. "
        "If those that are missing are not like the others, its figures mislead.",
        step=5,
    ),
    Case(
        "ModelLabelsUnusable",
        "warning",
        {
            named("labels_total", **MODEL, result="matched"): counter((60 * _H, 9)),
            named("labels_total", **MODEL, result="expired"): [0] * (60 * _H),
            named("labels_total", **MODEL, result="conflict"): [0] * (60 * _H),
            named("labels_total", **MODEL, result="unknown"): counter((4 * _H, 0), (4 * _H, 9), (52 * _H, 0)),
        },
        4 * 60 + 15,
        30 * 60 + 50,
        MODEL,
        "fraud: some of its labels cannot be used",
        "23.94% of the last day's: 136 unknown, which count for nothing.",
        step=5,
        lingers=24 * 60,
    ),
    Case(
        "ModelRetrainWithheld",
        "warning",
        {
            named("incidents_open", **VERSION, cause="performance", severity="major"): [0] * 6 + [1] * 60 + [0] * 10,
            named("triggers_total", **VERSION, result="withheld"): [0] * 6 + [1] * 70,
            named("triggers_total", **VERSION, result="requested"): [0] * 76,
        },
        30,
        66 * 5,
        VERSION,
        "fraud version 3: performance has fallen, and nobody was asked to retrain it",
        "The request was withheld, and none was made in the last day. /api/v1/triggers says why: too few labels, "
        "broken data, or a request shortly before. If it is not over by itself, a person has to decide.",
        step=5,
    ),
    Case(
        "ModelRetrainFailed",
        "warning",
        {
            named("triggers_total", **VERSION, result="failed"): counter((5 * _H, 0), (1, 12), (45 * _H, 0)),
            named("triggers_total", **VERSION, result="expired"): [0] * (50 * _H + 1),
            named("triggers_total", **VERSION, result="succeeded"): [0] * (50 * _H + 1),
        },
        5 * 60 + 5,
        29 * 60 + 5,
        VERSION,
        "fraud version 3: it was to be retrained, and was not",
        "The pipeline said that it failed, was not heard of again, or was never reached; none has succeeded in the "
        "last day. `monitor triggers list` says which and why. While its incident is open another request follows, as "
        "cool-down and budget allow.",
        step=5,
        lingers=24 * 60,
    ),
)

MODEL_CASES = (*INCIDENTS, *FLOW)
