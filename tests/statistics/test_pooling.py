"""Coarser cells: every row goes somewhere, neighbours stay neighbours, and no cell is left too small."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.statistics.pooling import TARGETS, Grouping, groupings

COUNTS = st.lists(st.one_of(st.just(0), st.integers(0, 5), st.integers(0, 10**9)), min_size=1, max_size=20)


def ways(counts: list[int], ordered: bool) -> Grouping:
    return groupings(np.array([counts], dtype=np.int64), np.array([ordered]))


@given(counts=COUNTS, ordered=st.booleans())
@settings(max_examples=300)
def test_groups_hold_all_rows_and_are_as_many_as_are_said(counts: list[int], ordered: bool) -> None:
    found = ways(counts, ordered)
    coarser = TARGETS if len(counts) > 2 else ()  # Of two cells, there is no other way than both.
    assert found.number == 1 + len(coarser)
    for way, target in enumerate((len(counts), *coarser)):
        groups = found.groups[way, 0].tolist()
        members: dict[int, list[int]] = {}
        for cell, group in enumerate(groups):
            members.setdefault(group, []).append(cell)
        held = [sum(counts[cell] for cell in members[group]) for group in sorted(members)]
        assert sorted(members) == list(range(len(members)))
        assert sum(held) == sum(counts)
        assert found.cells[way, 0] == len(members) <= max(target, 1)
        assert min(held) > 0 or len(held) == 1
        if sum(counts):
            assert found.least[way, 0] == pytest.approx(min(held) / sum(counts))
            assert (len(held) > 1) == (np.count_nonzero(counts) > 1)
            if way and len(held) > 2:
                assert min(held) >= 0.25 * sum(counts) / target
        if ordered:
            assert all(cells == list(range(cells[0], cells[-1] + 1)) for cells in members.values())
        merged = found.merge(np.array([way]), np.array([counts], dtype=np.float64))[0]
        assert merged.tolist() == held + [0.0] * (len(counts) - len(held))
        assert (np.array([counts]) @ found.matrix(way)[0]).tolist() == [merged.tolist()]


def test_the_finest_way_keeps_every_cell_that_has_rows() -> None:
    assert ways([5, 1, 9, 1], ordered=True).groups[0, 0].tolist() == [0, 1, 2, 3]
    assert ways([5, 1, 9, 1], ordered=False).groups[0, 0].tolist() == [0, 1, 2, 3]
    # The empty one joins the neighbour with fewer rows, or the smallest of all.
    assert ways([5, 0, 9, 1], ordered=True).groups[0, 0].tolist() == [0, 0, 1, 2]
    assert ways([5, 0, 9, 1], ordered=False).groups[0, 0].tolist() == [0, 2, 1, 2]


def test_equal_cells_are_halved_and_quartered() -> None:
    found = ways([100] * 20, ordered=True)
    sizes = [np.bincount(found.groups[way, 0]).tolist() for way in range(found.number)]
    assert sizes[:3] == [[1] * 20, [1] * 20, [2] * 10]
    assert sizes[4] == [4] * 5
    assert sizes[5] == [5] * 4


@pytest.mark.parametrize("ordered", [True, False])
def test_one_value_with_nearly_all_rows_is_told_from_the_others(ordered: bool) -> None:
    """Of a million rows 900,000 are one value."""
    counts = [5_263] * 10 + [900_000] + [5_263] * 9
    found = ways(counts, ordered)
    for way in range(found.number):
        groups = found.groups[way, 0]
        assert (groups == groups[10]).sum() == 1 or found.cells[way, 0] <= 2
        assert found.cells[way, 0] >= 2


def test_a_constant_feature_and_one_without_values_have_one_cell() -> None:
    found = groupings(np.array([[0, 70, 0], [0, 0, 0]], dtype=np.int64), np.array([True, False]))
    assert (found.cells == 1).all()
    assert (found.least == 1.0).all()
    assert (found.groups == 0).all()


def test_no_streams_have_no_groups() -> None:
    found = groupings(np.zeros((0, 20), dtype=np.int64), np.zeros(0, dtype=np.bool_))
    assert found.groups.shape == (1 + len(TARGETS), 0, 20)
    assert found.matrix(0).shape == (0, 20, 20)
    assert found.merge(np.zeros(0, dtype=np.int64), np.zeros((0, 20))).shape == (0, 20)
