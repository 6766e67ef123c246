"""When an incident asks for retraining, and what holds it back."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detection.incidents import Incidents
from monitor.detection.records import PerformanceEvidence, Severity, Trigger, Verdict
from monitor.detection.triggers import Arbiter, Evidence
from monitor.spec import RetrainSpec
from monitor.windows.window import Window

HOUR_MS = 3_600_000
TOLERANCE = 0.02
SPEC = RetrainSpec(
    "pipeline", frozenset({"drift", "performance"}), 24 * HOUR_MS, labels_min=100, budget=1_000, expires_ms=0
)
"""Of a pipeline that never reports."""

FELL = PerformanceEvidence("roc_auc", 0.84, 0.82, 0.86, 0.91, 0.71)


class Model:
    """One model's incidents and arbiter, an hour at a time. in_flight: what its pipeline has not done with."""

    def __init__(self, spec: RetrainSpec = SPEC) -> None:
        self.incidents, self.arbiter, self.spec, self.in_flight = Incidents(), Arbiter(), spec, ""

    def drift(
        self,
        hour: int,
        effect: Mapping[str, float] | float | None,
        drifting: bool = True,
        labels: int = 1_000,
        version: str = "3",
    ) -> list[Trigger]:
        """effect: of `amount`, or by feature."""
        window = Window((hour + 1) * HOUR_MS, "m", version, "", hour * HOUR_MS)
        effects = effect if isinstance(effect, Mapping) else {"amount": effect}
        verdicts = tuple(Verdict(window, name, 500, "drifting", size, 0.02, size) for name, size in effects.items())
        affected: dict[str, Severity] = dict.fromkeys(effects, "moderate") if drifting else {}
        judged = [size for size in effects.values() if drifting and size is not None]
        calm = bool(judged) and max(judged) < TOLERANCE
        changes = self.incidents.update(window, "drift", affected, "amount drifted")
        stated = verdicts if drifting else ()
        self.arbiter.note(Evidence(window, "drift", tuple(changes), "amount drifted", 500, {}, "", stated, calm=calm))
        return self.arbiter.arbitrate(window.end_ms, self.spec, labels, True, self.in_flight)

    def fall(
        self, hour: int, boundary: int, version: str = "3", down: bool = True, labels: int = 1_000
    ) -> list[Trigger]:
        """The verdict of an hour's window, given `boundary` hours after the start."""
        window = Window((hour + 1) * HOUR_MS, "m", version, "", hour * HOUR_MS)
        changes = self.incidents.update(window, "performance", {"roc_auc": "major"} if down else {}, "roc_auc fell")
        evidence = Evidence(window, "performance", tuple(changes), "roc_auc fell", 500, {}, "", (), FELL)
        self.arbiter.note(evidence)
        return self.arbiter.arbitrate(boundary * HOUR_MS, self.spec, labels, True, self.in_flight)


def test_one_request_is_made_for_an_incident_however_long_it_lasts() -> None:
    model = Model()
    made = [trigger for hour in range(100) for trigger in model.drift(hour, 0.3)]
    assert [trigger.withheld for trigger in made] == [""]
    assert made[0].onset_ms == 0
    assert [verdict.feature for verdict in made[0].evidence] == ["amount"]


def test_a_second_incident_waits_for_the_cool_down() -> None:
    model = Model()
    first = model.drift(0, 0.3)
    model.drift(1, None, drifting=False)
    withheld = [trigger for hour in range(2, 30) for trigger in model.drift(hour, 0.3)]
    assert [trigger.withheld.split(" until")[0] for trigger in withheld] == ["cooling down", ""]
    assert withheld[1].window.end_ms == first[0].window.end_ms + SPEC.cooldown_ms
    assert len({trigger.id for trigger in (*first, *withheld)}) == 3


def test_a_performance_request_carries_and_names_what_drifts_at_its_boundary() -> None:
    model = Model()
    effects = {"age": 0.12, "amount": 0.3, "country": 0.2}
    model.drift(0, dict.fromkeys(effects, 0.15), labels=0)
    model.drift(1, effects, labels=0)
    (asked,) = (each for each in model.fall(0, boundary=2) if each.reason == "performance")
    assert [(verdict.feature, verdict.effect) for verdict in asked.evidence] == [
        ("amount", 0.3),
        ("country", 0.2),
        ("age", 0.12),
    ]
    assert asked.summary == "roc_auc fell; amount, country and age drifted"
    assert asked.performance == FELL
    assert (asked.window.end_ms, asked.training_ms) == (HOUR_MS, (0, HOUR_MS))


@pytest.mark.parametrize(("version", "newest"), [("2", 0.3), ("3", 0.01)])
def test_a_performance_request_names_no_drift_of_another_version_and_none_that_has_come_back(
    version: str, newest: float
) -> None:
    model = Model()
    model.drift(0, 0.3, labels=0, version=version)
    model.drift(1, newest, labels=0, version=version)
    (asked,) = (each for each in model.fall(0, boundary=2) if each.reason == "performance")
    assert (asked.evidence, asked.summary) == ((), "roc_auc fell")


def test_the_first_drift_request_is_the_same_whatever_else_it_carries() -> None:
    """Frozen: a receiver drops a repeat by this id."""
    assert [trigger.id for trigger in Model().drift(0, 0.3)] == ["trg_0ae4d1f4b3a5f4bf"]


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["3", "4", "5"]),
        st.sampled_from(["drift", "performance"]),
        st.sampled_from([0.3, 0.01, None]),
        st.booleans(),
        st.sampled_from([0, 1_000]),
    ),
    max_size=80,
)


@settings(max_examples=150, deadline=None)
@given(STEPS, st.integers(1, 4))
def test_at_most_one_request_is_made_in_a_cool_down_whatever_versions_and_causes_there_are(
    steps: list[tuple[str, str, float | None, bool, int]], a_turn: int
) -> None:
    model = Model()
    made: list[tuple[int, Trigger]] = []
    judged = set()
    for number, (version, cause, effect, on, labels) in enumerate(steps):
        hour = 6 * (number // a_turn)
        if (version, cause, hour) in judged:
            continue  # A window is judged once.
        judged.add((version, cause, hour))
        if cause == "drift":
            found = model.drift(hour, effect, drifting=on, labels=labels, version=version)
        else:
            found = model.fall(hour, hour + 1, version, down=on, labels=labels)
        assert sum(not trigger.withheld for trigger in found) <= 1
        made += [((hour + 1) * HOUR_MS, trigger) for trigger in found]
    sent = [boundary for boundary, trigger in made if not trigger.withheld]
    assert all(later - earlier >= SPEC.cooldown_ms for earlier, later in pairwise(sent))
    said: dict[str, list[str]] = {}
    for _, trigger in made:
        said.setdefault(trigger.incident, []).append(trigger.withheld)
    for reasons in said.values():
        assert "" not in reasons[:-1], "an incident that was asked for is never asked for again"
        assert len(set(reasons)) == len(reasons), "a refusal is recorded once"


def test_ten_incidents_at_once_make_one_request_and_a_refusal_each_for_the_others() -> None:
    model = Model()
    made = [trigger for version in range(10) for trigger in model.drift(0, 0.3, version=str(version))]
    made += [trigger for version in range(10) for trigger in model.fall(0, 1, str(version))]
    made += [trigger for hour in range(1, 20) for trigger in model.drift(hour, 0.3, version="0")]
    assert [trigger.withheld.split(" until")[0] for trigger in made] == ["", *["cooling down"] * 19]
    assert len({trigger.incident for trigger in made}) == len({trigger.id for trigger in made}) == 20


def test_too_few_labels_hold_a_request_back_until_they_have_come() -> None:
    model = Model()
    refused, asked = model.drift(0, 0.3, labels=99), model.drift(1, 0.3, labels=100)
    assert "fewer than the 100 labels" in refused[0].withheld
    assert [trigger.withheld for trigger in asked] == [""]


def test_nothing_is_asked_for_features_that_have_come_back() -> None:
    model = Model()
    model.drift(0, 0.3, labels=0)
    calm = model.drift(1, 0.0)
    assert [trigger.withheld for trigger in calm] == ["its newest window no longer drifts"]


def test_reasons_that_take_turns_are_given_once_each() -> None:
    """As of a change at the edge of what is tolerated."""
    model = Model()
    made = [trigger for hour in range(20) for trigger in model.drift(hour, 0.3 if hour % 2 else 0.01, labels=0)]
    assert [trigger.withheld.partition(" ")[0] for trigger in made] == ["its", "fewer"]


def test_a_window_that_could_not_be_judged_does_not_replace_the_evidence() -> None:
    model = Model()
    model.drift(0, 0.3, labels=0)
    asked = model.drift(1, None)
    assert [(trigger.withheld, trigger.evidence[0].effect) for trigger in asked] == [("", 0.3)]


def test_what_the_model_answers_is_named_as_people_call_it() -> None:
    model = Model()
    model.drift(0, {"@score": 0.3, "amount": 0.2}, labels=0)
    (asked,) = (each for each in model.fall(0, boundary=1) if each.reason == "performance")
    assert asked.summary == "roc_auc fell; score and amount drifted"


def failing(model: Model, hours: int) -> list[tuple[int, str]]:
    """Hours of constant drift, and a pipeline that fails at once: each hour in which something is said, and what."""
    said = []
    for hour in range(hours):
        for trigger in model.drift(hour, 0.3):
            said.append((hour, trigger.withheld))
            if not trigger.withheld:
                model.arbiter.fail(trigger)
    return said


def test_an_incident_whose_request_failed_asks_again_within_cool_down_and_budget() -> None:
    said = failing(Model(replace(SPEC, budget=3)), 15 * 24)
    asked = [hour for hour, reason in said if not reason]
    assert asked == [0, 24, 48, 168, 192, 216, 336]
    assert all(sum(start <= hour < start + 168 for hour in asked) <= 3 for start in range(15 * 24))
    assert [(hour, reason.split(" until")[0]) for hour, reason in said if reason] == [
        (1, "cooling down"),
        (25, "cooling down"),
        (49, "the budget of 3 requests in seven days is used up"),
        *((hour, "the budget of 3 requests in seven days is used up") for hour in (169, 193, 217, 337)),
    ]


def test_each_request_of_an_incident_has_an_id_of_its_own_even_for_one_window() -> None:
    """Without a cool-down, at two boundaries that no window lies between."""
    model = Model(replace(SPEC, cooldown_ms=0))
    model.fall(0, 1)
    (first,) = model.arbiter.open.values()
    trigger = model.arbiter.asked[first[0].id]
    model.arbiter.failed[first[0].id] = model.arbiter.asked.pop(first[0].id)
    (again,) = model.arbiter.arbitrate(2 * HOUR_MS, model.spec, 1_000, True)
    assert again.window == first[1].window
    assert (again.withheld, again.id != trigger) == ("", True)


def test_a_request_that_did_not_fail_is_not_made_again_and_an_older_one_that_fails_changes_nothing() -> None:
    model = Model(replace(SPEC, cooldown_ms=0))
    (first,) = model.drift(0, 0.3)
    model.arbiter.fail(first)
    (second,) = model.drift(1, 0.3)
    model.arbiter.fail(first)
    assert [model.drift(hour, 0.3) for hour in range(2, 6)] == [[]] * 4
    assert second.id != first.id


def test_one_request_of_a_model_is_in_flight_whatever_versions_ask() -> None:
    model = Model(replace(SPEC, cooldown_ms=0, expires_ms=1))
    (first,) = model.drift(0, 0.3)
    model.in_flight = first.id
    (second,) = model.drift(0, 0.3, version="4")
    assert second.withheld == f"request {first.id} is in flight"
    assert model.drift(1, 0.3, version="4") == []
    model.in_flight = ""
    (asked,) = model.drift(2, 0.3, version="4")
    assert (asked.withheld, asked.window.version) == ("", "4")


def test_of_two_that_ask_at_one_boundary_the_second_waits_for_the_first() -> None:
    model = Model(replace(SPEC, cooldown_ms=0, expires_ms=1))
    windows = [Window(HOUR_MS, "m", version, "", 0) for version in "34"]
    for window in windows:
        changes = model.incidents.update(window, "drift", {"amount": "major"}, "amount drifted")
        verdict = Verdict(window, "amount", 500, "drifting", 0.3, 0.02, 0.3)
        model.arbiter.note(Evidence(window, "drift", tuple(changes), "", 500, {}, "", (verdict,)))
    first, second = model.arbiter.arbitrate(HOUR_MS, model.spec, 1_000, True)
    assert (first.withheld, second.withheld) == ("", f"request {first.id} is in flight")


def test_with_manual_approval_each_incident_waits_once_until_a_person_sends_it() -> None:
    model = Model(replace(SPEC, approval="manual"))
    made = [trigger for hour in range(10) for trigger in model.drift(hour, 0.3)]
    assert [trigger.withheld.partition(":")[0] for trigger in made] == ["waits for approval"]
    model.arbiter.send(replace(made[0], withheld=""), 10 * HOUR_MS)
    assert [trigger for hour in range(10, 20) for trigger in model.drift(hour, 0.3)] == []
    model.arbiter.fail(made[0])
    later = [trigger for hour in range(20, 60) for trigger in model.drift(hour, 0.3)]
    assert [trigger.withheld.partition(" ")[0] for trigger in later] == ["cooling", "waits"]
