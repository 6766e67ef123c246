"""Every performance metric by name, and how one is read of an outcome."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from monitor.events.schema import Task
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import RANKED_CLASSES_MAX, BinaryOutcome, MulticlassOutcome, RegressionOutcome
from monitor.statistics.performance.averages import (
    f1_macro,
    f1_weighted,
    precision_macro,
    precision_weighted,
    recall_macro,
    recall_weighted,
)
from monitor.statistics.performance.calibration import calibration_error
from monitor.statistics.performance.decisions import accuracy, f1, precision, recall, specificity
from monitor.statistics.performance.intervals import mapped
from monitor.statistics.performance.metric import Metric, Needs
from monitor.statistics.performance.precision_recall import pr_auc
from monitor.statistics.performance.probability import brier, log_loss
from monitor.statistics.performance.ranking import roc_auc, roc_auc_macro, roc_auc_weighted
from monitor.statistics.performance.regression import bias, mae, mape, r2, rmse
from monitor.statistics.reading import Estimate, Status

METRICS: Mapping[str, Metric] = MappingProxyType(
    {
        entry.name: entry
        for entry in (
            accuracy,
            precision,
            recall,
            specificity,
            f1,
            roc_auc,
            pr_auc,
            log_loss,
            brier,
            calibration_error,
            precision_macro,
            precision_weighted,
            recall_macro,
            recall_weighted,
            f1_macro,
            f1_weighted,
            roc_auc_macro,
            roc_auc_weighted,
            mae,
            rmse,
            mape,
            r2,
            bias,
        )
    }
)

_DEFAULTS: Mapping[Task, str] = MappingProxyType({"binary": "roc_auc", "multiclass": "accuracy", "regression": "mae"})


def default_metric(task: Task) -> str:
    """The metric of a model that names none.

    roc_auc where a binary model sends scores, as it needs no threshold and holds under imbalance (without scores it
    is not applicable: name f1 or accuracy); accuracy for more classes; mae for numbers, as one outlier cannot own it.
    """
    return _DEFAULTS[task]


def performance(layout: OutcomeLayout, outcome: Outcome, metric: str) -> tuple[Status, Estimate | None]:
    """The metric of this name with its 95 % interval, or the status that says why there is none.

    "not_applicable": another task's, or no labelled row carries the decision, score or value it needs.
    "insufficient": fewer than the metric's rows_min do, or those rows cannot define it (one class only). KeyError for
    a name that is not in METRICS.
    """
    entry = METRICS[metric]
    if layout.task not in entry.tasks or (entry.needs == "ranks" and len(layout.classes) > RANKED_CLASSES_MAX):
        return "not_applicable", None
    rows = usable_rows(outcome, entry.needs)
    if rows == 0 and outcome.rows > 0:
        return "not_applicable", None
    estimate = entry.function(outcome.summary) if rows >= entry.rows_min else None
    if estimate is None:
        return "insufficient", None
    return "ok", mapped(estimate, lambda value: value * layout.scale) if entry.unit == "label" else estimate


def usable_rows(outcome: Outcome, needs: Needs) -> int:
    """Labelled rows that also carry what a metric needs; 0 for another task's needs."""
    match outcome.summary, needs:
        case (BinaryOutcome() | MulticlassOutcome()) as summary, "decisions":
            return summary.decided
        case (BinaryOutcome() | MulticlassOutcome()) as summary, "scores" | "ranks":
            return summary.brier.rows
        case RegressionOutcome() as summary, "values":
            return summary.error.rows
    return 0


def labels_by_class(layout: OutcomeLayout, outcome: Outcome) -> Mapping[str, int]:
    """Labelled rows of each class of the layout; of a binary task's two; empty for regression.

    Labels of a class that the layout does not name count for none.
    """
    match outcome.summary:
        case BinaryOutcome(labels=labels):
            positive = layout.positive or ""
            negative = next((name for name in layout.classes if name != positive), f"not {positive}")
            return {negative: int(labels[0]), positive: int(labels[1])}
        case MulticlassOutcome(labels=labels):
            return dict(zip(layout.classes, labels.tolist(), strict=False))
    return {}
