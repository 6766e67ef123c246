"""The settings of the Kafka client that an operator may give, checked against those the client has."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from kafka import KafkaConsumer

from monitor.config.problems import listed, near, unknown_key

_OURS = frozenset(
    {
        "auto_commit_interval_ms",
        "auto_offset_reset",
        "consumer_timeout_ms",
        "default_offset_commit_callback",
        "enable_auto_commit",
        "group_id",
        "group_instance_id",
        "isolation_level",
        "kafka_client",
        "key_deserializer",
        "metrics_enabled",
        "partition_assignment_strategy",
        "value_deserializer",
    }
)
"""Settings that the service's guarantees rest on."""

_OBJECTS = frozenset({"metric_reporters", "sasl_oauth_token_provider", "selector", "socket_options", "ssl_context"})
_SECRETS = frozenset({"sasl_plain_password", "ssl_password"})
_CHOICES = {
    "security_protocol": ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"),
    "sasl_mechanism": ("PLAIN", "GSSAPI", "SCRAM-SHA-256", "SCRAM-SHA-512"),
}
_SERVER = re.compile(r"(?:[A-Za-z0-9._-]+|\[[0-9A-Fa-f:.]+\])(?::(\d{1,5}))?")

DEFAULTS: Mapping[str, object] = KafkaConsumer.DEFAULT_CONFIG
ALLOWED = sorted(set(DEFAULTS) - _OURS - _OBJECTS - _SECRETS - {"bootstrap_servers"})
"""Names of the settings that are passed through."""


def bootstrap_servers(value: object) -> tuple[str, ...]:
    """Brokers from a list, or from a text with commas; ValueError says how one is written."""
    servers = value.split(",") if isinstance(value, str) else value
    if isinstance(servers, list) and servers and all(isinstance(server, str) for server in servers):
        brokers = tuple(server.strip() for server in servers)
        if all(_is_server(broker) for broker in brokers):
            return brokers
    raise ValueError("must name brokers as host:port, one or several: localhost:9092")


def _is_server(text: str) -> bool:
    match = _SERVER.fullmatch(text)
    return match is not None and (match[1] is None or 0 < int(match[1]) < 65_536)


def check_client(client: Mapping[str, object], known: Sequence[str]) -> list[tuple[str, str]]:
    """Name and problem of settings that cannot be passed through; `known`: the keys of `kafka` that are our own."""
    problems = ((name, _problem(name, value, known)) for name, value in client.items())
    return [(name, text) for name, text in problems if text]


def _problem(name: str, value: object, known: Sequence[str]) -> str | None:
    if name in _SECRETS:
        return f"must not stand in the file: put it in a file of its own and name that with {name}_file"
    if name in _OURS:
        return "is set by the service itself: remove it"
    if name in _OBJECTS:
        return "is an object of Python, which a file cannot hold: remove it"
    if name not in ALLOWED:
        return unknown_key(("kafka", name), [*known, *ALLOWED])
    if name in _CHOICES and value not in _CHOICES[name]:
        guess = near(str(value), _CHOICES[name])
        return f"is not one of {listed(_CHOICES[name])}" + (f": did you mean {guess!r}?" if guess else "")
    return None if _fits(name, value) else f"must be {_KINDS.get(type(DEFAULTS[name]), 'text or a number')}"


_KINDS: Mapping[type, str] = {bool: "true or false", int: "a whole number", str: "text"}


def _fits(name: str, value: object) -> bool:
    default = DEFAULTS[name]
    if name == "api_version":
        return isinstance(value, list) and all(type(part) is int for part in value)
    return type(value) is type(default) if type(default) in _KINDS else isinstance(value, str | int)
