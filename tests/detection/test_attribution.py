"""The cells that a difference consists of: their parts, shares and names."""

from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.detection.attribution import CELLS_SHOWN, moved
from monitor.detection.records import Verdict
from monitor.detection.sentences import describe_drift
from monitor.profiles.decision import CELLS
from monitor.profiles.layout import CategoricalLayout, NumericLayout
from monitor.windows.window import Window

NUMBERS = NumericLayout(np.array([0.0, 10.0, 20.0, 45.0, 90.0]), 30.0, 20.0)
"""Below, four cells, above."""

RUNS = np.array([-1, 0, 0, 1, 2, -1])


def padded(values: list[float]) -> np.ndarray:
    return np.array(values + [0.0] * (CELLS - len(values)))


def test_cells_are_named_by_their_values_and_the_greatest_part_comes_first() -> None:
    found = moved(NUMBERS, RUNS, padded([0.5, 0.3, 0.2]), padded([50, 10, 40]))
    assert [cell.cell for cell in found] == ["20 to 45", "45 to 90"]
    assert [(cell.usual, cell.now) for cell in found] == [(0.3, 0.1), (0.2, 0.4)]


def test_categories_are_named_and_rarer_ones_told_in_one_word() -> None:
    layout = CategoricalLayout(("a", "b", "c", "d", "e", "f"), ("rare", "rarer"))
    groups = np.array([0, 1, 2, 2, 2, 2, 2, 2, -1])
    found = moved(layout, groups, padded([0.6, 0.3, 0.1]), padded([30, 30, 40]))
    assert {cell.cell for cell in found} == {"c, d, e, 1 more, rarer ones", "a"}


@given(
    usual=st.lists(st.floats(0.01, 1.0), min_size=3, max_size=CELLS),
    rows=st.lists(st.integers(0, 1000), min_size=3, max_size=CELLS),
)
def test_parts_are_those_of_the_divergence_worked_out_by_hand(usual: list[float], rows: list[int]) -> None:
    cells = min(len(usual), len(rows))
    p = [share / sum(usual[:cells]) for share in usual[:cells]]
    total = sum(rows[:cells])
    if total == 0:
        return
    q = [count / total for count in rows[:cells]]

    def part(a: float, b: float) -> float:
        m = (a + b) / 2
        return sum(x * math.log(x / m) for x in (a, b) if x > 0)

    parts = sorted((part(a, b) for a, b in zip(p, q, strict=True)), reverse=True)
    if sum(parts) < 1e-9:
        return
    layout = NumericLayout(np.arange(cells + 1.0), 0.0, 1.0)
    groups = np.array([-1, *range(cells), -1])
    found = moved(layout, groups, padded(p), padded([float(count) for count in rows[:cells]]))
    expected = [each / sum(parts) for each in parts[:CELLS_SHOWN]]
    assert [cell.part for cell in found] == pytest.approx(expected[: len(found)], abs=1e-6)


def test_an_incident_says_where_its_worst_feature_moved() -> None:
    window = Window(3_600_000, "m", "1", "", 0)
    cells = moved(NUMBERS, RUNS, padded([0.5, 0.3, 0.2]), padded([50, 10, 40]))
    said = describe_drift([Verdict(window, "age", 100, "drifting", 0.31, moved=cells)])
    assert said == "age (effect 0.31) drifted; of age, 20 to 45 went from 30% of rows to 10%"
