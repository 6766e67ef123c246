"""Copies of an open store, made while it is written.

Between two checkpoints DuckDB changes nothing of the database file that its log so far refers to, and only adds to the
log. So the log as long as it is now, and then the file, are what a kill at this moment would have left, and opening
them is what a restart is. A checkpoint waits for a copy; where one has come in between all the same, the copy is given
up.
"""

from __future__ import annotations

import os
import tarfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from monitor.errors import UnavailableError

PIECE = 1 << 20
"""Bytes that are read at a time."""

WAIT_S = 30.0
"""How long a checkpoint waits for the next piece to be fetched."""

WHOLE_S = 600.0
"""How long it waits for all of them, while the log grows."""

_BLOCK = tarfile.BLOCKSIZE


class Copy(NamedTuple):
    """A tar archive of the log and the database. size: of all pieces, in bytes. The pieces end with an UnavailableError
    where the copy is given up.
    """

    size: int
    pieces: Iterator[bytes]


class _Part(NamedTuple):
    name: str
    file: int
    size: int


class Copying:
    """Copies the files of one open database. For any thread; `checkpoint` for its writer's."""

    def __init__(self, database: Path, log: Path, clock: Callable[[], float] = time.monotonic) -> None:
        # Open as long as the database is: to close any descriptor of a file ends this process's locks on it.
        self._file = os.open(database, os.O_RDONLY)
        self._name = database.name
        self._log = log
        self._clock = clock
        self._lock = threading.Lock()
        self._checkpoints = 0
        self._until_s = -float("inf")

    def close(self) -> None:
        """After the database."""
        with self._lock:
            self._checkpoints += 1
            os.close(self._file)

    @property
    def waited_for(self) -> bool:
        """Whether a checkpoint had better wait."""
        return self._clock() < self._until_s

    @contextmanager
    def checkpoint(self) -> Iterator[None]:
        """Around a checkpoint: ends the copies under way."""
        with self._lock:
            self._checkpoints += 1
            self._until_s = -float("inf")
            yield

    def copy(self) -> Copy:
        """Begin one. UnavailableError where another is under way."""
        with self._lock:
            if self.waited_for:
                raise UnavailableError("another backup is under way: ask again when it is done")
            begun, end_s = self._checkpoints, self._clock() + WHOLE_S
            self._until_s = self._clock() + WAIT_S
            log = os.open(self._log, os.O_RDONLY) if self._log.exists() else None
            sizes = 0 if log is None else os.fstat(log).st_size, os.fstat(self._file).st_size
        parts = [_Part(self._log.name, log, sizes[0])] if log is not None else []
        parts.append(_Part(self._name, self._file, sizes[1]))
        size = sum(_BLOCK + part.size + -part.size % _BLOCK for part in parts) + 2 * _BLOCK
        return Copy(size, self._pieces(parts, begun, end_s))

    def _pieces(self, parts: list[_Part], begun: int, end_s: float) -> Iterator[bytes]:
        try:
            for name, file, size in parts:
                head = tarfile.TarInfo(name)
                head.size = size
                yield head.tobuf()
                for start in range(0, size, PIECE):
                    yield self._piece(file, start, min(PIECE, size - start), begun, end_s)
                yield bytes(-size % _BLOCK)
            yield bytes(2 * _BLOCK)
        finally:
            for part in parts[:-1]:
                os.close(part.file)
            self._until_s = -float("inf")

    def _piece(self, file: int, start: int, size: int, begun: int, end_s: float) -> bytes:
        with self._lock:
            if self._checkpoints != begun:
                raise UnavailableError("the store was tidied or closed before the backup was fetched: ask again")
            self._until_s = min(self._clock() + WAIT_S, end_s)
            return os.pread(file, size, start)
