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


class _Turn(NamedTuple):
    """A copy under way. checkpoints: how many there were when it began; end_s: no checkpoint waits for it longer."""

    checkpoints: int
    end_s: float


class Copying:
    """Copies the files of one open database. For any thread; `checkpoint` for its writer's."""

    def __init__(self, database: Path, log: Path, clock: Callable[[], float] = time.monotonic) -> None:
        # Open as long as the database is: to close any descriptor of a file ends this process's locks on it.
        self._file = os.open(database, os.O_RDONLY)
        self._name = database.name
        self._log = log
        self._clock = clock
        self._lock = threading.RLock()  # A copy that nobody holds any more may end while its thread is in here.
        self._checkpoints = 0
        self._latest: _Turn | None = None
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
            self._latest = turn = _Turn(self._checkpoints, self._clock() + WHOLE_S)
            self._until_s = self._clock() + WAIT_S
            # The log is opened with the first piece: a copy of which none is fetched leaves nothing open.
            sizes = [self._log.stat().st_size] if self._log.exists() else []
            sizes.append(os.fstat(self._file).st_size)
        size = sum(_BLOCK + each + -each % _BLOCK for each in sizes) + 2 * _BLOCK
        return Copy(size, self._pieces(sizes, turn))

    def _pieces(self, sizes: list[int], turn: _Turn) -> Iterator[bytes]:
        try:
            if len(sizes) > 1:
                with self._lock:
                    self._go_on(turn)
                    log = os.open(self._log, os.O_RDONLY)
                try:
                    yield from self._part(self._log.name, log, sizes[0], turn)
                finally:
                    os.close(log)
            yield from self._part(self._name, self._file, sizes[-1], turn)
            yield bytes(2 * _BLOCK)
        finally:
            with self._lock:
                if self._latest is turn:
                    self._until_s = -float("inf")

    def _part(self, name: str, file: int, size: int, turn: _Turn) -> Iterator[bytes]:
        head = tarfile.TarInfo(name)
        head.size = size
        yield head.tobuf()
        for start in range(0, size, PIECE):
            with self._lock:
                self._go_on(turn)
                piece = os.pread(file, min(PIECE, size - start), start)
            yield piece
        yield bytes(-size % _BLOCK)

    def _go_on(self, turn: _Turn) -> None:
        if self._checkpoints != turn.checkpoints:
            raise UnavailableError("the store was tidied or closed before the backup was fetched: ask again")
        if self._latest is turn:
            self._until_s = min(self._clock() + WAIT_S, turn.end_s)
