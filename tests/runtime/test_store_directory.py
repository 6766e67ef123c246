from __future__ import annotations

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial
from pathlib import Path

import duckdb
import pytest

from monitor.errors import CommitFailedError, StateDamagedError, StateError, StateHeldError
from monitor.runtime.store import Store, store
from monitor.runtime.store.directory import StateDirectory


def filled(directory: Path, steps: int = 1) -> None:
    with Store.open(directory) as opened:
        for _ in range(steps):
            with opened.transaction():
                opened.put_state({"piece": b"payload" * 1000})


def opens(directory: Path) -> bool:
    with Store.open(directory):
        return True


def test_a_missing_directory_is_made_with_its_parents(tmp_path: Path) -> None:
    directory = tmp_path / "a" / "state"
    filled(directory)
    assert sorted(path.name for path in directory.iterdir()) == ["LOCK", "STATE", "store.duckdb"]
    assert directory.stat().st_mode & 0o777 == 0o700, "rows of data are nobody else's"


def test_a_directory_that_is_there_keeps_its_mode(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir(mode=0o750)
    filled(tmp_path / "state")
    assert (tmp_path / "state").stat().st_mode & 0o777 == 0o750


@pytest.mark.parametrize("directory", ["file", "file/below", "/proc"])
def test_a_directory_that_cannot_be_written_is_one_clear_sentence(tmp_path: Path, directory: str) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=r"The state directory .* cannot be used") as raised:
        Store.open(tmp_path / directory)
    assert type(raised.value) is StateError
    assert "\n" not in str(raised.value)


def test_one_directory_is_held_once_even_within_a_process(tmp_path: Path) -> None:
    with Store.open(tmp_path), pytest.raises(StateHeldError, match=f"process {os.getpid()}"):
        Store.open(tmp_path)
    assert opens(tmp_path)


def test_a_failed_opening_lets_the_directory_go(tmp_path: Path) -> None:
    filled(tmp_path)
    state = (tmp_path / "STATE").read_bytes()
    (tmp_path / "STATE").write_bytes(b"")
    with pytest.raises(StateDamagedError):
        Store.open(tmp_path)
    (tmp_path / "STATE").write_bytes(state)
    assert opens(tmp_path)


def test_a_database_that_another_program_has_open_is_held(tmp_path: Path) -> None:
    filled(tmp_path)
    program = "import duckdb, sys; c = duckdb.connect(sys.argv[1]); print(flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", program, tmp_path / "store.duckdb"], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        other.stdout.readline()
        with pytest.raises(StateHeldError, match=str(other.pid)):
            Store.open(tmp_path)
        other.communicate()
    assert opens(tmp_path)


def deleted(directory: Path) -> None:
    (directory / "store.duckdb").unlink()


def deleted_beside_its_log(directory: Path) -> None:
    deleted(directory)
    (directory / "STATE").unlink()
    (directory / "store.duckdb.wal").touch()


def empty(directory: Path) -> None:
    (directory / "store.duckdb").write_bytes(b"")


def garbage(directory: Path) -> None:
    (directory / "store.duckdb").write_bytes(os.urandom(20_000))


def of_another_kind(directory: Path) -> None:
    deleted(directory)
    duckdb.connect(directory / "store.duckdb").close()


def with_an_empty_identity(directory: Path) -> None:
    with duckdb.connect(directory / "store.duckdb") as connection:
        connection.execute("DELETE FROM store")


def of_another_directory(directory: Path) -> None:
    filled(directory / "other")
    shutil.copy(directory / "other" / "store.duckdb", directory)


def without_state(directory: Path) -> None:
    (directory / "STATE").unlink()


def with_an_empty_state(directory: Path) -> None:
    (directory / "STATE").write_bytes(b"")


def with_a_state_of_another_shape(directory: Path) -> None:
    (directory / "STATE").write_bytes(b"[1]")


def truncated(directory: Path) -> None:
    os.truncate(directory / "store.duckdb", 5000)


def with_a_flipped_header(directory: Path) -> None:
    flip(directory / "store.duckdb", 4100)


def flip_log(position: int, directory: Path) -> None:
    flip(directory / "store.duckdb.wal", position)


def flip(path: Path, position: int) -> None:
    content = bytearray(path.read_bytes())
    content[position] ^= 1
    path.write_bytes(content)


@pytest.mark.parametrize(
    "damage",
    [
        deleted,
        deleted_beside_its_log,
        empty,
        garbage,
        of_another_kind,
        with_an_empty_identity,
        of_another_directory,
        without_state,
        with_an_empty_state,
        with_a_state_of_another_shape,
        truncated,
        with_a_flipped_header,
    ],
)
def test_a_store_that_is_not_what_was_committed_is_refused(tmp_path: Path, damage: Callable[[Path], None]) -> None:
    filled(tmp_path)
    damage(tmp_path)
    with pytest.raises(StateDamagedError, match="restore the directory from a backup") as raised:
        Store.open(tmp_path)
    assert str(tmp_path) in str(raised.value)
    assert "\n" not in str(raised.value)


def test_a_deleted_database_is_not_replaced_by_an_empty_one(tmp_path: Path) -> None:
    filled(tmp_path)
    deleted(tmp_path)
    with pytest.raises(StateDamagedError, match=r"store\.duckdb is missing beside .*STATE"):
        Store.open(tmp_path)
    assert not (tmp_path / "store.duckdb").exists()


def test_a_flipped_bit_anywhere_in_the_payload_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    path = tmp_path / "store.duckdb"
    flip(path, path.read_bytes().index(b"payloadpayload"))
    with pytest.raises(StateDamagedError, match=r"store\.duckdb"), Store.open(tmp_path) as opened:
        opened.state()


def test_an_older_copy_of_the_database_is_refused(tmp_path: Path) -> None:
    filled(tmp_path)
    shutil.copy(tmp_path / "store.duckdb", tmp_path / "copy")
    filled(tmp_path)
    shutil.copy(tmp_path / "copy", tmp_path / "store.duckdb")
    with pytest.raises(StateDamagedError, match="ends at transaction 1, but 2 was committed"):
        Store.open(tmp_path)


@pytest.fixture
def crashed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A directory as a kill leaves it: ten transactions in the log, eight of them recorded in STATE."""
    monkeypatch.setattr(store, "RECORD_EVERY", 4)
    with Store.open(tmp_path / "live") as opened:
        for number in range(10):
            with opened.transaction():
                opened.put_state({"piece": bytes([number]) * 100})
        shutil.copytree(tmp_path / "live", tmp_path / "crashed")
    return tmp_path / "crashed"


def test_a_log_that_ends_early_is_noticed_once_its_sequence_was_recorded(crashed: Path, tmp_path: Path) -> None:
    """DuckDB takes it for a commit that the kill cut short."""
    log = "store.duckdb.wal"
    size = (crashed / log).stat().st_size
    assert sequence_with(crashed, tmp_path / "whole", lambda copy: None) == 10
    assert sequence_with(crashed, tmp_path / "torn", lambda copy: os.truncate(copy / log, size - 10)) == 9
    with pytest.raises(StateDamagedError, match="but 8 was committed"):
        sequence_with(crashed, tmp_path / "halved", lambda copy: os.truncate(copy / log, size // 2))


def test_no_flipped_bit_in_the_log_loses_what_was_recorded(crashed: Path, tmp_path: Path) -> None:
    """Most fail a checksum; one in the length of an entry ends the log without a word."""
    refused = 0
    for position in range(0, (crashed / "store.duckdb.wal").stat().st_size, 149):
        try:
            assert sequence_with(crashed, tmp_path / str(position), partial(flip_log, position)) >= 8
        except StateDamagedError:
            refused += 1
    assert refused > 20


def sequence_with(directory: Path, copy: Path, damage: Callable[[Path], None]) -> int:
    shutil.copytree(directory, copy)
    damage(copy)
    with Store.open(copy) as opened:
        return opened.sequence


def test_a_newer_store_is_refused_and_left_as_it_is(tmp_path: Path) -> None:
    filled(tmp_path)
    with duckdb.connect(tmp_path / "store.duckdb") as connection:
        connection.execute("UPDATE store SET version = version + 1")
    before = (tmp_path / "store.duckdb").read_bytes()
    with pytest.raises(StateError, match="newer version") as raised:
        Store.open(tmp_path)
    assert not isinstance(raised.value, StateDamagedError | CommitFailedError)
    assert (tmp_path / "store.duckdb").read_bytes() == before


def test_a_kill_between_database_and_state_leaves_a_store_that_opens(tmp_path: Path) -> None:
    filled(tmp_path, steps=0)
    (tmp_path / "STATE").unlink()
    assert opens(tmp_path)
    assert (tmp_path / "STATE").exists()


def test_a_kill_while_the_database_is_made_leaves_nothing_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "store.new").write_bytes(b"half")
    (tmp_path / "store.new.wal").write_bytes(b"half")
    (tmp_path / "STATE.new").write_bytes(b"half")
    filled(tmp_path)
    assert opens(tmp_path)


def test_the_state_file_is_replaced_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    filled(tmp_path)
    before = (tmp_path / "STATE").read_bytes()
    held = StateDirectory.hold(tmp_path)
    identity = held.identity()
    assert identity is not None

    def fail(_: int) -> None:
        raise OSError(5, "Input/output error")

    monkeypatch.setattr("monitor.runtime.store.directory.os.fsync", fail)
    with pytest.raises(StateError, match="Input/output error"):
        held.record(replace(identity, sequence=99))
    held.release()
    assert (tmp_path / "STATE").read_bytes() == before
