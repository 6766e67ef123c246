"""Backups: of a store that is written meanwhile, over HTTP and of a directory; restored, and gone on from."""

from __future__ import annotations

import io
import signal
import subprocess
import sys
import tarfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from monitor.config import load_server
from monitor.errors import ConfigError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.server import HttpServer
from monitor.runtime.backup import backup, restore
from monitor.runtime.store import Store
from monitor.runtime.store import store as module
from monitor.runtime.store.copying import WAIT_S, WHOLE_S, Copying
from monitor.snapshot import ServiceView, Snapshot
from tests.ports import closed_port
from tests.runtime.test_store import committed, step
from tests.simulation.service import STATE, Service, write_config
from tests.simulation.traffic import Shape, Traffic
from tests.simulation.world import World


def config(directory: Path, port: int = 8000) -> Path:
    """As much of a configuration as a backup needs."""
    file = directory / "monitor.yaml"
    file.write_text(f"state: state\nserver: {{port: {port}, token_file: token}}\n")
    (directory / "token").write_text("0123456789abcdef")
    return file


def unpacked(pieces: Iterator[bytes], directory: Path) -> Path:
    directory.mkdir()
    with tarfile.open(fileobj=io.BytesIO(b"".join(pieces))) as archive:
        archive.extractall(directory, filter="data")
    return directory


@contextmanager
def served(copy: Callable[[], tuple[int, Iterator[bytes]]], directory: Path) -> Iterator[Path]:
    """The configuration of a service that hands out such copies."""
    server = HttpServer(port=0)
    nothing = Snapshot(0, {}, ServiceView())
    server.start(create_app(lambda: nothing, Behind(copy=copy), token="0123456789abcdef"))
    try:
        yield config(directory, server.port)
    finally:
        server.stop()


def test_a_backup_is_of_the_moment_it_was_begun_whatever_is_written_meanwhile(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store:
        for number in range(1, 31):
            step(store, number)
            if number == 10:
                store._checkpoint()
            if number == 20:
                size, pieces = store.copy()
                first = next(pieces)
        rest = list(pieces)
    assert size == len(first) + sum(map(len, rest))
    directory = unpacked(iter([first, *rest]), tmp_path / "copy")
    assert (directory / "store.duckdb.wal").stat().st_size > 0
    (tmp_path / "old").mkdir()
    old = config(tmp_path / "old")
    directory.rename(tmp_path / "old" / "state")
    list(backup(old, tmp_path / "whole.duckdb", None))
    (tmp_path / "new").mkdir()
    list(restore(config(tmp_path / "new"), tmp_path / "whole.duckdb"))
    with Store.open(tmp_path / "new" / "state") as store:
        assert (store.sequence, committed(store)) == (20, 20)


def test_a_checkpoint_waits_until_the_backup_is_fetched(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOG_MAX", 1)
    with Store.open(tmp_path / "state") as store:
        assert store._directory is not None
        step(store, 1)
        assert store._directory.log_size() == 0
        _, pieces = store.copy()
        next(pieces)
        step(store, 2)
        step(store, 3)
        assert store._directory.log_size() > 0
        with pytest.raises(UnavailableError, match="another backup is under way"):
            store.copy()
        list(pieces)
        step(store, 4)
        assert store._directory.log_size() == 0
        list(store.copy().pieces)


@pytest.mark.parametrize("pause_s", [WAIT_S + 1, WHOLE_S / 30])
def test_a_backup_that_nobody_fetches_holds_up_nothing_for_long(tmp_path: Path, pause_s: float) -> None:
    (tmp_path / "db").write_bytes(b"x" * (64 << 20))
    now = [0.0]
    copying = Copying(tmp_path / "db", tmp_path / "log", lambda: now[0])
    pieces = copying.copy().pieces
    while copying.waited_for:
        next(pieces)
        now[0] += pause_s
    assert now[0] <= WHOLE_S + WAIT_S
    with copying.checkpoint():
        pass
    with pytest.raises(UnavailableError, match="ask again"):
        list(pieces)
    assert b"".join(copying.copy().pieces)[512:].startswith(b"x")
    copying.close()


def test_a_backup_of_which_nothing_is_fetched_leaves_no_file_open(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store:
        step(store, 1)
        before = len(list(Path("/proc/self/fd").iterdir()))
        _, pieces = store.copy()
        del pieces
        assert len(list(Path("/proc/self/fd").iterdir())) == before


@pytest.mark.parametrize("closed", [False, True])
def test_one_that_was_given_up_leaves_the_next_alone(tmp_path: Path, closed: bool) -> None:
    (tmp_path / "db").write_bytes(b"x" * (4 << 20))
    (tmp_path / "log").write_bytes(b"y")
    now = [0.0]
    copying = Copying(tmp_path / "db", tmp_path / "log", lambda: now[0])
    old = copying.copy().pieces
    next(old)
    now[0] = WHOLE_S - 1
    new = copying.copy().pieces
    next(new)
    if closed:
        del old
    else:
        next(old)
    now[0] += WAIT_S - 1
    assert copying.waited_for
    list(new)
    assert not copying.waited_for
    copying.close()


def test_a_backup_under_way_ends_with_the_store(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store:
        step(store, 1)
        _, pieces = store.copy()
        next(pieces)
    with pytest.raises(UnavailableError, match="closed"):
        list(pieces)


def test_a_backup_leaves_the_database_locked_for_other_programs(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store:
        step(store, 1)
        list(store.copy().pieces)
        program = f"import duckdb; duckdb.connect({str(tmp_path / 'state' / 'store.duckdb')!r})"
        other = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
        assert "Could not set lock" in other.stderr


def test_a_running_service_gives_one_file_that_other_programs_query(tmp_path: Path) -> None:
    with Store.open(tmp_path / "state") as store, served(store.copy, tmp_path) as file:
        for number in range(1, 6):
            step(store, number)
        said = list(backup(file, tmp_path / "out.duckdb", None))
    assert said[0].endswith("of the running service, as of transaction 5")
    assert said[1] == "  reads t/0 on from offset 5"
    assert not list(tmp_path.glob(".backup-*"))
    assert (tmp_path / "out.duckdb").stat().st_mode & 0o777 == 0o600
    program = (
        f"import duckdb; print(duckdb.connect({str(tmp_path / 'out.duckdb')!r}, read_only=True).sql('FROM position'))"
    )
    assert "t" in subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    with pytest.raises(ConfigError, match=r"out\.duckdb exists: name another file"):
        list(backup(file, tmp_path / "out.duckdb", None))


def test_a_backup_that_breaks_off_writes_no_file(tmp_path: Path) -> None:
    def given_up() -> Iterator[bytes]:
        yield from [bytes(1 << 20)] * 16
        raise UnavailableError("the store was tidied")

    def broken() -> tuple[int, Iterator[bytes]]:
        return 32 << 20, given_up()

    def refused() -> tuple[int, Iterator[bytes]]:
        raise UnavailableError("another backup is under way")

    copies: list[tuple[Callable[[], tuple[int, Iterator[bytes]]], str]] = [
        (broken, "broke off"),
        (refused, "under way"),
    ]
    for copy, why in copies:
        with served(copy, tmp_path) as file, pytest.raises(UnavailableError, match=why):
            list(backup(file, tmp_path / "out.duckdb", None))
    with pytest.raises(UnavailableError, match="no service answers"):
        list(backup(config(tmp_path, closed_port()), None, None))
    assert {each.name for each in tmp_path.iterdir()} == {"monitor.yaml", "token"}


def archive(name: str) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as members:
        members.addfile(tarfile.TarInfo(name))
    return whole.getvalue()


@pytest.mark.parametrize("answer", [b"", b"<html>Not the service</html>", archive("other.txt"), archive("../out")])
def test_an_answer_that_is_no_backup_is_said_to_be_none(tmp_path: Path, answer: bytes) -> None:
    with served(lambda: (len(answer), iter([answer])), tmp_path) as file:
        with pytest.raises(ConfigError, match=r"what answers where .* sends no backup: name with --url"):
            list(backup(file, tmp_path / "out.duckdb", None))
        url = f"http://127.0.0.1:{load_server(file)[0].port}"
        with pytest.raises(ConfigError, match=f"{url} sends no backup"):
            list(backup(file, tmp_path / "out.duckdb", url))
    assert {each.name for each in tmp_path.iterdir()} == {"monitor.yaml", "token"}


def test_a_service_that_runs_is_backed_up_killed_and_restored(tmp_path: Path) -> None:
    file = write_config(tmp_path)
    with Store.open(tmp_path / STATE) as store, store.transaction():
        store.put_positions({("t", 0): 1}, {})
    with Service(file) as service:
        url = service.url()
        list(backup(file, tmp_path / "out.duckdb", url))
        service.signal(signal.SIGKILL)
        service.exits()
    (tmp_path / STATE).rename(tmp_path / "lost")
    list(restore(file, tmp_path / "out.duckdb"))
    with Store.open(tmp_path / STATE) as store:
        assert store.positions()[0] == {("t", 0): 1}


def test_nothing_is_restored_over_a_store_nor_from_what_is_none(tmp_path: Path) -> None:
    file = config(tmp_path)
    with Store.open(tmp_path / "state") as store:
        step(store, 1)
    list(backup(file, tmp_path / "out.duckdb", None))
    with pytest.raises(ConfigError, match="holds a store: move it away first"):
        list(restore(file, tmp_path / "out.duckdb"))
    (tmp_path / "state").rename(tmp_path / "old")
    with pytest.raises(ConfigError, match="is no file"):
        list(restore(file, tmp_path / "none.duckdb"))
    damaged = bytearray((tmp_path / "out.duckdb").read_bytes())
    damaged[: len(damaged) // 2] = bytes(len(damaged) // 2)
    (tmp_path / "damaged.duckdb").write_bytes(damaged)
    with pytest.raises(ConfigError, match=r"damaged\.duckdb is no backup, or a damaged one"):
        list(restore(file, tmp_path / "damaged.duckdb"))
    assert [each.name for each in (tmp_path / "state").iterdir()] == ["LOCK"]
    list(restore(file, tmp_path / "out.duckdb"))
    with Store.open(tmp_path / "state") as store:
        assert committed(store) == 1


def test_a_service_that_goes_on_from_a_backup_comes_to_the_same(tmp_path: Path) -> None:
    log = Traffic(3, Shape(minutes=8)).log()
    first = World(log, directory=tmp_path / "first")
    for _ in range(12):
        first.step()
    assert first.loop.snapshot.models["fraud"].windows
    assert not first.source.exhausted
    (tmp_path / "copied").mkdir()
    with served(first.store.copy, tmp_path / "copied") as file:
        list(backup(file, tmp_path / "out.duckdb", None))
    whole = first.run()
    first.close()
    (tmp_path / "second").mkdir()
    (tmp_path / "second" / "monitor.yaml").write_text("state: '0'\n")
    list(restore(tmp_path / "second" / "monitor.yaml", tmp_path / "out.duckdb"))
    second = World(log, directory=tmp_path / "second")
    assert second.store.sequence > 0
    again = second.run()
    second.close()
    assert again.positions == whole.positions
    assert (again.readings, again.changes, again.triggers) == (whole.readings, whole.changes, whole.triggers)
    assert (again.events, again.dead) == (whole.events, whole.dead)
    assert again.messages.items() <= whole.messages.items()
