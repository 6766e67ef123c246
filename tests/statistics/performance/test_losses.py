"""Bounded losses are sums of what each row lost, whatever is folded, merged or taken out again."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pytest

from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.statistics.performance import Loss, losses

BINARY = OutcomeLayout("binary", ("no", "yes"), "yes")
MULTICLASS = OutcomeLayout("multiclass", ("a", "b", "c"))
REGRESSION = OutcomeLayout("regression", centre=5.0, scale=2.0)


def outcome_of(layout: OutcomeLayout, pairs: Pairs) -> Outcome:
    outcome = Outcome.empty(layout)
    outcome.fold(layout, pairs)
    return outcome


def binary(seed: int, rows: int = 1_000, *, decided: bool = True) -> tuple[Pairs, Mapping[str, tuple[int, float]]]:
    """Pairs, and what a loop over them counts; a tenth have no score, another no decision."""
    random = np.random.default_rng(seed)
    truth, decision, score = random.random(rows) < 0.2, random.random(rows) < 0.3, random.random(rows)
    score[random.random(rows) < 0.1] = np.nan
    codes = np.where(random.random(rows) < 0.1, -1, decision).astype(np.int32)
    names = ("no", "yes")
    prediction = CategoricalColumn(codes, names) if decided else None
    known = codes >= 0
    wrong = known & (codes != truth)
    squares = (score - truth)[np.isfinite(score)] ** 2
    pairs = Pairs(prediction, {"yes": NumericColumn.of(score)}, CategoricalColumn(truth.astype(np.int32), names))
    return pairs, {
        "error_rate": (known.sum(), wrong.sum()),
        "false_negative_rate": ((known & truth).sum(), (wrong & truth).sum()),
        "false_positive_rate": ((known & ~truth).sum(), (wrong & ~truth).sum()),
        "brier": (len(squares), squares.sum()),
    }


def assert_equal(found: Mapping[str, Loss], expected: Mapping[str, tuple[int, float]]) -> None:
    assert found.keys() == expected.keys()
    for name, (labels, total) in expected.items():
        assert found[name].labels == labels
        assert found[name].total == pytest.approx(total, abs=labels * 2**-20)


def test_losses_of_a_binary_task_are_those_of_its_rows() -> None:
    pairs, expected = binary(1)
    outcome = outcome_of(BINARY, pairs)
    assert_equal(losses(outcome, outcome), expected)


def test_a_reference_without_decisions_leaves_the_scores_to_follow() -> None:
    reference = outcome_of(BINARY, binary(1, decided=False)[0])
    pairs, expected = binary(2)
    assert_equal(losses(outcome_of(BINARY, pairs), reference), {"brier": expected["brier"]})
    nothing = Outcome.empty(BINARY)
    assert losses(nothing, nothing) == {}
    assert losses(nothing, reference) == {"brier": Loss(0, 0.0)}


def test_losses_of_a_multiclass_task_are_those_of_its_rows() -> None:
    random = np.random.default_rng(3)
    truth, guess = random.integers(0, 4, 500), random.integers(0, 3, 500)
    scores = random.dirichlet((1, 1, 1), 500)
    names = ("a", "b", "c", "new")
    columns = {name: NumericColumn.of(scores[:, place]) for place, name in enumerate("abc")}
    label = CategoricalColumn(truth.astype(np.int32), names)
    outcome = outcome_of(MULTICLASS, Pairs(CategoricalColumn(guess.astype(np.int32), names), columns, label))
    squares = ((scores - (truth[:, None] == np.arange(3))) ** 2).sum(axis=1) + (truth == 3)
    expected = {"error_rate": (500, (truth != guess).sum()), "half_brier": (500, squares.sum() / 2)}
    assert_equal(losses(outcome, outcome), expected)


def regression(errors: np.ndarray) -> Pairs:
    label = np.linspace(0, 10, len(errors))
    return Pairs(NumericColumn.of(label + errors), {}, NumericColumn.of(label))


@pytest.mark.parametrize("size", [1e-4, 0.03, 2.0, 500.0])
def test_large_errors_are_the_largest_tenth_of_the_references_whatever_their_unit(size: float) -> None:
    random = np.random.default_rng(4)
    reference = outcome_of(REGRESSION, regression(random.normal(0, size, 20_000)))
    ours = losses(reference, reference)["large_error_rate"]
    assert ours.labels == 20_000
    # A cell is a fourth of an octave wide: of normal errors beyond 1.64 to 1.96 standard deviations.
    assert 0.049 <= ours.total / 20_000 <= 0.1
    wider = outcome_of(REGRESSION, regression(random.normal(0, 1.5 * size, 20_000)))
    found = losses(wider, reference)["large_error_rate"]
    assert 0.18 < found.total / found.labels < 0.28


@pytest.mark.parametrize("constant", [0.0, 1.0])
def test_errors_that_are_all_alike_have_no_large_ones_but_larger_ones_are(constant: float) -> None:
    reference = outcome_of(REGRESSION, regression(np.full(100, constant)))
    assert losses(reference, reference)["large_error_rate"] == Loss(100, 0.0)
    worse = outcome_of(REGRESSION, regression(np.full(40, constant + 1.0)))
    assert losses(worse, reference)["large_error_rate"] == Loss(40, 40.0)


def test_losses_add_up_and_are_taken_out_exactly() -> None:
    for layout, one, other in (
        (BINARY, binary(5)[0], binary(6)[0]),
        (REGRESSION, *(regression(np.random.default_rng(seed).normal(size=700)) for seed in (7, 8))),
    ):
        both = outcome_of(layout, one).merge(outcome_of(layout, other))
        reference = outcome_of(layout, one)
        for name, loss in losses(both, reference).items():
            parts = [losses(outcome_of(layout, pairs), reference)[name] for pairs in (one, other)]
            assert loss == Loss(*map(sum, zip(*parts, strict=True)))
        both.retract(layout, other)
        assert losses(both, reference) == losses(reference, reference)
