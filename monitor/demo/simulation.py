"""A simulated model server: it answers applications with the versions that are deployed, and says so to Kafka."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping
from contextlib import suppress

import numpy as np
from confluent_kafka import Producer
from fastapi import FastAPI, HTTPException
from pydantic import BaseModel, ConfigDict, Field

from monitor.demo.traffic import LEARNED, TERMS, VERSION, Scorer, Traffic
from monitor.runtime.clock import wall_clock_ms

RATE = 800
"""Predictions a second, of each version, in `monitor demo`."""

TICK_S = 0.1
PREDICTIONS, LABELS = "predictions", "labels"
TOPICS = (PREDICTIONS, LABELS, "monitor-dead-letters")
PARTITIONS = 2
LABEL_DELAY_S = (1.0, 4.0)
SEED = 20261123


class Deployed(BaseModel):
    """A version, as a pipeline deploys it. live: it takes the place of the others; else it answers beside them."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    intercept: float = Field(allow_inf_nan=False)
    weights: dict[str, float]
    live: bool = False

    @property
    def scorer(self) -> Scorer:
        return Scorer(self.intercept, self.weights)


class Simulation(threading.Thread):
    """Sends each version's predictions, and each application's label a few seconds later, at the pace of the clock.

    An outage of the broker does not stop it: what no longer fits its queue meanwhile is lost, as a model server's would
    be. rate: predictions a second, of each version. versions: those that answer now; replaced whole, so that any thread
    may.
    """

    def __init__(self, bootstrap_servers: str, drift_s: float, traffic: Traffic, rate: float = RATE) -> None:
        super().__init__(name="simulated model", daemon=True)
        settings = {"enable.idempotence": True, "linger.ms": 5, "log_level": 0}
        self._producer = Producer({"bootstrap.servers": bootstrap_servers, **settings})
        self._drift_s = drift_s
        self._traffic = traffic
        self._rate = rate
        self._ended = threading.Event()
        self.drifted = threading.Event()
        self.versions: Mapping[str, Scorer] = {VERSION: LEARNED}

    def run(self) -> None:
        delays = np.random.default_rng(SEED)
        waiting: list[tuple[float, str, bytes]] = []
        started, asked = time.monotonic(), 0.0
        while not self._ended.wait(TICK_S):
            elapsed = time.monotonic() - started
            if elapsed >= self._drift_s:
                self.drifted.set()
            now_ms = wall_clock_ms()
            asked += self._rate * TICK_S
            drawn = self._traffic.draw(int(asked), self.drifted.is_set())
            asked -= len(drawn.ids)
            times = now_ms - np.linspace(TICK_S * 1000, 0, len(drawn.ids)).astype(np.int64)
            for version, scorer in self.versions.items():
                for identity, event in zip(drawn.ids, drawn.prediction_events(times, version, scorer), strict=True):
                    self._send(PREDICTIONS, identity, event)
            due = elapsed + delays.uniform(*LABEL_DELAY_S, len(drawn.ids))
            labels = drawn.label_events((now_ms + 1000 * (due - elapsed)).astype(np.int64).tolist())
            waiting += zip(due.tolist(), drawn.ids, labels, strict=True)
            arrived = [each for each in waiting if each[0] <= elapsed]
            waiting = [each for each in waiting if each[0] > elapsed]
            for _, identity, event in arrived:
                self._send(LABELS, identity, event)
            self._producer.poll(0)
        self._producer.flush(5)

    def stop(self) -> None:
        self._ended.set()
        self.join(10)

    def _send(self, topic: str, identity: str, event: bytes) -> None:
        """The key keeps an id's events in one partition."""
        with suppress(BufferError):
            self._producer.produce(topic, event, key=identity.encode())


def model_server(simulation: Simulation) -> FastAPI:
    """Where a pipeline deploys versions: PUT and DELETE /versions/{version}."""
    app = FastAPI(title="a simulated model server", docs_url=None, redoc_url=None)

    @app.put("/versions/{version}")
    def deploy(version: str, deployed: Deployed) -> dict[str, list[str]]:
        unknown = sorted(set(deployed.weights) - set(TERMS))
        if unknown:
            raise HTTPException(422, f"no such term: {', '.join(unknown)}; there are: {', '.join(TERMS)}")
        beside = {} if deployed.live else simulation.versions
        simulation.versions = {**beside, version: deployed.scorer}
        return {"versions": list(simulation.versions)}

    @app.delete("/versions/{version}")
    def withdraw(version: str) -> dict[str, list[str]]:
        left = {name: scorer for name, scorer in simulation.versions.items() if name != version}
        if not left:
            raise HTTPException(409, f"version {version} is the only one that answers")
        simulation.versions = left
        return {"versions": list(left)}

    return app
