"""Evidently's own functions on the same rows: its numbers in compatibility mode, and our statistics beside them."""

from __future__ import annotations

import numpy as np
import pytest

from monitor.statistics import evidently
from monitor.statistics.registry import REGISTRY
from monitor.statistics.views import Cells
from tests.statistics import evidently_oracle as oracle
from tests.statistics.evidently_oracle import SHAPES, Pair, Rows
from tests.statistics.samples import categorical, frequency_layout, grid

SIZES = [(1, 1), (2, 3), (60, 50), (1_000, 300), (1_001, 300), (1_000, 1_000), (3_000, 20), (20_000, 7_000)]
KINDS = {"num": "numeric", "cat": "categorical"}


@pytest.fixture(scope="module")
def pairs() -> list[Pair]:
    """Every shape in every size; the two that the tests of our own statistics read come first."""
    random = np.random.default_rng(20261123)
    words = np.array(["PL", "DE", "FR", "ES", "IT"], dtype=object)
    countries = (
        random.choice(words, 20_000, p=[0.4, 0.3, 0.15, 0.1, 0.05]),
        random.choice(words, 8_000, p=[0.3, 0.3, 0.2, 0.1, 0.1]),
    )
    numbers = (random.normal(10.0, 3.0, 6_000), random.normal(10.8, 3.5, 2_000))
    return [countries, numbers, *(oracle.samples(shape, m, n, random) for shape in SHAPES for m, n in SIZES)]


@pytest.fixture(scope="module")
def for_reports() -> list[Pair]:
    """On either side of the rule of 1,000 rows: numbers, of which 200 or so are missing and do not count, and words."""
    random = np.random.default_rng(1)
    sizes = {"gaps": (1_100, 1_600), "five words": (1_000, 1_001)}
    return [oracle.samples(shape, m, 400, random) for shape, both in sizes.items() for m in both]


@pytest.fixture(scope="module")
def answer(pairs: list[Pair], for_reports: list[Pair]) -> tuple[list[oracle.Said], list[oracle.Report]]:
    return oracle.ask(pairs, for_reports)


@pytest.fixture(scope="module")
def said(answer: tuple[list[oracle.Said], list[oracle.Report]]) -> list[oracle.Said]:
    return answer[0]


def scores(said: oracle.Said) -> dict[str, float]:
    return {name: score for name, score, _ in said.tests if isinstance(score, float)}


def infer(current: Rows) -> str:
    try:
        return evidently.kind_of(current)
    except ValueError:
        return "text"


def test_kinds_are_inferred_as_evidently_does(pairs: list[Pair], said: list[oracle.Said]) -> None:
    found = [infer(current) for _, current in pairs]
    assert found == [KINDS.get(each.kind, each.kind) for each in said]
    assert set(found) == {"numeric", "categorical", "text"}


def test_the_default_test_and_its_verdict_are_evidently_s(pairs: list[Pair], said: list[oracle.Said]) -> None:
    chosen = set()
    for pair, each in zip(pairs, said, strict=True):
        if each.kind == "text":
            continue
        name, score, drifted = each.default
        chosen.add(name)
        got = evidently.default_drift(*pair)
        assert (got.name, got.drifted) == (name, drifted)
        assert got.score == pytest.approx(score, rel=1e-9, abs=1e-9)
    assert chosen == {"ks", "chisquare", "z", "wasserstein", "jensenshannon"}


@pytest.mark.parametrize("name", evidently.TESTS)
def test_scores_and_verdicts_are_evidently_s(name: str, pairs: list[Pair], said: list[oracle.Said]) -> None:
    drifted = []
    for pair, each in zip(pairs, said, strict=True):
        for theirs in [test for test in each.tests if test[0] == name]:
            ours = evidently.drift(name, evidently.Samples.of(*pair))
            assert ours.score == pytest.approx(theirs[1], rel=1e-9, abs=1e-9, nan_ok=True)
            assert ours.drifted == theirs[2]
            drifted.append(ours.drifted)
    assert len(drifted) > 30
    assert set(drifted) == {True, False}


def test_a_report_without_settings_says_the_same(
    for_reports: list[Pair], answer: tuple[list[oracle.Said], list[oracle.Report]]
) -> None:
    """The public way in."""
    names = ["K-S p_value", "Wasserstein distance (normed)", "chi-square p_value", "Jensen-Shannon distance"]
    assert [report.method for report in answer[1]] == names
    for pair, report in zip(for_reports, answer[1], strict=True):
        got = evidently.default_drift(*pair)
        assert got.score == pytest.approx(report.score, rel=1e-9, abs=1e-9)
        distance = report.threshold == 0.1
        assert got.drifted == (report.score >= report.threshold if distance else report.score < report.threshold)


def test_a_p_value_that_is_the_threshold_is_drift_for_ks_alone() -> None:
    limits = {"ks": (0.05, True), "chisquare": (0.05, False), "z": (0.05, False)}
    limits |= dict.fromkeys(("psi", "kl_div", "jensenshannon", "hellinger", "wasserstein"), (0.1, True))
    for name, (limit, drifted) in limits.items():
        assert evidently.TESTS[name].drifted(limit) is drifted


@pytest.mark.parametrize("gaps", [np.array([np.nan, np.inf]), np.array([None, np.nan], dtype=object), np.array([])])
def test_a_sample_without_a_value_is_refused(gaps: Rows) -> None:
    with pytest.raises(ValueError, match="current sample holds no value"):
        evidently.default_drift(np.array([1.0]), gaps, "numeric")


def test_distances_of_categories_are_evidently_s(pairs: list[Pair], said: list[oracle.Said]) -> None:
    words, theirs = [side.tolist() for side in pairs[0]], scores(said[0])
    layout = frequency_layout(words[0])
    reference, current = (categorical(layout, side).counts for side in words)
    cells = Cells.of(np.arange(layout.cells), reference, current, ordered=False)
    assert REGISTRY["jensen_shannon"](cells).value == pytest.approx(theirs["jensenshannon"], abs=1e-9)
    assert REGISTRY["hellinger"](cells).value == pytest.approx(theirs["hellinger"], abs=1e-9)
    # Half a row in each cell, where Evidently fills only empty ones, moves these in the third digit.
    assert REGISTRY["psi"](cells).value == pytest.approx(theirs["psi"], rel=0.02)
    assert REGISTRY["kl"](cells).value == pytest.approx(theirs["kl_div"], rel=0.02)


def test_distances_of_numbers_lie_within_our_bounds(pairs: list[Pair], said: list[oracle.Said]) -> None:
    reference, current = pairs[1]
    theirs = scores(said[1])
    view = grid(reference, current)
    wasserstein, energy = REGISTRY["wasserstein"](view), REGISTRY["energy"](view)
    assert wasserstein.lower is not None
    assert wasserstein.upper is not None
    assert wasserstein.lower <= theirs["wasserstein"] <= wasserstein.upper
    assert energy.lower is not None
    assert energy.upper is not None
    # Evidently's energy distance is in the root of the feature's own unit.
    assert energy.lower <= theirs["ed"] / np.sqrt(reference.std()) <= energy.upper
