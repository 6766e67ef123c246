"""`monitor demo`: the whole service on an embedded broker, with a model that goes wrong part-way."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import yaml

from monitor.actions.signing import generate_secret, parse_secret
from monitor.config import load
from monitor.demo.broker import EmbeddedBroker
from monitor.demo.pipeline import ExamplePipeline
from monitor.demo.receiver import RetrainReceiver
from monitor.demo.simulation import LABEL_DELAY_S, PARTITIONS, RATE, SEED, TOPICS, Simulation, model_server
from monitor.demo.story import Say, Story, summary
from monitor.demo.traffic import FEATURES, MODEL, SCHEMA, VERSION, Traffic
from monitor.exports.server import HttpServer
from monitor.profiles.reference import Reference
from monitor.runtime.service import Service

TRAINING_ROWS = 20_000
CONFIG, SECRET = "monitor.yaml", "webhook-secret"


def write_secret(directory: Path) -> str:
    """A new secret, in the file that the configuration names."""
    secret = generate_secret()
    (directory / SECRET).write_text(secret)
    (directory / SECRET).chmod(0o600)
    return secret


def write_reference(directory: Path) -> str:
    """The compiled reference of the simulated model: the name of its file."""
    predictions, pairs = Traffic(SEED - 1).draw(TRAINING_ROWS).table()
    name = f"{MODEL}-{VERSION}.profile"
    (directory / name).write_bytes(Reference.build(SCHEMA, predictions, pairs, version=VERSION).dump())
    return name


def write_config(directory: Path, kafka: dict[str, Any], receiver_url: str, port: int = 0) -> Path:
    """A configuration as a user would have it, and the compiled reference; the secret's file is there already."""
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
                "reference": write_reference(directory),
                "features": FEATURES,
                "retire_after": "8s",
                "performance": {"metric": "roc_auc", "drop": 0.03, "wait": "1h"},
                "retrain": {"webhook": "pipeline", "on": ["performance", "drift"], "labels_min": 2000},
            }
        ],
        "webhooks": {"pipeline": {"url": receiver_url, "secret_file": SECRET}},
        "server": {"host": "127.0.0.1", "port": port},
    }
    path = directory / CONFIG
    path.write_text(yaml.safe_dump(content, sort_keys=False))
    return path


def run_demo(duration_s: float | None, port: int, say: Say, *, loop: bool = False) -> dict[str, Any]:
    """Run until `duration_s` is over or the user interrupts; what happened, in the contract's words. loop: with the
    example's pipeline, which retrains; else requests are only received.
    """
    started = time.monotonic()
    drift_s = 10.0 if duration_s is None else min(10.0, duration_s / 3)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(TemporaryDirectory(prefix="model-monitor-demo-")))
        broker = stack.enter_context(EmbeddedBroker())
        for topic in TOPICS:
            broker.create_topic(topic, PARTITIONS)
        secret = write_secret(directory)
        simulation = Simulation(broker.bootstrap_servers, drift_s, Traffic(SEED))
        pipeline: RetrainReceiver | ExamplePipeline
        if loop:
            serving = HttpServer(port=0)
            stack.callback(serving.stop)
            serving.start(model_server(simulation))
            pipeline = ExamplePipeline(directory, directory / CONFIG, directory / SECRET, serving.url, say)
        else:
            pipeline = RetrainReceiver([parse_secret(secret)])
        stack.enter_context(pipeline)
        kafka = {name: list(value) if isinstance(value, tuple) else value for name, value in broker.client.items()}
        say(f"compiling a reference from {TRAINING_ROWS:,} rows of training data")
        service = Service(load(write_config(directory, kafka, pipeline.url, port)))
        failures: list[BaseException] = []
        worker = threading.Thread(target=_guarded(service.run, failures), name="service", daemon=True)
        worker.start()
        say(f"the service is up: pages at {service.server.url}, metrics at {service.server.url}/metrics")
        simulation.start()
        say(
            f"a credit model serves {RATE} predictions a second; its labels follow {LABEL_DELAY_S[0]:g} to "
            f"{LABEL_DELAY_S[1]:g} s later; in {drift_s:g} s the world changes"
        )
        story, validation = Story(service.snapshot, simulation, say), None
        try:
            while duration_s is None or time.monotonic() - started < duration_s:
                time.sleep(0.2)
                story.tell()
                validation = validation or story.validated(service.compare)
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
        return summary(story, pipeline, validation, started)


def _guarded(run: Callable[[], None], failures: list[BaseException]) -> Callable[[], None]:
    """The same, keeping what it raises: a thread's exception would otherwise only be printed."""

    def guarded() -> None:
        try:
            run()
        except BaseException as error:  # noqa: BLE001 - it is raised again by the main thread.
            failures.append(error)

    return guarded
