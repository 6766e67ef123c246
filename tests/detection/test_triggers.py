"""When an incident asks for retraining, and what holds it back."""

from __future__ import annotations

from monitor.detection.incidents import Incidents
from monitor.detection.records import Trigger, Verdict
from monitor.detection.triggers import Arbiter, Evidence
from monitor.spec import RetrainSpec
from monitor.windows.window import Window

HOUR_MS = 3_600_000
SPEC = RetrainSpec("pipeline", frozenset({"drift", "performance"}), cooldown_ms=24 * HOUR_MS, labels_min=100)


class Model:
    """One model's incidents and arbiter, an hour at a time."""

    def __init__(self) -> None:
        self.incidents, self.arbiter = Incidents(), Arbiter()

    def drift(self, hour: int, effect: float | None, drifting: bool = True, labels: int = 1_000) -> list[Trigger]:
        window = Window((hour + 1) * HOUR_MS, "m", "3", "", hour * HOUR_MS)
        verdicts = (Verdict(window, "amount", 500, "drifting", effect, 0.02, effect),) if drifting else ()
        changes = self.incidents.update(window, "drift", {"amount": "moderate"} if drifting else {}, "amount drifted")
        self.arbiter.note(Evidence(window, "drift", tuple(changes), "amount drifted", 500, {}, "", verdicts))
        return self.arbiter.arbitrate(window.end_ms, SPEC, labels, labelled=True)


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


def test_a_window_that_could_not_be_judged_does_not_replace_the_evidence() -> None:
    model = Model()
    model.drift(0, 0.3, labels=0)
    asked = model.drift(1, None)
    assert [(trigger.withheld, trigger.evidence[0].effect) for trigger in asked] == [("", 0.3)]
