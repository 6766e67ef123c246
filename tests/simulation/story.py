"""A log written by hand, a line an event, for the cases that deserve a name.

An id stands for CROWD of them that are treated alike, so that every metric has the rows it needs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from monitor.events.batch import PREDICTION, SCORE
from monitor.runtime.loop import QUIET_MS
from monitor.snapshot import PerformanceView
from monitor.spec import FeatureSpec, ModelSpec, PerformanceSpec
from monitor.statistics.performance.metric import ROWS_MIN
from monitor.windows.window import Place
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Payload, Record, record
from tests.simulation.world import FRAUD, World

CROWD = ROWS_MIN

PLAIN = replace(
    FRAUD,
    performance=PerformanceSpec("accuracy", 0.1, 5 * MINUTE_MS, labels_min=1, class_min=0, span_max_ms=0),
    retrain=None,
    features=dict.fromkeys(("amount", "country", PREDICTION, SCORE), FeatureSpec("off")),
    lateness_ms=0,
)
"""Windows of a minute that wait five more for their labels; no lateness, and any label will do. Events carry no
features that could drift."""


@dataclass
class Story:
    """Events in the order in which they are sent; minutes count from the start and may be fractions."""

    partitions: int = 1
    label_partitions: int = 1
    arrival_ms: int = START_MS
    _sent: dict[Place, list[Record]] = field(default_factory=lambda: defaultdict(list))

    def send(self, topic: str, payload: Payload, partition: int = 0, arrival_ms: int | None = None) -> None:
        self._sent[topic, partition].append(record(self.arrival_ms if arrival_ms is None else arrival_ms, payload))

    def predict(
        self, identity: str | None, minute: float, decision: str = "fraud", partition: int = 0, version: str = "1"
    ) -> None:
        self.send(PREDICTIONS, crowd(prediction(identity, minute, decision, version)), partition)

    def label(self, identity: str, minute: float, value: str = "fraud", partition: int = 0) -> None:
        self.send(LABELS, crowd(label(identity, minute, value)), partition)

    def reach(self, minute: float) -> None:
        """Every partition comes to this time, by an event that belongs to nobody."""
        for partition in range(self.partitions):
            self.send(PREDICTIONS, prediction(None, minute, version="nobody's"), partition)
        for partition in range(self.label_partitions):
            self.send(LABELS, label("nobody's", minute), partition)

    def log(self) -> Mapping[Place, list[Record]]:
        places = [(PREDICTIONS, number) for number in range(self.partitions)]
        places += [(LABELS, number) for number in range(self.label_partitions)]
        return {place: self._sent[place] for place in places}

    def world(self, spec: ModelSpec = PLAIN, *, poll_max: int = 1_000, seed: int = 0, **options: Any) -> World:
        """A service that is yet to read it."""
        return World(self.log(), (spec,), seed=seed, source_options={"poll_max": poll_max} | options)

    def paced(self, spec: ModelSpec = PLAIN, **options: Any) -> World:
        """Events come when the clock says so, which stands at the start."""
        world = self.world(spec, paced=True, **options)
        world.clock.now_ms = START_MS
        return world

    def told(self, spec: ModelSpec = PLAIN, *, poll_max: int = 1_000, **options: Any) -> World:
        """After all of it was read."""
        world = self.world(spec, poll_max=poll_max, **options)
        world.run()
        return world


def wait(world: World, minute: float) -> None:
    """Let the clock come to a minute, and the service take a few steps there."""
    world.clock.now_ms = at(minute)
    for _ in range(12):
        world.clock.now_ms += QUIET_MS
        world.step()


def at(minute: float) -> int:
    return START_MS + round(minute * MINUTE_MS)


def crowd(event: dict[str, Any]) -> list[dict[str, Any]]:
    """One record that holds the event for each of the crowd."""
    identity = event["id"]
    return [event | {"id": identity and f"{identity}/{number}"} for number in range(CROWD)]


def prediction(identity: str | None, minute: float, decision: str = "fraud", version: str = "1") -> dict[str, Any]:
    said = {"model": "fraud", "version": version, "timestamp": at(minute), "prediction": decision, "score": 0.5}
    return {"type": "prediction", "id": identity, "features": {}} | said


def label(identity: str, minute: float, value: str = "fraud") -> dict[str, Any]:
    return {"type": "label", "id": identity, "model": "fraud", "timestamp": at(minute), "label": value}


def rows(world: World, version: str = "1") -> dict[float, float]:
    """Crowds in a version's closed windows, by the minute at which each ends."""
    views = [view for output in world.outputs for view in output.windows if view.window.version == version]
    counted = {(view.window.end_ms - START_MS) / MINUTE_MS: view.rows / CROWD for view in views}
    assert len(counted) == len(views), "a window was closed twice"
    return counted


def figures(world: World, end: float = 1) -> list[tuple[float, float | None]]:
    """(labelled crowds, accuracy) of each revision of the window of version 1 that ends at a minute."""
    views = [view for output in world.outputs for view in output.performance]
    mine = [view for view in views if view.window.end_ms == at(end) and view.window.version == "1"]
    return [(view.labels / CROWD, accuracy(view)) for view in mine]


def accuracy(view: PerformanceView) -> float | None:
    return next(reading.value for reading in view.readings if reading.statistic == "accuracy")
