"""What happens in the demo, told once each, and what it came to."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from monitor.demo.pipeline import ExamplePipeline
from monitor.demo.receiver import RetrainReceiver
from monitor.demo.simulation import Simulation
from monitor.demo.traffic import MODEL, VERSION
from monitor.detection.life import Life
from monitor.errors import UnavailableError
from monitor.events.batch import OUTPUTS
from monitor.exports.course import figure
from monitor.exports.text import counted
from monitor.snapshot import ModelView, PerformanceView, Snapshot
from monitor.statistics.comparison import Comparison
from monitor.windows.window import Window

Say = Callable[[str], None]


@dataclass
class Story:
    """Says each thing once, when it happens."""

    snapshot: Callable[[], Snapshot]
    simulation: Simulation
    say: Say
    windows: set[Window] = field(default_factory=set)
    _told: set[str] = field(default_factory=set)

    def tell(self) -> None:
        model = self.snapshot().models[MODEL]
        self.windows.update(view.window for view in model.windows)  # It shows the newest alone.
        if self.simulation.drifted.is_set():
            self._once("drift", "the world has changed: incomes rise and protect from default no more, but a job does")
        for view in model.performance:
            known = _figure(model, view)
            if known is not None and view.settled and view.window.end_ms % 5_000 == 0:
                self._once(
                    f"performance {view.window.version} {view.window.end_ms}",
                    f"version {view.window.version}: {model.metric} {known['value']:.3f} ({known['lower']:.3f} to "
                    f"{known['upper']:.3f}), {view.coverage:.0%} of {view.labels} labelled",
                )
        for incident in model.incidents:
            what = f"{incident.cause} incident of version {incident.opened.version}"
            self._once(f"{incident.id} opened", f"{what} opened: {', '.join(incident.features)}")
            if not incident.open:
                self._once(f"{incident.id} over", f"{what} resolved")
        for life in model.triggers:
            self._tell_steps(life)

    def validated(self, compare: Callable[[str, str, str], Comparison]) -> str | None:
        """What the monitor says of a new version beside the old one, once the pipeline has made one."""
        lives = self.snapshot().models[MODEL].triggers
        made = next((life.version for life in lives if life.state == "succeeded"), None)
        try:
            return None if made is None else compare(MODEL, VERSION, made).verdict
        except UnavailableError:  # Somebody else compares.
            return None

    def _tell_steps(self, life: Life) -> None:
        for step in life.steps:
            name = f"{life.trigger.id} {step.state}"
            self._once(name, f"retrain request {name}" + (f": {step.detail}" if step.detail else ""))

    def _once(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self.say(text)


def summary(
    story: Story, pipeline: RetrainReceiver | ExamplePipeline, validation: str | None, started: float
) -> dict[str, Any]:
    """In the contract's words. validation: what the monitor said of the new version beside the old one."""
    snapshot = story.snapshot()
    model = snapshot.models[MODEL]
    newest = model.windows[-1].verdicts if model.windows else ()
    sent = [life for life in model.triggers if life.state != "withheld"]
    made = [life.version for life in sent if life.state == "succeeded"]
    return {
        "events": sum(snapshot.service.events.values()),
        "windows": len(story.windows),
        "drifting": sorted(each.feature for each in newest if each.state == "drifting" and each.feature not in OUTPUTS),
        "incidents": len(model.incidents),
        "incidents_open": sum(incident.open for incident in model.incidents),
        "performance": _newest_figure(model),
        "triggers_received": pipeline.taken,
        "signature_valid": pipeline.taken > 0 and pipeline.refused == 0,
        "triggers": [{"id": life.trigger.id, "state": life.state} for life in sent],
        "validation": validation,
        "versions": [VERSION, *made],
        "seconds": round(time.monotonic() - started, 1),
    }


def _newest_figure(model: ModelView) -> dict[str, Any] | None:
    """With what its version's reference had, and the limit below which it counts as fallen."""
    for view in reversed(model.performance):
        known, target = _figure(model, view), model.targets.get(view.window.version)
        if known is not None and target is not None:
            against = {"reference": target.reference, "limit": target.limit}
            return {"version": view.window.version, "metric": model.metric, **known, **against}
    return None


def _figure(model: ModelView, view: PerformanceView) -> dict[str, float | None] | None:
    reading = figure(model, view)
    if reading is None or reading.value is None:
        return None
    return {"value": reading.value, "lower": reading.lower, "upper": reading.upper}


def ending(summary: dict[str, Any]) -> str:
    """The same in one sentence."""
    drifting = ", ".join(summary["drifting"]) or "nothing"
    return (
        f"{summary['events']:,} events in {counted(summary['windows'], 'window')}; features that drift: {drifting}; "
        f"{counted(summary['incidents_open'], 'incident')} open; "
        f"{counted(summary['triggers_received'], 'retrain request')} received, "
        f"signatures {'valid' if summary['signature_valid'] else 'not valid'}"
    )
