"""A disk that fills up or fails under a real service: it stops, says why, and begins again where the disk is."""

from __future__ import annotations

import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest

from monitor.config import load
from monitor.runtime.store import Store
from tests.brokers import Broker, Produce, Topics
from tests.faults import disk, files_are_limited, flushes_fail
from tests.simulation.service import STATE, Service, write_config
from tests.simulation.traffic import LABELS, PREDICTIONS, Log, Shape, Traffic
from tests.simulation.world import EVERYTHING, World

SHAPE = Shape(minutes=8, predictions_a_minute=1_200)
ROOM = 700_000
"""Bytes that are enough to begin, and too few for all of it."""


class Job:
    """Traffic on a broker, and the service that is to read it."""

    def __init__(self, broker: Broker, topic: Topics, produce: Produce, directory: Path) -> None:
        self._produce = produce
        self._names = {PREDICTIONS: topic(SHAPE.partitions), LABELS: topic(SHAPE.label_partitions)}
        log = Traffic(5, SHAPE).log()
        self._log: Log = {(self._names[name], partition): records for (name, partition), records in log.items()}
        self.config = write_config(directory, broker.client, self._names | {"dead_letters": topic()})
        self.state = directory / STATE
        self._sent = dict.fromkeys(self._log, 0)

    def send(self, share: float) -> None:
        """Up to this share of every partition."""
        for (name, partition), records in self._log.items():
            first, last = self._sent[name, partition], round(len(records) * share)
            self._produce(name, [record.value for record in records[first:last]], partition)
            self._sent[name, partition] = last

    def fails(self, prefix: tuple[str, ...]) -> str:
        """Run until the service ends by itself with an I/O error; the one sentence that it ends with."""
        with Service(self.config, prefix) as service:
            assert service.exits() == 70
            said = service.errors.splitlines()
        assert not any("Traceback" in line for line in said), said
        assert sum(line.startswith("monitor: ") for line in said) == 1
        assert said[-1].startswith("monitor: ")
        return said[-1]

    def ends_as_if_nothing_had_been(self, prefix: tuple[str, ...] = (), seen: Path | None = None) -> None:
        """Run again until all is read, and compare with a run that nothing disturbed."""
        with Service(self.config, prefix) as service:
            url = service.url()
            self.send(1)
            expected, whole = self._undisturbed()
            service.wait_for(lambda: _events(service.metrics(url)) == expected)
            assert service.terminate() == 0
        copy = self.state.with_name("copy")
        shutil.copytree(seen or self.state, copy)
        assert left_behind(copy, whole["readings"].keys()) == whole

    def _undisturbed(self) -> tuple[dict[tuple[str, str], int], dict[str, object]]:
        loaded = load(self.config)
        topics = (self._names[PREDICTIONS], self._names[LABELS])
        world = World(self._log, tuple(loaded.specs().values()), loaded.references(), topics=topics)
        observed = world.run()
        whole = _said(world.store, loaded.models)
        world.close()
        return {key: count for key, count in observed.events.items() if count}, whole


def left_behind(state: Path, models: object) -> dict[str, object]:
    with Store.open(state) as store:
        return _said(store, models)


def _said(store: Store, models: object) -> dict[str, object]:
    """All that a run stored of what it read and said; the order of drift beside performance is no promise."""
    return {
        "positions": store.positions()[0],  # The script of the oracle knows no ids of topics.
        "readings": {name: store.readings(name, limit=EVERYTHING) for name in models},
        "triggers": {name: store.triggers(model=name, limit=EVERYTHING) for name in models},
        "incidents": sorted(map(repr, store.incident_changes(limit=EVERYTHING))),
    }


def _events(metrics: Mapping[tuple[str, ...], float]) -> dict[tuple[str, str], float]:
    """Counts of events by (topic, result)."""
    return {
        (topic, result): count
        for (name, *labels), count in metrics.items()
        if name == "model_monitor_events_total" and count
        for result, topic in [labels]
    }


@pytest.fixture
def job(broker: Broker, topic: Topics, produce: Produce, tmp_path: Path) -> Job:
    return Job(broker, topic, produce, tmp_path)


def test_a_full_disk_stops_the_service_and_nothing_is_lost_once_there_is_room(job: Job) -> None:
    with disk(job.state, f"size={ROOM}") as own:
        job.send(0.8)
        assert "No space left on device" in job.fails(own.prefix)
        job.fails(own.prefix)  # As a supervisor would start it again: it fails once more.
        own.remount("size=64m")
        job.ends_as_if_nothing_had_been(own.prefix, own.seen)


def test_a_file_that_may_not_grow_stops_the_service_and_nothing_is_lost_once_it_may(job: Job) -> None:
    job.send(0.8)
    assert "File too large" in job.fails(files_are_limited(ROOM))
    job.ends_as_if_nothing_had_been()


@pytest.mark.parametrize("nth", [2, 3])
def test_a_flush_that_fails_stops_the_service_and_nothing_is_lost(job: Job, nth: int) -> None:
    job.send(0.8)
    assert "fsync failed" in job.fails(flushes_fail(nth))
    job.ends_as_if_nothing_had_been()
