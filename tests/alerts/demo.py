"""The demo's service and model, in hand."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import yaml

from monitor.actions.signing import parse_secret
from monitor.config import load
from monitor.demo.broker import EmbeddedBroker
from monitor.demo.demo import TRAINING_ROWS, write_config, write_secret
from monitor.demo.receiver import RetrainReceiver
from monitor.demo.simulation import PARTITIONS, SEED, Simulation
from monitor.demo.traffic import Applications, Traffic
from monitor.profiles.reference import Reference
from monitor.runtime.service import Service


class Breakable(Traffic):
    """The demo's traffic; while it is broken, a feature is missing."""

    def __init__(self, seed: int) -> None:
        super().__init__(seed)
        self.broken = threading.Event()

    def draw(self, rows: int, drifted: bool = False) -> Applications:
        drawn = super().draw(rows, drifted)
        if self.broken.is_set():
            drawn.features["channel"] = drawn.features["channel"].astype(object)
            drawn.features["channel"][:] = None
        return drawn


class Demo:
    """The demo's service and model, in hand: when the world changes, and when the data breaks."""

    def __init__(
        self,
        service: Service,
        simulation: Simulation,
        traffic: Breakable,
        bootstrap_servers: str,
        stop: Callable[[], None],
    ) -> None:
        self.address = service.server.url.removeprefix("http://")
        self.simulation, self.bootstrap_servers = simulation, bootstrap_servers
        self.drifted, self.broken = simulation.drifted, traffic.broken
        self.stop_service = stop


@contextmanager
def demo(directory: Path, *segments: str) -> Iterator[Demo]:
    """segments: features by whose values parts of the traffic are watched by themselves."""
    with ExitStack() as parts:
        broker = parts.enter_context(EmbeddedBroker())
        for topic in ("predictions", "labels", "monitor-dead-letters"):
            broker.create_topic(topic, PARTITIONS)
        pipeline = parts.enter_context(RetrainReceiver([parse_secret(write_secret(directory))]))
        kafka = {name: list(value) if isinstance(value, tuple) else value for name, value in broker.client.items()}
        config = write_config(directory, kafka, pipeline.url)
        if segments:
            _segment(config, segments)
        service = Service(load(config))
        worker = threading.Thread(target=service.run, name="service")

        def stop() -> None:
            service.stop()
            worker.join(30)

        worker.start()
        parts.callback(stop)
        traffic = Breakable(SEED)
        simulation = Simulation(broker.bootstrap_servers, float("inf"), traffic)
        simulation.start()
        parts.callback(simulation.stop)
        yield Demo(service, simulation, traffic, broker.bootstrap_servers, stop)


def _segment(config: Path, segments: Sequence[str]) -> None:
    """In the configuration, and in the reference that it names."""
    content = yaml.safe_load(config.read_text())
    [model] = content["models"]
    model["segments"] = list(segments)
    config.write_text(yaml.safe_dump(content))
    predictions, _ = Traffic(SEED - 1).draw(TRAINING_ROWS).table()
    reference = config.parent / model["reference"]
    reference.write_bytes(Reference.load(reference.read_bytes()).with_segments(predictions, segments).dump())
