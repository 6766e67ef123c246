"""What the command `check` prints."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from monitor.config import Config, describe, load
from monitor.config.grafana import Access
from monitor.errors import MonitorError, UnavailableError
from monitor.runtime.grafana import Grafana
from monitor.runtime.kafka_log import last_failure, limit_kafka_log
from monitor.runtime.notices import addresses, check_usable
from monitor.runtime.receivers import receivers
from monitor.runtime.standing import in_state

_REACH_S = 5.0


def check(config: Path, offline: bool) -> Iterator[str]:
    """Every value in force; then whether the broker, its topics and the receivers can be reached."""
    loaded = load(config)
    yield describe(loaded)
    for warning in loaded.warnings():
        yield f"warning: {warning}"
    for sentence in in_state(loaded):
        yield f"warning: {sentence}"
    loaded.token()
    receivers(loaded)
    for told in loaded.notified():
        check_usable(told)
    grafana = loaded.grafana()
    if not offline:
        problems = [*_kafka_problems(loaded), *_receiver_problems(loaded), *_grafana_problems(grafana)]
        if problems:
            raise UnavailableError("\n".join(problems))
    yield f"{config} is valid" + ("" if offline else ", and what it names can be reached")


def _kafka_problems(config: Config) -> Iterator[str]:
    limit_kafka_log()
    settings = config.kafka_settings() | {"request_timeout_ms": int(_REACH_S * 1000)}
    servers = ", ".join(config.kafka.bootstrap_servers)
    topics = config.kafka.topics
    try:
        existing = _topics(settings)
    except (KafkaError, OSError) as error:
        reason = last_failure() or type(error).__name__
        yield f"Kafka at {servers} does not answer ({reason}): start it, or correct kafka.bootstrap_servers"
        return
    for name in sorted({topics.predictions, topics.labels, topics.dead_letters} - existing):
        yield f"topic {name!r} does not exist on {servers}: create it, or correct kafka.topics"


def _topics(settings: Mapping[str, object]) -> set[str]:
    known = {name: value for name, value in settings.items() if name in KafkaAdminClient.DEFAULT_CONFIG}
    admin = KafkaAdminClient(**known, bootstrap_timeout_ms=int(_REACH_S * 1000))
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


def _grafana_problems(access: Access | None) -> Iterator[str]:
    if access is not None:
        try:
            Grafana(access).check()
        except MonitorError as error:
            yield str(error)


def _receiver_problems(config: Config) -> Iterator[str]:
    receivers = [(f"webhook {name}", settings.url) for name, settings in config.file.webhooks.items()]
    receivers += [(f"notify.{name}", url) for name, url in addresses(config.notified())]
    for name, address in receivers:
        url = urlsplit(address)
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.hostname or "", port), _REACH_S).close()
        except OSError as error:
            yield f"{name} cannot be reached ({error.strerror or error}): start it, or correct its address"
