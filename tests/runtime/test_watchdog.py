from __future__ import annotations

import subprocess
import sys
import threading

import pytest

from monitor.runtime.watchdog import STUCK_EXIT, Watchdog, limit_s
from tests.brokers import Broker, Produce, Topics

LIMIT_S = 10.0


class FakeClock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def watched() -> tuple[Watchdog, FakeClock, list[bool]]:
    clock, ends = FakeClock(), []
    return Watchdog(LIMIT_S, lambda: ends.append(True), clock), clock, ends


def test_a_call_may_take_five_of_its_timeouts_and_at_least_ten_seconds() -> None:
    assert limit_s(timeout_ms=100) == 10.0
    assert limit_s(timeout_ms=2_000) == 10.0
    assert limit_s(timeout_ms=60_000) == 300.0


def test_a_call_that_does_not_return_ends_the_process_with_every_stack(capfd: pytest.CaptureFixture[str]) -> None:
    watchdog, clock, ends = watched()
    with watchdog:
        clock.now += LIMIT_S
        assert not watchdog.check()
        clock.now += 1
        assert watchdog.check()
    assert ends == [True]
    written = capfd.readouterr().err
    assert "has not returned for 11 s" in written
    assert "test_a_call_that_does_not_return" in written


def test_calls_that_return_may_go_on_for_ever() -> None:
    watchdog, clock, ends = watched()
    for _ in range(10):
        with watchdog:
            clock.now += LIMIT_S - 1
            assert not watchdog.check()
    assert not ends


def test_time_between_calls_is_not_counted() -> None:
    watchdog, clock, ends = watched()
    with watchdog:
        pass
    clock.now += 10 * LIMIT_S
    assert not watchdog.check()
    with watchdog:
        assert not watchdog.check()
    assert not ends


def test_a_call_that_raises_has_returned() -> None:
    watchdog, clock, ends = watched()
    with pytest.raises(ValueError, match="broken"), watchdog:
        raise ValueError("broken")
    clock.now += 10 * LIMIT_S
    assert not watchdog.check()
    assert not ends


def test_the_thread_watches_by_itself_and_stops() -> None:
    stuck = threading.Event()
    watchdog = Watchdog(0.0, stuck.set)
    watchdog.start()
    with watchdog:
        assert stuck.wait(30)
    watchdog.stop()
    assert "watchdog" not in {thread.name for thread in threading.enumerate()}


STUCK = """
import sys
from kafka import KafkaConsumer, TopicPartition
from kafka.serializer import Deserializer
from monitor.runtime.watchdog import Watchdog

class Raises(Deserializer):
    def deserialize(self, topic, headers, data):
        raise ValueError("poison")

settings = eval(sys.argv[1])
consumer = KafkaConsumer(**settings, value_deserializer=Raises(), enable_auto_commit=False)
part = TopicPartition(sys.argv[2], 0)
consumer.assign([part])
consumer.seek(part, 0)
watchdog = Watchdog(1.0)
watchdog.start()
raised = 0
while True:
    with watchdog:
        try:
            consumer.poll(100)
        except ValueError:
            raised += 1
            print("raised", raised, flush=True)
"""


def test_the_poll_after_a_failed_fetch_never_returns_and_the_watchdog_ends_the_process(
    broker: Broker, topic: Topics, produce: Produce
) -> None:
    # kafka-python 3.0.12. Where this fails because polls go on returning, the client has been repaired: the watchdog
    # stays, but a `Client` need not be thrown away after an exception any more.
    name = topic()
    produce(name, [b"poison"])
    command = [sys.executable, "-W", "ignore", "-c", STUCK, repr(broker.client), name]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode == STUCK_EXIT
    assert ended.stdout.split() == ["raised", "1"]
    assert "watchdog: a call to Kafka has not returned" in ended.stderr
    assert "fetched_records" in ended.stderr
