from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from monitor.runtime.kafka_log import LINES_MAX, PERIOD_S, limit_kafka_log


class FakeClock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Iterator[FakeClock]:
    """A limited `kafka` logger with a clock of its own; as before afterwards."""
    logger = logging.getLogger("kafka")
    before = logger.handlers, logger.propagate, logger.level
    clock = FakeClock()
    logger.handlers, logger.propagate = [], True
    logger.setLevel(logging.NOTSET)
    limit_kafka_log(clock)
    yield clock
    logger.handlers, logger.propagate = before[:2]
    logger.setLevel(before[2])


def test_a_flood_is_cut_to_a_few_lines_and_the_rest_is_counted(
    clock: FakeClock, caplog: pytest.LogCaptureFixture
) -> None:
    chatty = logging.getLogger("kafka.net.manager")
    for number in range(1000):
        chatty.error("line %d", number)
    assert [record.message for record in caplog.records] == [f"line {number}" for number in range(LINES_MAX)]
    caplog.clear()
    clock.now += PERIOD_S
    chatty.error("later")
    held = f"{1000 - LINES_MAX} more lines of the Kafka client were not written"
    assert [record.message for record in caplog.records] == [held, "later"]


def test_what_is_no_warning_is_not_written(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    logging.getLogger("kafka.cluster").info("metadata")
    assert not caplog.records


def test_a_trace_is_left_out(clock: FakeClock, caplog: pytest.LogCaptureFixture) -> None:
    try:
        raise ValueError("deep inside")
    except ValueError:
        logging.getLogger("kafka.net").exception("it failed")
    assert "it failed" in caplog.text
    assert "Traceback" not in caplog.text


def test_limiting_twice_is_limiting_once(clock: FakeClock) -> None:
    limit_kafka_log()
    assert len(logging.getLogger("kafka").handlers) == 1
