"""One kafka-python consumer, with what has to be known about version 3.0 kept in one place.

- After any exception inside a fetch its next poll never returns: a `Client` is thrown away after its first exception.
- A constructor that fails leaves its network thread running, and `close` may wait for that thread without limit.
- `allow_auto_create_topics` never reaches the metadata request: asking for a missing topic would create it.
- An answer that was under way when the topics were set counts as the answer about them.
- Asking for the partitions of an unknown topic fetches those of all topics, and waits without limit.
- Nothing is raised when a broker goes away: `ends` is what notices.
- A consumer of committed records can only be told the last stable offset: a second fetcher, which never fetches, asks
  for high-water marks.
"""

from __future__ import annotations

import logging
import random
import threading
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from kafka import KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.consumer.fetcher import Fetcher
from kafka.consumer.subscription_state import SubscriptionState
from kafka.errors import BrokerResponseError, KafkaTimeoutError, OffsetOutOfRangeError
from kafka.future import Future
from kafka.net.compat import KafkaNetClient

from monitor.errors import ConfigError
from monitor.windows.window import Place

Records = Mapping[TopicPartition, Sequence[Any]]
"""ConsumerRecords by partition, in offset order."""

_ANSWER_MS = 3_000
_CLOSE_S = 5.0
DEFAULTS: Mapping[str, object] = {
    "client_id": "model-monitor",
    "bootstrap_timeout_ms": 5_000,
    "reconnect_backoff_max_ms": 2_000,
    "metadata_max_age_ms": 30_000,  # How soon a new partition is seen.
    "metrics_enabled": False,
}
_ALWAYS: Mapping[str, object] = {
    "group_id": None,
    "auto_offset_reset": "none",
    "enable_auto_commit": False,
    "isolation_level": "read_committed",
    "key_deserializer": None,
    "value_deserializer": None,
}

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic that exists and may be read: the broker's id for it (None before Kafka 2.8) and its partitions."""

    id: str | None
    partitions: frozenset[int]


def check_settings(settings: Mapping[str, object]) -> None:
    """Raises ConfigError for a setting that kafka-python does not know."""
    unknown = sorted(set(settings) - set(KafkaConsumer.DEFAULT_CONFIG))
    if unknown:
        raise ConfigError(*(f"kafka: {name!r} is not a setting of the Kafka client" for name in unknown))


class Client:
    """Reads assigned partitions. For one thread; after its first exception only `close` may be called.

    failing: the partitions that the exception of `poll` was about, as far as they can be told.
    """

    def __init__(self, settings: Mapping[str, object], topics: Iterable[str]) -> None:
        self._topics = sorted(topics)
        self.failing: frozenset[Place] = frozenset()
        self._consumer, self._network = connect(KafkaConsumer, {**DEFAULTS, **settings, **_ALWAYS})
        self._high_waters = Fetcher(self._network, SubscriptionState("none"), isolation_level="read_uncommitted")

    def await_metadata(self) -> None:
        """Wait for the broker to say what it knows of the topics; raises when it does not answer."""
        cluster = self._network.cluster
        self._await(cluster.set_topics(self._topics))
        if len(self.topics()) < len(self._topics):
            # What came may have been asked for before the topics were set: the next answer is certainly about them.
            self._await(cluster.request_update())

    def _await(self, metadata: Future) -> None:
        answered = threading.Event()
        metadata.add_both(lambda _: answered.set())
        if not answered.wait(_ANSWER_MS / 1000):
            raise KafkaTimeoutError(f"no answer within {_ANSWER_MS} ms")
        if metadata.exception is not None and not isinstance(metadata.exception, BrokerResponseError):
            raise metadata.exception

    def topics(self) -> dict[str, Topic]:
        """The topics that exist, as of the newest metadata; those that may not be read are absent too."""
        cluster = self._network.cluster
        known = ((name, cluster.topic_id(name), cluster.partitions_for_topic(name)) for name in self._topics)
        return {name: Topic(number and str(number), frozenset(parts)) for name, number, parts in known if parts}

    def forbidden(self) -> frozenset[str]:
        """Topics that the broker does not let this client describe."""
        return frozenset(self._network.cluster.unauthorized_topics)

    def bounds(self, places: Iterable[Place]) -> dict[Place, tuple[int, int]]:
        """The first offset that the broker holds and the one after the last that can be read, by place."""
        parts = [TopicPartition(*place) for place in places]
        if not parts:
            return {}
        first = self._consumer.beginning_offsets(parts, timeout_ms=_ANSWER_MS)
        last = self._consumer.end_offsets(parts, timeout_ms=_ANSWER_MS)
        return {(part.topic, part.partition): (first[part], last[part]) for part in parts}

    def assign(self, positions: Mapping[Place, int]) -> None:
        self._consumer.assign([TopicPartition(*place) for place in positions])
        for place, offset in positions.items():
            self._consumer.seek(TopicPartition(*place), offset)

    def hold(self, places: Collection[Place]) -> None:
        """Fetch from all assigned partitions but these; a position stays where it is, so nothing is skipped."""
        held = {TopicPartition(*place) for place in places} & self._consumer.assignment()
        paused = self._consumer.paused()
        self._consumer.pause(*(held - paused))
        self._consumer.resume(*(paused - held))

    def poll(self, timeout_ms: int, max_records: int) -> Records:
        try:
            records: Records = self._consumer.poll(timeout_ms, max_records)
        except Exception as error:
            self.failing = self._find_failing(error)
            raise
        return records

    def ends(self) -> dict[Place, int]:
        """High-water marks of all assigned partitions, as the broker gives them now; raises where one does not answer.

        Not the last stable offset, where a reader of committed records stops for the time being: what an open
        transaction holds has arrived too.
        """
        ends: Mapping[TopicPartition, int] = self._high_waters.end_offsets(self._consumer.assignment(), _ANSWER_MS)
        return {(part.topic, part.partition): end for part, end in ends.items()}

    def positions(self) -> dict[Place, int]:
        """Offset of the next fetch by place: behind all that `poll` has returned, and behind what it only skips."""
        parts = self._consumer.assignment()
        return {(part.topic, part.partition): self._consumer.position(part, timeout_ms=0) for part in parts}

    def _find_failing(self, error: Exception) -> frozenset[Place]:
        """The partitions that an error of `poll` is about; empty where it cannot be known."""
        if isinstance(error, OffsetOutOfRangeError) and error.args and isinstance(error.args[0], Mapping):
            return frozenset((part.topic, part.partition) for part in error.args[0])
        # No exception of unpacking names its partition, but the fetcher still holds the records it stumbled over.
        held = getattr(getattr(self._consumer, "_fetcher", None), "_next_partition_records", None)
        part = getattr(held, "topic_partition", None) if held else None
        return frozenset() if part is None else frozenset({(part.topic, part.partition)})

    def close(self) -> None:
        bounded(lambda: self._consumer.close(autocommit=False, timeout_ms=_ANSWER_MS))


class Commits:
    """Tells the broker how far a group has come, for tools that show lag; nothing here relies on it.

    It has a consumer of its own, so that no trouble with the group's coordinator can hold up reading.
    """

    def __init__(self, settings: Mapping[str, object], group: str) -> None:
        self._settings = settings
        self._group = group
        self._consumer: Any = None

    def send(self, positions: Mapping[Place, int]) -> None:
        """Send and forget; a commit that fails is made good by the next one."""
        offsets = {TopicPartition(*place): OffsetAndMetadata(offset, "", -1) for place, offset in positions.items()}
        try:
            if self._consumer is None:
                self._consumer, _ = connect(
                    KafkaConsumer, {**DEFAULTS, **self._settings, **_ALWAYS, "group_id": self._group}
                )
            self._consumer.commit_async(offsets)
        except Exception as error:  # noqa: BLE001 - advisory: whatever is wrong with it must not stop reading.
            log.warning("the group's offsets were not committed: %s", error)
            self.close()

    def close(self) -> None:
        if self._consumer is not None:
            consumer, self._consumer = self._consumer, None
            bounded(lambda: consumer.close(autocommit=False, timeout_ms=_ANSWER_MS))


def connect(
    make: Callable[..., Any], settings: Mapping[str, object], *, create_topics: bool = False
) -> tuple[Any, KafkaNetClient]:
    """A consumer or producer and its network client; raises where no broker answers within `bootstrap_timeout_ms`."""
    networks: list[KafkaNetClient] = []

    def network(**configuration: object) -> KafkaNetClient:
        networks.append(KafkaNetClient(**configuration))
        networks[0].cluster.config["allow_auto_create_topics"] = create_topics
        return networks[0]

    try:
        client = make(**settings, kafka_client=network)
    except BaseException:
        for each in networks:
            bounded(each.close)
        raise
    return client, networks[0]


def pause_s(failures: int, first_s: float, longest_s: float) -> float:
    """How long to wait after so many failures in a row: twice as long each time, with jitter."""
    doublings = min(failures - 1, 30)  # A power that grew for ever would overflow after an hour.
    return min(longest_s, first_s * 2.0**doublings) * random.uniform(0.5, 1.0)  # noqa: S311 - jitter is no secret.


def bounded(close: Callable[[], object]) -> None:
    """Call `close` and wait for it, but not for ever: what hangs is left to a daemon thread."""
    thread = threading.Thread(target=_quietly, args=(close,), name="kafka-close", daemon=True)
    thread.start()
    thread.join(_CLOSE_S)


def _quietly(close: Callable[[], object]) -> None:
    try:
        close()
    except Exception as error:  # noqa: BLE001 - nothing can be done for a client that does not even close.
        log.warning("a Kafka client did not close: %s", error)
