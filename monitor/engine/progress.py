"""The small mutable state of a model: what is saved whole, beside panes, ledgers and views that are saved singly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from monitor.detection.incidents import Incidents
from monitor.detection.life import Life, TriggerChange, TriggerState
from monitor.detection.records import Incident, IncidentChange, Trigger
from monitor.detection.triggers import Arbiter
from monitor.engine import shown
from monitor.engine.labels import LabelFlow
from monitor.engine.latency import Latencies
from monitor.engine.losses import Followed
from monitor.engine.settlement import Settlement
from monitor.events.batch import Predictions
from monitor.spec import ModelSpec, RetrainSpec
from monitor.windows.streams import NEVER, Streams
from monitor.windows.window import WindowSpec


@dataclass(slots=True)
class Progress:
    """How far a model has come.

    window: how windows were cut. closed_ms: joint watermark of the predictions: windows up to it are closed. joint_ms:
    of predictions and labels. boundary_ms: performance is settled up to here. known_ms: the latest time that a label
    counts from. first, last: start of the first and end of the newest closed window, by version, of those that have not
    retired. counted: totals by name. lives: of triggers by id; these and resolved incidents: the newest, newest last.
    decided: steps in the lives of triggers, by (version, requested or the state). judged: end of the newest window with
    a verdict, by version. followed: the evidence that a version's metric has fallen, or a loss of it risen.
    """

    predictions: Streams
    labels: Streams
    window: WindowSpec
    closed_ms: int = NEVER
    joint_ms: int = NEVER
    boundary_ms: int = NEVER
    known_ms: int = NEVER
    first: dict[str, int] = field(default_factory=dict)
    last: dict[str, int] = field(default_factory=dict)
    incidents: Incidents = field(default_factory=Incidents)
    arbiter: Arbiter = field(default_factory=Arbiter)
    counted: dict[str, int] = field(default_factory=dict)
    lives: dict[str, Life] = field(default_factory=dict)
    resolved: list[Incident] = field(default_factory=list)
    decided: dict[tuple[str, str], int] = field(default_factory=dict)
    judged: dict[str, int] = field(default_factory=dict)
    followed: dict[str, Followed] = field(default_factory=dict)
    label_flow: LabelFlow = field(default_factory=LabelFlow)
    latencies: Latencies = field(default_factory=Latencies)

    @property
    def known_incidents(self) -> list[Incident]:
        """Those that stand, and the newest that are over."""
        return [*self.resolved, *self.incidents.standing]

    def note(self, changes: Sequence[IncidentChange]) -> None:
        """Remember the incidents that ended."""
        ended = [change.incident for change in changes if not change.incident.open]
        self.resolved = [*self.resolved, *ended][-shown.VIEWS_MAX :]

    def decide(self, boundary_ms: int, spec: ModelSpec, settlement: Settlement) -> list[TriggerChange]:
        """What is asked, or withheld, at a boundary."""
        flying = self.in_flight(spec.retrain)
        decided = self.arbiter.arbitrate(
            boundary_ms, spec.retrain, settlement.labels, spec.labelled, flying.trigger.id if flying else ""
        )
        return [self.begin(settlement.completed(each, spec.retrain_labels), boundary_ms) for each in decided]

    def begin(self, trigger: Trigger, at_ms: int) -> TriggerChange:
        """A trigger was made, or withheld. Of the older ones, all but the newest request may be forgotten."""
        life = self.lives[trigger.id] = Life.begun(trigger, at_ms)
        for old in [each for each in list(self.lives.values())[: -shown.VIEWS_MAX] if each != self.requested]:
            del self.lives[old.trigger.id]
        return self.stepped(None, life)

    def stepped(self, before: TriggerState | None, life: Life) -> TriggerChange:
        """Count a step in a trigger's life."""
        key = (life.trigger.window.version, "requested" if life.state == "pending" else life.state)
        self.decided[key] = self.decided.get(key, 0) + 1
        return TriggerChange(life.trigger, before, life.state, life.steps[-1].detail, life.version)

    @property
    def requested(self) -> Life | None:
        """The newest trigger that was not withheld."""
        return next((life for life in reversed(self.lives.values()) if life.state != "withheld"), None)

    def in_flight(self, spec: RetrainSpec | None) -> Life | None:
        """The request that the pipeline has not done with; none where it never reports."""
        if spec is None or not spec.expires_ms:
            return None
        return next((life for life in reversed(self.lives.values()) if life.in_flight), None)

    def predict(self, accepted: Predictions) -> None:
        """Count predictions, and how long they took where they say."""
        self.count("predictions", len(accepted))
        if accepted.latency is not None:
            self.latencies.add(accepted.latency)

    def count(self, name: str, rows: int) -> None:
        self.counted[name] = self.counted.get(name, 0) + rows
