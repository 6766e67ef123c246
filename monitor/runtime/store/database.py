"""One DuckDB database with one writer: transactions that are read back, Arrow in and out, errors of our own.

A COMMIT that follows a failed statement raises nothing and keeps nothing, so every transaction raises a sequence
number that is read back before anyone is told of it.
"""

from __future__ import annotations

import errno
import os
import uuid
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Self

import duckdb
import pyarrow as pa

from monitor.errors import CommitFailedError, StateDamagedError, StateError, StateHeldError
from monitor.runtime.store import schema
from monitor.runtime.store.directory import REMEDY, Identity, rename

_SETTINGS: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "enable_external_access": False,
    # A checkpoint inside COMMIT that fails raises although the transaction is durable, and takes 40 to 400 ms at the
    # whim of the log's size; ours runs after the COMMIT has been read back (see Database.checkpoint).
    "checkpoint_threshold": "1 TiB",
}

_REFUSALS = tuple(
    os.strerror(code)
    for code in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EIO, errno.EROFS, errno.EACCES, errno.EPERM)
)
"""What the operating system says when it does not write; DuckDB quotes it in errors of several types."""

_READ = "other write transactions active"
"""In what DuckDB says of a CHECKPOINT that would take away what an open reader may still ask for."""

Parameters = Sequence[object] | Mapping[str, object]


class Database:
    """The connection of the one writer, and short-lived ones for readers of other threads."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, name: str) -> None:
        self._connection = connection
        self._readers = connection.cursor()
        self._name = name
        self._writing = self._written = False
        self._sequence = 0
        self.broken = False
        """Whether the disk has refused something: whatever is tried now may fail for that reason alone."""

    @classmethod
    def open(cls, path: Path, memory_mb: int, threads: int) -> Self:
        """An existing database. Raises StateHeldError, StateDamagedError, StateError."""
        try:
            connection = duckdb.connect(
                path, config={**_SETTINGS, "memory_limit": f"{memory_mb} MiB", "threads": threads}
            )
        except duckdb.Error as error:
            raise _opening_error(path, error) from error
        return cls(connection, str(path))

    @classmethod
    def in_memory(cls) -> Self:
        """An empty one that is never written to disk, not even where memory runs short."""
        connection = duckdb.connect(":memory:", config={**_SETTINGS, "temp_directory": ""})
        _initialise(connection)
        return cls(connection, "the store in memory")

    def identify(self) -> Identity:
        """Who it is and how far it came. Raises StateError for a store of another version, StateDamagedError for none
        of ours.
        """
        try:
            ((store, version, self._sequence),) = self._connection.execute("FROM store").fetchall()
        except (duckdb.Error, ValueError) as error:
            raise StateDamagedError(f"{self._name} is no store of this service: {REMEDY}") from error
        if version > schema.VERSION:
            raise StateError(
                f"{self._name} was written by a newer version of this service (tables {version}, here {schema.VERSION})"
                ": run that one, or restore an older backup"
            )
        if version < schema.VERSION:
            raise StateError(
                f"{self._name} was written by an older version of this service (tables {version}, here "
                f"{schema.VERSION}): run that one, or begin with a new state directory"
            )
        return Identity(store, self._sequence)

    @property
    def sequence(self) -> int:
        """Number of the last transaction that was committed and read back."""
        return self._sequence

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """BEGIN .. COMMIT. Whatever is raised inside rolls back and goes on; so does what the COMMIT raises.

        Where nothing is written inside there is nothing to commit: no number is used and no disk is touched.
        """
        assert not self._writing, "transactions do not nest"
        following = self._sequence + 1
        self.execute("BEGIN TRANSACTION")
        self._writing, self._written = True, False
        try:
            yield
            if not self._written:
                self._roll_back()
                return
            self.execute("UPDATE store SET sequence = ?", [following])
            self.execute("COMMIT")
            if self._stored_sequence() != following:
                raise CommitFailedError(f"Transaction {following} of {self._name} kept nothing: reload and repeat it")
        except BaseException:
            self._roll_back()
            raise
        finally:
            self._writing = False
        self._sequence = following

    def execute(self, sql: str, parameters: Parameters = ()) -> None:
        """Run a statement that writes."""
        self._written = True
        with self._translated():
            self._connection.execute(sql, parameters)

    def rows(self, sql: str, parameters: Parameters = (), incoming: pa.Table | None = None) -> list[tuple[Any, ...]]:
        """What the writer sees, its own open transaction included; `incoming` is a table of that name in the SQL."""
        with self._translated():
            if incoming is None:
                return self._connection.execute(sql, parameters).fetchall()
            self._connection.register("incoming", incoming)
            found = self._connection.execute(sql, parameters).fetchall()
            self._connection.unregister("incoming")
            return found

    def table(self, sql: str, parameters: Parameters) -> pa.Table:
        """The same as Arrow columns."""
        with self._translated():
            return self._connection.sql(sql, params=parameters).to_arrow_table()

    def write(self, sql: str, incoming: pa.Table) -> None:
        """Run a statement that reads the table `incoming`."""
        assert self._writing, "writes belong in a transaction"
        self._written = True
        self.rows(sql, incoming=incoming)

    def append(self, table: str, rows: pa.Table) -> None:
        """Add rows; a column that they lack takes its default."""
        self.write(f"INSERT INTO {table} BY NAME FROM incoming", rows)

    def delete(self, sql: str, parameters: Parameters) -> int:
        """Run a DELETE; how many rows went."""
        assert self._writing, "writes belong in a transaction"
        ((deleted,),) = self.rows(sql, parameters)
        self._written |= deleted > 0
        return int(deleted)

    def committed(self, sql: str, parameters: Parameters = ()) -> list[tuple[Any, ...]]:
        """What was last committed, from any thread. Keep it short: an open reader keeps space from being reused."""
        with self._translated(), self._readers.cursor() as reader:
            return reader.execute(sql, parameters).fetchall()

    def committed_table(self, sql: str, parameters: Parameters) -> pa.Table:
        """The same as Arrow columns."""
        with self._translated(), self._readers.cursor() as reader:
            return reader.sql(sql, params=parameters).to_arrow_table()

    def checkpoint(self) -> bool:
        """Move the log into the database file and let deleted space be used again; False where an open reader is in the
        way, which changes nothing.

        Raises StateError, after which nothing works until the database is opened again; the log is still whole.
        """
        try:
            self._connection.execute("CHECKPOINT")
        except duckdb.TransactionException as error:
            if _READ in _first_line(error):
                return False
            raise self._error(error) from error
        except duckdb.Error as error:
            raise self._error(error) from error
        return True

    def close(self) -> None:
        """What a reader of another thread still uses ends with that reader."""
        for connection in (self._readers, self._connection):
            with suppress(duckdb.ResourceInUseException):
                connection.close()

    def _stored_sequence(self) -> int:
        ((sequence,),) = self.rows("SELECT sequence FROM store")
        return int(sequence)

    def _roll_back(self) -> None:
        with suppress(duckdb.Error):  # "no transaction is active" after a failed COMMIT
            self._connection.execute("ROLLBACK")
        with suppress(StateError):  # An interrupt may have come after the COMMIT: only the database knows.
            self._sequence = self._stored_sequence()

    @contextmanager
    def _translated(self) -> Iterator[None]:
        try:
            yield
        except duckdb.Error as error:
            raise self._error(error) from error

    def _error(self, error: duckdb.Error) -> StateError:
        text = _first_line(error)
        if "Corrupt" in text:
            return StateDamagedError(f"{self._name} is not what was written ({text}): {REMEDY}")
        fatal = isinstance(error, duckdb.IOException | duckdb.FatalException | duckdb.InternalException)
        if fatal or any(refusal in text for refusal in _REFUSALS):
            self.broken = True
            return StateError(f"{self._name} cannot be written ({text}): see to the disk, then start again")
        if self._writing:
            return CommitFailedError(f"A transaction of {self._name} kept nothing ({text}): reload and repeat it")
        return StateError(f"{self._name} cannot be read ({text})")


def create(path: Path) -> None:
    """A new database: under `path` stands the whole of it or nothing, whenever this process is killed."""
    fresh = path.with_suffix(".new")
    log = fresh.with_name(f"{fresh.name}.wal")
    try:
        fresh.unlink(missing_ok=True)
        log.unlink(missing_ok=True)
        with duckdb.connect(fresh, config=_SETTINGS) as connection:
            _initialise(connection)
            connection.execute("CHECKPOINT")
        rename(fresh, path)
    except (OSError, duckdb.Error) as error:
        raise StateError(f"{path} cannot be made ({_first_line(error)})") from error


def _initialise(connection: duckdb.DuckDBPyConnection) -> None:
    connection.begin()
    connection.execute(schema.CREATE)
    connection.execute("INSERT INTO store VALUES (?, ?, 0)", [uuid.uuid4().hex, schema.VERSION])
    connection.commit()


def _opening_error(path: Path, error: duckdb.Error) -> StateError:
    text = _first_line(error)
    if "Could not set lock" in text:
        return StateHeldError(f"{path} is open in another program ({text}): close it first")
    if any(refusal in text for refusal in _REFUSALS):
        return StateError(f"{path} cannot be opened ({text})")
    return StateDamagedError(f"{path} cannot be read ({text}): {REMEDY}")


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
