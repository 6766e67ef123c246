"""Events a second of the service, beside a bare poll loop and a poll + orjson.loads loop of the same client.

    python -m benchmarks.throughput [--events N] [--rounds R]

One real broker, one topic, 20-feature JSON events. Each contender reads the whole topic in a process of its own, in
turn, R times; the medians and their ratios are printed. The service's column is everything: decoding, folding, the
duplicate test, the store's commits, windows and statistics. Its memory is given after each third of the events: it
must not grow with them. Bounded: about two minutes.
"""

from __future__ import annotations

import argparse
import json
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import orjson
from confluent_kafka import Producer

from monitor.engine import Monitor
from monitor.events.batch import CategoricalColumn, Column, NumericColumn, Origin, Predictions
from monitor.events.ids import digests
from monitor.events.native import NativeDecoder
from monitor.events.schema import Kind, Schema
from monitor.profiles.reference import Reference
from monitor.runtime.clock import now
from monitor.runtime.intake import Topics
from monitor.runtime.kafka import KafkaSource
from monitor.runtime.loop import Loop
from monitor.runtime.store import Store
from monitor.spec import ModelSpec, PerformanceSpec
from monitor.windows.window import WindowSpec
from tests.brokers import RealBroker

TOPIC = "predictions"
PARTITIONS = 4
COUNTRIES = ("PL", "DE", "FR", "US", "ES", "IT")
FEATURES: dict[str, Kind] = {f"n{i:02}": "numeric" for i in range(14)} | {f"c{i}": "categorical" for i in range(6)}
SCHEMA = Schema("bench", "binary", FEATURES, positive="1")
START_MS = 1_760_000_000_000


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--events", type=int, default=600_000)
    arguments.add_argument("--rounds", type=int, default=3)
    arguments.add_argument("--contender", choices=CONTENDERS)
    arguments.add_argument("--servers")
    options = arguments.parse_args()
    if options.contender:
        sys.stdout.write(json.dumps(CONTENDERS[options.contender](options.servers, options.events)) + "\n")
        return
    with tempfile.TemporaryDirectory(prefix="model-monitor-bench-") as directory:
        broker = RealBroker(Path(directory))
        broker.start()
        try:
            compare(broker, options.events, options.rounds)
        finally:
            broker.close()


def compare(broker: RealBroker, events: int, rounds: int) -> None:
    size = fill(broker, events)
    print(f"{events:,} events of {size:.0f} bytes, {PARTITIONS} partitions, {rounds} rounds, {broker.description}")
    results: dict[str, list[dict[str, float]]] = {name: [] for name in CONTENDERS}
    for _ in range(rounds):
        for name in CONTENDERS:
            results[name].append(measure(name, broker.bootstrap_servers, events))
            print(".", end="", flush=True)
    print()
    rate = {name: statistics.median(each["rate"] for each in found) for name, found in results.items()}
    for name in CONTENDERS:
        ratios = [one["rate"] / base["rate"] for one, base in zip(results[name], results["poll + orjson"], strict=True)]
        print(
            f"{name:16} {rate[name]:10,.0f} events/s   {statistics.median(ratios):.2f} of poll + orjson.loads "
            f"({min(ratios):.2f} to {max(ratios):.2f})   {max(each['peak_mb'] for each in results[name]):.0f} MB"
        )
    thirds = [statistics.median(each[f"third_{third}_mb"] for each in results["service"]) for third in (1, 2, 3)]
    print(
        "memory of the service: {:.0f} MB after a third of the events, {:.0f} after two, {:.0f} at the end".format(
            *thirds
        )
    )


def measure(name: str, servers: str, events: int) -> dict[str, float]:
    command = [sys.executable, "-m", "benchmarks.throughput", "--contender", name, "--servers", servers]
    done = subprocess.run([*command, "--events", str(events)], check=True, capture_output=True, text=True, timeout=300)
    return json.loads(done.stdout.splitlines()[-1])


def fill(broker: RealBroker, events: int) -> float:
    """Write the events, a millisecond apart; their mean size in bytes."""
    broker.create_topic(TOPIC, PARTITIONS)
    random = np.random.default_rng(1)
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 20, "batch.size": 1 << 20})
    total = 0
    for first in range(0, events, 10_000):
        rows = min(10_000, events - first)
        numbers = random.normal(size=(14, rows)).round(6).tolist()
        classes = random.integers(0, len(COUNTRIES), size=(6, rows)).tolist()
        score = random.random(rows).round(6).tolist()
        for row in range(rows):
            features: dict[str, float | str] = {f"n{i:02}": column[row] for i, column in enumerate(numbers)}
            features |= {f"c{i}": COUNTRIES[column[row]] for i, column in enumerate(classes)}
            event = {
                "type": "prediction",
                "id": f"{first + row:032x}",
                "model": "bench",
                "version": "3",
                "timestamp": START_MS + first + row,
                "features": features,
                "prediction": str(int(score[row] >= 0.5)),
                "score": score[row],
            }
            payload = orjson.dumps(event)
            total += len(payload)
            producer.produce(TOPIC, payload, partition=(first + row) % PARTITIONS)
        producer.flush()
    return total / events


class Meter:
    """Events a second from the first batch's end to the last's: connecting is not measured, nor is what it brought."""

    def __init__(self) -> None:
        self.read = self._first = 0
        self._started = 0.0

    def add(self, events: int) -> None:
        self.read += events
        if self.read and not self._started:
            self._first, self._started = self.read, time.perf_counter()

    def rate(self) -> float:
        return (self.read - self._first) / (time.perf_counter() - self._started)


def drain(servers: str, events: int, each: Callable[[bytes], object] | None) -> dict[str, float]:
    """A loop as a user would write it."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(
        bootstrap_servers=servers, enable_auto_commit=False, auto_offset_reset="earliest", max_poll_records=5_000
    )
    consumer.assign([TopicPartition(TOPIC, partition) for partition in range(PARTITIONS)])
    meter = Meter()
    while meter.read < events:
        polled = consumer.poll(timeout_ms=500)
        for records in polled.values():
            if each is not None:
                for record in records:
                    each(record.value)
        meter.add(sum(map(len, polled.values())))
    rate = meter.rate()
    consumer.close()
    return {"rate": rate, "peak_mb": peak_mb()}


def service(servers: str, events: int) -> dict[str, float]:
    """The loop of `monitor run` with its store on disk, until every event is committed."""
    spec = ModelSpec("bench", SCHEMA, WindowSpec(60_000), PerformanceSpec("roc_auc", 0.03), lateness_ms=5_000)
    reference = training()
    with tempfile.TemporaryDirectory(prefix="model-monitor-bench-") as directory, Store.open(Path(directory)) as store:
        source = KafkaSource({"bootstrap_servers": servers}, {TOPIC: NativeDecoder({"bench": SCHEMA}, "prediction")})
        topics = Topics(frozenset({TOPIC}), frozenset())
        loop = Loop(lambda: Monitor([spec], {"bench": {"3": reference}}), store, source, topics, lambda *_: [], now)
        meter, sizes = Meter(), []
        for read, _ in loop.turns(threading.Event()):
            meter.add(read)
            sizes.append((meter.read, resident_mb()))
            if meter.read >= events:
                break
        rate = meter.rate()
        source.close()
        accepted = sum(rows for (_, result), rows in loop.snapshot.service.events.items() if result == "accepted")
        assert accepted == events, f"{accepted} of {events} events were accepted"
    thirds = {
        f"third_{third}_mb": next(size for seen, size in sizes if seen >= events * third / 3) for third in (1, 2, 3)
    }
    return {"rate": rate, "peak_mb": peak_mb(), **thirds}


def training(rows: int = 20_000) -> Reference:
    random = np.random.default_rng(2)
    ints = np.zeros(rows, dtype=np.int32)
    features: dict[str, Column] = {f"n{i:02}": NumericColumn.of(random.normal(size=rows)) for i in range(14)}
    for i in range(6):
        features[f"c{i}"] = CategoricalColumn(random.integers(0, 6, rows).astype(np.int32), COUNTRIES)
    predictions = Predictions(
        "bench",
        Origin("training", ints, np.arange(rows), ints),
        np.arange(rows),
        np.full(rows, -1),
        digests(map(str, range(rows))),
        np.ones(rows, dtype=np.bool_),
        CategoricalColumn(ints, ("3",)),
        features,
        None,
        {"1": NumericColumn.of(random.random(rows))},
    )
    return Reference.build(SCHEMA, predictions, None, version="3")


def resident_mb() -> float:
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * resource.getpagesize() / 1e6


def peak_mb() -> float:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1e3


CONTENDERS: dict[str, Callable[[str, int], dict[str, float]]] = {
    "poll": lambda servers, events: drain(servers, events, None),
    "poll + orjson": lambda servers, events: drain(servers, events, orjson.loads),
    "service": service,
}

if __name__ == "__main__":
    main()
