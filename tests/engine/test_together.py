"""How features go together, from rows to incidents: learned, kept across restarts, made, accepted and ignored."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace

import numpy as np
import pytest

from monitor.detection.records import Verdict
from monitor.engine import Rebaseline
from monitor.events.batch import CORRELATION, NumericColumn, Predictions
from monitor.profiles.reference import Reference
from monitor.snapshot import WindowView
from monitor.spec import DAY_MS, AlarmSpec, CalendarSpec, FeatureSpec, MadeSpec, ModelSpec
from monitor.windows.window import WindowSpec
from tests.engine.hours import Hours
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
ROWS = 300


def drawn(seed: int, rows: int, r: float, missing: float = 0.0) -> Predictions:
    """Rows whose amount and age go together by r; each of the two is as it always is."""
    random = np.random.default_rng(seed)
    batch = table.predictions(random, rows, first=seed * 10_000, offset=seed * 10_000)
    normal = random.normal(size=(2, rows))
    age = np.exp(3.0 + 0.5 * (r * normal[0] + np.sqrt(1.0 - r**2) * normal[1]))
    amount = np.where(random.random(rows) < missing, np.nan, normal[0])
    columns = {"amount": NumericColumn.of(amount), "age": NumericColumn.of(age)}
    return replace(batch, features={**batch.features, **columns})


def compiled(windows: bool = True, r: float = 0.0) -> Reference:
    rows = 14 * 24 * 60
    batch = replace(drawn(0, rows, r), time_ms=np.arange(rows, dtype=np.int64) * 60_000)
    return Reference.build(table.SCHEMA, batch, None, version="3", windows=("ms", HOUR_MS) if windows else None)


REFERENCE = compiled()
SPEC = replace(HOURLY, alarms=AlarmSpec())


@dataclass
class Run(Hours):
    """An engine that is given one hour after the other, from the third week on."""

    spec: ModelSpec = SPEC
    references: dict[str, Reference] = field(default_factory=lambda: {"3": REFERENCE})
    hour: int = 14 * 24

    def feed(self, windows: int, r: float = 0.0, missing: float = 0.0) -> Run:
        return self.give(windows, lambda number: drawn(number, ROWS, r, missing))

    def verdicts(self) -> list[Verdict]:
        return list(of(self.views))

    def states(self) -> list[str]:
        return [verdict.state for verdict in self.verdicts()]


def of(views: Iterable[WindowView]) -> Iterator[Verdict]:
    return (verdict for view in views for verdict in view.verdicts if verdict.feature == CORRELATION)


def test_a_change_is_one_verdict_and_one_incident_that_names_the_pair() -> None:
    run = Run().feed(6).feed(4, r=0.6)
    assert set(run.states()[:7]) <= {"ok", "watch"}
    assert run.states()[7:] == ["drifting"] * 3
    found = run.verdicts()[7]
    assert [moved.cell for moved in found.moved] == ["amount and age"]
    assert (found.moved[0].usual, found.moved[0].now) == pytest.approx((0.0, 0.6), abs=0.1)
    assert (found.onset_ms, found.tested_ms) == ((14 * 24 + 6) * HOUR_MS, (14 * 24 + 8) * HOUR_MS)
    (change,) = run.changes
    assert (change.event, change.incident.cause, change.incident.features) == ("opened", "drift", (CORRELATION,))
    assert change.reason.startswith("amount and age go together otherwise: correlation from ")
    others = {verdict.state for view in run.views for verdict in view.verdicts if verdict.feature != CORRELATION}
    assert others <= {"ok", "watch"}
    run.feed(10)
    assert (run.states()[-1], run.changes[-1].event) == ("ok", "resolved")


@pytest.mark.parametrize("stop", [3, 7, 8, 9])
def test_a_restart_changes_nothing(stop: int) -> None:
    whole = Run().feed(6).feed(8, r=0.4)
    parted = Run().feed(min(stop, 6)).feed(max(stop - 6, 0), r=0.4).restart()
    parted.feed(max(6 - stop, 0)).feed(8 - max(stop - 6, 0), r=0.4)
    assert (parted.views, parted.changes) == (whole.views, whole.changes)
    assert parted.kept() == whole.kept()


def test_a_feature_whose_data_is_broken_explains_its_pairs() -> None:
    run = Run().feed(3).feed(8, r=0.6, missing=0.5)
    assert {change.incident.cause for change in run.changes} == {"data"}
    assert "drifting" not in run.states()
    assert run.feed(20, r=0.6).states()[-1] == "drifting"


def test_one_feature_alone_or_one_that_is_not_watched_has_no_pairs() -> None:
    quality = {name: FeatureSpec("quality") for name in ("age", "@score")}
    run = Run(replace(SPEC, features=quality)).feed(3)
    assert run.verdicts() == []


def test_without_known_windows_it_is_learned_from_production() -> None:
    """Of six hours, and without what a broken feature showed for a day."""
    spec = replace(SPEC, window=WindowSpec(6 * HOUR_MS))
    run = Run(spec, {"3": compiled(windows=False)}, hour=0)
    run.feed(20, r=0.3).feed(4, r=0.9, missing=0.5).feed(32, r=0.3)
    assert run.verdicts() == []
    pairs = run.engine.models["m"].watching._learned["3"].watch.pairs
    usual = dict(zip(pairs.together.pairs, pairs.detector.baseline.shares[0][:, 0].tolist(), strict=True))
    assert 2.0 * usual["amount", "age"] - 1.0 == pytest.approx(0.3, abs=0.02)
    run.restart().feed(6, r=0.3)
    assert set(run.states()) <= {"ok", "watch"}
    assert run.feed(3, r=0.8).states()[-1] == "drifting"


def test_windows_of_another_length_than_the_references_are_not_compared_with_its_ranks() -> None:
    daily = replace(SPEC, window=WindowSpec(DAY_MS))
    assert Run(daily, hour=14).feed(3).verdicts() == []


@pytest.mark.parametrize("against", ["rolling", "previous"])
def test_it_can_be_compared_with_the_windows_before(against: str) -> None:
    made = MadeSpec(48 * HOUR_MS, "ms", "rolling" if against == "rolling" else "previous", 6)
    spec = replace(HOURLY, made=made, alarms=AlarmSpec(learning_ms=0, persistence=2))
    run = Run(spec, {}, hour=0).feed(70, r=0.5)
    assert run.states()
    assert "drifting" not in run.states()
    maker, newest = run.engine.models["m"].maker, run.views[-1].window
    compared = maker.compared(newest, maker.recent["3", newest.start_ms]).watch.pairs.detector.baseline
    windows = 6 if against == "rolling" else 1
    assert set(compared.total.tolist()) == {windows * (ROWS - 1)}
    assert "drifting" in run.restart().feed(4, r=-0.5).states()[-4:]


def test_a_reference_that_was_made_here_knows_it() -> None:
    spec = replace(HOURLY, made=MadeSpec(48 * HOUR_MS))
    run = Run(spec, {}, hour=0).feed(60, r=0.5)
    assert set(run.states()) <= {"ok", "watch"}
    assert run.feed(3).states()[-1] == "drifting"
    assert run.verdicts()[-1].moved[0].usual == pytest.approx(0.5, abs=0.05)


def test_a_new_normal_of_one_feature_is_one_of_its_pairs() -> None:
    spec = replace(SPEC, alarms=AlarmSpec(learning_ms=0))
    run = Run(spec).feed(6, r=0.6)
    assert run.states()[-1] == "drifting"
    together = run.engine.models["m"].references["3"].watch.pairs.together
    before = run.engine.models["m"].watching.states["3"].pairs.scales[0].merged.since_ms.copy()
    assert len(before) == len(together.pairs)
    run.engine.obey(Rebaseline("m", "sold otherwise", features=("amount",)), 0)
    run.feed(10, r=0.6)
    assert "drifting" not in run.states()[-9:]  # From the next window on.
    (made,) = run.engine.models["m"].references.made.values()
    shares = made.watch.pairs.detector.baseline
    usual = dict(zip(together.pairs, (2.0 * shares.shares[0][:, 0] - 1.0).tolist(), strict=True))
    rows = dict(zip(together.pairs, shares.total.tolist(), strict=True))
    assert usual["amount", "age"] == pytest.approx(0.6, abs=0.06)
    assert rows["@score", "age"] > 10 * rows["amount", "age"]  # Of all two weeks, and of six hours.
    assert run.restart().feed(4).states()[-1] == "drifting"


def test_days_that_the_calendar_names_say_nothing() -> None:
    sale = CalendarSpec("sale", 15 * DAY_MS, 16 * DAY_MS)
    run, quiet = Run(replace(SPEC, calendar=(sale,))).feed(24), Run(replace(SPEC, calendar=(sale,))).feed(24)
    run.feed(24, r=0.9)
    assert set(run.states()[24:]) == {"insufficient"}
    evidence = [each.engine.models["m"].watching.states["3"].pairs.scales[0].evidence for each in (run, quiet)]
    assert (evidence[0] == evidence[1]).all()
