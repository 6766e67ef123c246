"""A trigger's life in the engine: deliveries, reports, people and the clock; what they change of what is asked."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from monitor.detection.life import TriggerChange, TriggerState
from monitor.engine import Approve, Monitor, Output, Rebaseline, Report, Retrain
from monitor.engine.shown import VIEWS_MAX
from monitor.errors import NotFoundError, RefusedError
from monitor.events.batch import NumericColumn, Predictions
from monitor.profiles.reference import Reference
from monitor.spec import DAY_MS, HOUR_MS, RetrainSpec
from monitor.windows.streams import Now
from tests.engine.saved import saved
from tests.engine.specs import HOURLY
from tests.engine.test_orders import ROWS, drawn
from tests.profiles import rows as table

RETRAIN = RetrainSpec("pipeline", frozenset({"drift"}), cooldown_ms=0, labels_min=0, budget=100)
NOW_MS = 1 << 41
REFERENCE = Reference.build(table.SCHEMA, drawn(0, 8_000, 0.0, 0.0), None, version="3")


class Asking:
    """An engine that is given one window after the other, each settled before the next; the clock stands at now_ms."""

    def __init__(self, retrain: RetrainSpec | None = RETRAIN) -> None:
        self.spec = replace(HOURLY, retrain=retrain)
        self.engine, self.hour, self.now_ms = Monitor([self.spec], {"m": {"3": REFERENCE}}), 0, NOW_MS
        self.changes: list[TriggerChange] = []

    @property
    def model(self) -> Any:
        return self.engine.models["m"]

    def windows(self, number: int, amount: float = 2.0, **broken: bool) -> list[TriggerChange]:
        """What they ask, or are refused."""
        before = len(self.changes)
        for _ in range(number):
            self.model.ingest(self._rows(amount, **broken), (), {}, Now.at(1 << 50))
            self.hour += 1
            self.take(self.model.finish(self.hour * HOUR_MS))
            self.take(self.model.settle(self.model.due(), None))
        return self.changes[before:]

    def _rows(self, amount: float, broken: bool = False) -> Predictions:
        batch = drawn(self.hour + 1, ROWS, amount, 0.0)
        if broken:
            worthless = NumericColumn.of(batch.features["age"].values * float("nan"))  # type: ignore[union-attr]
            batch = replace(batch, features={**batch.features, "age": worthless})
        step = HOUR_MS // ROWS
        return replace(batch, time_ms=self.hour * HOUR_MS + step * (batch.time_ms * 0 + range(ROWS)))

    def take(self, output: Output) -> None:
        self.changes += output.trigger_changes

    def obey(self, order: Any) -> str:
        output, said = self.engine.obey(order, self.now_ms)
        self.take(output)
        return said

    def deliver(self, trigger: str, event: Any, run: str = "") -> None:
        self.take(self.engine.deliver(trigger, event, self.now_ms, "said", run))

    def wait(self, ms: int) -> None:
        self.now_ms += ms
        for output in self.engine.expire(self.now_ms):
            self.take(output)

    def state(self, trigger: str) -> TriggerState:
        life = next(life for life in self.engine.views()["m"].triggers if life.trigger.id == trigger)
        return life.state

    def asked(self) -> str:
        """The id of the first request of a drift that lasts."""
        (made,) = self.windows(4)
        assert (made.before, made.after) == (None, "pending")
        return made.trigger.id

    def restart(self) -> None:
        written = saved(self.engine)
        self.engine = Monitor([self.spec], {"m": {"3": REFERENCE}})
        self.engine.restore(written)


@pytest.mark.parametrize("restarted", [False, True])
def test_a_request_is_followed_to_its_end_and_each_step_is_said_once(restarted: bool) -> None:
    run = Asking()
    name = run.asked()
    for event in ("tried", "tried", "delivered", "delivered"):
        run.deliver(name, event, "run-1" if event == "delivered" else "")
        if restarted:
            run.restart()
    run.obey(Report(name, "running", detail="epoch 1"))
    run.obey(Report(name, "running", detail="epoch 2"))
    assert run.obey(Report(name, "succeeded", version="4")) == f"trigger {name}: succeeded, as version 4"
    assert [(each.before, each.after) for each in run.changes] == [
        (None, "pending"),
        ("pending", "sent"),
        ("sent", "accepted"),
        ("accepted", "running"),
        ("running", "succeeded"),
    ]
    assert (run.changes[-1].version, run.changes[3].reason, run.changes[1].reason) == ("4", "epoch 1", "said")
    (life,) = run.engine.views()["m"].triggers
    assert (life.run, life.version, life.steps[-2].detail) == ("run-1", "4", "epoch 2")
    assert run.engine.views()["m"].decided == {
        ("3", result): 1 for result in ("requested", "sent", "accepted", "running", "succeeded")
    }
    assert run.windows(6) == [], "one that succeeded is asked once"


@pytest.mark.parametrize("restarted", [False, True])
def test_what_failed_is_asked_again_at_the_next_boundary(restarted: bool) -> None:
    run = Asking()
    name = run.asked()
    run.obey(Report(name, "failed", detail="out of memory"))
    if restarted:
        run.restart()
    (again,) = run.windows(1)
    assert (again.after, again.trigger.id != name) == ("pending", True)
    run.deliver(again.trigger.id, "given up")
    (third,) = run.windows(1)
    assert len({name, again.trigger.id, third.trigger.id}) == 3


def test_what_is_not_heard_of_expires_by_the_clock_and_each_report_puts_that_off() -> None:
    run = Asking()
    name = run.asked()
    run.wait(10 * DAY_MS)
    assert run.state(name) == "pending", "what has not been taken is the delivery's to give up"
    run.deliver(name, "delivered")
    run.wait(DAY_MS - 1)
    run.obey(Report(name, "running"))
    run.wait(DAY_MS - 1)
    run.obey(Report(name, "running"))
    run.wait(DAY_MS - 1)
    assert (run.state(name), run.engine.views()["m"].in_flight) == ("running", 1)
    run.wait(1)
    assert (run.state(name), run.engine.views()["m"].in_flight) == ("expired", 0)
    assert run.changes[-1].reason == "nothing was heard of it for too long"
    assert run.windows(6) == [], "one that was never heard of again is asked once"
    with pytest.raises(RefusedError, match="only how it ended"):
        run.obey(Report(name, "running"))
    run.obey(Report(name, "failed"))
    assert [each.after for each in run.windows(2)] == ["pending"], "a late failure counts"


def test_without_a_pipeline_that_reports_a_request_is_over_when_it_is_made() -> None:
    run = Asking(replace(RETRAIN, expires_ms=0))
    name = run.asked()
    run.deliver(name, "delivered")
    run.wait(1_000 * DAY_MS)
    assert (run.state(name), run.engine.views()["m"].in_flight) == ("accepted", 0)
    run.windows(8, amount=0.0)
    assert [each.after for each in run.windows(4)] == ["pending"]


def test_with_manual_approval_a_person_sends_it_once() -> None:
    run = Asking(replace(RETRAIN, approval="manual"))
    (withheld,) = run.windows(4)
    name = withheld.trigger.id
    assert (withheld.after, withheld.reason.partition(":")[0]) == ("withheld", "waits for approval")
    assert run.obey(Approve(name)) == f"trigger {name} is sent to pipeline"
    sent = run.changes[-1]
    assert (sent.before, sent.after, sent.trigger) == ("withheld", "pending", replace(withheld.trigger, withheld=""))
    before = len(run.changes)
    run.obey(Approve(name))
    assert len(run.changes) == before, "again changes nothing"
    assert run.windows(6) == []
    run.obey(Report(name, "succeeded"))
    with pytest.raises(RefusedError, match="has succeeded and is over"):
        run.obey(Approve(name))


def test_what_was_withheld_is_not_sent_for_an_incident_that_is_over() -> None:
    run = Asking(replace(RETRAIN, approval="manual"))
    (withheld,) = run.windows(4)
    run.windows(8, amount=0.0)
    with pytest.raises(RefusedError, match=r"the incident of trigger .* is over: give the name of its model"):
        run.obey(Approve(withheld.trigger.id))


def test_a_request_by_hand_is_a_full_event_of_the_last_window_and_holds_others_back() -> None:
    run = Asking(replace(RETRAIN, on=frozenset({"performance"})))
    run.windows(6)
    said = run.obey(Retrain("m", "new market"))
    made = run.changes[-1]
    trigger = made.trigger
    assert said == f"trigger {trigger.id} asks pipeline for a retrained m"
    assert (made.before, made.after, trigger.reason, trigger.summary) == (None, "pending", "manual", "new market")
    assert (trigger.window.start_ms, trigger.window.end_ms, trigger.window.version) == (5 * HOUR_MS, 6 * HOUR_MS, "3")
    assert trigger.rows == ROWS
    assert [end - first for first, end in trigger.offsets.values()] == [ROWS]
    assert trigger.profile.startswith("sha256:")
    assert [verdict.feature for verdict in trigger.evidence] == ["amount"]
    (incident,) = run.engine.views()["m"].incidents
    assert (trigger.incident, trigger.severity) == (incident.id, incident.severity)
    assert trigger.onset_ms <= incident.opened.start_ms
    assert trigger.training_ms == (trigger.onset_ms, 6 * HOUR_MS)
    # Asked again by somebody who got no answer: the same, in this window and the next.
    assert run.obey(Retrain("m", "new market")).startswith(f"trigger {trigger.id} has asked pipeline for this")
    run.windows(1)
    assert run.obey(Retrain("m", "new market", "3")).startswith(f"trigger {trigger.id} has asked")
    with pytest.raises(RefusedError, match=f"not to be retrained now: trigger {trigger.id} is in flight .pending."):
        run.obey(Retrain("m", "another reason"))
    run.obey(Report(trigger.id, "failed"))
    run.obey(Retrain("m", "new market"))
    assert run.changes[-1].trigger.id != trigger.id


def test_a_request_by_hand_counts_for_the_budget_the_cool_down_and_its_incident() -> None:
    run = Asking(replace(RETRAIN, budget=1, approval="manual"))
    (withheld,) = run.windows(4)
    run.obey(Retrain("m", "now"))
    by_hand = run.changes[-1].trigger
    assert by_hand.incident == withheld.trigger.incident
    assert run.windows(3) == []
    run.obey(Report(by_hand.id, "failed"))
    (refused,) = run.windows(3)
    assert refused.reason.startswith("the budget of 1 requests in seven days is used up until")
    run.obey(Retrain("m", "now, whatever the budget"))
    assert run.changes[-1].after == "pending"


def test_while_the_data_is_wrong_a_request_by_hand_has_to_be_forced() -> None:
    run = Asking()
    run.windows(4, amount=0.0)
    run.windows(2, amount=0.0, broken=True)
    with pytest.raises(
        RefusedError, match=r"the data is wrong \(age\): retraining would learn it, unless it is forced"
    ):
        run.obey(Retrain("m", "r"))
    run.obey(Retrain("m", "r", force=True))
    assert run.changes[-1].after == "pending"


@pytest.mark.parametrize(
    ("order", "said"),
    [
        (Retrain("x", "r"), "there is no model 'x'; the configured ones are m"),
        (Retrain("m", "r", "9"), "no window of version '9' of model 'm' has closed yet: versions with traffic are '3'"),
        (Report("trg_none", "running"), "there is no trigger 'trg_none'; /api/v1/triggers lists those"),
        (Approve("trg_none"), "there is no trigger 'trg_none'"),
    ],
)
def test_what_cannot_be_done_is_said_and_changes_nothing(order: Any, said: str) -> None:
    run = Asking()
    run.windows(3, amount=0.0)
    before = saved(run.engine)
    with pytest.raises(RefusedError, match=said) as raised:
        run.obey(order)
    assert isinstance(raised.value, NotFoundError) == ("there is no" in said)
    assert saved(run.engine) == before
    assert run.model.noted() == []


def test_a_model_without_receiver_or_window_says_so() -> None:
    with pytest.raises(RefusedError, match="model 'm' has no receiver to ask: write retrain"):
        Asking(None).obey(Retrain("m", "r"))
    with pytest.raises(RefusedError, match="no window of model 'm' has closed yet: wait for the first one"):
        Asking().obey(Retrain("m", "r"))


def test_every_step_from_outside_is_noted_with_the_boundary_it_came_after_and_repeats_are_not() -> None:
    run = Asking()
    name = run.asked()
    run.deliver(name, "delivered")
    run.obey(Report(name, "accepted"))
    run.obey(Report(name, "failed", detail="why", run="7"))
    run.obey(Retrain("m", "r"))
    notes = run.model.noted()
    assert [note.kind for note in notes] == ["stepped", "stepped", "requested"]
    assert [note.event for note in notes[:2]] == ["delivered", "failed"]
    assert {note.boundary_ms for note in notes} == {4 * HOUR_MS}
    assert {note.at_ms for note in notes} == {NOW_MS}
    assert (notes[1].detail, notes[1].run, notes[2].trigger) == ("why", "7", run.changes[-1].trigger.id)


def test_deliveries_of_what_is_held_no_more_are_nothing() -> None:
    run = Asking()
    before = saved(run.engine)
    run.deliver("trg_long_ago", "delivered")
    assert (run.changes, saved(run.engine)) == ([], before)


def test_the_request_that_is_worked_on_is_never_forgotten() -> None:
    run = Asking()
    name = run.asked()
    trigger = run.changes[0].trigger
    for number in range(2 * VIEWS_MAX):
        run.model.progress.begin(replace(trigger, id=f"trg_{number}", withheld="why"), 0)
    assert len(run.model.progress.lives) == VIEWS_MAX + 1
    assert run.obey(Report(name, "running")) == f"trigger {name}: running"


def test_a_new_normal_ends_what_could_still_be_approved() -> None:
    run = Asking(replace(RETRAIN, approval="manual"))
    (withheld,) = run.windows(6)
    run.obey(Rebaseline("m", "it will stay so"))
    with pytest.raises(RefusedError, match="is over"):
        run.obey(Approve(withheld.trigger.id))
