"""`monitor run`: every part of one instance, started in order and stopped in the other."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import replace
from functools import partial

from monitor.config import Config
from monitor.engine import Monitor, Order, Output
from monitor.errors import UnavailableError
from monitor.events.decoder import Decoder
from monitor.events.native import NativeDecoder
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.distribution import Compared
from monitor.exports.orders import Registration
from monitor.exports.server import HttpServer
from monitor.exports.text import printable
from monitor.runtime import past
from monitor.runtime.clock import now
from monitor.runtime.delivery import Delivery
from monitor.runtime.intake import Topics
from monitor.runtime.kafka import KafkaSource
from monitor.runtime.kafka_dead_letters import KafkaDeadLetters
from monitor.runtime.kept import distributed
from monitor.runtime.loop import Loop
from monitor.runtime.notices import audience, check_installed, receiver
from monitor.runtime.outgoing import Outgoing
from monitor.runtime.receivers import receivers
from monitor.runtime.rendering import Renderer
from monitor.runtime.reports import Reporter
from monitor.runtime.standing import overruled
from monitor.runtime.store import Store
from monitor.runtime.versions import compared, registered
from monitor.snapshot import Snapshot
from monitor.statistics.comparison import Comparison
from monitor.windows.streams import Now

_log = logging.getLogger(__name__)

DRAIN_S = 20.0
"""Longest wait for deliveries under way when the service stops."""


class Service:
    """One running instance. Raises the state errors on construction; whatever is away later is waited for."""

    def __init__(self, config: Config, clock: Callable[[], Now] = now, port: int | None = None) -> None:
        """port: instead of the configured one; 0 takes any free one."""
        self._closing = ExitStack()
        self._stop = threading.Event()
        self._trouble: str | None = None
        self._comparing = threading.Lock()
        specs, references = config.specs(), config.references()
        self._config, self._specs = config, specs
        self._receivers = {name: spec.retrain.receiver for name, spec in specs.items() if spec.retrain}
        client = config.kafka_settings()
        asked = receivers(config)
        told = config.notified()
        token = config.token()
        for each in told:
            check_installed(each)
        try:
            self._store = store = Store.open(config.state)
            self._closing.callback(store.close)
            self._source = KafkaSource(
                client, _decoders(config), start_at=config.kafka.start_at, on_gap=config.kafka.on_gap
            )
            self._closing.callback(self._source.close)
            sender = KafkaDeadLetters(client, config.kafka.topics.dead_letters)
            self._closing.callback(sender.close)
            self.server = HttpServer(config.server.host, config.server.port if port is None else port)
            self._closing.callback(self.server.stop)
            renderer = Renderer()
            self._closing.callback(renderer.close)  # First: the server waits for what is under way.
            base_url = config.server.public_url or self.server.url
            notified = [receiver(each, config.server.public_url, self.server.url, token) for each in told]
            self._delivery = Delivery([*asked, *notified])
            audiences = [audience(each) for each in told]
            outgoing = Outgoing(self._receivers, lambda: self._loop.monitor, config.digest, base_url, audiences)
            self._outboxes = {*self._receivers.values(), *(each.name for each in told)}
            topics = config.kafka.topics
            self._loop = Loop(
                lambda: Monitor(list(specs.values()), references),
                store,
                self._source,
                Topics(frozenset({topics.predictions}), frozenset({topics.labels})),
                outgoing.messages,
                clock,
                self._delivery,
                sender,
            )
            for name, model in self._loop.monitor.models.items():
                for sentence in overruled(references[name], model.references.made.values()):
                    _log.warning(sentence)
            self._delivery.start()
            served = create_app(
                self.snapshot,
                Behind(
                    obey=self._obey,
                    compare=self.compare,
                    distributed=self.distributed,
                    report=Reporter(store, self.snapshot, renderer, base_url).report,
                    copy=store.copy,
                    steps=partial(past.steps, store),
                    request=partial(past.request, store),
                ),
                host=config.server.host,
                series_budget=config.server.series_budget,
                token=token,
                public_url=config.server.public_url,
            )
            self.server.start(served)
        except BaseException:
            self._closing.close()
            raise

    def snapshot(self) -> Snapshot:
        """What the API shows: the last commit, and how Kafka is read now. For any thread."""
        snapshot = self._loop.snapshot
        live = replace(
            snapshot.service,
            not_ready=self._source.trouble() or self._loop.stalled(),
            poll_returned_ms=self._source.returned_ms,
            lag=self._source.lag(),
            outbox_pending={**dict.fromkeys(self._outboxes, 0), **snapshot.service.outbox_pending},
        )
        return replace(snapshot, service=live)

    def run(self) -> None:
        """Step until `stop`, then let deliveries under way end and store what became of them."""
        try:
            for _, outputs in self._loop.turns(self._stop):
                self._tell(outputs)
            self._delivery.close(DRAIN_S)
            self._loop.step(0)
        finally:
            self._loop.orders.close()
            self._closing.close()

    def stop(self) -> None:
        """Ask `run` to return; from any thread or a signal handler."""
        self._stop.set()

    def _obey(self, order: Order | Registration) -> str:
        """What somebody asks over HTTP, on a thread of the server."""
        if isinstance(order, Registration):
            order = registered(self._config, self._specs, order)
        return self._loop.orders.give(order)

    def compare(self, model: str, champion: str, challenger: str) -> Comparison:
        """Two versions as of the last commit. For any thread. UnavailableError while another one compares: each takes
        seconds, memory, and the store's checkpoints.
        """
        if not self._comparing.acquire(blocking=False):
            raise UnavailableError("another comparison is under way: ask again")
        try:
            references, seen = self._loop.monitor.models[model].references, self._loop.snapshot.models[model].versions
            return compared(self._specs[model], references, seen, self._store, champion, challenger)
        finally:
            self._comparing.release()

    def distributed(self, model: str, feature: str, version: str | None, end_ms: int | None) -> Compared:
        """One feature's values in a closed window. For any thread."""
        return distributed(self._store, self._loop.monitor.models[model].references, model, feature, version, end_ms)

    def _tell(self, outputs: Sequence[Output]) -> None:
        """Log what changed: incidents, and whether Kafka can be read."""
        for change in (change for output in outputs for change in output.changes):
            _log.warning("%s incident %s: %s", change.incident.cause, change.event, printable(change.reason))
        for version in (version for output in outputs for version in output.versions):
            _log.warning("%s", printable(version.detail))
        trouble = self._source.trouble()
        if trouble != self._trouble:
            _log.warning(trouble or "Kafka can be read")
            self._trouble = trouble


def _decoders(config: Config) -> dict[str, Decoder]:
    """The decoder of each topic; one that holds predictions and labels tells them apart by their `type`."""
    schemas = {name: spec.schema for name, spec in config.specs().items()}
    topics = config.kafka.topics
    if topics.predictions == topics.labels:
        return {topics.predictions: NativeDecoder(schemas, None)}
    return {
        topics.predictions: NativeDecoder(schemas, "prediction"),
        topics.labels: NativeDecoder(schemas, "label"),
    }
