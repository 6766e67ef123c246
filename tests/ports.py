"""Ports of loopback on which nobody listens, and nobody will but whom a test gives them to."""

from __future__ import annotations

import contextlib
import os
import random
import socket

_PORTS = range(20_000, 32_000)
"""Below those that the system hands out: what binds one later, or again, finds it free."""

_WORKER, _WORKERS = os.environ.get("PYTEST_XDIST_WORKER", "gw0"), os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")
_MINE = _PORTS[int(_WORKER.removeprefix("gw")) :: int(_WORKERS)]
_UNTRIED = iter(random.SystemRandom().sample(_MINE, len(_MINE)))
"""Each is given once, and each worker of a run has its own. By chance, as another run may be at work meanwhile."""


def closed_ports(number: int) -> list[int]:
    found: list[int] = []
    while len(found) < number:
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", next(_UNTRIED))) as server:
            found.append(server.getsockname()[1])
    return found


def closed_port() -> int:
    return closed_ports(1)[0]
