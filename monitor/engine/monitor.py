"""All models together: batches and times go in, readings and decisions come out. No I/O, no clock, no threads.

The order of a step: `ingest` and `ingest_labels` what arrived, `advance` to the watermarks, `settle` what is `due`,
then save `changes` and what each model has `noted` together with the positions of the source, and show `views`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from monitor.detection.life import TriggerEvent
from monitor.detection.sentences import listed
from monitor.engine import retraining, state
from monitor.engine.model import ModelMonitor
from monitor.engine.orders import Acknowledge, Rebaseline, Register, acknowledge, rebaseline, register
from monitor.engine.output import Output
from monitor.engine.retraining import Approve, Report, Retrain
from monitor.errors import NotFoundError
from monitor.profiles.reference import Reference
from monitor.snapshot import LABEL_RESULTS, ModelView, Target, WatchView, WindowView
from monitor.spec import ModelSpec
from monitor.windows.streams import NEVER
from monitor.windows.window import Place, Window

Order = Rebaseline | Register | Acknowledge | Retrain | Report | Approve

AHEAD_WINDOWS = 24
"""Open windows of a model that one partition may have passed while others hold them open.

A window is tens of kilobytes a version, so these are one or two megabytes. Catching up on even traffic, partitions were
seen 205 s apart: four of the shortest panes by row count, so nothing that goes well is ever slowed down by this.
"""


class Monitor:
    """The models of one service, by name.

    A `Monitor` that failed inside a step is not to be used again: make a new one and `restore` it.
    """

    def __init__(self, specs: Sequence[ModelSpec], references: Mapping[str, Mapping[str, Reference]]) -> None:
        """references: compiled ones by model and version, oldest version first."""
        self.models = {spec.name: ModelMonitor(spec, references.get(spec.name, {})) for spec in specs}

    def changes(self) -> dict[str, bytes | None]:
        """The pieces of state that changed since the last call, by key; None for one that is gone."""
        return {key: piece for model in self.models.values() for key, piece in state.changes(model).items()}

    def restore(self, pieces: Mapping[str, bytes]) -> None:
        """Go on from what `changes` gave; StateError where a reference was replaced under open windows."""
        for model in self.models.values():
            state.restore(model, pieces)

    def obey(self, order: Order, now_ms: int) -> tuple[Output, str]:
        """What a person, or a pipeline, asks: what it changes, and a sentence on it. RefusedError, and nothing has
        changed, where it cannot be done; NotFoundError where what it names does not exist. now_ms: wall clock.
        """
        match order:
            case Rebaseline():
                return rebaseline(self._named(order.model), order)
            case Register():
                return register(self._named(order.model), order)
            case Acknowledge():
                return acknowledge(self._of_incident(order.incident), order)
            case Retrain():
                return retraining.request(self._named(order.model), order, now_ms)
            case Report():
                return retraining.report(self._of_trigger(order.trigger), order, now_ms)
            case Approve():
                return retraining.approve(self._of_trigger(order.trigger), order, now_ms)

    def deliver(self, trigger: str, event: TriggerEvent, at_ms: int, detail: str, run: str) -> Output:
        """How an attempt to deliver a trigger's request ended; nothing of one that is held no more."""
        for model in self._with_trigger(trigger):
            return retraining.deliver(model, model.progress.lives[trigger], event, at_ms, detail, run)
        return Output()

    def expire(self, now_ms: int) -> list[Output]:
        """Give up the requests that nothing was heard of for too long. now_ms: wall clock."""
        return [retraining.expire(model, now_ms) for model in self.models.values()]

    def _named(self, name: str) -> ModelMonitor:
        model = self.models.get(name)
        if model is None:
            raise NotFoundError(f"there is no model {name!r}; the configured ones are {listed(sorted(self.models))}")
        return model

    def _of_incident(self, name: str) -> ModelMonitor:
        for model in self.models.values():
            if any(incident.id == name for incident in model.progress.known_incidents):
                return model
        raise NotFoundError(f"there is no incident {name!r}; /api/v1/incidents lists those that are still held")

    def _of_trigger(self, name: str) -> ModelMonitor:
        for model in self._with_trigger(name):
            return model
        raise NotFoundError(f"there is no trigger {name!r}; /api/v1/triggers lists those that are still held")

    def _with_trigger(self, name: str) -> Iterator[ModelMonitor]:
        return (model for model in self.models.values() if name in model.progress.lives)

    def far_ahead(self) -> frozenset[Place]:
        """Partitions to read no further for now: some model would have more and more windows open.

        No model waits for one of them. Where they were all that holds a model up they are read on, whatever the others
        have open: a partition belongs to every model that may be heard there. So the joint watermark of each model is
        held up by a partition that is read, and rises until the others are not far ahead any more. Labels do not
        matter here: a window closes without them, and performance is not settled before it has.
        """
        ahead = {place for model in self.models.values() for place in _far_ahead(model)}
        for model in self.models.values():
            waited_for = model.progress.predictions.holding_up()
            if waited_for <= ahead:
                ahead -= waited_for
        return frozenset(ahead)

    def views(self) -> dict[str, ModelView]:
        """What may be shown of each model."""
        return {name: self.view(name) for name in self.models}

    def view(self, model: str) -> ModelView:
        """What may be shown of one model."""
        return _view(self.models[model])


def _far_ahead(model: ModelMonitor) -> set[Place]:
    """Partitions that have passed more than AHEAD_WINDOWS windows which others still hold open."""
    ends = sorted({end for end, _ in model.panes})
    return model.progress.predictions.beyond(ends[AHEAD_WINDOWS]) if len(ends) > AHEAD_WINDOWS else set()


def _view(model: ModelMonitor) -> ModelView:
    progress, spec = model.progress, model.spec
    windows = sorted(model.windows.values(), key=lambda view: view.window)
    by_version: dict[str, list[WindowView]] = {}
    for view in windows:
        by_version.setdefault(view.window.version, []).append(view)
    incidents = sorted(progress.known_incidents, key=lambda incident: incident.opened)
    return ModelView(
        name=spec.name,
        task=spec.schema.task,
        metric=spec.performance.metric,
        features=tuple(spec.schema.features),
        versions=tuple(by_version),
        since_ms=dict(progress.first),
        last_event_ms=_time(progress.predictions.high_ms),
        watermark_ms=_time(progress.closed_ms),
        predictions=progress.counted.get("predictions", 0),
        labels={name: progress.counted.get(name, 0) for name in LABEL_RESULTS},
        label_delay_s=progress.label_flow.delays.histogram(),
        windows=tuple(part for view in windows for part in view.parts),
        performance=tuple(sorted(model.performance.values(), key=lambda view: view.window)),
        incidents=tuple(incidents),
        triggers=tuple(progress.lives.values()),
        decided=dict(progress.decided),
        in_flight=int(progress.in_flight(spec.retrain) is not None),
        alarms=spec.alarms,
        latency_s=progress.latencies.histogram(),
        latencies_invalid=progress.latencies.invalid,
        watches={version: _watched(model, version, mine) for version, mine in by_version.items()},
        targets={
            version: target
            for version, mine in by_version.items()
            if (target := _target(model, mine[-1].window)) is not None
        },
    )


def _watched(model: ModelMonitor, version: str, windows: Sequence[WindowView]) -> WatchView:
    view, until_ms = model.watching.view(windows), model.maker.learning_until_ms(version)
    return view if until_ms is None else replace(view, learning_until_ms=until_ms)


def _target(model: ModelMonitor, window: Window) -> Target | None:
    key = model.references.key(window.version, window.start_ms)
    reader = model.references[key].performance.metric
    if not model.references.owns(window.version, key) or reader.target is None:
        return None
    return Target(reader.target.value, reader.bound)


def _time(time_ms: int) -> int | None:
    return None if time_ms == NEVER else time_ms
