"""The state directory: held by one process, with a STATE file that knows which database belongs to it.

DuckDB opens a deleted database as an empty one, and where the length of an entry of its log is damaged (one flipped bit
in ten) drops the rest of the log without a word. STATE holds the database's random id and, now and then, its last
sequence number, so that both are noticed.
"""

from __future__ import annotations

import fcntl
import os
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Self

import orjson

from monitor.errors import StateDamagedError, StateError, StateHeldError

DATABASE = "store.duckdb"
REMEDY = "restore the directory from a backup, or move it away and start again from Kafka"


@dataclass(frozen=True, slots=True)
class Identity:
    """Which store it is and the number of a transaction that it has committed."""

    store: str
    sequence: int


class StateDirectory:
    """A directory that no other process uses while this object lives, and the names of what is in it."""

    def __init__(self, path: Path, lock: int) -> None:
        self.path = path
        self._lock = lock
        self._identity = path / "STATE"
        self.database = path / DATABASE
        self.log = path / f"{DATABASE}.wal"

    @classmethod
    def hold(cls, path: Path) -> Self:
        """Make the directory if need be and lock it. Raises StateHeldError, or StateError where it cannot be used."""
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)  # It holds rows of data.
            lock = os.open(path / "LOCK", os.O_RDWR | os.O_CREAT, 0o644)
        except OSError as error:
            raise _unwritable(path, error) from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            os.ftruncate(lock, 0)
            os.write(lock, f"{os.getpid()}\n".encode())
        except BlockingIOError:
            holder = os.read(lock, 20).decode(errors="replace").strip() or "of unknown number"
            os.close(lock)
            raise StateHeldError(f"{path} is held by process {holder}: one directory, one instance; stop it") from None
        except OSError as error:
            os.close(lock)
            raise _unwritable(path, error) from error
        return cls(path, lock)

    def release(self) -> None:
        """Let another process have it; the LOCK file stays, as removing it would let two hold it."""
        os.close(self._lock)

    def log_size(self) -> int:
        """Bytes of the log of transactions that no checkpoint has taken in."""
        return self.log.stat().st_size if self.log.exists() else 0

    def identity(self) -> Identity | None:
        """What STATE says, or None where there is none. Raises StateDamagedError."""
        try:
            return Identity(**orjson.loads(self._identity.read_bytes()))
        except FileNotFoundError:
            return None
        except (orjson.JSONDecodeError, TypeError) as error:
            raise StateDamagedError(f"{self._identity} is not what was written: {REMEDY}") from error
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def record(self, identity: Identity) -> None:
        """Replace STATE, durably and whole. Raises StateError."""
        fresh = self.path / "STATE.new"
        try:
            with fresh.open("wb") as file:
                file.write(orjson.dumps(asdict(identity)))
                file.flush()
                os.fsync(file.fileno())
            rename(fresh, self._identity)
        except OSError as error:
            raise _unwritable(self.path, error) from error

    def verify(self, found: Identity) -> None:
        """Raises StateDamagedError unless the database that was opened is the one that STATE knows, and not behind."""
        recorded = self.identity()
        if recorded is None:
            # Killed between the making of the database and that of STATE: nothing was committed yet.
            if found.sequence > 0:
                raise StateDamagedError(f"{self._identity} is missing beside {self.database}: {REMEDY}")
            self.record(found)
        elif recorded.store != found.store:
            raise StateDamagedError(f"{self.database} is another store than the one {self._identity} names: {REMEDY}")
        elif recorded.sequence > found.sequence:
            raise StateDamagedError(
                f"{self.database} ends at transaction {found.sequence}, but {recorded.sequence} was committed: {REMEDY}"
            )

    def is_new(self) -> bool:
        """Whether nothing was ever kept here. Raises StateDamagedError where the database alone is missing."""
        if self.database.exists():
            return False
        for trace in (self._identity, self.log):
            if trace.exists():
                raise StateDamagedError(f"{self.database} is missing beside {trace}: {REMEDY}")
        return True


def rename(fresh: Path, path: Path) -> None:
    """Put `fresh`, which is on disk, in the place of `path` so that it survives a power cut."""
    fresh.replace(path)
    directory = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(directory)
    finally:
        os.close(directory)


def _unwritable(path: Path, error: OSError) -> StateError:
    return StateError(
        f"The state directory {path} cannot be used ({error.strerror}): it needs space and the right to write"
    )
