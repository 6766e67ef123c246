"""The brokers that tests and benchmarks run against: Apache Kafka where Java is present, else the embedded one."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import subprocess
import tempfile
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Protocol, Self

from confluent_kafka import TopicPartition
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic

from monitor.demo.broker import EmbeddedBroker
from tests.ports import closed_ports

KAFKA = "4.1.0"  # As in broker/pom.xml.

Topics = Callable[..., str]
"""The fixture `topic`: makes a topic and says its name."""

Produce = Callable[..., None]
"""The fixture `produce`: writes values to one partition of a topic."""

_POM = Path(__file__).parent / "broker" / "pom.xml"
_READY_S = 60.0
_ANSWER_S = 30.0


class Broker(Protocol):
    """What a test may do to a broker."""

    description: str

    @property
    def client(self) -> dict[str, object]:
        """Settings of a kafka-python client."""

    @property
    def bootstrap_servers(self) -> str: ...

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None: ...

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Drop what lies below offset `before`, as retention would."""

    def kill(self) -> None:
        """As `kill -9`: connections break, nothing answers."""

    def restart(self) -> None:
        """Run again, on the same port and with the same records; returns when it answers."""

    def close(self) -> None: ...


class RealBroker:
    """One Apache Kafka node (KRaft, broker and controller) on loopback, on free ports, with its log in `directory`."""

    description = f"Apache Kafka {KAFKA} (KRaft)"

    def __init__(self, directory: Path) -> None:
        self._classpath = f"{jars()}/*"
        self._directory = directory
        self._properties = directory / "server.properties"
        self._port, controller = closed_ports(2)
        self._process: subprocess.Popen[bytes] | None = None
        self._properties.write_text(_configuration(self._port, controller, directory / "log"))
        quiet = {"log_level": 0, "reconnect.backoff.ms": 20, "reconnect.backoff.max.ms": 100}
        self._admin = AdminClient({"bootstrap.servers": self.bootstrap_servers, **quiet})
        cluster = uuid.uuid4().hex[:22]
        self._java("kafka.tools.StorageTool", "format", "-t", cluster, "-c", str(self._properties)).wait(_READY_S)

    @property
    def bootstrap_servers(self) -> str:
        return f"127.0.0.1:{self._port}"

    @property
    def client(self) -> dict[str, object]:
        return {"bootstrap_servers": self.bootstrap_servers}

    def start(self) -> Self:
        self._process = self._java("kafka.Kafka", str(self._properties))
        deadline = time.monotonic() + _READY_S
        while time.monotonic() < deadline and self._process.poll() is None:
            with contextlib.suppress(Exception):  # Refused, or not yet a member of its own cluster.
                if self._admin.list_topics(timeout=1).brokers:
                    return self
        raise RuntimeError(f"Kafka did not start: {(self._directory / 'output').read_text()[-2000:]}")

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        settings = {key.replace("_", "."): value for key, value in config.items()}
        topic = NewTopic(name, num_partitions=partitions, replication_factor=1, config=settings)
        self._admin.create_topics([topic])[name].result(_ANSWER_S)

    def delete_topic(self, name: str) -> None:
        self._admin.delete_topics([name])[name].result(_ANSWER_S)

    def add_partitions(self, name: str, total: int) -> None:
        self._admin.create_partitions([NewPartitions(name, total)])[name].result(_ANSWER_S)
        # The controller has answered; the broker that clients ask hears of it a little later.
        deadline = time.monotonic() + _READY_S
        while len(self._admin.list_topics(name, timeout=_ANSWER_S).topics[name].partitions) < total:
            assert time.monotonic() < deadline, f"{name} has no {total} partitions"

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        for future in self._admin.delete_records([TopicPartition(topic, partition, before)]).values():
            future.result(_ANSWER_S)

    def segment(self, topic: str, partition: int) -> Path:
        """The file that holds a partition's first records, which a test may damage."""
        return self._directory / "log" / f"{topic}-{partition}" / f"{0:020}.log"

    def kill(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.wait(_READY_S)
            self._process = None

    def stop(self) -> None:
        """As an operator would: the log is closed properly."""
        if self._process is not None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(_ANSWER_S)
            self.kill()

    def restart(self) -> None:
        self.kill()
        self.start()

    def close(self) -> None:
        self.kill()

    def _java(self, *arguments: str) -> subprocess.Popen[bytes]:
        # These two switches halve the processor time of a short run.
        command = [
            "java",
            "-Xmx768m",
            "-XX:+UseSerialGC",
            "-XX:TieredStopAtLevel=1",
            "-cp",
            self._classpath,
            *arguments,
        ]
        with (self._directory / "output").open("ab") as output:
            return subprocess.Popen(command, stdout=output, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL)


class Embedded(EmbeddedBroker):
    """The broker inside the wheel, where there is no Java."""

    description = "embedded"

    def create_topic(self, name: str, partitions: int = 1, **config: str) -> None:
        super().create_topic(name, partitions)

    def set_leader(self, topic: str, partition: int, broker: int) -> None:
        """Brokers are numbered from 1."""
        self._do("partition_set_leader", topic.encode(), partition, broker)

    def kill(self) -> None:
        self.set_down()

    def restart(self) -> None:
        self.set_up()


def jars() -> Path:
    """The folder of Kafka's jars: fetched by Maven once, then kept in the user's cache for every later run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-monitor"
    folder = cache / f"kafka-{KAFKA}"
    if not folder.is_dir():
        cache.mkdir(parents=True, exist_ok=True)
        with (cache / "lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # Maven's own folder is not made for two of them at a time.
            if not folder.is_dir():
                _fetch(folder)
    return folder


def _fetch(folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent) as staging:
        fetched = Path(staging) / "lib"
        command = ["mvn", "-q", "-B", "-f", str(_POM), "dependency:copy-dependencies", f"-DoutputDirectory={fetched}"]
        subprocess.run(command, check=True, timeout=600, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL)
        fetched.rename(folder)  # It appears whole or not at all.


def real_broker_possible() -> bool:
    """Whether Java is here, and the jars or the Maven to fetch them."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "model-monitor" / f"kafka-{KAFKA}"
    return shutil.which("java") is not None and (cache.is_dir() or shutil.which("mvn") is not None)


def _configuration(port: int, controller: int, log: Path) -> str:
    return f"""
process.roles=broker,controller
node.id=1
controller.quorum.voters=1@127.0.0.1:{controller}
controller.listener.names=CONTROLLER
listeners=PLAINTEXT://127.0.0.1:{port},CONTROLLER://127.0.0.1:{controller}
log.dirs={log}
offsets.topic.replication.factor=1
offsets.topic.num.partitions=1
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
transaction.state.log.num.partitions=1
broker.heartbeat.interval.ms=500
broker.session.timeout.ms=3000
group.initial.rebalance.delay.ms=0
log.cleaner.dedupe.buffer.size=2097152
"""
