"""Which changes are one of unit: values that were all multiplied or moved as people do, and nothing that grows."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
from numpy.typing import NDArray

from monitor.detection.faults import Converted
from monitor.detection.sentences import describe_data
from monitor.detection.units import Conversion, Seen, words
from monitor.detection.watch import Findings, Watch, WatchState
from monitor.events.batch import NumericColumn
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.spec import AlarmSpec, FeatureSpec, ModelSpec, PerformanceSpec
from monitor.windows.window import Window, WindowSpec
from tests.detection.feature_rows import table

Floats = NDArray[np.float64]
Draw = Callable[[np.random.Generator, int], Floats]

HOUR_MS = 3_600_000
SCHEMA = Schema("m", "regression", {"x": "numeric"})
SPEC = ModelSpec("m", SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("mae", 1.0), alarms=AlarmSpec(learning_ms=0))

DRAWS: dict[str, Draw] = {
    "distance": lambda random, n: random.lognormal(1.0, 0.7, n),
    "height": lambda random, n: random.normal(1.7, 0.12, n),
    "celsius": lambda random, n: random.normal(14.0, 6.0, n),
    "stops": lambda random, n: random.poisson(4.0, n).astype(np.float64),
    "paid": lambda random, n: np.where(random.random(n) < 0.4, 0.0, random.gamma(2.0, 20.0, n)),
    "standard": lambda random, n: random.normal(0.25, 1.0, n),
    "heavy": lambda random, n: random.standard_t(2.2, n),
}


class Run:
    """A watch of one feature, as a reference of 20,000 rows has it, and windows of it."""

    def __init__(self, draw: Draw, seed: int = 0, told: ModelSpec = SPEC) -> None:
        self.draw, self.random = draw, np.random.default_rng(seed)
        self.reference = Reference.build(
            SCHEMA, table({"x": NumericColumn.of(draw(self.random, 20_000))}), None, windows=("ms", 1_000)
        )
        self.watch = Watch.of(told, self.reference)
        self.state, self.hour = self.watch.blank(), 0

    def judge(self, change: Callable[[Floats], Floats] = lambda values: values, rows: int = 1_000) -> Findings:
        batch = table({"x": NumericColumn.of(change(self.draw(self.random, rows)))})
        profile = Profile.empty(self.reference.layout)
        profile.fold(batch)
        start, self.hour = self.hour * HOUR_MS, self.hour + 1
        window = Window(start + HOUR_MS, "m", "3", "", start)
        return self.watch.judge(self.state, window, self.reference.cells.tally(profile), seen=partial(Seen.of, profile))

    def said(self, *args: object, **kwargs: object) -> str:
        return describe_data(self.judge(*args, **kwargs).wrong)  # type: ignore[arg-type]


UNITS: dict[str, tuple[str, Conversion, str]] = {
    "kilometres to metres": ("distance", Conversion(1_000.0), "about 1,000 times what they were"),
    "metres to kilometres": ("distance", Conversion(0.001), "about 1/1,000 of what they were"),
    "metres to feet": ("height", Conversion(3.28084), "about 3.28 times what they were"),
    "miles to kilometres": ("height", Conversion(1.609344), "about 1.61 times what they were"),
    "pounds to kilograms": ("height", Conversion(1.0 / 2.204623), "about 0.454 times what they were"),
    "pounds to kilograms, mostly in the range": (
        "distance",
        Conversion(1.0 / 2.204623),
        "about 0.454 times what they were",
    ),
    "of no name": ("distance", Conversion(7.0), "times what they were"),
    "percent": ("heavy", Conversion(100.0), "about 100 times what they were"),
    "pence": ("paid", Conversion(100.0), "about 100 times what they were"),
    "tens": ("stops", Conversion(10.0), "about 10 times what they were"),
    "sign": ("celsius", Conversion(-1.0), "of the opposite sign"),
    "Kelvin": ("celsius", Conversion(1.0, 273.15), "as if turned from Celsius to Kelvin"),
    "Fahrenheit": ("celsius", Conversion(1.8, 32.0), "as if turned from Celsius to Fahrenheit"),
}


@pytest.mark.parametrize(("kind", "conversion", "said"), UNITS.values(), ids=UNITS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_change_of_unit_is_named_in_its_first_window(kind: str, conversion: Conversion, said: str, seed: int) -> None:
    run = Run(DRAWS[kind], seed)
    assert [run.judge().wrong for _ in range(3)] == [{}] * 3
    found = run.judge(lambda values: values * conversion.times + conversion.plus, 5_000)
    (converted,) = found.wrong["x"]
    assert converted.aspect == "unit"
    assert not found.values.drifting.any()
    assert describe_data(found.wrong).endswith(f"{said}: has its unit changed?")


SHIFTS: dict[str, tuple[str, Callable[[Floats], Floats]]] = {
    "prices rise": ("distance", lambda values: values * 1.18),
    "prices double": ("distance", lambda values: values * 2.0),
    "half a deviation": ("standard", lambda values: values + 0.5),
    "four deviations": ("standard", lambda values: values + 4.0),
    "below zero": ("standard", lambda values: values - 0.5),  # As far below zero as it was above.
    "wider": ("standard", lambda values: values * 3.0),
    "warmer": ("celsius", lambda values: values + 18.0),
    "a sentinel": ("distance", lambda values: np.where(np.arange(len(values)) % 2, 9_999.0, values)),
    "one value": ("distance", lambda values: np.full(len(values), 4_000.0)),
    "half of the rows in another unit": (
        "distance",
        lambda values: np.where(np.arange(len(values)) % 2, 1_000.0 * values, values),
    ),
}


@pytest.mark.parametrize(("kind", "change"), SHIFTS.values(), ids=SHIFTS)
@pytest.mark.parametrize("seed", [1, 2, 3])
def test_a_shift_is_no_change_of_unit(kind: str, change: Callable[[Floats], Floats], seed: int) -> None:
    run = Run(DRAWS[kind], seed)
    found = [run.judge(change) for _ in range(6)]
    assert not any(isinstance(each, Converted) for findings in found for each in findings.wrong.get("x", ()))
    assert found[-1].values.drifting.any() or found[-1].wrong


@pytest.mark.parametrize("kind", DRAWS)
def test_nothing_is_named_while_nothing_is_wrong(kind: str) -> None:
    run = Run(DRAWS[kind])
    assert all(run.judge(rows=rows).wrong == {} for rows in [40, 200, 1_000] * 30)


def test_it_is_no_drift_while_it_lasts_nor_when_it_is_repaired() -> None:
    run = Run(DRAWS["height"])
    feet = [run.judge(lambda values: 3.28084 * values) for _ in range(10)]
    again = [run.judge() for _ in range(20)]
    assert all([each.aspect for each in findings.wrong["x"]] == ["unit"] for findings in feet)
    assert not any(findings.values.drifting.any() for findings in (*feet, *again))
    assert again[-1].wrong == {}
    assert run.state.units == {}


def test_a_real_shift_after_it_was_repaired_is_drift() -> None:
    run = Run(DRAWS["height"])
    for _ in range(3):
        run.judge(lambda values: 3.28084 * values)
    shifted = [run.judge(lambda values: values - 0.2) for _ in range(4)]
    assert shifted[-1].values.drifting.all()
    assert not any(isinstance(each, Converted) for each in shifted[-1].wrong.get("x", ()))


class Hours(Run):
    """The same of hours that differ: what is drawn has the mean of its hour of the day."""

    def __init__(self, mean: Callable[[NDArray[np.int64]], Floats], seed: int) -> None:
        hours = np.repeat(np.arange(14 * 24), 1_000)
        self.random, self.draw = np.random.default_rng(seed), self._drawn
        self.mean, self.hour = mean, 14 * 24
        values = NumericColumn.of(self.random.normal(mean(hours % 24), 1.0))
        times = hours * HOUR_MS + np.arange(len(hours)) % 1_000
        self.reference = Reference.build(SCHEMA, table({"x": values}, times), None, windows=("ms", HOUR_MS))
        self.watch = Watch.of(SPEC, self.reference)
        self.state = self.watch.blank()

    def _drawn(self, random: np.random.Generator, rows: int) -> Floats:
        return random.normal(self.mean(np.full(rows, self.hour % 24)), 1.0)


MEANS: dict[str, Callable[[NDArray[np.int64]], Floats]] = {
    "by day": lambda hour: np.where((hour > 8) & (hour < 18), 4.0, 0.0),
    "a wave": lambda hour: 1.0 + np.sin(hour / 12.0 * np.pi),
}


@pytest.mark.parametrize("shape", MEANS)
@pytest.mark.parametrize("first", [4, 11])
def test_hours_at_which_a_lost_sign_does_not_show_do_not_end_it(shape: str, first: int) -> None:
    run = Hours(MEANS[shape], 2)
    before = [run.judge() for _ in range(first)]
    assert all(findings.wrong == {} for findings in before)
    lost = [[each.aspect for each in run.judge(lambda values: -values).wrong.get("x", ())] for _ in range(72)]
    began = lost.index(["unit"])
    assert began <= 10
    assert lost[began:] == [["unit"]] * (72 - began)
    after = [run.judge() for _ in range(24)]
    assert after[-1].wrong == {}
    assert not any(findings.values.drifting.any() for findings in after)


def test_what_was_found_goes_through_a_restart() -> None:
    run = Run(DRAWS["distance"])
    run.judge(lambda values: 1_000.0 * values)
    run.state = codec.unpack("STAT", 1, codec.pack("STAT", 1, run.state), WatchState)
    assert run.state.units == {"x": Conversion(1_000.0)}
    assert "1,000 times" in run.said(lambda values: 1_000.0 * values)


def test_a_feature_that_is_off_has_no_unit() -> None:
    told = ModelSpec(
        "m",
        SCHEMA,
        WindowSpec(HOUR_MS),
        PerformanceSpec("mae", 1.0),
        features={"x": FeatureSpec("off")},
        alarms=AlarmSpec(learning_ms=0),
    )
    run = Run(DRAWS["distance"], told=told)
    assert run.judge(lambda values: 1_000.0 * values).wrong == {}


def test_a_few_rows_tell_nothing_and_a_constant_has_no_shape() -> None:
    run = Run(DRAWS["distance"])
    assert "unit" not in run.said(lambda values: 1_000.0 * values, rows=20)
    constant = Run(lambda random, n: np.full(n, 7.0))
    assert "unit" not in constant.said(lambda values: 100.0 * values)


def test_factors_are_said_in_three_digits() -> None:
    said = [words(Conversion(times)) for times in (1e6, 123_456.0, 1.609344, 0.3048, 1e-6)]
    assert said == [
        "about 1,000,000 times what they were",
        "about 123,000 times what they were",
        "about 1.61 times what they were",
        "about 0.305 times what they were",
        "about 1/1,000,000 of what they were",
    ]
