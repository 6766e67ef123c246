"""An example of a retrain request: of a real model, with values of the right types, and marked as an example."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.actions.outbox import Message
from monitor.actions.retrain import Receipt, retrain_request
from monitor.detection.records import PerformanceEvidence, Trigger, Verdict
from monitor.spec import DAY_MS, HOUR_MS
from monitor.windows.window import Window

EXAMPLE = "example"
"""The trigger's id, and the version's, so that nobody takes it for a real one."""


def example(model: str, features: Sequence[str], metric: str, receiver: str, receipt: Receipt, now_ms: int) -> Message:
    """The message that a fall of `metric` and drift of `features` would bring to `receiver` at `now_ms`."""
    end_ms = now_ms // HOUR_MS * HOUR_MS
    window = Window(end_ms, model, EXAMPLE, "", end_ms - HOUR_MS)
    verdicts = [
        Verdict(window, name, 812, "drifting", effect=0.31, noise_floor=0.02, psi=0.33, evidence_ratio=4.2)
        for name in features
    ]
    trigger = Trigger(
        id=EXAMPLE,
        reason="performance",
        severity="major",
        summary=f"An example, nothing has happened: {metric} fell from 0.91 to 0.84 (0.82 to 0.86), 71% labelled",
        window=window,
        onset_ms=end_ms - 6 * HOUR_MS,
        incident=EXAMPLE,
        evidence=tuple(verdicts),
        performance=PerformanceEvidence(metric, 0.84, 0.82, 0.86, 0.91, 0.71),
        labels=37_800,
        rows=812,
        offsets={"predictions/0": (1200, 54_000)},
        training_ms=(end_ms - 14 * DAY_MS, end_ms),
        label_offsets={"labels/0": (900, 38_000)},
    )
    return retrain_request(trigger, receipt, receiver, now_ms)
