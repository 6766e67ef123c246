"""How good predictions were once labels came: one function a metric, each with a 95 % interval, from sums alone."""

from monitor.statistics.performance.losses import Loss, losses
from monitor.statistics.performance.metric import Metric
from monitor.statistics.performance.registry import METRICS, default_metric, labels_by_class, performance, usable_rows

__all__ = [
    "METRICS",
    "Loss",
    "Metric",
    "default_metric",
    "labels_by_class",
    "losses",
    "performance",
    "usable_rows",
]
