"""The loop around the core: one step takes in what arrived, decides, and commits everything in one transaction.

    1 poll   2 decode   3 remember predictions and labels   4 ingest   5 advance and settle   6 commit
    7 publish the snapshot   8 hand committed messages to delivery   9 fold back what became of earlier ones

Offsets are committed with what was made of them, so a crash anywhere repeats or loses nothing.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Protocol

from monitor.actions.outbox import Attempt, Message
from monitor.actions.retrain import delivered
from monitor.engine import Monitor, Output
from monitor.errors import CommitFailedError
from monitor.runtime.counts import Counts
from monitor.runtime.dead_letters import DeadLetter
from monitor.runtime.intake import Intake, Topics
from monitor.runtime.orders import Asked, Orders
from monitor.runtime.source import Gap, Polled, Source
from monitor.runtime.store import Store
from monitor.snapshot import ServiceView, Snapshot
from monitor.spec import DAY_MS
from monitor.windows.streams import FOREVER, NEVER, Now
from monitor.windows.window import Place

_COUNTS = "service/counts//0"
_log = logging.getLogger(__name__)

POLL_MS = 250
"""Longest wait for the first event of a step."""

PACE_S = 0.25
"""Shortest time from step to step: a commit costs nearly the same for one event and for ten thousand."""

BUSY = 25_000
"""Events of a step from which on the next one follows at once; the source holds no more than twice as many."""

DEAD_LETTERS_MAX = 1_000
"""Dead letters that are under way to the broker at a time; the others wait in the store."""

STALL_S = 60.0
"""Longest time from the end of one step to that of the next in which the service counts as ready."""

QUIET_MS = 1_000
"""How often a step without events looks for idle partitions."""

FAILURES_MAX = 5
"""Steps in a row that may keep nothing before the service stops."""

TIDY_MS = 3_600_000
"""How often old history and settled messages are deleted."""

KEEP_MS = 90 * DAY_MS
"""How long readings, decisions, control events and settled messages are kept."""


class Outbound(Protocol):
    """Where committed messages go: `monitor.runtime.delivery.Delivery`."""

    def offer(self, messages: Sequence[Message]) -> None: ...
    def outcomes(self) -> list[Attempt]: ...


class DeadLetterSender(Protocol):
    """Where dead letters go: `monitor.runtime.kafka_dead_letters`."""

    def offer(self, letters: Sequence[tuple[int, DeadLetter]]) -> None: ...
    def delivered(self) -> list[int]: ...


class Loop:
    """One instance's loop; every method but `stalled` is for one thread. snapshot: what was last committed."""

    def __init__(
        self,
        make_monitor: Callable[[], Monitor],
        store: Store,
        source: Source,
        topics: Topics,
        messages: Callable[[Output, int], list[Message]],
        clock: Callable[[], Now],
        outbound: Outbound | None = None,
        sender: DeadLetterSender | None = None,
        durable: bool = True,
    ) -> None:
        """messages: what follows from what was said, at a wall clock. durable: whether the store
        keeps what was said and what the engine was, so that another loop can go on from there.
        """
        self._durable = durable
        self._make_monitor = make_monitor
        self._store = store
        self._source = source
        self._topics = topics
        self._messages = messages
        self._clock = clock
        self._outbound = outbound
        self._sender = sender
        self._quiet_until_ms = 0
        self._tidy_at_ms = 0
        self._failures = 0
        self._commits, self._commit_seconds = 0, 0.0
        self._committed_ms: int | None = None
        self._stepped_s = time.monotonic()
        self.orders = Orders()
        self.begin()

    def begin(self) -> None:
        """(Re)start from what the store holds: the engine's state, the ids of open windows, positions, messages."""
        pieces = self._store.state()
        self._saved_counts = pieces.pop(_COUNTS, None)
        self._counts = Counts() if self._saved_counts is None else Counts.load(self._saved_counts)
        self.monitor = self._make_monitor()
        self.monitor.restore(pieces)
        self._intake = Intake(self.monitor, self._store, self._counts, self._topics)
        for name, model in self.monitor.models.items():
            model.keep(self._topics.predictions | self._topics.labels)
            for partition, key, window_end_ms in self._store.open_predictions(name, model.open_since_ms()):
                model.remember(partition, key, window_end_ms)
        self._source.start(*self._store.positions())
        if self._outbound is not None:
            self._outbound.offer(self._store.pending_messages())
        if self._sender is not None:
            self._sender.offer(self._store.pending_dead_letters(DEAD_LETTERS_MAX))
        self.snapshot = self._snapshot()

    def turns(self, stop: threading.Event) -> Iterator[tuple[int, list[Output]]]:
        """Steps until `stop`, PACE_S apart unless many events wait; what each read, and what the models said."""
        while not stop.is_set():
            started = time.monotonic()
            read, outputs = self.step(POLL_MS)
            self._stepped_s = time.monotonic()
            yield read, outputs
            if read < BUSY:
                stop.wait(max(0.0, started + PACE_S - time.monotonic()))

    def stalled(self) -> str | None:
        """One sentence on a step that does not end, or None. For any thread."""
        silent_s = time.monotonic() - self._stepped_s
        if silent_s <= STALL_S:
            return None
        return f"no step has ended for {silent_s:.0f} s: what is shown is older; see the log, or wait for a long step"

    def step(self, timeout_ms: int) -> tuple[int, list[Output]]:
        """One turn of the loop; how many events it read, and what the models said."""
        polled = self._source.poll(timeout_ms)
        now = self._clock()
        attempts = self._outbound.outcomes() if self._outbound else []
        arrived = self._sender.delivered() if self._sender else []
        asked = self.orders.taken()
        quiet = not (polled.decoded or polled.next_offset or polled.gaps or attempts or arrived or asked)
        if quiet and now.steady_ms < self._quiet_until_ms:
            return 0, []
        self._quiet_until_ms = now.steady_ms + QUIET_MS
        started, before = time.perf_counter(), self._store.sequence
        try:
            with self._store.transaction():
                letters = self._intake.take(polled, self._source.places(), now)
                outputs = self._decide(polled.caught_up, now) + self._told(attempts, asked, now.wall_ms)
                messages = self._record(outputs, now.wall_ms)
                self._note(polled.gaps, now.wall_ms)
                self._fold_back(letters, attempts, arrived)
                self._tidy(now.wall_ms)
                self._keep_state()
                self._store.put_positions(polled.next_offset, polled.topic_ids)
        except CommitFailedError:
            self._failures += 1
            if self._failures == FAILURES_MAX:
                raise  # What fails the same way every time is not mended by trying for ever.
            _log.exception("a step kept nothing; it is repeated from what the store holds")
            self.begin()
            self.orders.put_back(asked)
            return 0, []
        self._failures = 0
        self._source.hold(self.monitor.far_ahead())
        if self._store.sequence > before:
            self._commits += 1
            self._commit_seconds += time.perf_counter() - started
            self._committed_ms = now.wall_ms
        self.snapshot = self._snapshot()
        for each in asked:
            each.answer()
        self._hand_over(messages, polled, letters=bool(letters or arrived))
        return sum(decoded.read for decoded, _ in polled.decoded), outputs

    def finish(self, until_ms: int = FOREVER) -> list[Output]:
        """A table has ended: close and settle the windows that end by `until_ms`."""
        with self._store.transaction():
            outputs = [model.finish(until_ms) for model in self.monitor.models.values()] + self._settle()
            self._record(outputs, self._clock().wall_ms)
            self._keep_state()
        self.snapshot = self._snapshot()
        return outputs

    def _decide(self, caught_up: Mapping[Place, int], now: Now) -> list[Output]:
        """Step 5: close what the watermarks have passed, and settle what the labels have reached."""
        return [model.advance(caught_up, now) for model in self.monitor.models.values()] + self._settle()

    def _told(self, attempts: Sequence[Attempt], asked: Sequence[Asked], now_ms: int) -> list[Output]:
        """What came from outside Kafka: how deliveries went, what people and pipelines ask or report, and the time."""
        outputs = [self.monitor.deliver(*told) for attempt in attempts if (told := delivered(attempt)) is not None]
        outputs += [output for each in asked if (output := each.obeyed(self.monitor, now_ms)) is not None]
        return outputs + self.monitor.expire(now_ms)

    def _settle(self) -> list[Output]:
        outputs = []
        for name, model in self.monitor.models.items():
            due = model.due()
            if due is None:
                continue
            matched = None
            if due.joined:
                matched = self._store.matched(name, since_ms=due.since_ms, until_ms=due.until_ms)
            outputs.append(model.settle(due, matched))
            predictions_before, labels_before = model.expired_ms()
            self._store.expire(name, predictions_before, labels_before)
        return outputs

    def _record(self, outputs: list[Output], now_ms: int) -> list[Message]:
        """Write down what was said; the messages that follow from it."""
        messages: list[Message] = []
        for output in outputs:
            if self._durable:
                self._store.add_readings(output.readings)
                self._store.add_incident_changes(output.changes)
                self._store.add_triggers(output.triggers)
                self._keep(output)
            output.kept.clear()  # Written down, or asked for by nobody: too much to hold.
            messages += self._messages(output, now_ms)
        self._store.enqueue(messages)
        return messages

    def _keep(self, output: Output) -> None:
        """Write down what its windows held, in the place of the oldest."""
        self._store.add_kept(output.kept)
        for name in {each.window.model for each in output.kept}:
            incidents = self.monitor.models[name].progress.known_incidents
            self._store.trim_kept(name, {window for each in incidents for window in (each.opened, each.latest)})

    def _note(self, gaps: Sequence[Gap], now_ms: int) -> None:
        """Keep what the events alone do not tell: what the clock decided, and what the broker no longer holds."""
        notes = [note for model in self.monitor.models.values() for note in model.noted()]
        if self._durable:
            events = [(note.kind, asdict(note)) for note in notes] + [("gap", asdict(gap)) for gap in gaps]
            self._store.add_control_events(events, now_ms)
        self._counts.gaps += len(gaps)  # Not their offsets: those of a topic that was made anew cannot be told.

    def _fold_back(self, letters: list[DeadLetter], attempts: list[Attempt], arrived: list[int]) -> None:
        """Step 9."""
        self._store.add_dead_letters(letters)
        self._store.forget_dead_letters(arrived)
        self._store.record_attempts(attempts)
        for attempt in attempts:
            self._counts.attempted(attempt)

    def _tidy(self, now_ms: int) -> None:
        """Delete what nobody will ask for any more: messages by the clock, history by event time."""
        if now_ms < self._tidy_at_ms:
            return
        self._tidy_at_ms = now_ms + TIDY_MS
        self._store.expire_messages(now_ms - KEEP_MS)
        self._store.expire_control_events(now_ms - KEEP_MS)
        newest = max((model.progress.closed_ms for model in self.monitor.models.values()), default=NEVER)
        self._store.expire_history(newest - KEEP_MS)

    def _keep_state(self) -> None:
        """Write what has changed."""
        if not self._durable:
            return
        changes, counts = self.monitor.changes(), self._counts.dump()
        if counts != self._saved_counts:
            changes[_COUNTS] = self._saved_counts = counts
        self._store.put_state(changes)

    def _hand_over(self, messages: list[Message], polled: Polled, *, letters: bool) -> None:
        """Step 8: only what is committed leaves the process. letters: whether others than before wait in the store."""
        if self._outbound is not None and messages:
            self._outbound.offer(messages)
        if self._sender is not None and letters:
            self._sender.offer(self._store.pending_dead_letters(DEAD_LETTERS_MAX))
        if polled.next_offset:
            self._source.committed(polled.next_offset)

    def _snapshot(self) -> Snapshot:
        """Step 7."""
        counts = self._counts
        models = self.monitor.views()
        shown = [life.trigger.id for model in models.values() for life in model.triggers]
        return Snapshot(
            self._store.sequence,
            models,
            ServiceView(
                events=dict(counts.events),
                unknown_keys=counts.unknown_keys,
                lag=self._source.lag(),
                gaps=counts.gaps,
                outbox_pending=self._store.pending_counts(),
                deliveries=dict(counts.deliveries),
                delivery=tuple(self._store.deliveries(shown)),
                commits=self._commits,
                commit_seconds=self._commit_seconds,
                committed_ms=self._committed_ms,
            ),
        )
