"""The store of one instance: see the package's docstring. Its parts are the modules beside this one."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from monitor.actions.outbox import Attempt, Message
from monitor.detection.records import IncidentChange, Trigger
from monitor.engine.kept import Kept
from monitor.events.batch import Labels, Matched, Pairs, Predictions
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.store import database, history, kept, pieces, queues
from monitor.runtime.store.copying import Copy, Copying
from monitor.runtime.store.database import Database
from monitor.runtime.store.directory import DATABASE, Identity, StateDirectory
from monitor.runtime.store.join import Join, OpenKeys
from monitor.runtime.store.kept import KeptCounts, KeptRows, Part
from monitor.runtime.store.paired import paired
from monitor.runtime.store.queues import ControlEvent
from monitor.snapshot import DeliveryView
from monitor.statistics.reading import Reading
from monitor.windows.window import Place, Window

LOG_MAX = 16 << 20
"""Bytes of log after which a commit is followed by a checkpoint, as soon as no reader is in its way. Space is reused
only after one, and each costs 10 to 100 ms: at 4 MiB it came every fourth commit of 1 MB, at 64 MiB it took half a
second. The file stays below about three times what is live plus this.
"""

RECORD_EVERY = 64
"""Commits between two updates of STATE, which cost two flushes: how much damage to the log may go unnoticed."""

PAGE = 1_000
"""Rows that a reader of the history gets at a time unless it asks otherwise."""


class Store:
    """Everything durable, written by one thread.

    Every `add_`, `put_` and the like belongs inside `with store.transaction():`, and is visible to `matched`, `recent`
    and the other methods of the loop at once. `readings`, `incident_changes`, `triggers`, `deliveries`,
    `request`, `pending_counts`, `paired` and `kept_` may be called from any thread and show what was last committed.
    """

    def __init__(self, db: Database, directory: StateDirectory | None = None) -> None:
        self._database = db
        self._directory = directory
        self._copying: Copying | None = None
        self._identity = db.identify()
        self._recorded = self._identity.sequence
        self._join = Join(db)

    @classmethod
    def open(cls, directory: Path, *, memory_mb: int = 512, threads: int = 2) -> Self:
        """The store in a state directory, which is made if need be and held until `close`.

        memory_mb: at least 256. Raises StateHeldError where another process has it, StateDamagedError where it is not
        what was last committed, StateError where it cannot be used or was written by a newer version.
        """
        held = StateDirectory.hold(directory)
        try:
            if held.is_new():
                database.create(held.database)
            db = Database.open(held.database, memory_mb, threads)
            try:
                store = cls(db, held)
                held.verify(store._identity)
                store._copying = Copying(held.database, held.log)
            except BaseException:
                db.close()
                raise
        except BaseException:
            held.release()
            raise
        return store

    @classmethod
    def kept(cls, directory: Path) -> dict[str, bytes]:
        """The engine's pieces in a state directory; none where it has no database, and it stays as it is. StateError as
        of `open`.
        """
        if not (directory / DATABASE).exists():
            return {}
        with cls.open(directory) as store:
            return store.state()

    @classmethod
    def in_memory(cls) -> Self:
        """An empty store that goes with the process, for a back-test."""
        return cls(Database.in_memory())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Checkpoint, and let the directory go whatever happens. Raises StateError where the disk fails.

        After a failure of the disk there is no checkpoint: it would only fail too, and hide what went wrong first. Nor
        is there one beside an open reader: the next start then replays the log.
        """
        try:
            if self._directory is not None and not self._database.broken:
                self._checkpoint()
                self._record(self._directory)
        finally:
            self._database.close()
            if self._copying is not None:
                self._copying.close()
            if self._directory is not None:
                self._directory.release()

    @property
    def sequence(self) -> int:
        """Number of the last transaction that was committed and read back."""
        return self._database.sequence

    @contextmanager
    def transaction(self) -> Iterator[None]:
        """One step: all of it is durable on return, or none of it. One that writes nothing uses no number.

        An exception inside goes on unchanged after the rollback; a failed statement or COMMIT is a CommitFailedError
        (reload and repeat), a disk that fails is a StateError (stop).
        """
        try:
            with self._database.transaction():
                yield
        except BaseException:
            self._join.forget()
            raise
        if self._directory is not None:
            self._tidy(self._directory)

    def _tidy(self, directory: StateDirectory) -> None:
        moved = directory.log_size() >= LOG_MAX and not self._copied and self._checkpoint()
        if moved or self.sequence - self._recorded >= RECORD_EVERY:
            self._record(directory)

    @property
    def _copied(self) -> bool:
        return self._copying is not None and self._copying.waited_for

    def _checkpoint(self) -> bool:
        if self._copying is None:
            return self._database.checkpoint()
        with self._copying.checkpoint():
            return self._database.checkpoint()

    def copy(self) -> Copy:
        """All of it as of the last commit, as files that a new state directory can begin with. For any thread.
        UnavailableError where another copy is under way.
        """
        assert self._copying is not None, "a store in memory has no files"
        return self._copying.copy()

    def _record(self, directory: StateDirectory) -> None:
        directory.record(Identity(self._identity.store, self.sequence))
        self._recorded = self.sequence

    # What the engine was, and where to read on.

    def put_state(self, changes: Mapping[str, bytes | None]) -> None:
        """Replace pieces of the engine's state by name; None deletes one."""
        pieces.put_state(self._database, changes)

    def state(self) -> dict[str, bytes]:
        """All pieces. Raises StateDamagedError where one is not what was written."""
        return pieces.state(self._database)

    def put_positions(self, positions: Mapping[Place, int], topic_ids: Mapping[Place, str]) -> None:
        """Where to read on, and the id of the topic that each offset counts in where it has one; other places stay."""
        pieces.put_positions(self._database, positions, topic_ids)

    def positions(self) -> tuple[dict[Place, int], dict[Place, str]]:
        """Both, as they were put."""
        return pieces.positions(self._database)

    # Predictions and labels.

    def add_predictions(self, batch: Predictions, window_end_ms: NDArray[np.int64]) -> None:
        """Accepted predictions, and int64[n]: the end of the window each belongs to."""
        self._join.add_predictions(batch, window_end_ms)

    def add_labels(self, batch: Labels, known_ms: NDArray[np.int64]) -> None:
        """Accepted labels, and int64[n]: when each counts from."""
        self._join.add_labels(batch, known_ms)

    def recent(self, model: str, keys: NDArray[np.uint64], open_since_ms: int) -> dict[tuple[int, int, str], int]:
        """Which of these keys were accepted in a window that ends after `open_since_ms`: the latest such end by
        (partition, key, version).
        """
        return self._join.recent(model, keys, open_since_ms)

    def open_predictions(self, model: str, open_since_ms: int) -> list[OpenKeys]:
        """(partition, keys, window ends) of all predictions in windows that end after `open_since_ms`."""
        return self._join.open_predictions(model, open_since_ms)

    def matched(self, model: str, *, since_ms: int, until_ms: int) -> Matched:
        """Pairs of a prediction with time_ms < until_ms and a label with known_ms < until_ms: every such pair of each
        id of which a prediction's window ends after `since_ms`, or a label has known_ms >= since_ms.

        Of the predictions of one (version, key) only the first stands, by window, partition, offset, row. Sorted by
        (time_ms, version, key, label_time_ms, label_digest). Without any pair the labels are classes.
        """
        return self._join.matched(model, since_ms, until_ms)

    def paired(self, model: str, champion: str, challenger: str) -> tuple[Pairs, Pairs]:
        """What two versions answered to the same labelled requests, in order of time. For any thread."""
        return paired(self._database, model, champion, challenger)

    def expire(self, model: str, predictions_before_ms: int, labels_before_ms: int) -> tuple[int, int]:
        """Delete the predictions of windows that end at or before the one bound, and the labels known before the other.

        Returns how many of each.
        """
        return self._join.expire(model, predictions_before_ms, labels_before_ms)

    # History.

    def add_readings(self, readings: Sequence[Reading]) -> None:
        history.add_readings(self._database, readings)

    def add_incident_changes(self, changes: Sequence[IncidentChange]) -> None:
        history.add_incident_changes(self._database, changes)

    def add_triggers(self, triggers: Sequence[Trigger]) -> None:
        history.add_triggers(self._database, triggers)

    def readings(self, model: str, *, feature: str | None = None, limit: int = PAGE, offset: int = 0) -> list[Reading]:
        """A page, newest window first; all revisions of a reading, the last one first."""
        return history.readings(self._database, model, feature, limit, offset)

    def incident_changes(
        self, *, model: str | None = None, incident: str | None = None, limit: int = PAGE, offset: int = 0
    ) -> list[IncidentChange]:
        """A page, newest first, of one model or one incident's id."""
        return history.incident_changes(self._database, model, incident, limit, offset)

    def triggers(
        self, *, model: str | None = None, trigger: str | None = None, limit: int = PAGE, offset: int = 0
    ) -> list[Trigger]:
        """A page, newest first, of one model or one trigger's id."""
        return history.triggers(self._database, model, trigger, limit, offset)

    def expire_history(self, before_ms: int) -> int:
        """Delete what was said, and is kept, of windows that end before; how many rows."""
        expired = history.expire(self._database, before_ms)
        kept.tidy(self._database)
        return expired

    # What windows held.

    def add_kept(self, windows: Sequence[Kept]) -> None:
        """Of windows that closed, and what they were compared with where that is new."""
        kept.add(self._database, windows)

    def trim_kept(self, model: str, named: Collection[Window]) -> int:
        """Delete the oldest of a model's where they take more than `KEPT_MAX`, those that incidents name last; how many
        rows.
        """
        return kept.trim(self._database, model, named)

    def kept_windows(self, model: str, part: Part) -> list[Window]:
        """Of which counts, or rows, are kept, newest first. For any thread, as are the next two."""
        return kept.windows(self._database, model, part)

    def kept_counts(self, model: str, version: str | None = None, end_ms: int | None = None) -> KeptCounts | None:
        """Of the newest such window; None where there is none any more."""
        return kept.counts(self._database, model, version, end_ms)

    def kept_rows(self, model: str, version: str | None = None, end_ms: int | None = None) -> KeptRows | None:
        """The same of its rows."""
        return kept.rows(self._database, model, version, end_ms)

    # Messages.

    def enqueue(self, messages: Sequence[Message]) -> None:
        """Messages to deliver; an id that a receiver already has is not added again."""
        queues.enqueue(self._database, messages)

    def pending_messages(self) -> list[Message]:
        """All that are neither delivered nor given up, oldest first."""
        return queues.pending_messages(self._database)

    def record_attempts(self, attempts: Sequence[Attempt]) -> None:
        """What became of messages, in the order in which it happened."""
        queues.record_attempts(self._database, attempts)

    def deliveries(self, triggers: Collection[str]) -> list[DeliveryView]:
        """Where the requests of these triggers stand, oldest first; not what else was said of them."""
        return queues.deliveries(self._database, triggers)

    def request(self, trigger: str) -> bytes | None:
        """The body of this trigger's request, as it was stored to be sent; None where none is kept."""
        return queues.request(self._database, trigger)

    def pending_counts(self) -> dict[str, int]:
        """Messages that are neither delivered nor given up, by receiver; 0 where all that is kept of one has ended."""
        return queues.pending_counts(self._database)

    def expire_messages(self, before_ms: int) -> int:
        """Delete messages that ended before; a pending one stays however old it is. How many."""
        return queues.expire_messages(self._database, before_ms)

    # Dead letters and control events.

    def add_dead_letters(self, letters: Sequence[DeadLetter]) -> None:
        queues.add_dead_letters(self._database, letters)

    def pending_dead_letters(self, limit: int) -> list[tuple[int, DeadLetter]]:
        """The oldest, each with its number; no number is ever used twice."""
        return queues.pending_dead_letters(self._database, limit)

    def forget_dead_letters(self, numbers: Sequence[int]) -> None:
        """These have been sent."""
        queues.forget_dead_letters(self._database, numbers)

    def add_control_events(self, events: Sequence[tuple[str, Mapping[str, Any]]], at_ms: int) -> None:
        """Note what came from outside Kafka or from the wall clock, by kind and payload; numbers ascend."""
        queues.add_control_events(self._database, events, at_ms)

    def expire_control_events(self, before_ms: int) -> int:
        """Delete those noted before; how many. No number is ever used twice."""
        return queues.expire_control_events(self._database, before_ms)

    def control_events(self, since: int = 0) -> list[ControlEvent]:
        """Those with a number greater than `since`, in order."""
        return queues.control_events(self._database, since)
