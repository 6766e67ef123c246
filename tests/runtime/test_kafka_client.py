from __future__ import annotations

import threading

import pytest

from monitor.demo.broker import EmbeddedBroker
from monitor.errors import ConfigError
from monitor.runtime import kafka_client
from monitor.runtime.kafka_client import Client, bounded, check_settings, pause_s
from tests.alerts.stack import awaited


@pytest.mark.parametrize("failures", [1, 2, 3, 10, 2000, 10**9])
def test_pauses_double_up_to_a_bound_and_are_never_all_alike(failures: int) -> None:
    most = min(5.0, 0.1 * 2.0 ** min(failures - 1, 100))
    pauses = {pause_s(failures, 0.1, 5.0) for _ in range(100)}
    assert most / 2 <= min(pauses) < max(pauses) <= most


def test_a_client_that_does_not_close_is_left_behind(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kafka_client, "_CLOSE_S", 0.05)
    hung = threading.Event()
    bounded(hung.wait)
    hung.set()


def test_a_client_that_fails_to_close_is_only_logged(caplog: pytest.LogCaptureFixture) -> None:
    def close() -> None:
        raise RuntimeError("half open")

    bounded(close)
    assert "half open" in caplog.text


def test_every_setting_that_the_client_does_not_know_is_named() -> None:
    with pytest.raises(ConfigError) as refused:
        check_settings({"bootstrap_server": "localhost:9092", "client_id": "ours", "acls": 1})
    assert len(refused.value.problems) == 2
    assert "'bootstrap_server' is not a setting" in str(refused.value)


def test_an_answer_that_was_under_way_when_the_topics_were_named_is_not_taken_for_one_about_them() -> None:
    with EmbeddedBroker() as broker:
        broker.create_topic("t", 2)
        client = Client(broker.client, ["t"])
        cluster = client._network.cluster
        awaited(lambda: not cluster.metadata_refresh_in_progress)
        broker._do("broker_set_rtt", 1, 300)
        cluster.request_update()
        awaited(lambda: cluster.metadata_refresh_in_progress)
        client.await_metadata()
        assert client.topics()["t"].partitions == {0, 1}
        client.close()
