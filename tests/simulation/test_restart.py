"""How a real process begins and ends: one at a time, in an orderly way, and never over a state that does not fit."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import duckdb
import pytest

from monitor.actions.outbox import Message
from monitor.config import load
from monitor.runtime.store import Store
from tests.faults import disk
from tests.receivers import Exchange, Receiver, answers, hangs
from tests.simulation.service import STATE, WAIT_S, Service, write_config
from tests.simulation.story import Story
from tests.simulation.world import LATER_MS, World, kept, reference


@pytest.fixture
def config(tmp_path: Path) -> Path:
    return write_config(tmp_path)


def test_a_second_instance_on_the_same_state_is_refused_in_one_sentence(config: Path) -> None:
    with Service(config) as first:
        first.url()
        with Service(config) as second:
            assert second.exits() == 73
            assert second.errors.count("\n") == 1
            assert "one directory, one instance" in second.errors
        assert first.terminate() == 0


def test_a_service_that_is_asked_to_stop_lets_its_state_go(config: Path) -> None:
    with Service(config) as service:
        service.url()
        assert service.terminate() == 0
    Store.open(config.with_name(STATE)).close()
    assert not list(config.with_name(STATE).glob("*.wal")), "the log was not taken in"


@contextmanager
def delivering(directory: Path, receiver: Receiver) -> Iterator[Service]:
    """A service that is amid the delivery of a message it had when it began."""
    config = write_config(directory, url=receiver.url)
    with Store.open(directory / STATE) as store, store.transaction():
        store.enqueue([Message("msg_1", "pipeline", "trg_1", b"{}", created_ms=0)])
    with Service(config) as service:
        service.url()
        receiver.wait_for_requests(1)
        yield service


def test_a_delivery_under_way_when_it_is_asked_to_stop_is_ended_and_kept(tmp_path: Path) -> None:
    stopping = threading.Event()

    def answers_late(exchange: Exchange) -> None:
        stopping.wait(WAIT_S)
        answers(202)(exchange)

    with Receiver(answers_late) as receiver, delivering(tmp_path, receiver) as service:
        service.signal(signal.SIGTERM)
        service.wait_for(lambda: not service.catches(signal.SIGTERM))
        stopping.set()
        assert service.exits() == 0
    with Store.open(tmp_path / STATE) as store:
        assert [(each.subject, each.state) for each in kept(store)] == [("trg_1", "delivered")]


@pytest.mark.parametrize("second", [signal.SIGTERM, signal.SIGINT])
def test_a_second_signal_ends_it_at_once_and_the_message_is_sent_again(tmp_path: Path, second: signal.Signals) -> None:
    with Receiver(hangs, answers(202)) as receiver:
        with delivering(tmp_path, receiver) as service:
            service.signal(signal.SIGTERM)
            service.wait_for(lambda: not service.catches(signal.SIGTERM))  # It has begun to stop.
            service.signal(second)
            assert service.exits() == -second
        with Service(tmp_path / "monitor.yaml") as service:
            requests = receiver.wait_for_requests(2)
            url = service.url()
            delivered = ("model_monitor_deliveries_total", "pipeline", "delivered")
            service.wait_for(lambda: service.metrics(url).get(delivered) == 1)
            assert service.terminate() == 0
    assert [request.headers["webhook-id"] for request in requests] == ["msg_1", "msg_1"]


def flipped_bit(database: Path) -> None:
    content = bytearray(database.read_bytes())
    content[4100] ^= 1
    database.write_bytes(content)


def of_a_newer_release(database: Path) -> None:
    with duckdb.connect(database) as connection:
        connection.execute("UPDATE store SET version = version + 1")


@pytest.mark.parametrize(
    ("damage", "remedy"),
    [
        (Path.unlink, "restore the directory from a backup, or move it away and start again from Kafka"),
        (flipped_bit, "restore the directory from a backup, or move it away and start again from Kafka"),
        (of_a_newer_release, "run that one, or restore an older backup"),
    ],
)
def test_a_state_that_is_not_to_be_trusted_is_refused_in_one_sentence(
    config: Path, damage: Callable[[Path], None], remedy: str
) -> None:
    database = config.with_name(STATE) / "store.duckdb"
    Store.open(database.parent).close()
    damage(database)
    with Service(config) as service:
        said = service.refusal()
        assert service.exits() == 70
    assert str(database) in said
    assert said.endswith(remedy)


def test_a_directory_that_cannot_be_written_is_refused_in_one_sentence(config: Path) -> None:
    state = config.with_name(STATE)
    with disk(state, "ro") as own, Service(config, own.prefix) as service:
        said = service.refusal()
        assert service.exits() == 70
    assert said == (
        f"The state directory {state} cannot be used (Read-only file system): it needs space and the right to write"
    )


def test_a_missing_reference_is_refused_in_one_sentence(config: Path) -> None:
    config.with_name("fraud.profile").unlink()
    with Service(config) as service:
        said = service.refusal()
        assert service.exits() == 2
    assert str(config) in said
    assert "fraud.profile" in said


def test_a_reference_that_was_replaced_under_open_windows_is_refused_in_one_sentence(config: Path) -> None:
    story = Story()
    story.predict("a", 0.5)
    loaded = load(config)
    specs = loaded.specs()
    world = World(story.log(), tuple(specs.values()), loaded.references(), directory=config.parent / "made")
    world.run()
    world.close()
    (config.parent / "made" / "0").rename(config.with_name(STATE))
    events = [
        {"type": "prediction", "model": "fraud", "timestamp": LATER_MS, "features": {"amount": number, "country": "PL"}}
        | {"prediction": "fraud", "score": 0.5}
        for number in range(300)
    ]
    labels = [
        {"type": "label", "id": "a", "model": "fraud", "timestamp": LATER_MS, "label": value}
        for value in ("fraud", "ok") * 150
    ]
    other = reference(specs["fraud"].schema, events, labels, "1")
    config.with_name("fraud.profile").write_bytes(other.dump())
    with Service(config) as service:
        assert service.exits() == 70
        assert service.errors.count("\n") == 1
        assert "was replaced while its windows were open" in service.errors
