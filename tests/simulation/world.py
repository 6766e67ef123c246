"""A whole instance in one process, over scripted traffic: started, run, aborted, reopened, and looked at."""

from __future__ import annotations

import functools
import random
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from itertools import count
from pathlib import Path
from typing import Any

import orjson

from monitor.actions.notification import Audience
from monitor.actions.outbox import Message
from monitor.actions.retrain import Receipt, retrain_request
from monitor.engine import Monitor, Output
from monitor.events.batch import Pairs
from monitor.events.decoder import Decoder
from monitor.events.native import NativeDecoder
from monitor.events.schema import Schema
from monitor.profiles.reference import Reference
from monitor.runtime.intake import Topics
from monitor.runtime.loop import Loop
from monitor.runtime.notices import notices
from monitor.runtime.store import Store
from monitor.runtime.store.kept import KEPT_MAX
from monitor.snapshot import DeliveryView, ModelView
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec, RetrainSpec
from monitor.windows.streams import Now
from monitor.windows.window import Place, WindowSpec
from tests.simulation.scripted import (
    Bomb,
    Clock,
    CrashError,
    FaultyStore,
    KeptLetters,
    Receiver,
    ScriptedOutbound,
    ScriptedSource,
    raw_records,
)
from tests.simulation.traffic import (
    LABELS,
    MINUTE_MS,
    PREDICTIONS,
    START_MS,
    YEAR_MS,
    Log,
    Payload,
    fraud_event,
    record,
    truth,
)

ALARMS = AlarmSpec(learning_ms=0)
"""Half an hour of traffic has no seasons that would have to be learned."""

FRAUD = ModelSpec(
    "fraud",
    Schema("fraud", "binary", {"amount": "numeric", "country": "categorical"}, positive="fraud"),
    WindowSpec(MINUTE_MS),
    PerformanceSpec("accuracy", 0.1, 4 * MINUTE_MS, labels_min=150, class_min=20, span_max_ms=3 * MINUTE_MS),
    RetrainSpec(
        "pipeline", frozenset({"performance", "drift"}), cooldown_ms=150_000, labels_min=500, budget=1_000, expires_ms=0
    ),
    lateness_ms=10_000,
    idle_after_ms=30_000,
    alarms=ALARMS,
)
CHURN = ModelSpec(
    "churn",
    Schema("churn", "binary", {"usage": "numeric"}, positive="leave"),
    WindowSpec(MINUTE_MS),
    PerformanceSpec("accuracy", 0.1),
    RetrainSpec("pipeline", frozenset({"drift"}), cooldown_ms=0, budget=1_000, expires_ms=0),
    lateness_ms=10_000,
    idle_after_ms=30_000,
    arrival="batch",
    labelled=False,
    alarms=ALARMS,
)
SPECS = (FRAUD, CHURN)
LATER_MS = START_MS + YEAR_MS // 2
"""A wall clock behind all scripted traffic, and before the timestamps of the next century."""

EVERYTHING = 1 << 31


def decoders(specs: tuple[ModelSpec, ...], predictions: str, labels: str) -> dict[str, Decoder]:
    """Of the two topics."""
    schemas = {spec.name: spec.schema for spec in specs}
    return {predictions: NativeDecoder(schemas, "prediction"), labels: NativeDecoder(schemas, "label")}


def reference(schema: Schema, events: list[Payload], labels: list[Payload], version: str) -> Reference:
    """Compiled from events, as they would be sent, and the label of each."""
    decoder = NativeDecoder({schema.model: schema}, None)
    predictions = decoder.decode(_raw(PREDICTIONS, events)).predictions[0]
    pairs = None
    if labels:
        pairs = Pairs(predictions.prediction, predictions.scores, decoder.decode(_raw(LABELS, labels)).labels[0].value)
    return Reference.build(schema, predictions, pairs, version=version)


def _raw(topic: str, payloads: list[Payload]) -> Any:
    return raw_records(topic, [(0, offset, record(0, payload)) for offset, payload in enumerate(payloads)], False)


@functools.cache
def known_good() -> tuple[list[Payload], list[Payload]]:
    """Events of `fraud`, and the label of each, that its reference is compiled from."""
    drawn = random.Random(0)
    events = [fraud_event(drawn, str(number), START_MS, False) for number in range(3_000)]
    labels = [
        {"type": "label", "id": event["id"], "model": "fraud", "timestamp": START_MS}
        | {"label": truth(drawn, event["score"], False)}
        for event in events
    ]
    return events, labels


@functools.cache
def references() -> Mapping[str, Mapping[str, Reference]]:
    """Of both models; the challenger of `fraud` has none of its own."""
    drawn = random.Random(0)
    churn = [
        {"type": "prediction", "model": "churn", "timestamp": START_MS, "features": {"usage": drawn.gauss(0, 1)}}
        for _ in range(3_000)
    ]
    return {
        "fraud": {"1": reference(FRAUD.schema, *known_good(), "1")},
        "churn": {"": reference(CHURN.schema, churn, [], "")},
    }


@dataclass(frozen=True)
class Observed:
    """What a run left behind: in the store, at the receiver, and in the snapshot.

    changes: by model and cause, in order; the order of drift beside performance is no promise. messages: bodies by id,
    without the wall clock; receivers: their names by the same. dead: (topic, partition, offset, row, reason).
    windows: what is kept of them, byte by byte.
    """

    readings: Mapping[str, Any]
    changes: Mapping[tuple[str, str], Any]
    triggers: Mapping[str, Any]
    messages: Mapping[str, Any]
    receivers: Mapping[str, str]
    deliveries: Any
    events: Mapping[tuple[str, str], int]
    views: Mapping[str, ModelView]
    dead: Any
    positions: Mapping[Place, int]
    windows: Any


@dataclass
class World:
    """One simulated service and what is around it.

    topics: of predictions and of labels. audiences: who is told of incidents. outputs: what the steps said that did not
    die. set_on_ms: how far somebody has set on the wall clock since; the steady one does not know.
    """

    log: Log
    specs: tuple[ModelSpec, ...] = SPECS
    references: Mapping[str, Mapping[str, Reference]] = field(default_factory=references)
    seed: int = 0
    directory: Path | None = None
    topics: tuple[str, str] = (PREDICTIONS, LABELS)
    audiences: tuple[Audience, ...] = ()
    clock: Clock = field(default_factory=lambda: Clock(LATER_MS))
    set_on_ms: int = 0
    source_options: Mapping[str, Any] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    bomb: Bomb = field(default_factory=Bomb)
    receiver: Receiver = field(default_factory=Receiver)

    def __post_init__(self) -> None:
        self._random = random.Random(self.seed)
        self._life = 0
        self._decoders = decoders(self.specs, *self.topics)
        self.start()

    def start(self) -> None:
        self.store = FaultyStore.in_memory() if self.directory is None else FaultyStore.open(self._state())
        self.store.bomb = self.bomb
        self.source = ScriptedSource(
            self.log, self._decoders, self._random, self.clock, bomb=self.bomb, **self.source_options
        )
        self.loop = Loop(
            self._monitor,
            self.store,
            self.source,
            Topics(frozenset(self.topics[:1]), frozenset(self.topics[1:])),
            self._messages,
            lambda: Now(self.clock() + self.set_on_ms, self.clock()),
            ScriptedOutbound(self.receiver, self.clock, self.bomb),
            KeptLetters(),
        )

    def step(self, crash: str | None = None) -> list[Output]:
        """One step, or, where a bomb goes off in it, the restart."""
        self.bomb.point = crash
        try:
            _, outputs = self.loop.step(0)
        except CrashError:
            self.restart()
            return []
        finally:
            self.bomb.point = None
        self.outputs += outputs
        return outputs

    def restart(self) -> None:
        """As after `kill -9`: the next life begins with the files as they lie there now."""
        assert self.directory is not None
        assert self.store._directory is not None
        dead, self._life = self._state(), self._life + 1
        shutil.copytree(dead, self._state())
        self.store._database.close()
        self.store._directory.release()
        shutil.rmtree(dead)
        self.start()

    def run(self, crash: Callable[[int], str | None] = lambda attempt: None) -> Observed:
        """Until the script is read and its messages are delivered; `crash` names the point where an attempt dies."""
        attempts = count()
        while not self.source.exhausted:
            self.step(crash(next(attempts)))
        self.clock.now_ms += 10_000  # Beyond the pause of a quiet step.
        self.step()
        return self.observe()

    def observe(self) -> Observed:
        snapshot, store = self.loop.snapshot, self.store
        changes: dict[tuple[str, str], list[Any]] = {}
        for change in store.incident_changes(limit=EVERYTHING):
            changes.setdefault((change.window.model, change.incident.cause), []).append(change)
        return Observed(
            readings={name: store.readings(name, limit=EVERYTHING) for name in snapshot.models},
            changes=changes,
            triggers={name: store.triggers(model=name, limit=EVERYTHING) for name in snapshot.models},
            messages={key: orjson.loads(body) | {"timestamp": ""} for key, body in self.receiver.bodies.items()},
            receivers=dict(self.receiver.names),
            deliveries=sorted((each.subject, each.state, each.attempts) for each in kept(store)),
            events=dict(snapshot.service.events),
            views=timeless(snapshot.models),
            dead=sorted(
                (each.topic, each.partition, each.offset, each.row, each.reason.value)
                for _, each in store.pending_dead_letters(EVERYTHING)
            ),
            positions=store.positions()[0],
            windows=held(store),
        )

    def close(self) -> None:
        self.store.close()

    def _messages(self, output: Output, now_ms: int) -> list[Message]:
        told = notices(output, self.audiences, self.loop.monitor, "http://monitor.example", now_ms)
        return requests(output, now_ms) + told

    def _state(self) -> Path:
        """The state directory of this life."""
        assert self.directory is not None
        return self.directory / str(self._life)

    def _monitor(self) -> Monitor:
        """The engine, with a bomb before and behind the closing of windows."""
        monitor = Monitor(list(self.specs), self.references)
        first = monitor.models[self.specs[0].name]
        advance, due = first.advance, first.due

        def advance_or_crash(*arguments: Any) -> Output:
            self.bomb.reach("after take-in")
            return advance(*arguments)

        def due_or_crash() -> Any:
            self.bomb.reach("after closing windows")
            return due()

        first.advance, first.due = advance_or_crash, due_or_crash  # type: ignore[method-assign]
        return monitor


def timeless(views: Mapping[str, ModelView]) -> Mapping[str, ModelView]:
    """Without when the wall clock says that requests were delivered."""
    return {
        name: replace(
            view,
            triggers=tuple(
                replace(life, heard_ms=0, steps=tuple(replace(step, at_ms=0) for step in life.steps))
                for life in view.triggers
            ),
        )
        for name, view in views.items()
    }


def requests(output: Output, now_ms: int) -> list[Message]:
    """What follows from what was said: each trigger asks for a retrained model."""
    receipt = Receipt("simulated")
    return [
        retrain_request(change.trigger, receipt, "pipeline", now_ms)
        for change in output.trigger_changes
        if change.after == "pending"
    ]


def kept(store: Store) -> list[DeliveryView]:
    """Where every message stands, oldest first."""
    sql = "SELECT subject, receiver, state, attempts, detail FROM message ORDER BY rowid"
    return [DeliveryView(*row) for row in store._database.committed(sql)]


def held(store: Store) -> list[list[tuple[Any, ...]]]:
    """What is kept of windows, and what they were compared with."""
    tables = [f"{table}_{part}" for table in ("kept", "basis") for part in KEPT_MAX]
    return [store._database.committed(f"FROM {table} ORDER BY ALL") for table in tables]
