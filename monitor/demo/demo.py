"""`monitor demo`: the whole service on an embedded broker, with a model that goes wrong part-way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import yaml
from confluent_kafka import Producer

from monitor.actions.signing import generate_secret, parse_secret
from monitor.config import load
from monitor.demo.broker import EmbeddedBroker
from monitor.demo.receiver import RetrainReceiver
from monitor.demo.traffic import FEATURES, MODEL, SCHEMA, VERSION, Traffic
from monitor.events.batch import OUTPUTS
from monitor.profiles.reference import Reference
from monitor.runtime.clock import wall_clock_ms
from monitor.runtime.service import Service
from monitor.snapshot import Snapshot

RATE = 800
"""Predictions a second."""

TICK_S = 0.1
PARTITIONS = 2
LABEL_DELAY_S = (1.0, 4.0)
TRAINING_ROWS = 20_000
SEED = 20261123

Say = Callable[[str], None]


class Simulation(threading.Thread):
    """Sends the model's predictions, and each one's label a few seconds later, at the pace of the clock."""

    def __init__(self, bootstrap_servers: str, drift_s: float, traffic: Traffic) -> None:
        super().__init__(name="simulated model", daemon=True)
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, "linger.ms": 5, "log_level": 0})
        self._drift_s = drift_s
        self._traffic = traffic
        self._ended = threading.Event()
        self.drifted = threading.Event()

    def run(self) -> None:
        delays = np.random.default_rng(SEED)
        waiting: list[tuple[float, str, bytes]] = []
        started = time.monotonic()
        while not self._ended.wait(TICK_S):
            elapsed = time.monotonic() - started
            if elapsed >= self._drift_s:
                self.drifted.set()
            now_ms = wall_clock_ms()
            drawn = self._traffic.draw(int(RATE * TICK_S), self.drifted.is_set())
            times = now_ms - np.linspace(TICK_S * 1000, 0, len(drawn.ids)).astype(np.int64)
            for identity, event in zip(drawn.ids, drawn.prediction_events(times), strict=True):
                self._send("predictions", identity, event)
            due = elapsed + delays.uniform(*LABEL_DELAY_S, len(drawn.ids))
            labels = drawn.label_events((now_ms + 1000 * (due - elapsed)).astype(np.int64).tolist())
            waiting += zip(due.tolist(), drawn.ids, labels, strict=True)
            arrived = [each for each in waiting if each[0] <= elapsed]
            waiting = [each for each in waiting if each[0] > elapsed]
            for _, identity, event in arrived:
                self._send("labels", identity, event)
            self._producer.poll(0)
        self._producer.flush(5)

    def stop(self) -> None:
        self._ended.set()
        self.join(10)

    def _send(self, topic: str, identity: str, event: bytes) -> None:
        """The key keeps an id's events in one partition."""
        number = int(identity.rpartition("-")[2])
        self._producer.produce(topic, event, key=identity.encode(), partition=number % PARTITIONS)


def write_config(directory: Path, kafka: dict[str, Any], receiver_url: str, secret: str) -> Path:
    """A whole configuration as a user would have it: `monitor.yaml`, the compiled reference, the secret's file."""
    predictions, pairs = Traffic(SEED - 1).draw(TRAINING_ROWS).table()
    reference = Reference.build(SCHEMA, predictions, pairs, version=VERSION)
    (directory / f"{MODEL}-{VERSION}.profile").write_bytes(reference.dump())
    (directory / "webhook-secret").write_text(secret)
    (directory / "webhook-secret").chmod(0o600)
    content = {
        "kafka": kafka,
        "state": "state",
        "window": "1s",
        "lateness": "500ms",
        "idle_after": "2s",
        "alarms": {"learning": "0s"},  # The simulated world knows neither hours nor weekends.
        "models": [
            {
                "name": MODEL,
                "task": "binary",
                "positive": "default",
                "reference": f"{MODEL}-{VERSION}.profile",
                "features": FEATURES,
                "performance": {"metric": "roc_auc", "drop": 0.03, "wait": "1h"},
                "retrain": {"webhook": "pipeline", "on": ["performance", "drift"], "labels_min": 2000},
            }
        ],
        "webhooks": {"pipeline": {"url": receiver_url, "secret_file": "webhook-secret"}},
        "server": {"host": "127.0.0.1", "port": 0},
    }
    path = directory / "monitor.yaml"
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run_demo(duration_s: float | None, port: int, say: Say) -> dict[str, Any]:
    """Run until `duration_s` is over or the user interrupts; what happened, in the contract's words."""
    started = time.monotonic()
    drift_s = 10.0 if duration_s is None else min(10.0, duration_s / 3)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="model-monitor-demo-")))
        broker = stack.enter_context(EmbeddedBroker())
        for topic in ("predictions", "labels", "monitor-dead-letters"):
            broker.create_topic(topic, PARTITIONS)
        secret = generate_secret()
        receiver = stack.enter_context(RetrainReceiver([parse_secret(secret)]))
        kafka = {name: list(value) if isinstance(value, tuple) else value for name, value in broker.client.items()}
        say(f"compiling a reference from {TRAINING_ROWS:,} rows of training data")
        service = Service(load(write_config(directory, kafka, receiver.url, secret)), port=port)
        failures: list[BaseException] = []
        worker = threading.Thread(target=_guarded(service.run, failures), name="service", daemon=True)
        worker.start()
        say(f"the service is up: pages at {service.server.url}, metrics at {service.server.url}/metrics")
        simulation = Simulation(broker.bootstrap_servers, drift_s, Traffic(SEED))
        simulation.start()
        say(
            f"a credit model serves {RATE} predictions a second; its labels follow {LABEL_DELAY_S[0]:g} to "
            f"{LABEL_DELAY_S[1]:g} s later; in {drift_s:g} s the world changes"
        )
        story = _Story(service.snapshot, receiver, simulation, say)
        try:
            while duration_s is None or time.monotonic() - started < duration_s:
                time.sleep(0.2)
                story.tell()
                if not worker.is_alive():
                    break
        except KeyboardInterrupt:
            say("stopping")
        simulation.stop()
        service.stop()
        worker.join(30)
        story.tell()
        if failures:
            raise failures[0]
        return _summary(service.snapshot(), receiver, started)


def _guarded(run: Callable[[], None], failures: list[BaseException]) -> Callable[[], None]:
    """The same, keeping what it raises: a thread's exception would otherwise only be printed."""

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - it is raised again by the main thread.
            failures.append(error)

    return guarded


class _Story:
    """Says each thing once, when it happens."""

    def __init__(
        self, snapshot: Callable[[], Snapshot], receiver: RetrainReceiver, simulation: Simulation, say: Say
    ) -> None:
        self._snapshot, self._receiver, self._simulation, self._say = snapshot, receiver, simulation, say
        self._told: set[str] = set()

    def tell(self) -> None:
        model = self._snapshot().models[MODEL]
        if self._simulation.drifted.is_set():
            self._once("drift", "the world has changed: incomes rise, and protect from default no more")
        for view in model.performance:
            figure = next((each for each in view.readings if each.statistic == model.metric and each.value), None)
            if figure is not None and view.settled and view.window.end_ms % 5_000 == 0:
                self._once(
                    f"performance {view.window.end_ms}",
                    f"{model.metric} {figure.value:.3f} ({figure.lower:.3f} to {figure.upper:.3f}), "
                    f"{view.coverage:.0%} of {view.labels} labelled",
                )
        for trigger in (life.trigger for life in model.triggers):
            if not trigger.withheld:
                self._once(trigger.id, f"retrain request {trigger.id} made: {trigger.summary}")
        for request in self._receiver.received():
            name = request["data"]["trigger"]
            self._once(f"received {name}", f"retrain request {name} received by the pipeline, signature verified")

    def _once(self, key: str, text: str) -> None:
        if key not in self._told:
            self._told.add(key)
            self._say(text)


def _summary(snapshot: Snapshot, receiver: RetrainReceiver, started: float) -> dict[str, Any]:
    model = snapshot.models[MODEL]
    newest = model.windows[-1].verdicts if model.windows else ()
    received = len(receiver.received())
    return {
        "events": sum(snapshot.service.events.values()),
        "windows": len(model.windows),
        "drifting": sorted(each.feature for each in newest if each.state == "drifting" and each.feature not in OUTPUTS),
        "incidents": len(model.incidents),
        "incidents_open": sum(incident.open for incident in model.incidents),
        "performance": _newest_figure(snapshot),
        "triggers_received": received,
        "signature_valid": received > 0 and receiver.refused == 0,
        "versions": list(model.versions),
        "seconds": round(time.monotonic() - started, 1),
    }


def _newest_figure(snapshot: Snapshot) -> dict[str, float | str | None] | None:
    model = snapshot.models[MODEL]
    for view in reversed(model.performance):
        for reading in view.readings:
            if reading.statistic == model.metric and reading.value is not None:
                return {"metric": model.metric, "value": reading.value, "lower": reading.lower, "upper": reading.upper}
    return None
