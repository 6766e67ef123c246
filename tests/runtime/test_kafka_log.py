from __future__ import annotations

import logging
from collections.abc import Iterator

import pytest

from monitor.runtime.kafka_log import LINES_MAX, PERIOD_S, RECENT_S, last_failure, limit_kafka_log


class Lines(logging.Handler):
    """What reaches the handlers of the application."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0
        self.written: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self.written.append(self.format(record))


@pytest.fixture
def lines() -> Iterator[Lines]:
    """A limited `kafka` logger with a clock of its own, `lines.now`; as it was afterwards."""
    kafka, root, lines = logging.getLogger("kafka"), logging.getLogger(), Lines()
    handlers, propagate, level = kafka.handlers, kafka.propagate, kafka.level
    kafka.handlers, kafka.propagate, kafka.level = [], True, logging.NOTSET
    limit_kafka_log(lambda: lines.now)
    level_of_root = root.level
    root.setLevel(logging.DEBUG)
    root.addHandler(lines)
    yield lines
    root.removeHandler(lines)
    root.setLevel(level_of_root)
    kafka.handlers, kafka.propagate = handlers, propagate
    kafka.setLevel(level)


def test_a_flood_is_cut_to_a_few_lines_and_the_rest_is_counted(lines: Lines) -> None:
    chatty = logging.getLogger("kafka.net.manager")
    for number in range(1000):
        chatty.error("line %d", number)
    assert lines.written == [f"line {number}" for number in range(LINES_MAX)]
    lines.now += PERIOD_S
    chatty.error("later")
    assert lines.written[LINES_MAX:] == [
        f"{1000 - LINES_MAX} more lines of the Kafka client were not written",
        "later",
    ]


def test_what_is_no_warning_is_not_written(lines: Lines) -> None:
    logging.getLogger("kafka.cluster").info("metadata")
    assert not lines.written


def test_a_trace_is_left_out(lines: Lines) -> None:
    try:
        raise ValueError("deep inside")
    except ValueError:
        logging.getLogger("kafka.net").exception("it failed")
    assert lines.written == ["it failed"]


def test_limiting_twice_is_limiting_once(lines: Lines) -> None:
    limit_kafka_log()
    logging.getLogger("kafka.net").error("once")
    assert lines.written == ["once"]


def test_a_user_who_does_not_debug_sees_none_of_it(lines: Lines) -> None:
    logging.getLogger().setLevel(logging.INFO)
    logging.getLogger("kafka.net").error("connection lost")
    assert not lines.written


def test_why_a_connection_failed_is_known_for_a_while(lines: Lines) -> None:
    manager = logging.getLogger("kafka.net.manager")
    assert last_failure() is None
    manager.error("Connection failed: %s", OSError("refused"))
    manager.warning("Bootstrap %s not ready; waiting", 0)
    assert last_failure() == "refused"
    manager.error("Connection failed: %s", OSError("certificate has expired"))
    lines.now += RECENT_S - 1
    assert last_failure() == "certificate has expired"
    lines.now += 1
    assert last_failure() is None
