"""Evidently's own code on pairs of raw samples, in a process of its own as it takes seconds to import and warns."""

from __future__ import annotations

import json
import pickle
import subprocess
import sys
from collections.abc import Sequence
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

Rows = NDArray[Any]
Pair = tuple[Rows, Rows]
"""Reference and current: float64, int64, bool or object (strings and None)."""

Test = tuple[str, float | str, bool | None]

_PROGRAM = """
import json, pickle, sys, warnings
warnings.simplefilter("ignore")
import numpy as np, pandas as pd
from evidently.core.datasets import infer_column_type
from evidently.legacy.calculations import stattests
from evidently.legacy.calculations.stattests.registry import get_stattest

names, pairs, for_reports = pickle.load(sys.stdin.buffer)

def present(rows):  # As get_one_column_drift does, whose plots take a second a feature.
    return pd.Series(rows).replace([-np.inf, np.inf], np.nan).dropna()

def result(test, reference, current, kind):
    try:
        done = test(present(reference), present(current), kind, None)
    except Exception as error:
        return [test.name, type(error).__name__, None]
    return [test.name, float(done.drift_score), bool(done.drifted)]

def tested(reference, current):
    kind = infer_column_type(pd.Series(current))
    default = get_stattest(present(reference), present(current), kind, None)
    tests = [getattr(stattests, name) for name in names]
    tests = [test for test in tests if kind in test.allowed_feature_types]
    return [kind.value, *(result(test, reference, current, kind) for test in [default, *tests])]

def reported(reference, current):
    from evidently import Report
    from evidently.metrics import ValueDrift
    frames = [pd.DataFrame({"x": rows}) for rows in (current, reference)]
    metric = Report([ValueDrift(column="x")]).run(*frames).dict()["metrics"][0]
    return [metric["config"]["method"], float(metric["value"]), metric["config"]["threshold"]]

print(json.dumps([[tested(*pair) for pair in pairs], [reported(*pair) for pair in for_reports]]))
"""

_MEMBERS = (
    "psi_stat_test",
    "kl_div_stat_test",
    "jensenshannon_stat_test",
    "hellinger_stat_test",
    "wasserstein_stat_test",
    "ks_stat_test",
    "chi_stat_test",
    "z_stat_test",
    "energy_dist_test",
)


class Said(NamedTuple):
    """Evidently's kind of a pair, its default test and every test that it allows for the kind.

    A test: its name, score and whether that is drift; or its name, the name of what it raised and None.
    """

    kind: str
    default: Test
    tests: list[Test]


class Report(NamedTuple):
    """Of a pair, with no setting."""

    method: str
    score: float
    threshold: float


def ask(pairs: Sequence[Pair], for_reports: Sequence[Pair] = ()) -> tuple[list[Said], list[Report]]:
    """What Evidently's functions say of each pair, 10 ms a pair; and its report on each of others, half a second."""
    given = pickle.dumps((_MEMBERS, list(pairs), list(for_reports)))
    command = [sys.executable, "-c", _PROGRAM]
    done = subprocess.run(command, input=given, capture_output=True, timeout=240, check=True)
    found, reports = json.loads(done.stdout.splitlines()[-1])
    said = [Said(kind, tuple(default), [tuple(test) for test in tests]) for kind, default, *tests in found]
    return said, [Report(*report) for report in reports]


def samples(shape: str, m: int, n: int, rng: np.random.Generator) -> Pair:
    """Rows of one of SHAPES, the current ones a little or much moved."""
    move = rng.choice([0.0, 0.2, 1.0])
    return SHAPES[shape](m, 0.0, rng), SHAPES[shape](n, move, rng)


def _words(share: Sequence[float], rows: int, move: float, rng: np.random.Generator) -> Rows:
    weights = np.asarray(share) ** (1.0 - move / 2)
    names = np.array([f"word {place}" for place in range(len(share))])
    return rng.choice(names, rows, p=weights / weights.sum()).astype(object)


def _with_gaps(rows: int, move: float, rng: np.random.Generator) -> Rows:
    values = rng.normal(move, 1.0, rows)
    values[1:][rng.random(rows - 1) < 0.2] = np.nan
    values[1:][rng.random(rows - 1) < 0.05] = np.inf
    return values


def _words_with_gaps(rows: int, move: float, rng: np.random.Generator) -> Rows:
    words = _words([0.5, 0.3, 0.1, 0.1], rows, move, rng)
    words[1:][rng.random(rows - 1) < 0.2] = None
    return words


SHAPES = {
    "normal": lambda rows, move, rng: rng.normal(move, 1.0, rows),
    "lognormal": lambda rows, move, rng: rng.lognormal(move, 1.5, rows),
    "heavy": lambda rows, move, rng: rng.standard_t(1.1, rows) + move,
    "far from 0": lambda rows, move, rng: 1e6 + 1e-4 * rng.normal(move, 1.0, rows),
    "rounded": lambda rows, move, rng: np.round(rng.normal(move, 1.0, rows), 1),
    "atom": lambda rows, move, rng: np.where(rng.random(rows) < 0.7, 0.0, rng.exponential(1.0 + move, rows)),
    "two floats": lambda rows, move, rng: (rng.random(rows) < 0.3 + 0.2 * move).astype(float),
    "four floats": lambda rows, move, rng: rng.binomial(3, 0.3 + 0.2 * move, rows) / 4,
    "twenty floats": lambda rows, move, rng: (rng.integers(20, size=rows) + int(5 * move)) / 4,
    "twenty-one floats": lambda rows, move, rng: (rng.integers(21, size=rows) + int(5 * move)) / 4,
    "one float": lambda rows, move, rng: np.full(rows, 3.5 + move),
    "gaps": _with_gaps,
    "two integers": lambda rows, move, rng: rng.binomial(1, 0.3 + 0.2 * move, rows),
    "few integers": lambda rows, move, rng: rng.poisson(1.0 + move, rows).clip(max=9),
    "many integers": lambda rows, move, rng: rng.poisson(40.0 + 4 * move, rows),
    "ages": lambda rows, move, rng: rng.integers(18, 40 + int(5 * move), rows),
    "booleans": lambda rows, move, rng: rng.random(rows) < 0.3 + 0.2 * move,
    "two words": lambda rows, move, rng: _words([0.8, 0.2], rows, move, rng),
    "five words": lambda rows, move, rng: _words([0.4, 0.3, 0.15, 0.1, 0.05], rows, move, rng),
    "many words": lambda rows, move, rng: _words(1.0 / np.arange(1, 41), rows, move, rng),
    "words with gaps": _words_with_gaps,
}
