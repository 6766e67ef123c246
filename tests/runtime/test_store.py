from __future__ import annotations

import resource
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.errors import CommitFailedError, StateDamagedError, StateError
from monitor.runtime.store import Store
from monitor.runtime.store.database import Database
from tests.runtime.rows import P, add


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store.open(tmp_path) as opened:
        yield opened


def step(store: Store, number: int) -> None:
    """State, position and predictions that all say `number`."""
    with store.transaction():
        store.put_state({"step": number.to_bytes(4, "big")})
        store.put_positions({("t", 0): number}, {})
        add(store, [P(number, number, number + 1)])


def committed(store: Store) -> int:
    """The last step, which everything has to agree on."""
    number = int.from_bytes(store.state().get("step", b""), "big")
    assert store.positions()[0] == ({("t", 0): number} if number else {})
    keys = [key for _, found, _ in store.open_predictions("m", 0) for key in found.tolist()]
    assert sorted(keys) == list(range(1, number + 1))
    return number


def fail_inside(store: Store, act: Callable[[], None]) -> None:
    with store.transaction():
        store.put_state({"step": b"lost"})
        store.put_positions({("t", 0): 99}, {})
        add(store, [P(99, 99, 100)], model="new")
        act()


def test_transactions_are_numbered_and_outlive_the_process(tmp_path: Path) -> None:
    with Store.open(tmp_path) as first:
        assert first.sequence == 0
        for number in (1, 2, 3):
            step(first, number)
            assert first.sequence == number
    with Store.open(tmp_path) as second:
        assert (second.sequence, committed(second)) == (3, 3)


def test_our_own_error_inside_goes_on_unchanged_and_nothing_is_kept(store: Store) -> None:
    step(store, 1)
    error = KeyError("mine")

    def act() -> None:
        raise error

    with pytest.raises(KeyError) as raised:
        fail_inside(store, act)
    assert raised.value is error
    assert (store.sequence, committed(store), store.open_predictions("new", 0)) == (1, 1, [])
    step(store, 2)
    assert committed(store) == 2


def test_an_interrupt_keeps_nothing_either(store: Store) -> None:
    def act() -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fail_inside(store, act)
    assert (store.sequence, committed(store)) == (0, 0)


def test_a_failed_statement_is_a_failed_commit(store: Store) -> None:
    step(store, 1)
    with pytest.raises(CommitFailedError, match="nope"):
        fail_inside(store, lambda: store._database.execute("SELECT * FROM nope"))
    assert (store.sequence, committed(store)) == (1, 1)


def test_a_failed_statement_that_was_swallowed_is_a_failed_commit_too(store: Store) -> None:
    def act() -> None:
        with pytest.raises(CommitFailedError):
            store._database.execute("SELECT * FROM nope")

    with pytest.raises(CommitFailedError):
        fail_inside(store, act)
    assert (store.sequence, committed(store)) == (0, 0)
    step(store, 1)
    assert committed(store) == 1


class Trap:
    """A connection on which one statement fails unseen just before each COMMIT."""

    def __init__(self, connection: duckdb.DuckDBPyConnection) -> None:
        self.connection = connection
        self.commits = 0

    def execute(self, sql: str, parameters: Any = ()) -> duckdb.DuckDBPyConnection:
        if sql == "COMMIT":
            with pytest.raises(duckdb.Error):
                self.connection.execute("SELECT * FROM nope")
            self.commits += 1
        return self.connection.execute(sql, parameters)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.connection, name)


def test_a_commit_that_raises_nothing_and_keeps_nothing_is_noticed(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    step(store, 1)
    trap = Trap(store._database._connection)
    with monkeypatch.context() as patch:
        patch.setattr(store._database, "_connection", trap)
        with pytest.raises(CommitFailedError, match="Transaction 2"):
            step(store, 2)
    assert trap.commits == 1
    assert (store.sequence, committed(store)) == (1, 1)
    step(store, 2)
    assert committed(store) == 2


def test_writing_outside_a_transaction_is_a_bug_of_the_caller(store: Store) -> None:
    with pytest.raises(AssertionError):
        store.put_state({"a": b""})
    with pytest.raises(AssertionError), store.transaction():
        step(store, 1)


def test_a_full_disk_is_a_state_error_and_loses_nothing_committed(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    step(store, 1)
    noise = np.random.default_rng(0).bytes(200_000)
    with limited_files(100_000), pytest.raises(StateError, match="File too large") as raised:
        fail_inside(store, lambda: store.put_state({"noise": noise}))
    assert not isinstance(raised.value, CommitFailedError)
    assert (store.sequence, committed(store)) == (1, 1)
    step(store, 2)
    store.close()
    with Store.open(tmp_path) as reopened:
        assert committed(reopened) == 2


def test_a_checkpoint_that_fails_loses_nothing_committed(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    step(store, 1)
    with store.transaction():
        store.put_state({"noise": np.random.default_rng(0).bytes(900_000)})
    with limited_files(600_000), pytest.raises(StateError, match="File too large"):
        store.close()
    with Store.open(tmp_path) as reopened:
        assert (reopened.sequence, committed(reopened)) == (2, 1)


class limited_files:  # noqa: N801
    """No file may grow beyond this size meanwhile: what a full disk does, without one."""

    def __init__(self, size: int) -> None:
        self.size = size

    def __enter__(self) -> None:
        self.before = resource.getrlimit(resource.RLIMIT_FSIZE)
        resource.setrlimit(resource.RLIMIT_FSIZE, (self.size, self.before[1]))

    def __exit__(self, *error: object) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, self.before)


def test_a_commit_is_read_back_before_a_checkpoint_is_tried(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.runtime.store.store.LOG_MAX", 1)
    store = Store.open(tmp_path)
    step(store, 1)
    assert not (tmp_path / "store.duckdb.wal").exists()

    def fail(_: Database) -> None:
        raise StateError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(Database, "checkpoint", fail)
        with pytest.raises(StateError, match="full"):
            step(store, 2)
    assert (store.sequence, committed(store)) == (2, 2)
    store.close()


@contextmanager
def read(store: Store) -> Iterator[None]:
    """A reader of another thread that is not done: what is committed meanwhile is newer than what it reads."""
    with store._database._readers.cursor() as reader:
        reader.begin()
        reader.execute("FROM store").fetchall()
        yield


def test_a_checkpoint_waits_for_readers_and_the_steps_do_not(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("monitor.runtime.store.store.LOG_MAX", 1)
    log = tmp_path / "store.duckdb.wal"
    store = Store.open(tmp_path)
    with read(store):
        for number in (1, 2, 3):
            step(store, number)
        assert log.stat().st_size > 0
    step(store, 4)
    assert not log.exists()
    assert (store.sequence, committed(store)) == (4, 4)
    store.close()


def test_a_store_is_closed_beside_a_reader_and_loses_nothing(tmp_path: Path) -> None:
    store = Store.open(tmp_path)
    with read(store):
        step(store, 1)
        store.close()
    with Store.open(tmp_path) as reopened:
        assert (reopened.sequence, committed(reopened)) == (1, 1)


def test_a_store_is_closed_while_a_reader_is_at_work(tmp_path: Path) -> None:
    begun, end = threading.Event(), threading.Event()

    def wait(number: int) -> int:
        begun.set()
        assert end.wait(10.0)
        return number

    store = Store.open(tmp_path)
    with store._database._readers.cursor() as reader:
        reader.create_function("wait", wait, ["BIGINT"], "BIGINT")
        thread = threading.Thread(target=lambda: reader.execute("SELECT wait(sequence) FROM store"))
        thread.start()
        assert begun.wait(10.0)
        try:
            step(store, 1)
            store.close()
        finally:
            end.set()
            thread.join()
    with Store.open(tmp_path) as reopened:
        assert (reopened.sequence, committed(reopened)) == (1, 1)


def test_a_disk_that_fails_beside_a_reader_is_fatal_all_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store.open(tmp_path)
    with store.transaction():
        store.put_state({"noise": np.random.default_rng(0).bytes(900_000)})
    monkeypatch.setattr("monitor.runtime.store.store.LOG_MAX", 1)
    with read(store), limited_files(600_000), pytest.raises(StateError, match="File too large"):
        step(store, 1)
    store.close()


def test_no_other_refusal_of_a_checkpoint_is_put_off(store: Store) -> None:
    def checkpoint_inside() -> None:
        store.put_positions({("t", 0): 1}, {})
        store._database.checkpoint()

    with pytest.raises(StateError, match="local changes"):
        fail_inside(store, checkpoint_inside)


def test_rewritten_state_and_expired_windows_leave_no_space_behind(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("monitor.runtime.store.store.LOG_MAX", 1 << 20)
    random = np.random.default_rng(0)
    with Store.open(tmp_path) as store:
        for number in range(60):
            with store.transaction():
                store.put_state({f"piece {piece}": random.bytes(50_000) for piece in range(10)})
                rows = [P(key, number, number + 1) for key in range(50)]
                add(store, rows)
                store.expire("m", number - 10, 0)
        assert (tmp_path / "store.duckdb").stat().st_size < 5 << 20


NAMES = st.sampled_from(["a", "b", "c/0", "ż\0"])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.dictionaries(NAMES, st.none() | st.binary(max_size=40)), max_size=6))
def test_state_is_what_a_dictionary_would_hold(changes: list[dict[str, bytes | None]]) -> None:
    expected: dict[str, bytes] = {}
    with Store.in_memory() as store:
        for change in changes:
            with store.transaction():
                store.put_state(change)
            expected |= {name: payload for name, payload in change.items() if payload is not None}
            expected = {name: payload for name, payload in expected.items() if change.get(name, payload) is not None}
            assert store.state() == expected


def test_positions_and_what_topic_they_count_in_are_kept_by_topic_and_partition(store: Store) -> None:
    with store.transaction():
        store.put_positions({("a", 0): 1, ("a", 1): 2, ("b", 0): 2**40}, {("a", 0): "x", ("a", 1): "x"})
        store.put_positions({("a", 0): 7}, {("a", 0): "y"})
        store.put_positions({}, {("a", 1): "nobody's"})
    assert store.positions() == (
        {("a", 0): 7, ("a", 1): 2, ("b", 0): 2**40},
        {("a", 0): "y", ("a", 1): "x"},
    )


def test_a_flipped_bit_in_a_piece_of_state_is_refused(store: Store) -> None:
    with store.transaction():
        store.put_state({"engine/1": b"\0" * 100})
        store._database.execute("UPDATE piece SET payload = '\\x01'::BLOB || payload[2:]")
    with pytest.raises(StateDamagedError, match="engine/1"):
        store.state()


def test_a_piece_under_the_name_of_another_is_refused(store: Store) -> None:
    with store.transaction():
        store.put_state({"engine/1": b"same"})
        store._database.execute("UPDATE piece SET name = 'engine/2'")
    with pytest.raises(StateDamagedError, match="engine/2"):
        store.state()


def test_the_network_and_other_files_are_out_of_reach(store: Store, tmp_path: Path) -> None:
    (tmp_path / "secret.csv").write_text("a\n1\n")
    for sql in (f"FROM '{tmp_path}/secret.csv'", "INSTALL httpfs", f"COPY store TO '{tmp_path}/copy.csv'"):
        with pytest.raises(StateError, match=r"disabled|not allowed|Cannot"):
            store._database.rows(sql)
    assert not (tmp_path / "copy.csv").exists()


def test_readers_of_other_threads_see_only_what_is_committed(store: Store) -> None:
    seen: list[int] = []

    def read() -> None:
        seen.append(len(store.pending_counts()) + len(store.readings("m")))
        seen.append(len(store._database.committed("FROM position")))

    with store.transaction():
        store.put_positions({("t", 0): 1}, {})
        thread = threading.Thread(target=read)
        thread.start()
        thread.join()
    read()
    assert seen == [0, 0, 0, 1]
