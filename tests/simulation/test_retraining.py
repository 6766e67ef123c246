"""Requests in a whole instance: replayed with what came from outside, killed on the way, their answers lost."""

from __future__ import annotations

import os
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pytest

from monitor.actions.outbox import Attempt
from monitor.engine import Monitor, Order, Output, Report, Retrain
from monitor.engine.model import ModelMonitor
from monitor.engine.retraining import request, step
from monitor.runtime.orders import Asked
from monitor.runtime.store import ControlEvent
from monitor.spec import HOUR_MS, ModelSpec
from monitor.windows.streams import FOREVER
from tests.simulation.scripted import POINTS, ScriptedOutbound
from tests.simulation.traffic import Log, Shape, Traffic
from tests.simulation.world import CHURN, EVERYTHING, FRAUD, Observed, World

SEED = int(os.environ.get("MODEL_MONITOR_SEED", "10"))
WORK = 5
"""Steps that a pipeline takes: half of what makes a request expire."""

FOLLOWED = {"cooldown_ms": 0, "expires_ms": HOUR_MS, "budget": 1_000}


def followed(spec: ModelSpec, **changed: Any) -> ModelSpec:
    """Its pipeline reports."""
    assert spec.retrain is not None
    return replace(spec, retrain=replace(spec.retrain, **(FOLLOWED | changed)))


FROM_OUTSIDE = ("stepped", "requested")
SPECS = (followed(FRAUD, labels_min=0), followed(CHURN))


def ask(world: World, order: Order) -> Future[str]:
    """Something that the next step carries out."""
    asked = Asked(order, Future())
    world.loop.orders.put_back([asked])
    return asked.future


@dataclass
class Pipeline:
    """Reports on each request, and some steps later how it ended: the first fails, the second succeeds, of the third
    nothing is heard any more, and so on. In between somebody asks by hand. seen: by trigger, the step.
    """

    world: World
    seen: dict[str, int] = field(default_factory=dict)

    def turn(self, number: int) -> None:
        """Before a step."""
        for life in (life for view in self.world.loop.snapshot.models.values() for life in view.triggers):
            name = life.trigger.id
            if life.state == "accepted":
                self.seen[name] = number
                ask(self.world, Report(name, "running", run=f"run {len(self.seen)}"))
            elif life.state == "running" and number == self.seen[name] + WORK:
                if list(self.seen).index(name) % 3 == 0:
                    ask(self.world, Report(name, "failed", detail="no memory"))
                elif list(self.seen).index(name) % 3 == 1:
                    ask(self.world, Report(name, "succeeded", version="next"))
        if number % 20 == 19:
            ask(self.world, Retrain("fraud", f"by hand {number}", force=True))


def lived(log: Log) -> tuple[Observed, list[ControlEvent]]:
    """A run in which the pipelines report and the clock goes on, and what came from outside in it."""
    world = World(log, SPECS, seed=SEED)
    pipeline, number = Pipeline(world), 0
    while not world.source.exhausted:
        pipeline.turn(number)
        world.step()
        world.clock.now_ms += HOUR_MS // (2 * WORK)
        number += 1
    world.step()
    observed = world.observe()
    events = [each for each in world.store.control_events() if each.kind in FROM_OUTSIDE]
    world.close()
    return observed, events


class Silent(ScriptedOutbound):
    """What became of messages is told by the script alone."""

    def outcomes(self) -> list[Attempt]:
        return []


@dataclass
class Replayed:
    """A control event that is carried out again."""

    event: ControlEvent

    def obeyed(self, monitor: Monitor, now_ms: int) -> Output:
        told = self.event.payload
        model, at_ms = monitor.models[told["model"]], told["at_ms"]
        if self.event.kind == "requested":
            return request(model, Retrain(model.spec.name, told["reason"], None, told["force"]), at_ms)[0]
        life = model.progress.lives[told["trigger"]]
        return step(model, life, told["event"], at_ms, told["detail"], told["run"], told["version"])

    def answer(self) -> None: ...


@dataclass
class Replay(World):
    """Goes on past the boundary that an event came after, and the windows that had closed by then, with it alone."""

    script: Sequence[ControlEvent] = ()

    def start(self) -> None:
        self._number, self._done = 0, Counter[str]()
        super().start()
        self.loop._outbound = Silent(self.receiver, self.clock, self.bomb)
        self._scripts: dict[str, list[ControlEvent]] = {name: [] for name in self.loop.monitor.models}
        for each in self.script:
            self._scripts[each.payload["model"]].append(each)

    def _left(self, model: str) -> list[ControlEvent]:
        """Of the script, what is still to come: as many as were committed are not."""
        return self._scripts[model][self._done[model] :]

    def step(self, crash: str | None = None) -> list[Output]:
        for each in self.store.control_events(self._number):
            self._number = each.number
            self._done[each.payload["model"]] += each.kind in FROM_OUTSIDE
        if self.loop.orders._waiting.empty():
            next_ones = [left[0] for name in self._scripts if (left := self._left(name))]
            due = [Replayed(event) for event in next_ones if self._reached(event)]
            self.loop.orders.put_back(due)  # type: ignore[arg-type]
        return super().step(crash)

    def _reached(self, event: ControlEvent) -> bool:
        progress = self.loop.monitor.models[event.payload["model"]].progress
        closed_ms = event.payload.get("closed_ms", progress.closed_ms)
        return progress.boundary_ms == event.payload["boundary_ms"] and progress.closed_ms == closed_ms

    def _monitor(self) -> Monitor:
        monitor = super()._monitor()
        for model in monitor.models.values():
            self._restrain(model)
        return monitor

    def _restrain(self, model: ModelMonitor) -> None:
        due, advance_to = model.due, model._advance_to

        def due_until_the_next() -> Any:
            left, found = self._left(model.spec.name), due()
            if not left or found is None:
                return found
            until_ms = min(found.until_ms, left[0].payload["boundary_ms"])
            return replace(found, until_ms=until_ms) if until_ms > model.progress.boundary_ms else None

        def advance_until_the_next(closed_ms: int, joint_ms: int) -> Output:
            left = self._left(model.spec.name)
            cap_ms = min((each.payload.get("closed_ms", FOREVER) for each in left), default=FOREVER)
            return advance_to(min(closed_ms, cap_ms), min(joint_ms, cap_ms))

        model.due = due_until_the_next  # type: ignore[method-assign]
        model._advance_to = advance_until_the_next  # type: ignore[method-assign]

    def to_the_end(self, crash: Callable[[int], str | None] = lambda attempt: None) -> Observed:
        attempt = 0
        while not self.source.exhausted or any(self._left(name) for name in self.loop.monitor.models):
            self.step(crash(attempt))
            attempt += 1
            self.clock.now_ms += 1_000  # Far less than what makes a request expire; enough for quiet steps.
            assert attempt < 20_000, "an event of the script was never reached"
        self.clock.now_ms += 10_000
        self.step()
        return self.observe()


@pytest.fixture(scope="module")
def log() -> Log:
    return Traffic(2, Shape(minutes=10, predictions_a_minute=220)).log()


@pytest.fixture(scope="module")
def told(log: Log) -> tuple[Observed, list[ControlEvent]]:
    return lived(log)


def said(observed: Observed) -> Any:
    """All that is decided, and asked."""
    views = {name: (view.triggers, view.decided, view.in_flight) for name, view in observed.views.items()}
    return observed.readings, observed.changes, observed.triggers, observed.messages, views


def test_the_script_has_every_kind_of_step(told: tuple[Observed, list[ControlEvent]]) -> None:
    observed, events = told
    counted = Counter(each.payload.get("event", each.kind) for each in events)
    assert {"delivered", "running", "succeeded", "failed", "expired", "requested"} <= counted.keys(), counted
    reasons = {trigger.withheld.partition(" ")[0] for each in observed.triggers.values() for trigger in each}
    assert {"", "request"} <= reasons, "some are made, and some wait for one in flight"
    asked = Counter(trigger.incident for trigger in observed.triggers["fraud"] if not trigger.withheld)
    assert max(asked.values()) >= 2, "what failed is asked again"


@pytest.mark.parametrize("seed", range(2))
def test_the_same_log_and_control_events_give_the_same_triggers(
    log: Log, told: tuple[Observed, list[ControlEvent]], seed: int
) -> None:
    """However partitions interleave: what comes from outside counts from its boundary on."""
    observed, events = told
    poll_max = random.Random(seed).choice((150, 1_000, 100_000))
    world = Replay(log, SPECS, seed=seed, source_options={"poll_max": poll_max}, script=events)
    replayed = world.to_the_end()
    world.close()
    assert said(replayed) == said(observed)


def test_crashes_at_any_points_change_nothing_of_what_is_asked_and_followed(
    log: Log, told: tuple[Observed, list[ControlEvent]], tmp_path: Path
) -> None:
    print(f"seed {SEED}")
    observed, events = told
    drawn = random.Random(SEED)
    world = Replay(log, SPECS, seed=SEED, directory=tmp_path, script=events)
    replayed = world.to_the_end(lambda attempt: drawn.choice(POINTS) if attempt % 5 == 0 else None)
    world.close()
    assert said(replayed) == said(observed)


@pytest.mark.parametrize("point", POINTS)
def test_a_report_whose_answer_a_crash_took_can_be_made_again(log: Log, tmp_path: Path, point: str) -> None:
    world = World(log, SPECS, seed=SEED, directory=tmp_path)
    name = next(_asked(world))
    report = Report(name, "running", run="run 1")
    lost = ask(world, report)
    world.clock.now_ms += 10_000
    world.step(point)
    again = ask(world, report)
    world.clock.now_ms += 10_000
    world.step()
    assert again.result(0) == f"trigger {name}: running"
    assert not lost.done() or lost.result(0) == again.result(0)
    views = world.loop.snapshot.models.values()
    (life,) = [each for view in views for each in view.triggers if each.trigger.id == name]
    assert [each.state for each in life.steps] == ["pending", "accepted", "running"]
    world.close()


def _asked(world: World) -> Iterator[str]:
    """Requests that were taken."""
    while not world.source.exhausted:
        world.step()
        yield from (
            life.trigger.id
            for view in world.loop.snapshot.models.values()
            for life in view.triggers
            if life.state == "accepted"
        )


def test_each_trigger_is_kept_once_in_the_history(told: tuple[Observed, list[ControlEvent]]) -> None:
    observed, _ = told
    for triggers in observed.triggers.values():
        assert len({trigger.id for trigger in triggers}) == len(triggers) < EVERYTHING
