"""The demo's topics on a broker of the user's."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from monitor.demo.simulation import PARTITIONS
from monitor.errors import UnavailableError

_ANSWER_S = 5.0


def missing_topics(bootstrap_servers: str, names: Sequence[str], say: Callable[[str], None]) -> list[str]:
    """Those of `names` that the broker has not; it is waited for until it answers. say: is told so, once."""
    admin, told = _client(bootstrap_servers), False
    while True:
        try:
            there = admin.list_topics(timeout=_ANSWER_S).topics
        except KafkaException:
            if not told:
                say(f"no broker answers at {bootstrap_servers}: it is waited for")
            told = True
        else:
            return [name for name in names if name not in there]


def create_topics(bootstrap_servers: str, names: Sequence[str]) -> None:
    """UnavailableError where the broker does not."""
    admin = _client(bootstrap_servers)
    asked = [NewTopic(name, num_partitions=PARTITIONS, replication_factor=1) for name in names]
    for name, future in (admin.create_topics(asked) if asked else {}).items():
        try:
            future.result(_ANSWER_S)
        except (KafkaException, TimeoutError) as error:
            reason = error.args[0].str() if error.args else "no answer"
            raise UnavailableError(
                f"{bootstrap_servers} made no topic {name} ({reason}): create it, and start again"
            ) from None


def _client(bootstrap_servers: str) -> AdminClient:
    return AdminClient({"bootstrap.servers": bootstrap_servers, "log_level": 0})
