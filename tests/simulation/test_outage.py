"""A real service whose Kafka is away, comes without a topic, dies and comes back: what its user sees of it."""

from __future__ import annotations

import itertools
import re
from pathlib import Path

import httpx
import pytest

from tests.brokers import Broker, RealBroker, real_broker_possible
from tests.simulation.service import Service, write_config
from tests.simulation.traffic import LABELS, PREDICTIONS

IMPATIENT = {"bootstrap_timeout_ms": 3_000, "reconnect_backoff_max_ms": 200, "metadata_max_age_ms": 500}


@pytest.fixture
def broker(tmp_path: Path) -> Broker:
    """One of its own, that is yet to be started."""
    if not real_broker_possible():
        pytest.skip("the embedded broker is not one that is yet to be started")
    return RealBroker(tmp_path)


def said(service: Service) -> list[str]:
    """The lines on standard error, without time, level and logger."""
    return [re.sub(r"^\S+ \S+ [A-Z]+ [\w.]+: ", "", line) for line in service.errors.splitlines()]


def outages(lines: list[str]) -> list[str]:
    """The lines without the reason that an outage has, which may change while a broker comes up: then it is said again,
    as another sentence.
    """
    assert all(line != after for line, after in itertools.pairwise(lines)), "nothing is said twice"
    plain = [re.sub(r"does not answer \(.*\);", "does not answer;", line) for line in lines]
    return [line for line, _ in itertools.groupby(plain)]


def test_an_outage_is_one_sentence_a_change_and_the_service_outlives_it(broker: Broker, tmp_path: Path) -> None:
    assert isinstance(broker, RealBroker)
    names = {PREDICTIONS: "p", LABELS: "l"}
    config = write_config(tmp_path, broker.client | IMPATIENT, names)
    away = (
        f"Kafka at {broker.bootstrap_servers} does not answer (KafkaConnectionError: 111 ECONNREFUSED); trying again "
        "until it does"
    )
    try:
        with Service(config) as service:
            url = service.url()

            def ready() -> int:
                return httpx.get(f"{url}/readyz", trust_env=False).status_code

            service.wait_for(lambda: away in said(service))
            assert ready() == 503
            assert httpx.get(f"{url}/livez", trust_env=False).status_code == 200
            broker.start()
            broker.create_topic("p", 2)
            service.wait_for(lambda: any('topic "l" does not exist' in line for line in said(service)))
            broker.create_topic("l")
            service.wait_for(lambda: ready() == 200)
            service.wait_for(lambda: said(service)[-1] == "Kafka can be read")
            broker.kill()
            service.wait_for(lambda: ready() == 503)
            service.wait_for(lambda: said(service)[-1] == away)
            broker.start()
            service.wait_for(lambda: ready() == 200)
            service.wait_for(lambda: said(service)[-1] == "Kafka can be read")
            assert service.terminate() == 0
            outage = f"Kafka at {broker.bootstrap_servers} does not answer; trying again until it does"
            assert outages(said(service)) == [
                f"model-monitor is up: pages at {url}",
                f"connecting to Kafka at {broker.bootstrap_servers}",
                outage,
                f'topic "l" does not exist on {broker.bootstrap_servers}; create it or correct kafka.topics',
                "Kafka can be read",
                outage,
                "Kafka can be read",
            ]
    finally:
        broker.close()
