"""A real `monitor run` is sent everything that a producer can get wrong: it says why, and loses nothing else."""

from __future__ import annotations

import json
import math
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
import orjson
import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from monitor.runtime.dead_letters import HEAD_MAX
from monitor.runtime.store import Store
from tests.brokers import Broker, Produce, RealBroker, Topics
from tests.simulation.service import STATE, Service, write_config
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, fraud_event

DAY_MS = 86_400_000
GOOD = 250
"""Ordinary events, among which the others lie."""


def event(number: int, minute: float = 0.5, **fields: Any) -> dict[str, Any]:
    at = START_MS + round(minute * MINUTE_MS)
    return fraud_event(random.Random(number), f"e{number}", at, False) | fields


def text(**fields: Any) -> bytes:
    """As the standard library writes it: NaN, Infinity and lone surrogates included."""
    return json.dumps(event(0) | {"id": None} | fields).encode()


def unusable(now_ms: int) -> dict[str, tuple[bytes | None, str]]:
    """What cannot be used, and the reason that is to be given."""
    return {
        "malformed": (b'{"type": "prediction", "id": ', "malformed"),
        "byte order mark": (b"\xef\xbb\xbf{}", "malformed"),
        "no UTF-8": (b'{"id": "\xff"}', "malformed"),
        "tombstone": (None, "malformed"),
        "10,000 levels": (b'{"features":' + b"[" * 10_000 + b"]" * 10_000 + b"}", "too_deep"),
        "no object": (b"5", "wrong_type"),
        "wrong id": (text(id=[1]), "wrong_type"),
        "wrong version": (text(version={}), "wrong_type"),
        "wrong features": (text(features="many"), "wrong_type"),
        "score NaN": (text(score=float("nan")), "wrong_type"),
        "unknown model": (text(model="nobody's"), "unknown_model"),
        "unknown type": (text(type="prophecy"), "unknown_type"),
        "in seconds": (text(timestamp=START_MS // 1000), "bad_timestamp"),
        "in microseconds": (text(timestamp=START_MS * 1000), "bad_timestamp"),
        "of 1970": (text(timestamp=0), "bad_timestamp"),
        "without offset": (text(timestamp="2023-11-14T22:14:00"), "bad_timestamp"),
        "tomorrow": (text(timestamp=now_ms + DAY_MS), "future_timestamp"),
        "next year": (text(timestamp=now_ms + 365 * DAY_MS), "future_timestamp"),
    }


ODD_NUMBERS = [float("nan"), float("inf"), -float("inf"), "x", [1], {"a": 1}, "NaN", 10**400]
MISSING = [None, ...]
USABLE = [True, "12.5", -0.0, 1, 2**63, 1e308]
NAMES = ["\ud800", "a\x00b", "\u202eabc", "ن" * 10_000, '"} 1\n', "é", "e\u0301", "\x1b[31m"]


def odd() -> list[bytes]:
    """What is strange and yet an event, one in the window of the good ones."""
    numbers = [text(features={"country": "PL"} | ({} if value is ... else {"amount": value}))
               for value in (*ODD_NUMBERS, *MISSING, *USABLE)]  # fmt: skip
    overflow = text(features={"amount": 0.5}).replace(b"0.5", b"1e999", 1)
    names = [text(id=f"{name}{at}", features={"country": name, name: 1}) for at, name in enumerate(NAMES)]
    many = text(features={f"f{number}": 1 for number in range(50_000)})
    return [*numbers, overflow, *names, many]


def letters(broker: Broker, topic: str, number: int) -> dict[tuple[str, int], Mapping[str, bytes]]:
    """Dead letters: their headers and value, by topic and offset."""
    consumer = Consumer({"bootstrap.servers": broker.bootstrap_servers, "group.id": "test", "log_level": 0})
    consumer.assign([TopicPartition(topic, 0, 0)])
    found: dict[tuple[str, int], Mapping[str, bytes]] = {}
    try:
        while len(found) < number:
            message = consumer.poll(30)
            assert message is not None, f"only {len(found)} dead letters came"
            assert message.error() is None
            headers = dict(message.headers())
            place = (headers["dlq.topic"].decode(), int(headers["dlq.offset"]))
            found[place] = headers | {"value": message.value() or b""}
    finally:
        consumer.close()
    return found


def test_every_record_that_cannot_be_used_is_told_why_and_no_other_is_lost(
    broker: Broker, topic: Topics, produce: Produce, tmp_path: Path
) -> None:
    huge = 50 << 20 if isinstance(broker, RealBroker) else 2 << 20  # The embedded one keeps 5 MB.
    names = {PREDICTIONS: topic(max_message_bytes=str(64 << 20)), LABELS: topic(), "dead_letters": topic()}
    bad = unusable(START_MS + 20 * 365 * DAY_MS)
    payloads = [value for value, _ in bad.values()]
    good = [orjson.dumps(event(number)) for number in range(GOOD)]
    produce(names[PREDICTIONS], [*payloads, *good[: GOOD // 2], *odd()])
    send_huge(broker, names[PREDICTIONS], huge)
    produce(names[PREDICTIONS], [*good[GOOD // 2 :], *good[:3]])
    label = {"type": "label", "id": "e1", "model": "fraud", "timestamp": START_MS, "label": "\ud800"}
    produce(names[LABELS], [json.dumps(label).encode(), json.dumps(label | {"label": [1]}).encode()])
    accepted, rejected = GOOD + len(odd()), len(bad) + 1
    with Service(write_config(tmp_path, broker.client, names)) as service:
        url = service.url()
        count = {result: ("model_monitor_events_total", result, names[PREDICTIONS])
                 for result in ("accepted", "duplicate", "late", "rejected")}  # fmt: skip
        service.wait_for(
            lambda: sum(service.metrics(url).get(key, 0) for key in count.values()) == accepted + rejected + 3
        )
        produce(names[PREDICTIONS], [orjson.dumps(event(-1, 60, id="end"))])
        produce(
            names[LABELS], [orjson.dumps(label | {"id": "end", "label": "ok", "timestamp": START_MS + 60 * MINUTE_MS})]
        )
        closed = ("model_monitor_window_rows", "fraud", "", "1")
        service.wait_for(lambda: closed in service.metrics(url))
        metrics = service.metrics(url)
        found = letters(broker, names["dead_letters"], rejected + 1)
        feature = httpx.get(f"{url}/api/v1/models/fraud/features/amount", trust_env=False).json()
        assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
        assert service.terminate() == 0
    assert "Traceback" not in service.errors

    assert [metrics[key] for key in count.values()] == [accepted + 1, 3, 0, rejected]
    assert metrics[closed] == accepted
    expected = {(names[PREDICTIONS], offset): reason for offset, (_, reason) in enumerate(bad.values())}
    expected[names[PREDICTIONS], len(bad) + GOOD // 2 + len(odd())] = "too_large"
    expected[names[LABELS], 1] = "wrong_type"
    assert {place: letter["dlq.reason"].decode() for place, letter in found.items()} == expected
    for letter in found.values():
        said = letter["dlq.exception.message"].decode()
        assert said[0].isupper()
        assert said.endswith(".")
        assert "\n" not in said
        assert len(letter["value"]) <= HEAD_MAX
    assert all(found[names[PREDICTIONS], offset]["value"] == (value or b"") for offset, value in enumerate(payloads))
    absent = sum(json.loads(each)["features"]["amount"] is None for each in good)
    with Store.open(tmp_path / STATE) as store:
        ratio = {each.statistic: each.value for each in store.readings("fraud", feature="amount")}
    assert ratio["invalid"] == pytest.approx((len(ODD_NUMBERS) + 1) / accepted)
    assert ratio["missing"] == pytest.approx((absent + len(MISSING) + len(NAMES) + 1) / accepted)
    assert all(value is None or math.isfinite(value) for value in ratio.values())
    assert feature["items"]


def send_huge(broker: Broker, topic: str, size: int) -> None:
    settings = {"message.max.bytes": size + 1_000_000, "compression.type": "zstd", "log_level": 0}
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, **settings})
    failed: list[object] = []
    payload = text().replace(b"}}", b"}") + b" " * size
    producer.produce(topic, payload, partition=0, on_delivery=lambda error, _: failed.append(error) if error else None)
    assert producer.flush(60) == 0
    assert not failed


def test_a_topic_that_does_not_exist_is_named_and_the_service_waits_for_it(
    broker: Broker, topic: Topics, produce: Produce, tmp_path: Path
) -> None:
    names = {PREDICTIONS: f"{topic()}-later", LABELS: topic(), "dead_letters": topic()}
    with Service(write_config(tmp_path, broker.client, names)) as service:
        url = service.url()
        said = f'topic "{names[PREDICTIONS]}" does not exist on {broker.bootstrap_servers}; create it or correct'
        service.wait_for(lambda: said in httpx.get(f"{url}/readyz", trust_env=False).text.replace('\\"', '"'))
        assert httpx.get(f"{url}/readyz", trust_env=False).status_code == 503
        assert service.errors.count(said) == 1, "once is enough"
        broker.create_topic(names[PREDICTIONS])
        produce(names[PREDICTIONS], [orjson.dumps(event(0))])
        accepted = ("model_monitor_events_total", "accepted", names[PREDICTIONS])
        service.wait_for(lambda: service.metrics(url).get(accepted) == 1)
        service.wait_for(lambda: httpx.get(f"{url}/readyz", trust_env=False).status_code == 200)
        assert service.terminate() == 0


def test_a_broker_that_is_down_is_named_and_everything_else_works(tmp_path: Path) -> None:
    with Service(write_config(tmp_path)) as service:
        url = service.url()
        readiness = httpx.get(f"{url}/readyz", trust_env=False)
        assert readiness.status_code == 503
        assert "Kafka at 127.0.0.1:1" in readiness.text
        assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
        assert service.metrics(url)
        assert service.terminate() == 0
    assert "Traceback" not in service.errors
