"""Evidently's own functions, run in a process of their own as they take seconds and warn, agree on the same rows."""

from __future__ import annotations

import json
import subprocess
import sys

import numpy as np
import pytest

from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Cells
from tests.statistics.samples import categorical, frequency_layout, grid

PROGRAM = """
import json, sys, warnings
warnings.simplefilter("ignore")
import pandas as pd
from evidently.legacy.calculations import stattests
from evidently.legacy.core import ColumnType
rows = json.load(sys.stdin)
words = [pd.Series(rows[name], dtype=object) for name in ("reference_words", "current_words")]
numbers = [pd.Series(rows[name], dtype=float) for name in ("reference_numbers", "current_numbers")]
found = {
    name: getattr(stattests, name).func(*words, ColumnType.Categorical, 0.1)[0]
    for name in ("jensenshannon_stat_test", "hellinger_stat_test", "psi_stat_test", "kl_div_stat_test")
}
found |= {
    name: getattr(stattests, name).func(*numbers, ColumnType.Numerical, 0.1)[0]
    for name in ("wasserstein_stat_test", "energy_dist_test")
}
print(json.dumps({name: float(value) for name, value in found.items()}))
"""


@pytest.fixture(scope="module")
def rows() -> dict[str, list[str] | list[float]]:
    random = np.random.default_rng(20261123)
    words = np.array(["PL", "DE", "FR", "ES", "IT"])
    return {
        "reference_words": random.choice(words, 20_000, p=[0.4, 0.3, 0.15, 0.1, 0.05]).tolist(),
        "current_words": random.choice(words, 8_000, p=[0.3, 0.3, 0.2, 0.1, 0.1]).tolist(),
        "reference_numbers": random.normal(10.0, 3.0, 6_000).tolist(),
        "current_numbers": random.normal(10.8, 3.5, 2_000).tolist(),
    }


@pytest.fixture(scope="module")
def evidently(rows: dict[str, list[str] | list[float]]) -> dict[str, float]:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM], input=json.dumps(rows), capture_output=True, text=True, timeout=120, check=True
    )
    found: dict[str, float] = json.loads(done.stdout.splitlines()[-1])
    return found


def test_distances_of_categories_are_evidently_s(rows: dict[str, list[str]], evidently: dict[str, float]) -> None:
    layout = frequency_layout(rows["reference_words"])
    reference, current = (categorical(layout, rows[name]).counts for name in ("reference_words", "current_words"))
    cells = Cells.of(np.arange(layout.cells), reference, current, ordered=False)
    assert REGISTRY["jensen_shannon"](cells).value == pytest.approx(evidently["jensenshannon_stat_test"], abs=1e-9)
    assert REGISTRY["hellinger"](cells).value == pytest.approx(evidently["hellinger_stat_test"], abs=1e-9)
    # Half a row in each cell, where Evidently fills only empty ones, moves these in the third digit.
    assert REGISTRY["psi"](cells).value == pytest.approx(evidently["psi_stat_test"], rel=0.02)
    assert REGISTRY["kl"](cells).value == pytest.approx(evidently["kl_div_stat_test"], rel=0.02)


def test_distances_of_numbers_lie_within_our_bounds(rows: dict[str, list[float]], evidently: dict[str, float]) -> None:
    reference, current = (np.array(rows[name]) for name in ("reference_numbers", "current_numbers"))
    view = grid(reference, current)
    wasserstein, energy = REGISTRY["wasserstein"](view), REGISTRY["energy"](view)
    assert wasserstein.lower is not None
    assert wasserstein.upper is not None
    assert wasserstein.lower <= evidently["wasserstein_stat_test"] <= wasserstein.upper
    assert energy.lower is not None
    assert energy.upper is not None
    # Evidently's energy distance is in the root of the feature's own unit.
    assert energy.lower <= evidently["energy_dist_test"] / np.sqrt(reference.std()) <= energy.upper
