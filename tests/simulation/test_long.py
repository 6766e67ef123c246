"""Months of simulated time: what the service keeps, sends and says is bounded, whatever comes."""

from __future__ import annotations

import gc
import random
import resource
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import pytest

from monitor.actions.outbox import Attempt, Message
from monitor.actions.receiver import Response
from monitor.actions.retry import SCHEDULE_S, judge
from monitor.engine import Monitor
from monitor.exports.budget import Budget
from monitor.runtime.intake import Topics
from monitor.runtime.loop import Loop
from monitor.runtime.source import Polled
from monitor.runtime.store import Store
from monitor.spec import DAY_MS, PerformanceSpec, RetrainSpec
from monitor.windows.streams import Now
from monitor.windows.window import Place, WindowSpec
from tests.simulation.scripted import Bomb, Clock, Receiver, ScriptedOutbound, ScriptedSource, raw_records
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, START_MS, Record, fraud_event, record, truth
from tests.simulation.world import FRAUD, World, decoders, kept, references, requests

HOUR_MS = 60 * MINUTE_MS

DAILY = replace(
    FRAUD,
    window=WindowSpec(DAY_MS),
    performance=PerformanceSpec("accuracy", 0.1, 2 * DAY_MS, labels_min=150, class_min=20, span_max_ms=3 * DAY_MS),
    retrain=RetrainSpec(
        "pipeline", frozenset({"performance", "drift"}), cooldown_ms=0, labels_min=0, budget=1_000, expires_ms=0
    ),
    retention_ms=4 * DAY_MS,
)
A_DAY = 250
"""Predictions of a day, with a label each: enough for verdicts."""


class Days(ScriptedSource):
    """A source that never ends: each poll brings a day, unlike any before it.

    Versions, categories, ids, an unknown model and broken bytes that never come again; two days in twenty have drifted.
    """

    def __init__(self, clock: Clock) -> None:
        self.day = 0
        self._next: dict[Place, int] = {(PREDICTIONS, 0): 0, (LABELS, 0): 0}
        self._each = decoders((DAILY,), PREDICTIONS, LABELS)
        super().__init__({place: [] for place in self._next}, self._each, random.Random(0), clock)

    def poll(self, timeout_ms: int) -> Polled:
        drawn = random.Random(self.day)
        sent: dict[str, list[Record]] = {PREDICTIONS: [], LABELS: []}
        for topic, payload in self._payloads(drawn):
            sent[topic].append(payload)
        self.day += 1
        decoded = []
        for topic, records in sent.items():
            first = self._next[topic, 0]
            raw = raw_records(topic, [(0, first + at, each) for at, each in enumerate(records)], False)
            decoded.append((self._each[topic].decode(raw), raw))
            self._next[topic, 0] += len(records)
        return Polled(tuple(decoded), dict(self._next))

    def _payloads(self, drawn: random.Random) -> Iterator[tuple[str, Record]]:
        drifted = self.day % 20 >= 18
        for number in range(A_DAY):
            at = START_MS + self.day * DAY_MS + number * DAY_MS // A_DAY
            event = fraud_event(drawn, f"{self.day}/{number}", at, drifted)
            event["version"] = "1" if number % 5 else f"trial {self.day}/{number % 50}"
            # Few enough to be no incident: one that lasted would withhold every request.
            new = f"{self.day}/{number}" if number % 125 == 1 else "PL"
            event["features"]["country"] = drawn.choice((new, "DE", "US", "FR", None))
            yield PREDICTIONS, record(at, event)
            label = {"type": "label", "id": event["id"], "model": "fraud", "timestamp": at}
            yield LABELS, record(at, label | {"label": truth(drawn, event["score"], drifted)})
        yield PREDICTIONS, record(at, event | {"model": f"{self.day}"})
        yield PREDICTIONS, record(at, b"{")


class PromptLetters:
    """A `monitor.runtime.loop.DeadLetterSender` whose broker has them at once."""

    def __init__(self) -> None:
        self._sent: list[int] = []

    def offer(self, letters: Sequence[tuple[int, object]]) -> None:
        self._sent += [number for number, _ in letters]

    def delivered(self) -> list[int]:
        sent, self._sent = self._sent, []
        return sent


TABLES = ("reading", "incident_change", "trigger", "message", "dead_letter", "control", "predictions_0", "labels_0")
STEADY, LATER = 40, 120
"""Days: after the one everything that is kept for some time has been deleted once; by the other it would have grown."""


def test_what_is_kept_does_not_grow_with_time(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """In months of new versions, categories, ids, incidents and broken records."""
    monkeypatch.setattr("monitor.runtime.loop.KEEP_MS", 20 * DAY_MS)
    monkeypatch.setattr("monitor.engine.shown.VIEWS_MAX", 8)
    any_version = {"fraud": {"": replace(references()["fraud"]["1"], version="")}}
    clock = Clock(START_MS)
    with Store.open(tmp_path) as store:
        loop = Loop(
            lambda: Monitor([DAILY], any_version),
            store,
            Days(clock),
            Topics(frozenset({PREDICTIONS}), frozenset({LABELS})),
            requests,
            lambda: Now(clock(), clock()),
            ScriptedOutbound(Receiver(), clock, Bomb()),
            PromptLetters(),
        )
        kept = {}
        for day in range(LATER):
            clock.now_ms += DAY_MS
            loop.step(0)
            if day + 1 in (STEADY, LATER):
                rows = {name: store._database.rows(f"SELECT count(*) FROM {name}")[0][0] for name in TABLES}
                pieces = store.state()
                series = len(list(Budget(10_000).of(loop.snapshot).series))
                memory = _memory()
                kept[day + 1] = rows | {"pieces": len(pieces), "progress": len(pieces["fraud/progress//0"])}
                kept[day + 1] |= {"series": series, "memory": memory}
    before, after = kept[STEADY], kept[LATER]
    print(before, after)
    assert all(after[name] <= 1.15 * before[name] + 5 for name in before), (before, after)
    assert after["message"] > 0, "there is to be something that could grow"


def _memory() -> int:
    """Bytes of this process that are in memory."""
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * resource.getpagesize()


class Failing:
    """A `monitor.runtime.loop.Outbound` whose receiver always answers 503."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._waiting: dict[str, Message] = {}
        self.attempts: list[Attempt] = []

    def offer(self, messages: Sequence[Message]) -> None:
        self._waiting |= {message.id: message for message in messages}

    def outcomes(self) -> list[Attempt]:
        now_ms = self._clock()
        ended = [
            judge(Response(503), message, now_ms, 0.0) for message in self._waiting.values() if message.due_ms <= now_ms
        ]
        for attempt in ended:
            message = self._waiting.pop(attempt.message)
            if attempt.state == "pending":
                self._waiting[message.id] = replace(message, attempts=attempt.attempts, due_ms=attempt.due_ms)
        self.attempts += ended
        return ended


WEEK_H = 7 * 24
HOURLY = replace(
    FRAUD,
    window=WindowSpec(HOUR_MS),
    retrain=RetrainSpec("pipeline", frozenset({"drift"}), labels_min=0),
    labelled=False,
)
"""Its retraining has the defaults: a day's cool-down, three requests in seven days, a day to be heard of."""


@pytest.mark.parametrize(
    "drifted", [lambda hour: True, lambda hour: hour % 8 < 4], ids=["without a pause", "again and again"]
)
def test_drift_that_nobody_mends_asks_again_when_the_last_request_was_given_up(drifted: Callable[[int], bool]) -> None:
    """A week, in which the receiver never takes what it is asked: each request is tried for more than three days."""
    drawn = random.Random(0)
    records = [
        record(at, [fraud_event(drawn, f"{hour}/{number}", at, drifted(hour)) for number in range(300)])
        for hour in range(WEEK_H + 1)
        for at in [START_MS + hour * HOUR_MS]
    ]
    world = World({(PREDICTIONS, 0): records, (LABELS, 0): []}, (HOURLY,), source_options={"paced": True})
    failing = Failing(world.clock)
    world.loop._outbound = failing
    world.clock.now_ms = START_MS
    while not world.source.exhausted:
        world.step()
        world.clock.now_ms += HOUR_MS
    world.step()
    sent = [trigger for output in world.outputs for trigger in output.triggers if not trigger.withheld]
    withheld = [trigger for output in world.outputs for trigger in output.triggers if trigger.withheld]
    opened = [change for output in world.outputs for change in output.changes if change.event == "opened"]
    states = {each.subject: each for each in kept(world.store)}
    world.close()
    assert len(sent) == 3
    assert len(opened) == 1 if drifted(7) else len(opened) > 3
    assert len(withheld) == len({(each.incident, each.withheld) for each in withheld}), "a reason is given once"
    assert states.keys() == {trigger.id for trigger in sent}
    assert max(each.attempts for each in states.values()) == len(SCHEDULE_S)
    assert len(failing.attempts) == sum(each.attempts for each in states.values())
    assert states[sent[0].id].state == "failed"
    assert "Given up after 10 attempts" in states[sent[0].id].last_error
