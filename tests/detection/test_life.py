"""A trigger's life: which steps there are, that none goes back, and that people read the table that counts."""

from __future__ import annotations

import re
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.life import IN_FLIGHT, STEPS, Life, TriggerEvent, TriggerState
from monitor.detection.records import Trigger
from monitor.errors import RefusedError
from monitor.windows.window import Window

STATES: tuple[TriggerState, ...] = get_args(TriggerState)
EVENTS: tuple[TriggerEvent, ...] = get_args(TriggerEvent)
WINDOW = Window(2, "m", "3", "", 1)
OVER = ("succeeded", "failed")
DOCS = Path(__file__).parents[2] / "docs" / "RETRAINING.md"


def begun(withheld: str = "") -> Life:
    trigger = Trigger("trg_1", "drift", "major", "amount drifted", WINDOW, 1, "inc", (), None, 0, 1, {}, (1, 2))
    return Life.begun(replace(trigger, withheld=withheld), 5)


def lived(events: list[TriggerEvent], withheld: str = "") -> tuple[Life, list[TriggerState]]:
    """What it has become, those refused aside, and each state on the way."""
    life = begun(withheld)
    states = [life.state]
    for at_ms, event in enumerate(events):
        try:
            life = life.after(event, at_ms)
        except RefusedError:
            continue
        states.append(life.state)
    return life, states


def test_the_table_that_people_read_is_the_one_that_counts() -> None:
    rows = re.findall(r"^\| `(\w+)` \|(.*)\|$", DOCS.read_text(), re.MULTILINE)
    told = {state: [cell.strip() for cell in cells.split("|")] for state, cells in rows}
    meant = {
        state: [
            "" if event not in STEPS[state] else "=" if STEPS[state][event] == state else STEPS[state][event]
            for event in EVENTS
        ]
        for state in STATES
    }
    assert told == meant


@given(st.lists(st.sampled_from(EVENTS), max_size=30), st.sampled_from(["", "cooling down"]))
def test_no_order_of_events_goes_back_and_what_is_over_stays_so(events: list[TriggerEvent], withheld: str) -> None:
    life, states = lived(events, withheld)
    rank = {state: number for number, state in enumerate(STATES)}
    # An outcome may follow an expiry, which is the only thing that is not the last word.
    ranks = [rank[state] for state in states if state != "expired"]
    assert ranks == sorted(ranks)
    assert len(life.steps) <= len(STATES)
    assert [step.state for step in life.steps] == [*dict.fromkeys(states)]
    for before, after in pairwise(states):
        assert before not in OVER or after == before
        assert before != "expired" or after in ("expired", *OVER)
    assert life.in_flight == (life.state in ("pending", "sent", "accepted", "running"))
    assert set(IN_FLIGHT) == {"pending", "sent", "accepted", "running"}


@given(st.lists(st.sampled_from(EVENTS), max_size=12), st.sampled_from(EVENTS))
def test_the_same_event_again_changes_no_state_and_is_never_refused(
    events: list[TriggerEvent], event: TriggerEvent
) -> None:
    life, _ = lived(events)
    try:
        once = life.after(event, 100)
    except RefusedError:
        return
    if event != "expired":  # The clock does not say it twice.
        again = once.after(event, 101)
        assert (again.state, again.steps) == (once.state, once.steps)


@pytest.mark.parametrize("event", ["tried", "delivered", "given up"])
def test_a_lost_answer_says_nothing_of_a_run_that_the_pipeline_reported(event: TriggerEvent) -> None:
    life, _ = lived(["tried", "running", event])
    assert (life.state, life.heard_ms) == ("running", 1)


@pytest.mark.parametrize(
    ("events", "event", "said"),
    [
        ([], "expired", "trigger trg_1 has not been tried yet; it cannot be expired now"),
        (["tried"], "expired", "trigger trg_1 has not been taken yet"),
        (["running"], "accepted", "trigger trg_1 is running, and takes no step back; it cannot be accepted now"),
        (["succeeded"], "failed", "trigger trg_1 has succeeded and is over; it cannot be failed now"),
        (
            ["failed"],
            "running",
            "trigger trg_1 has failed and is over: what is to be tried again is another request; it",
        ),
        (["accepted", "expired"], "running", "trigger trg_1 has expired: only how it ended can still be reported; it"),
    ],
)
def test_a_step_that_there_is_not_is_refused_in_a_sentence(
    events: list[TriggerEvent], event: TriggerEvent, said: str
) -> None:
    with pytest.raises(RefusedError, match=said):
        lived(events)[0].after(event, 9)


def test_what_was_withheld_takes_no_report_until_somebody_sends_it() -> None:
    life = begun("waits for approval")
    assert [(step.state, step.detail) for step in life.steps] == [("withheld", "waits for approval")]
    with pytest.raises(RefusedError, match=r"was withheld, so that nobody has been asked: `monitor triggers send`"):
        life.after("running", 6)
    sent = life.after("approved", 6, "sent by a person")
    assert (sent.state, sent.trigger.withheld, sent.trigger.id) == ("pending", "", "trg_1")
    assert [step.detail for step in sent.steps] == ["waits for approval", "sent by a person"]


def test_a_late_outcome_is_taken_and_says_what_was_made() -> None:
    life, states = lived(["delivered", "expired", "succeeded"])
    assert states == ["pending", "accepted", "expired", "succeeded"]
    known = lived(["delivered", "expired"])[0].after("succeeded", 9, "late", "run 7", "4")
    assert (known.version, known.run) == ("4", "run 7")
    assert known.after("succeeded", 10, "", "", "5").version == "4", "the first word stands"
    assert life.version == ""


def test_news_of_a_run_replace_what_was_said_of_it_and_keep_since_when_it_runs() -> None:
    life = begun().after("running", 10, "epoch 1 of 9").after("running", 20, "epoch 2 of 9").after("running", 30)
    assert [(step.state, step.at_ms, step.detail) for step in life.steps[1:]] == [("running", 10, "epoch 2 of 9")]
    assert life.heard_ms == 30
