"""A model with segments and pairs: each finds its own change and leaves the other alone, is saved with the other, and a
new normal of some features is one of their segments and of their pairs.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from monitor.detection.budget import CORRELATION_SHARE, DATA_SHARE, DAY_WINDOWS, SEGMENTS_SHARE, VALUES_SHARE
from monitor.detection.budget import windows_a_month as month
from monitor.engine import Rebaseline
from monitor.events.batch import CORRELATION, CategoricalColumn, NumericColumn, Predictions
from monitor.events.schema import Schema
from monitor.profiles.history import History
from monitor.profiles.reference import Reference
from monitor.profiles.together import Together
from monitor.spec import AlarmSpec, FeatureSpec, MadeSpec, ModelSpec
from tests.engine.hours import Hours
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
ROWS = 400
SCHEMA = Schema("m", "binary", {"age": "numeric", "amount": "numeric", "country": "categorical"}, positive="1")
SPEC = replace(HOURLY, schema=SCHEMA, segments=("country",), segments_max=50, alarms=AlarmSpec(learning_ms=0))
POLISH = "country=PL"
THERE = f"amount in {POLISH}"


def drawn(seed: int, rows: int, r: float = 0.0, shift: float = 0.0) -> Predictions:
    """Rows whose amount and age go together by r; a tenth is Polish, and the amounts of these are shifted."""
    random = np.random.default_rng(seed)
    batch = table.predictions(random, rows, first=seed * 10_000, offset=seed * 10_000)
    country = random.choice(3, rows, p=[0.6, 0.3, 0.1]).astype(np.int32)
    normal = random.normal(size=(2, rows))
    numbers = {"age": r * normal[0] + np.sqrt(1.0 - r**2) * normal[1], "amount": normal[0] + shift * (country == 2)}
    columns = {name: NumericColumn.of(values) for name, values in numbers.items()}
    return replace(batch, features={**columns, "country": CategoricalColumn(country, ("DE", "FR", "PL"))})


def compiled() -> Reference:
    rows = 7 * 24 * ROWS
    batch = replace(drawn(0, rows), time_ms=np.arange(rows, dtype=np.int64) * (HOUR_MS // ROWS))
    made = Reference.build(SCHEMA, batch, None, version="3", windows=("ms", HOUR_MS))
    return made.with_segments(batch, ["country"])


REFERENCE = compiled()


@dataclass
class Run(Hours):
    """An engine that is given one hour after the other."""

    spec: ModelSpec = SPEC
    references: dict[str, Reference] = field(default_factory=lambda: {"3": REFERENCE})
    hour: int = 7 * 24

    def feed(self, windows: int, r: float = 0.0, shift: float = 0.0) -> Run:
        return self.give(windows, lambda number: drawn(number, ROWS, r, shift))

    def said(self) -> list[tuple[str, tuple[str, ...]]]:
        return [(each.event, each.incident.features) for each in self.changes]

    def states(self, name: str, last: int = 1) -> list[str]:
        found = [
            each.state for view in self.views for part in view.parts for each in part.verdicts if each.name == name
        ]
        return found[-last:]

    def names(self) -> set[str]:
        return {each.name for view in self.views for part in view.parts for each in part.verdicts}


def test_the_shares_of_the_budget_add_up_to_what_there_is_for_values_pairs_and_data() -> None:
    watch = Run().engine.models["m"].references["3"].watch
    months = np.array([[month(SPEC.window)], [DAY_WINDOWS]])
    whole = np.arange(len(watch.subjects)) < watch.features

    def granted(limit: np.ndarray) -> float:
        return float((months / limit).sum() / SPEC.alarms.budget)

    values, data = watch.values.limits.limit, watch.shares.limits.limit
    assert granted(values[:, whole]) == pytest.approx((1.0 - SEGMENTS_SHARE) * VALUES_SHARE)
    assert granted(values[:, ~whole]) == pytest.approx(SEGMENTS_SHARE * VALUES_SHARE)
    assert granted(data[:, np.tile(whole, 3)]) == pytest.approx((1.0 - SEGMENTS_SHARE) * DATA_SHARE)
    assert granted(data) == pytest.approx(DATA_SHARE)
    assert granted(watch.pairs.detector.limits.limit) == pytest.approx(CORRELATION_SHARE)


def test_pairs_are_judged_in_whole_traffic_alone_and_their_change_is_no_segments() -> None:
    run = Run().feed(6).feed(4, r=0.7)
    assert run.said() == [("opened", (CORRELATION,))]
    (opened,) = run.changes
    assert opened.reason.startswith("age and amount go together otherwise: correlation from ")
    assert CORRELATION in run.names()
    assert not any(name.startswith(CORRELATION) and name != CORRELATION for name in run.names())
    assert set(run.states(THERE, 10)) <= {"ok", "insufficient", "watch"}


def test_what_a_segment_alone_shows_leaves_the_pairs_of_that_feature_under_watch() -> None:
    run = Run().feed(6).feed(8, shift=1.5)
    assert run.said() == [("opened", (THERE,))]
    assert set(run.states(CORRELATION, 14)) <= {"ok", "watch"}
    newest = run.views[-1].verdicts[-1]
    assert (newest.feature, newest.rows, newest.tested_ms) == (CORRELATION, ROWS, run.views[-1].window.end_ms)
    run.feed(4, r=0.7, shift=1.5)
    assert run.said()[1:] == [("worsened", (THERE, CORRELATION))]
    assert run.changes[-1].incident.severity != "minor"
    assert run.changes[-1].reason.startswith(f"{THERE} (effect ")
    assert "; age and amount go together otherwise: correlation from " in run.changes[-1].reason


@pytest.mark.parametrize("at", [4, 8, 11])
def test_a_restart_changes_nothing(at: int) -> None:
    """References are written and read again, too."""
    steps = [(0.0, 0.0)] * 6 + [(0.0, 1.5)] * 3 + [(0.35, 1.5)] * 4
    whole, parted = Run(), Run()
    for place, (r, shift) in enumerate(steps):
        whole.feed(1, r, shift)
        (parted.restart() if place == at else parted).feed(1, r, shift)
    assert ("opened", (THERE,)) in whole.said()
    assert whole.said() == parted.said()
    assert whole.views == parted.views
    assert whole.kept() == parted.kept()


def test_a_reference_keeps_both_and_either_alone() -> None:
    again = Reference.load(REFERENCE.dump())
    assert again.dump() == REFERENCE.dump()
    for found, wanted in zip(again.streams(again.segmented), REFERENCE.streams(REFERENCE.segmented), strict=True):
        if isinstance(found, History):
            assert isinstance(wanted, History)
            np.testing.assert_array_equal(found.pairs, wanted.pairs)
            found, wanted = found.tallies, wanted.tallies
        np.testing.assert_array_equal(found, wanted)
    plain = Reference.load(replace(REFERENCE, segmented=None).dump())
    assert plain.segmented is None
    assert plain.history is not None
    assert REFERENCE.history is not None
    np.testing.assert_array_equal(plain.history.pairs, REFERENCE.history.pairs)
    assert REFERENCE.history.pairs.any()


def test_a_new_normal_of_one_feature_is_one_of_its_segments_and_of_its_pairs_alone() -> None:
    run = Run().feed(6).feed(18, r=0.7, shift=1.5)
    assert {name for _, names in run.said() for name in names} == {THERE, CORRELATION}
    run.engine.obey(Rebaseline("m", "it will stay so", ("amount",), from_ms=(7 * 24 + 6) * HOUR_MS), 0)
    run.changes.clear()
    run.feed(8, r=0.7, shift=1.5)
    assert {event for event, _ in run.said()} <= {"resolved"}
    assert not run.engine.models["m"].progress.incidents.all()
    assert set(run.states(THERE, 7)) <= {"ok", "insufficient", "watch"}
    assert set(run.states(CORRELATION, 7)) <= {"ok", "watch"}
    (made,) = run.engine.models["m"].references.made.values()
    history, usual = made.reference.history, made.watch.pairs.detector.baseline
    assert history is not None
    place = Together.of(made.reference.layout).pairs.index(("age", "amount"))
    assert 2.0 * float(usual.shares[0][place, 0]) - 1.0 == pytest.approx(0.7, abs=0.06)
    # Of a week and eighteen hours: of amount and its pairs the hours alone, of the others the week alone.
    whole, amount = history.tallies.any(axis=2), list(made.reference.layout.features).index("amount")
    assert np.flatnonzero(whole[:, amount]).tolist() == list(range(7 * 24, 7 * 24 + 18))
    assert np.flatnonzero(whole[:, 0]).tolist() == list(range(7 * 24))
    assert np.flatnonzero(history.pairs[:, place].any(axis=1)).tolist() == list(range(7 * 24, 7 * 24 + 18))
    run.restart().feed(8)
    assert run.states(CORRELATION) == run.states(THERE) == ["drifting"]


def test_a_reference_made_of_what_arrives_has_both() -> None:
    run = Run(replace(SPEC, made=MadeSpec(48 * HOUR_MS)), {}, hour=0).feed(60).feed(3, r=0.7).feed(8, r=0.7, shift=1.5)
    assert run.states(CORRELATION) == run.states(THERE) == ["drifting"]


def test_both_are_learned_in_production() -> None:
    alarms = AlarmSpec(learning_ms=72 * HOUR_MS)
    run = Run(replace(SPEC, alarms=alarms), {"3": replace(REFERENCE, history=None)}, hour=4 * 24)  # From a Monday on.
    run.feed(72, r=0.7, shift=0.4)
    assert set(run.states(THERE, 72)) == {"learning"}
    assert CORRELATION not in run.names()
    run.restart().feed(12, r=0.7, shift=0.4)
    assert set(run.states(CORRELATION, 6)) <= {"ok", "watch"}
    assert set(run.states(THERE, 6)) <= {"ok", "insufficient", "watch"}
    run.feed(6, shift=-1.2)
    assert run.states(CORRELATION) == run.states(THERE) == ["drifting"]


@pytest.mark.parametrize(("r", "shift", "found"), [(0.7, 0.0, CORRELATION), (0.0, 2.5, THERE)])
def test_what_drifts_and_is_not_to_be_watched_any_more_is_over(r: float, shift: float, found: str) -> None:
    run = Run().feed(3).feed(4, r, shift)
    assert run.said() == [("opened", (found,))]
    run.spec = replace(SPEC, features={"amount": FeatureSpec("quality")})
    run.restart().feed(3, r, shift)
    assert ("resolved", (found,)) in run.said()
