"""What every registered statistic keeps, without exception: each entry, each kind of feature, each check."""

from __future__ import annotations

import doctest
import importlib
import math
import pkgutil
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

import monitor.statistics
from monitor.profiles.categorical import CategoricalSummary
from monitor.profiles.layout import FeatureLayout, NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.statistics.reading import Estimate
from monitor.statistics.registry import REGISTRY
from monitor.statistics.statistic import FEATURES, Statistic, evaluate
from monitor.statistics.views import Cells, Grid, Quality, decision_groups
from tests.statistics.samples import categorical, frequency_layout, numeric, quantile_layout

Summary = NumericSummary | CategoricalSummary
Entry = Statistic[Any]
Rows = Sequence[Any]

RNG = np.random.default_rng(20261123)
NUMBERS = RNG.gamma(2.0, size=3_000)
WORDS = [f"w{at}" for at in np.minimum(RNG.zipf(1.5, size=3_000), 300)]
REFERENCE: dict[str, Rows] = {"numeric": NUMBERS, "categorical": WORDS}
WINDOW: dict[str, Rows] = {
    "numeric": RNG.permutation(NUMBERS)[:2_000],
    "categorical": list(RNG.permutation(WORDS))[:2_000],
}
STEPS = (0.0, 0.05, 0.2, 0.4, 0.7, 1.0)


@dataclass(frozen=True)
class Feature:
    """Cells made of the reference's rows, and the views that statistics read of a window."""

    layout: FeatureLayout
    reference: Summary

    @classmethod
    def of(cls, kind: str, rows: Rows) -> Feature:
        layout: FeatureLayout = quantile_layout(np.asarray(rows)) if kind == "numeric" else frequency_layout(rows)
        return cls(layout, summarise(layout, rows))

    def views(self, window: Summary) -> list[Cells | Grid | Quality]:
        ordered = isinstance(self.layout, NumericLayout)
        groups = decision_groups(self.layout, self.reference.counts)
        views: list[Cells | Grid | Quality] = [
            Cells.of(groups, self.reference.counts, window.counts, ordered),
            Quality.of(window),
        ]
        if isinstance(self.layout, NumericLayout):
            assert isinstance(self.reference, NumericSummary)
            assert isinstance(window, NumericSummary)
            views.append(Grid.of(self.layout, self.reference, window))
        return views

    def evaluate(self, entry: Entry, rows: Rows) -> Estimate | str:
        return evaluate(entry, self.views(summarise(self.layout, rows)))

    def value(self, entry: Entry, rows: Rows) -> float:
        estimate = self.evaluate(entry, rows)
        assert isinstance(estimate, Estimate)
        return estimate.value


def summarise(layout: FeatureLayout, rows: Rows) -> Summary:
    return numeric(layout, np.asarray(rows)) if isinstance(layout, NumericLayout) else categorical(layout, rows)


def is_sound(entry: Entry, estimate: Estimate) -> bool:
    """Finite, within the declared range, and between its own bounds."""
    lower = estimate.value if estimate.lower is None else estimate.lower
    upper = estimate.value if estimate.upper is None else estimate.upper
    least = -math.inf if entry.least is None else entry.least
    greatest = math.inf if entry.greatest is None else entry.greatest
    return least <= lower <= estimate.value <= upper <= greatest and math.isfinite(lower) and math.isfinite(upper)


# Degenerate references and windows.


def odd_rows(kind: str) -> dict[str, Rows]:
    if kind == "categorical":
        return {
            "one row": ["w1"],
            "constant": ["w1"] * 300,
            "only unseen": [f"new{at}" for at in range(300)],
            "all missing": [None] * 300,
            "all invalid": [7] * 300,
            "every row another": [f"id{at}" for at in range(3_000)],
            "usual": WORDS,
        }
    return {
        "one row": np.array([1.0]),
        "constant": np.full(300, 2.5),
        "constant zero": np.zeros(300),
        "all missing": np.full(300, np.nan),
        "all invalid": np.full(300, np.inf),
        "two values": np.tile([0.0, 1.0], 150),
        "all above": np.full(300, 1e4),
        "all far below": np.linspace(-1e9, -1e8, 300),
        "enormous": 1e300 * np.linspace(-1.0, 1.0, 300),
        "denormal": 5e-324 * np.arange(300.0),
        "close together": 1e9 + 1e-6 * np.arange(300.0),
        "one outlier": np.append(NUMBERS, 1e300),
        "usual": NUMBERS,
    }


# Changes that grow with `step` from 0 to 1.


def grow_numbers(rows: np.ndarray, step: float) -> Iterator[tuple[str, Rows]]:
    moved = np.arange(len(rows)) < step * len(rows)
    mean = rows.mean()
    yield "shift up", rows + 5.0 * step
    yield "shift far down", rows - 1e6 * step**4
    yield "stretch", mean + (rows - mean) * 1000.0**step
    yield "shrink", mean + (rows - mean) * (1.0 - step)
    yield "missing", np.where(moved, np.nan, rows)
    yield "invalid", np.where(moved, -np.inf, rows)


def grow_words(rows: Sequence[str], step: float) -> Iterator[tuple[str, Rows]]:
    moved, kept = int(step * len(rows)), rows[int(step * len(rows)) :]
    yield "new category", ["new"] * moved + list(kept)
    yield "rare category", ["w17"] * moved + list(kept)
    yield "missing", [None] * moved + list(kept)
    yield "invalid", [7] * moved + list(kept)


def changes(entry: Entry, kind: str) -> dict[str, list[float]]:
    """Value of the statistic along each growing change that it reads."""
    feature, window = Feature.of(kind, REFERENCE[kind]), WINDOW[kind]
    along: dict[str, list[float]] = {}
    for step in STEPS:
        grown = grow_numbers(np.asarray(window), step) if kind == "numeric" else grow_words(window, step)
        for name, rows in grown:
            # Only quality reads missing and invalid rows: to the others they are fewer rows.
            if entry.over is Quality or name not in {"missing", "invalid"}:
                along.setdefault(name, []).append(feature.value(entry, rows))
    return along


# The checks.


def check_it_is_described(entry: Entry, kind: str) -> None:
    assert REGISTRY[entry.name] is entry
    assert entry.summary.endswith(".")
    assert entry.paper
    if entry.neutral is not None:
        assert is_sound(entry, Estimate(entry.neutral))


def check_examples_in_the_docstring_hold(entry: Entry, kind: str) -> None:
    module = importlib.import_module(entry.compute.__module__)
    test = doctest.DocTestParser().get_doctest(entry.compute.__doc__ or "", vars(module).copy(), entry.name, None, 0)
    assert doctest.DocTestRunner(optionflags=doctest.ELLIPSIS).run(test).failed == 0


def check_it_is_neutral_on_identical_profiles(entry: Entry, kind: str) -> None:
    for rows in (REFERENCE[kind], WINDOW[kind]):
        feature = Feature.of(kind, rows)
        value = feature.value(entry, rows)
        # A figure without neutral value is of the window alone, whatever the reference.
        other = Feature(feature.layout, summarise(feature.layout, rows[:7]))
        assert value == (other.value(entry, rows) if entry.neutral is None else entry.neutral)


def check_it_is_sound_on_degenerate_rows(entry: Entry, kind: str) -> None:
    for reference in odd_rows(kind).values():
        feature = Feature.of(kind, reference)
        for name, rows in odd_rows(kind).items():
            for view in feature.views(summarise(feature.layout, rows)):
                # Called even below rows_min, which is about noise, not about being defined.
                if isinstance(view, entry.over) and view.rows:
                    assert is_sound(entry, entry(view)), name


def check_an_empty_side_is_insufficient(entry: Entry, kind: str) -> None:
    usual, nothing = REFERENCE[kind], REFERENCE[kind][:0]
    assert Feature.of(kind, usual).evaluate(entry, nothing) == "insufficient"
    if entry.over is not Quality:
        assert Feature.of(kind, nothing).evaluate(entry, usual) == "insufficient"


def check_too_few_rows_are_insufficient(entry: Entry, kind: str) -> None:
    feature = Feature.of(kind, REFERENCE[kind])
    assert feature.evaluate(entry, WINDOW[kind][: entry.rows_min - 1]) == "insufficient"
    assert isinstance(feature.evaluate(entry, WINDOW[kind][: entry.rows_min]), Estimate)


def check_order_and_split_of_rows_do_not_matter(entry: Entry, kind: str) -> None:
    feature = Feature.of(kind, REFERENCE[kind])
    rows = np.array(WINDOW[kind])
    whole = feature.evaluate(entry, rows)
    assert feature.evaluate(entry, RNG.permutation(rows)) == whole
    parts: list[Any] = [summarise(feature.layout, part) for part in np.split(rows, [1, 10, 700])]
    merged = parts[2].merge(parts[0]).merge(parts[3].merge(parts[1]))
    assert evaluate(entry, feature.views(merged)) == whole


def check_what_it_reads_stays_as_it_is(entry: Entry, kind: str) -> None:
    feature = Feature.of(kind, REFERENCE[kind])
    window = summarise(feature.layout, WINDOW[kind])
    before = repr((feature.reference.plain(), window.plain(), feature.layout.plain()))
    first = evaluate(entry, feature.views(window))
    assert repr((feature.reference.plain(), window.plain(), feature.layout.plain())) == before
    assert evaluate(entry, feature.views(window)) == first


def check_it_does_not_fall_as_a_change_grows(entry: Entry, kind: str) -> None:
    sign = -1.0 if entry.worse == "lower" else 1.0
    for name, values in changes(entry, kind).items():
        badness = [abs(value - entry.neutral) if entry.worse == "away" else sign * value for value in values]
        # 1e-6: sums are kept in steps of 2**-20 standard deviations.
        assert min(np.diff(badness)) >= -1e-6, (name, values)


def check_it_sees_some_change(entry: Entry, kind: str) -> None:
    assert any(abs(values[-1] - values[0]) > 0.4 for values in changes(entry, kind).values())


CHECKS: list[Callable[[Entry, str], None]] = [
    check_it_is_described,
    check_examples_in_the_docstring_hold,
    check_it_is_neutral_on_identical_profiles,
    check_it_is_sound_on_degenerate_rows,
    check_an_empty_side_is_insufficient,
    check_too_few_rows_are_insufficient,
    check_order_and_split_of_rows_do_not_matter,
    check_what_it_reads_stays_as_it_is,
    check_it_does_not_fall_as_a_change_grows,
    check_it_sees_some_change,
]


@pytest.mark.parametrize(
    ("entry", "kind"),
    [pytest.param(entry, kind, id=f"{entry.name}-{kind}") for entry in REGISTRY.values() for kind in entry.applies],
)
@pytest.mark.parametrize("check", CHECKS, ids=lambda check: check.__name__)
def test_statistic(check: Callable[[Entry, str], None], entry: Entry, kind: str) -> None:
    check(entry, kind)


@pytest.mark.parametrize("kind", FEATURES)
def test_a_statistic_of_the_other_kind_is_not_applicable(kind: str) -> None:
    feature = Feature.of(kind, REFERENCE[kind])
    foreign = [entry for entry in REGISTRY.values() if kind not in entry.applies]
    assert {feature.evaluate(entry, WINDOW[kind]) for entry in foreign} == {"not_applicable"}


def test_every_statistic_of_the_package_is_registered_once() -> None:
    modules = pkgutil.walk_packages(monitor.statistics.__path__, "monitor.statistics.")
    found = [
        value
        for module in modules
        for value in vars(importlib.import_module(module.name)).values()
        if isinstance(value, Statistic)
    ]
    assert {id(entry) for entry in found} == {id(entry) for entry in REGISTRY.values()}
    assert all(entry.name == name for name, entry in REGISTRY.items())
