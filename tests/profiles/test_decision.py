"""Decision cells: few, of nearly equal mass, and a tally that no row is missing from."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.profiles.decision import CELLS, INVALID, MISSING, UNUSUAL, WIDTH, DecisionCells, bins, cells_of, runs
from monitor.profiles.layout import CategoricalLayout, NumericLayout
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from tests.profiles.rows import SCHEMA, predictions

COUNTS = st.lists(st.integers(0, 1_000), min_size=1, max_size=300)


@given(counts=COUNTS, cells=st.integers(1, 20))
@settings(max_examples=200)
def test_runs_are_neighbours_and_no_run_exceeds_its_part_by_more_than_one_entry(counts: list[int], cells: int) -> None:
    found = runs(np.array(counts), cells).tolist()
    assert found[0] == 0
    assert all(after - before in (0, 1) for before, after in pairwise(found))
    assert len(set(found)) <= cells
    for run in set(found):
        members = [count for count, at in zip(counts, found, strict=True) if at == run]
        # Middles of a run's entries lie within one part; half an entry may stick out at either end.
        assert sum(members) <= sum(counts) / cells + (members[0] + members[-1]) / 2 + 1e-9


@given(counts=COUNTS, cells=st.integers(1, 20))
@settings(max_examples=200)
def test_bins_balance(counts: list[int], cells: int) -> None:
    found = bins(np.array(counts), cells)
    held = np.bincount(found, weights=np.maximum(counts, 1))
    assert len(held) == min(cells, len(counts))
    assert held.min() >= 1
    # What went last into the fullest bin found it emptier than any other: no two differ by more than its last entry.
    fullest = int(held.argmax())
    smallest_there = min(max(count, 1) for count, at in zip(counts, found.tolist(), strict=True) if at == fullest)
    assert held.max() - held.min() <= smallest_there or (found == fullest).sum() == 1


def test_equal_cells_make_equal_runs_and_bins() -> None:
    assert np.bincount(runs(np.full(240, 7), 20)).tolist() == [12] * 20
    assert np.bincount(bins(np.full(240, 7), 20)).tolist() == [12] * 20


def test_a_frequent_value_is_alone() -> None:
    assert runs(np.array([10, 10, 500, 10, 10]), 5).tolist() == [0, 0, 1, 2, 2]
    found = bins(np.array([500, 10, 10, 10]), 2)
    assert found.tolist() == [0, 1, 1, 1]


def test_unusual_cells_belong_to_none() -> None:
    numeric = NumericLayout(np.array([0.0, 1.0, 2.0]), 0.0, 1.0)
    assert cells_of(numeric, np.array([0, 5, 5, 0])).tolist() == [-1, 0, 1, -1]
    categorical = CategoricalLayout(("a", "b"))
    assert cells_of(categorical, np.array([5, 5, 0])).tolist() == [0, 1, -1]
    assert cells_of(CategoricalLayout(()), np.array([0])).tolist() == [-1]


@given(seed=st.integers(0, 2**32), rows=st.integers(0, 300), shift=st.floats(-5.0, 5.0))
@settings(max_examples=30, deadline=None)
def test_a_tally_holds_every_row_once(seed: int, rows: int, shift: float) -> None:
    random = np.random.default_rng(seed)
    reference = Reference.build(SCHEMA, predictions(np.random.default_rng(1), 2_000), None)
    batch = predictions(random, rows, shift=shift)
    profile = Profile.empty(reference.layout)
    profile.fold(batch)
    tally = reference.cells.tally(profile)
    assert tally.shape == (len(reference.layout.features), WIDTH)
    assert (tally.sum(axis=1) == rows).all()
    place = list(reference.layout.features).index("amount")
    values = batch.features["amount"].values  # type: ignore[union-attr]
    low, high = reference.layout.features["amount"].edges[[0, -1]]  # type: ignore[union-attr]
    assert tally[place, UNUSUAL] == ((values < low) | (values >= high)).sum()
    age = batch.features["age"].state  # type: ignore[union-attr]
    place = list(reference.layout.features).index("age")
    assert tally[place, [MISSING, INVALID]].tolist() == [(age == 1).sum(), (age == 2).sum()]


def test_the_cells_of_a_reference_are_of_nearly_equal_mass() -> None:
    profile = Reference.build(SCHEMA, predictions(np.random.default_rng(1), 5_000), None).profile
    tally = DecisionCells.of(profile).tally(profile)
    amount = list(profile.features).index("amount")
    assert tally[amount, :CELLS] == pytest.approx(np.full(CELLS, 250), abs=25)
