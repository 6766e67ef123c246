from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import pytest

from monitor.errors import StateHeldError
from monitor.runtime.store import Store
from tests.runtime.test_store_kept import HOUR_MS

KILLS = 20
PROGRAM = Path(__file__).with_name("store_kill.py")


class Lives:
    """The process that commits, dies and is born again over one directory."""

    def __init__(self, orders: IO[str], news: IO[str]) -> None:
        self._orders = orders
        self._news = news

    def begin(self) -> int:
        """A new life; its process id."""
        self._orders.write("\n")
        self._orders.flush()
        word, number = self._news.readline().split()
        assert word == "pid"
        return int(number)

    def committed(self) -> int:
        """Waits for the next step; its number."""
        return int(self._news.readline())

    def end(self, pid: int, last: int) -> int:
        """SIGKILL; the last step that was said to be committed."""
        os.kill(pid, signal.SIGKILL)
        while (line := self._news.readline()) != "over\n":
            last = int(line)
        return last


@contextmanager
def lives(directory: Path) -> Iterator[Lives]:
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, PROGRAM, directory],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    ) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        yield Lives(process.stdin, process.stdout)


def test_whenever_it_is_killed_the_store_holds_a_prefix_of_the_steps(tmp_path: Path) -> None:
    seed = random.randrange(1 << 32)
    print(f"seed {seed}")
    dice = random.Random(seed)
    last = 0
    with lives(tmp_path) as process:
        for _ in range(KILLS):
            pid = process.begin()
            for _ in range(dice.randrange(1, 8)):
                last = process.committed()
            time.sleep(dice.uniform(0, 0.02))
            last = process.end(pid, last)
            with Store.open(tmp_path) as store:
                assert store.sequence in (last, last + 1)
                last = store.sequence
                check(store)


def test_a_kill_while_it_starts_does_no_harm(tmp_path: Path) -> None:
    dice = random.Random(7)
    with lives(tmp_path) as process:
        for _ in range(KILLS // 2):
            pid = process.begin()
            time.sleep(dice.uniform(0, 0.05))
            last = process.end(pid, 0)
            with Store.open(tmp_path) as store:
                assert store.sequence >= last
                check(store)


def check(store: Store) -> None:
    """All of the steps up to the last one are there, and nothing of a later one."""
    number = store.sequence
    steps = list(range(1, number + 1))
    state = store.state()
    assert int(state.get("number", b"0")) == number
    for bulk in range(5):
        newest = max((step for step in steps if step % 5 == bulk), default=None)
        assert state.get(f"bulk/{bulk}") == (None if newest is None else b"%d" % newest * 5000)
    for partition, next_offset in store.positions()[0].items():
        assert next_offset == max(step for step in steps if step % 3 == partition[1])
    for parity in range(2):
        mine = [step for step in steps if step % 2 == parity]
        kept = [step for step in mine if step + 1 > mine[-1] - 20]
        assert store.matched(f"m{parity}", since_ms=0, until_ms=1 << 60).key.tolist() == kept
    assert [message.created_ms for message in store.pending_messages()] == steps
    assert [event.payload["number"] for event in store.control_events()] == steps
    assert [each.start_ms // HOUR_MS for each in store.kept_windows("m", "counts")] == steps[::-1]
    newest = [each.start_ms // HOUR_MS for each in store.kept_windows("m", "rows")]
    assert newest == steps[::-1][: len(newest)]
    found = store.kept_rows("m")
    assert (0 if found is None else found.window.start_ms // HOUR_MS) == number
    letters = [letter.offset for _, letter in store.pending_dead_letters(1 << 30)]
    assert letters == steps[(number + 1) // 2 :]


def test_the_directory_is_held_until_its_holder_is_killed(tmp_path: Path) -> None:
    with lives(tmp_path) as process:
        pid = process.begin()
        last = process.committed()
        with pytest.raises(StateHeldError, match=f"process {pid}"):
            Store.open(tmp_path)
        last = process.end(pid, last)
    with Store.open(tmp_path) as store:
        assert store.sequence >= last
