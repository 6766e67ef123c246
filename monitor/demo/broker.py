"""A Kafka broker inside this process: the mock cluster of librdkafka, which comes with the confluent-kafka wheel.

It speaks the Kafka protocol on loopback, to any client of this machine. Limits: about 5 MB kept a partition (older
records go, as by retention), nothing on disk, no transactions, producer timestamps only.
"""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Self

import confluent_kafka

from monitor.errors import UnavailableError

_PRODUCER = 0  # rd_kafka_type_t
_TEXT_BYTES = 512


class EmbeddedBroker:
    """`with EmbeddedBroker() as broker:` a broker of its own on a free port, gone when the block ends.

    brokers: how many make up the cluster, numbered from 1.
    """

    def __init__(self, brokers: int = 1) -> None:
        self._brokers = brokers
        self._library = _library()
        self._client: int | None = None
        self._cluster: int | None = None

    def __enter__(self) -> Self:
        configuration = self._library.rd_kafka_conf_new()
        self._library.rd_kafka_conf_set_log_cb(configuration, None)  # Without a callback nothing is logged.
        text = ctypes.create_string_buffer(_TEXT_BYTES)
        self._client = self._library.rd_kafka_new(_PRODUCER, configuration, text, _TEXT_BYTES)
        if not self._client:
            raise UnavailableError(f"the embedded broker did not start: {text.value.decode(errors='replace')}")
        self._cluster = self._library.rd_kafka_mock_cluster_new(self._client, self._brokers)
        if not self._cluster:
            self.close()
            raise UnavailableError("the embedded broker did not start: no port of the loopback interface is free")
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    @property
    def bootstrap_servers(self) -> str:
        servers: bytes = self._library.rd_kafka_mock_cluster_bootstraps(self._running())
        return servers.decode()

    @property
    def client(self) -> dict[str, object]:
        """Settings of a kafka-python client for this broker.

        The version is named because it cannot be asked for: the mock's answer to the newest ApiVersions request is
        malformed, and kafka-python gives up on it whatever versions the mock is told to offer.
        """
        return {"bootstrap_servers": self.bootstrap_servers, "api_version": (2, 1)}

    def create_topic(self, name: str, partitions: int = 1) -> None:
        self._do("topic_create", name.encode(), partitions, 1)

    def delete_records(self, topic: str, partition: int, before: int) -> None:
        """Drop the records of a partition whose offset is below `before`, as retention would."""
        self._do("partition_delete_records", topic.encode(), partition, ctypes.c_int64(before))

    def set_down(self, broker: int = -1) -> None:
        """Cut every connection of one broker, or of all, and refuse new ones; the records stay."""
        self._do("broker_set_down", broker)

    def set_up(self) -> None:
        self._do("broker_set_up", -1)

    def close(self) -> None:
        if self._cluster is not None:
            self._library.rd_kafka_mock_cluster_destroy(self._cluster)
        if self._client is not None:
            self._library.rd_kafka_destroy(self._client)
        self._cluster = self._client = None

    def _running(self) -> int:
        if self._cluster is None:
            raise UnavailableError("the embedded broker is not running: enter its context first")
        return self._cluster

    def _do(self, action: str, *arguments: object) -> None:
        code = self._library[f"rd_kafka_mock_{action}"](ctypes.c_void_p(self._running()), *arguments)
        if code:
            reason: bytes = self._library.rd_kafka_err2str(code)
            raise UnavailableError(f"the embedded broker refused {action}: {reason.decode()}")


def _library() -> ctypes.CDLL:
    """The librdkafka that the confluent_kafka module has loaded, with the signatures that ctypes cannot guess."""
    package = Path(confluent_kafka.__file__).parent
    places = (package.parent / "confluent_kafka.libs", package / ".dylibs")
    found = [file for place in places for file in sorted(place.glob("librdkafka[.-]*"))]
    if not found:
        raise UnavailableError("no librdkafka beside confluent_kafka: install it from its wheel to have a broker")
    library = ctypes.CDLL(str(found[0]))
    handle, text = ctypes.c_void_p, ctypes.c_char_p
    for name, result, arguments in (
        ("rd_kafka_conf_new", handle, []),
        ("rd_kafka_conf_set_log_cb", None, [handle, handle]),
        ("rd_kafka_new", handle, [ctypes.c_int, handle, text, ctypes.c_size_t]),
        ("rd_kafka_destroy", None, [handle]),
        ("rd_kafka_err2str", text, [ctypes.c_int]),
        ("rd_kafka_mock_cluster_new", handle, [handle, ctypes.c_int]),
        ("rd_kafka_mock_cluster_destroy", None, [handle]),
        ("rd_kafka_mock_cluster_bootstraps", text, [handle]),
    ):
        function = getattr(library, name)  # Cached by the library, unlike `library[name]`.
        function.restype, function.argtypes = result, arguments
    return library
