"""What is wrong with the data itself alarms in one window and withholds retraining; a real shift does neither."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.detection.records import Aspect
from monitor.engine import Monitor
from monitor.engine.model import Output
from monitor.events.batch import CategoricalColumn, Column, NumericColumn
from monitor.events.schema import Schema
from monitor.profiles.reference import Reference
from monitor.spec import AlarmSpec, ModelSpec, PerformanceSpec, RetrainSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.profiles import rows

HOUR_MS = 3_600_000
ROWS = 1_000
CLEAN, WINDOWS = 3, 8
SCHEMA = Schema("m", "binary", {"amount": "numeric", "country": "categorical"}, positive="1")
SPEC = ModelSpec(
    "m",
    SCHEMA,
    WindowSpec(HOUR_MS),
    PerformanceSpec("accuracy", 0.1),
    RetrainSpec("pipeline", frozenset({"drift"}), cooldown_ms=0),
    lateness_ms=0,
    labelled=False,
    alarms=AlarmSpec(learning_ms=0),
)
Floats = NDArray[np.float64]
Features = dict[str, Column]
Change = Callable[[np.random.Generator, Features], Features]


def features(random: np.random.Generator, number: int) -> Features:
    """Nothing missing, nothing invalid."""
    return {
        "amount": NumericColumn.of(random.normal(0.0, 1.0, number)),
        "country": CategoricalColumn(random.integers(0, 4, number).astype(np.int32), rows.COUNTRIES),
    }


def _reference() -> Reference:
    random = np.random.default_rng(0)
    batch = replace(rows.predictions(random, 20_000), features=features(random, 20_000))
    return Reference.build(SCHEMA, batch, None, version="3")


REFERENCE = _reference()


def output(change: Change) -> Output:
    """Of CLEAN windows as the reference, then of those that are changed."""
    random = np.random.default_rng(1)
    model = Monitor([SPEC], {"m": {"3": REFERENCE}}).models["m"]
    found = Output()
    for window in range(WINDOWS):
        first = window * ROWS
        times = window * HOUR_MS + np.arange(ROWS, dtype=np.int64) * 3_000
        batch = rows.predictions(random, ROWS, first=first, offset=first, time_ms=times)
        given = features(random, ROWS)
        batch = replace(batch, features=change(random, given) if window >= CLEAN else given)
        model.ingest(batch, (), {}, Now.at(1 << 50))
    for each in (model.finish(), model.settle(model.due(), None)):  # type: ignore[arg-type]
        found.changes += each.changes
        found.triggers += each.triggers
        found.windows += each.windows
    return found


def amounts(of: Callable[[np.random.Generator, Floats], Floats]) -> Change:
    def change(random: np.random.Generator, given: Features) -> Features:
        amount = given["amount"]
        assert isinstance(amount, NumericColumn)
        return given | {"amount": NumericColumn.of(of(random, amount.values))}

    return change


def share(value: float, of: float) -> Change:
    """A share of amounts is this value instead."""
    return amounts(lambda random, values: np.where(random.random(len(values)) < of, value, values))


def new_country(random: np.random.Generator, given: Features) -> Features:
    country = given["country"]
    assert isinstance(country, CategoricalColumn)
    codes = np.where(random.random(len(country.codes)) < 0.05, 4, country.codes).astype(np.int32)
    return given | {"country": CategoricalColumn(codes, (*rows.COUNTRIES, "XX"))}


BREAKS: dict[str, tuple[Change, str, Aspect]] = {
    "null": (share(np.nan, 0.05), "amount", "missing"),
    "no number": (share(np.inf, 0.05), "amount", "invalid"),
    "a sentinel": (share(-999.0, 0.05), "amount", "out of range"),
    "numbers of another kind": (
        amounts(lambda random, values: 100.0 + 50.0 * random.random(ROWS)),
        "amount",
        "out of range",
    ),
    "all null": (share(np.nan, 1.0), "amount", "missing"),
    "a new country": (new_country, "country", "unseen"),
}


@pytest.mark.parametrize(("change", "feature", "aspect"), BREAKS.values(), ids=BREAKS)
def test_broken_data_alarms_in_its_first_window_and_asks_for_nothing(
    change: Change, feature: str, aspect: Aspect
) -> None:
    found = output(change)
    opened = [each for each in found.changes if each.event == "opened"]
    first = opened[0]
    assert (first.incident.cause, first.incident.features, first.window.start_ms) == (
        "data",
        (feature,),
        CLEAN * HOUR_MS,
    )
    assert f"of {feature} {aspect} (0.0% before)" in first.reason
    broken = [verdict for view in found.windows[CLEAN:] for verdict in view.verdicts if verdict.feature == feature]
    assert [(verdict.state, verdict.wrong) for verdict in broken] == [("drifting", (aspect,))] * (WINDOWS - CLEAN)
    assert all(trigger.withheld.startswith(f"the data is wrong ({feature})") for trigger in found.triggers)


def test_pence_for_pounds_is_a_change_of_unit_until_it_is_repaired_and_never_drift() -> None:
    """Values in the range, a few, and those beyond it are put down to it together."""
    random = np.random.default_rng(1)
    model = Monitor([SPEC], {"m": {"3": REFERENCE}}).models["m"]
    changes, verdicts = [], []
    for window in range(40):
        first = window * ROWS
        times = window * HOUR_MS + np.arange(ROWS, dtype=np.int64) * 3_000
        given = features(random, ROWS)
        if 3 <= window < 20:
            given = amounts(lambda random, values: 100.0 * values)(random, given)
        batch = rows.predictions(random, ROWS, first=first, offset=first, time_ms=times)
        model.ingest(replace(batch, features=given), (), {}, Now.at(1 << 50))
        output = model.finish((window + 1) * HOUR_MS)
        changes += output.changes
        verdicts += [verdict for view in output.windows for verdict in view.verdicts if verdict.feature == "amount"]
    opened, resolved = changes
    assert (opened.incident.cause, opened.event, opened.window.start_ms) == ("data", "opened", 3 * HOUR_MS)
    assert opened.reason == "all values of amount are about 100 times what they were: has its unit changed?"
    assert opened.incident.severity == "major"
    assert resolved.event == "resolved"
    assert [(verdict.state, verdict.wrong) for verdict in verdicts[3:20]] == [("drifting", ("unit",))] * 17
    assert {verdict.moved for verdict in verdicts} == {()}
    assert all(trigger.withheld for trigger in model.settle(model.due(), None).triggers)  # type: ignore[arg-type]


@pytest.mark.parametrize("shift", [0.5, 1.0, 2.0, 3.0, 4.0])
def test_a_real_shift_that_goes_beyond_the_reference_is_drift_alone_and_asks_for_retraining(shift: float) -> None:
    found = output(amounts(lambda random, values: values + shift))
    assert {(each.incident.cause, each.incident.features) for each in found.changes} == {("drift", ("amount",))}
    assert found.changes[0].window.start_ms == (CLEAN + 1) * HOUR_MS
    assert [trigger.withheld for trigger in found.triggers] == [""]


def test_values_that_break_beside_a_real_shift_are_still_a_cause_in_the_data() -> None:
    """The others have moved, but not as far as to -999."""
    shifted_and_broken = amounts(
        lambda random, values: np.where(random.random(len(values)) < 0.3, -999.0, values + 0.5)
    )
    assert {each.incident.cause for each in output(shifted_and_broken).changes} == {"drift", "data"}


def test_values_that_were_now_and_then_missing_and_never_are_any_more_are_made_up() -> None:
    random = np.random.default_rng(3)
    given = features(random, 20_000)
    batch = replace(rows.predictions(random, 20_000), features=share(np.nan, 0.3)(random, given))
    reference = Reference.build(SCHEMA, batch, None, version="3")
    model = Monitor([SPEC], {"m": {"3": reference}}).models["m"]
    model.ingest(replace(rows.predictions(random, ROWS), features=features(random, ROWS)), (), {}, Now.at(1 << 50))
    (change,) = model.finish().changes
    assert (change.incident.cause, change.incident.features) == ("data", ("amount",))
    assert change.reason.startswith("0.0% of amount missing")
