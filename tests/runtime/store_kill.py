"""Commits numbered steps to a store until it is killed: `python store_kill.py DIRECTORY`, a line on stdin a life.

Every life is a fork that prints its process id, then the number of each step once committed; its death prints "over".
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

from monitor.actions.outbox import Message
from monitor.events.reject import Reason
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.store import Store, store
from monitor.runtime.store.kept import KEPT_MAX
from tests.runtime.rows import L, P, add
from tests.runtime.test_store_kept import kept

store.LOG_MAX = 100_000  # Kills are to meet checkpoints and updates of STATE as well.
store.RECORD_EVERY = 3
KEPT_MAX["rows"] = 60_000


def commit(opened: Store, number: int) -> None:
    """A step that writes its number into every kind of table, and 20 kB of state."""
    with opened.transaction():
        opened.put_state({"number": b"%d" % number, f"bulk/{number % 5}": b"%d" % number * 5000})
        opened.put_positions({("t", number % 3): number}, {})
        add(opened, [P(number, number, number + 1)], [L(number, number, number)], model=f"m{number % 2}")
        opened.expire(f"m{number % 2}", number - 20, number - 20)
        opened.enqueue([Message(f"msg_{number:06}", "r", "t", b"", number)])
        opened.add_dead_letters([DeadLetter("t", 0, number, -1, Reason.MALFORMED, "", -1, None, None, 0)])
        opened.forget_dead_letters([kept for kept, _ in opened.pending_dead_letters(1)] if number % 2 else [])
        opened.add_kept([kept(number)])
        opened.trim_kept("m", set())
        opened.add_control_events([("step", {"number": number})], number)


def live(directory: Path) -> None:
    print("pid", os.getpid(), flush=True)
    with Store.open(directory) as opened:
        while True:
            number = opened.sequence + 1
            commit(opened, number)
            print(number, flush=True)


if __name__ == "__main__":
    for _ in sys.stdin:
        child = os.fork()
        if child == 0:
            live(Path(sys.argv[1]))
        os.waitpid(child, 0)
        print("over", flush=True)
