"""Estimates without labels are what draws of the labels give on average, and what a pass over rows gives."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
import sklearn.metrics as sk
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.special import expit, softmax
from scipy.stats import rankdata

from monitor.events.batch import Pairs
from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import BinaryOutcome
from monitor.profiles.predicted import PredictedScores
from monitor.profiles.score_cells import CLASS_SCORE_CELLS, SCORE_CELLS
from monitor.statistics.performance.estimate import _BINARY, ESTIMATED, Estimator, Expected
from monitor.statistics.performance.likelihood import Likelihood
from tests.statistics.performance.populations import (
    BINARY,
    REGRESSION,
    THRESHOLD,
    Figure,
    Floats,
    Ints,
    binary,
    classes_of,
    multiclass,
    regression,
    typical_binary,
    typical_multiclass,
)

METRICS = ESTIMATED["binary"]
CALIBRATED = typical_binary(60_000, 0).outcome()
LARGE = typical_binary(1_000_000, 5).outcome()


def in_cells(score: Floats) -> Floats:
    """The score that stands for each row's cell: on these, cells lose nothing."""
    return SCORE_CELLS.middles[SCORE_CELLS.place(score)]


def held(score: Floats, decision: Ints | None = None) -> PredictedScores:
    """decision: -1 none, 0 negative, 1 positive; by THRESHOLD unless given."""
    answer = (score >= THRESHOLD).astype(np.int64) if decision is None else decision
    counts = np.zeros((3, SCORE_CELLS.count + 2), dtype=np.int64)
    np.add.at(counts, (answer + 1, SCORE_CELLS.place(score)), 1)
    return PredictedScores(counts)


def estimate(scores: PredictedScores, metric: str, reference: Outcome = CALIBRATED) -> Figure:
    status, _, found = Estimator(BINARY, reference).estimates(scores, [metric])[metric]
    assert status == "ok"
    assert found is not None
    assert found.lower is not None
    assert found.upper is not None
    return Figure(*found)


def realised(label: NDArray[np.bool_], score: Floats) -> dict[str, Floats]:
    """Each metric, by its definition on rows, of every row of label: bool[draws, n]; decisions are by THRESHOLD."""
    decision = score >= THRESHOLD
    true_positive, false_negative = label[:, decision].sum(axis=1), label[:, ~decision].sum(axis=1)
    false_positive, true_negative = decision.sum() - true_positive, (~decision).sum() - false_negative
    positives, negatives = label.sum(axis=1), (~label).sum(axis=1)
    distinct, place = np.unique(-score, return_inverse=True)  # The highest first.
    right = np.cumsum(label @ np.eye(len(distinct))[place], axis=1)
    share_right = right / np.cumsum(np.bincount(place))
    gained = np.diff(right, axis=1, prepend=0.0)
    return {
        "accuracy": (true_positive + true_negative) / len(score),
        "precision": true_positive / (true_positive + false_positive),
        "recall": true_positive / positives,
        "specificity": true_negative / negatives,
        "f1": 2 * true_positive / (2 * true_positive + false_positive + false_negative),
        "roc_auc": (label @ rankdata(score) - positives * (positives + 1) / 2) / (positives * negatives),
        "pr_auc": (gained * share_right).sum(axis=1) / positives,
        "log_loss": -np.where(label, np.log(score), np.log1p(-score)).mean(axis=1),
        "brier": ((label - score) ** 2).mean(axis=1),
    }


def draws(chance: Floats, score: Floats, number: int, seed: int) -> dict[str, Floats]:
    """Each metric of labels that are drawn anew again and again."""
    return realised(np.random.default_rng(seed).random((number, len(score))) < chance, score)


def shifted(rows: int, seed: int, base: float) -> Floats:
    """Scores of a population whose base rate is another than the reference's, moved to the cells' own scores."""
    return in_cells(typical_binary(rows, seed, base).scores)


@pytest.mark.parametrize(("rows", "base"), [(120, 0.4), (400, 0.3), (1_000, 0.05)])
@pytest.mark.parametrize("ties", [False, True])
def test_an_estimate_is_the_mean_of_what_drawn_labels_give(rows: int, base: float, ties: bool) -> None:
    score = shifted(rows, 1, base)
    if ties:
        score = in_cells(np.clip(np.round(score, 1), 0.1, 0.9))
    drawn = draws(score, score, 1_500, 2)
    for metric in METRICS:
        mean, deviation = drawn[metric].mean(), drawn[metric].std()
        found = estimate(held(score), metric)
        # What is left is the draws' own error, and that the mean of a ratio is not the ratio of means.
        assert found.value == pytest.approx(mean, abs=5 * deviation / np.sqrt(1_500) + deviation / np.sqrt(rows)), (
            metric
        )


@pytest.mark.parametrize("metric", METRICS)
def test_the_interval_of_a_large_reference_holds_what_19_of_20_draws_give(metric: str) -> None:
    score = shifted(600, 3, 0.3)
    drawn = draws(score, score, 1_000, 4)[metric]
    _, lower, upper = estimate(held(score), metric, LARGE)
    assert 0.93 <= np.mean((drawn >= lower) & (drawn <= upper)) <= 0.97


def test_the_rows_definitions_are_scikit_learns() -> None:
    window = typical_binary(500, 18)
    score = np.round(window.scores, 2)
    found = realised((window.label == 1)[None, :], score)
    decision = (score >= THRESHOLD).astype(np.int64)
    for metric, value in {
        "accuracy": sk.accuracy_score(window.label, decision),
        "precision": sk.precision_score(window.label, decision),
        "recall": sk.recall_score(window.label, decision),
        "specificity": sk.recall_score(window.label, decision, pos_label=0),
        "f1": sk.f1_score(window.label, decision),
        "roc_auc": sk.roc_auc_score(window.label, score),
        "pr_auc": sk.average_precision_score(window.label, score),
        "log_loss": sk.log_loss(window.label, score),
        "brier": sk.brier_score_loss(window.label, score),
    }.items():
        assert found[metric][0] == pytest.approx(value, abs=1e-12), metric


def test_the_interval_holds_the_truth_also_where_the_reference_is_as_small_as_the_window() -> None:
    """Of scores that it has to correct, so that its own error is in every estimate."""
    within = dict.fromkeys(METRICS, 0)
    for seed in range(60):
        window, known = typical_binary(4_000, 1_000 + seed, 0.3), typical_binary(2_000, seed)
        score = np.sqrt(window.scores)
        truth = realised((window.label == 1)[None, :], score)
        estimator = Estimator(BINARY, binary(known.label.astype(np.int64), np.sqrt(known.scores)).outcome())
        for metric, (_, _, found) in estimator.estimates(held(score), METRICS).items():
            assert found is not None
            assert found.lower is not None
            assert found.upper is not None
            within[metric] += bool(found.lower <= truth[metric][0] <= found.upper)
    assert min(within.values()) >= 0.9 * 60, within


def published_roc_auc(chance: Floats, score: Floats) -> float:
    """NannyML's: rates of the expected positives and negatives above each threshold, integrated by trapezoids."""
    thresholds = np.unique(score)[::-1]
    above = score[None, :] >= thresholds[:, None]
    rates = [np.append(0.0, above @ side / side.sum()) for side in (chance, 1.0 - chance)]
    return float(np.trapezoid(rates[0], rates[1]))


@given(rows=st.integers(60, 300), seed=st.integers(0, 2**32), digits=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_roc_auc_is_the_published_one_but_for_a_rows_pairs_with_itself(rows: int, seed: int, digits: int) -> None:
    random = np.random.default_rng(seed)
    score = in_cells(np.round(0.2 + 0.6 * random.random(rows), digits))
    itself = float(np.sum(score * (1.0 - score)))
    pairs = float(score.sum() * (1.0 - score).sum())
    ours = estimate(held(score), "roc_auc").value
    assert (ours * (pairs - itself) + itself / 2) / pairs == pytest.approx(published_roc_auc(score, score), abs=1e-12)


@given(rows=st.integers(60, 300), seed=st.integers(0, 2**32))
@settings(max_examples=60, deadline=None)
def test_decisions_and_losses_are_the_published_sums_over_rows(rows: int, seed: int) -> None:
    chance = in_cells(np.random.default_rng(seed).random(rows))
    positive = chance >= THRESHOLD
    true_positive, false_positive = chance[positive].sum(), (1.0 - chance[positive]).sum()
    false_negative, true_negative = chance[~positive].sum(), (1.0 - chance[~positive]).sum()
    wanted = {
        "accuracy": (true_positive + true_negative) / rows,
        "precision": true_positive / (true_positive + false_positive),
        "recall": true_positive / (true_positive + false_negative),
        "specificity": true_negative / (true_negative + false_positive),
        "f1": 2 * true_positive / (2 * true_positive + false_positive + false_negative),
        "brier": np.mean(chance * (1.0 - chance)),
        "log_loss": -np.mean(chance * np.log(chance) + (1.0 - chance) * np.log(1.0 - chance)),
    }
    found = Estimator(BINARY, CALIBRATED).estimates(held(chance), wanted)
    for metric, value in wanted.items():
        assert found[metric][2] is not None
        assert found[metric][2].value == pytest.approx(value, abs=1e-12), metric


def by_rows(chance: Floats, score: Floats) -> dict[str, float]:
    """Expected pairs and precisions, row by row."""
    order = np.argsort(-score, kind="stable")
    p, s = chance[order], score[order]
    apart = ~np.eye(len(p), dtype=bool)
    wins = (s[:, None] > s[None, :]) + 0.5 * (s[:, None] == s[None, :])
    chances = np.outer(p, 1.0 - p) * apart
    reached = (s[None, :] >= s[:, None]) * apart
    precision = (1.0 + reached @ p) / (1.0 + reached.sum(axis=1))
    return {"roc_auc": float((chances * wins).sum() / chances.sum()), "pr_auc": float(p @ precision / p.sum())}


@given(rows=st.integers(60, 200), seed=st.integers(0, 2**32), digits=st.integers(1, 6))
@settings(max_examples=60, deadline=None)
def test_rankings_are_what_pairs_of_rows_give(rows: int, seed: int, digits: int) -> None:
    score = in_cells(np.round(0.2 + 0.6 * np.random.default_rng(seed).random(rows), digits))
    for metric, value in by_rows(score, score).items():
        assert estimate(held(score), metric).value == pytest.approx(value, abs=1e-12), metric


@pytest.mark.parametrize("metric", METRICS)
def test_a_slope_is_what_one_label_more_adds(metric: str) -> None:
    """The interval of sampling alone, by finite differences of scikit-learn's figure on drawn labels."""
    score = shifted(3_000, 7, 0.3)
    counts = held(score).counts
    assert counts is not None
    sure = replace(Likelihood.of(binary_counts(CALIBRATED), SCORE_CELLS), variance=np.zeros(20))
    window = Expected(counts, sure)
    figure = _BINARY[metric](window)
    assert figure is not None
    drawn = draws(score, score, 800, 8)[metric]
    assert np.sqrt(window.variance(figure[1])) == pytest.approx(drawn.std(), rel=0.1)


def binary_counts(outcome: Outcome) -> NDArray[np.int64]:
    assert isinstance(outcome.summary, BinaryOutcome)
    return outcome.summary.counts


def test_a_window_of_three_scores_is_read_by_score_not_by_decision() -> None:
    score = np.repeat([0.2, 0.5, 0.8], [100, 100, 100])
    assert estimate(held(score), "roc_auc").value == pytest.approx(by_rows(score, score)["roc_auc"], abs=1e-3)


def test_scores_that_mean_something_else_are_corrected_and_covariate_shift_is_followed() -> None:
    """Overconfident scores in the reference; a window of other rows, whose truth is known row by row."""
    random = np.random.default_rng(9)
    logit = random.normal(-0.5, 1.5, 40_000)
    label = (random.random(40_000) < expit(logit)).astype(np.int64)
    reference = binary(label, expit(3.0 * logit)).outcome()
    logit = random.normal(0.5, 1.0, 2_000)
    score = in_cells(expit(3.0 * logit))
    truth = realised_in_expectation(expit(logit), score)
    for metric, tolerance in {"accuracy": 0.01, "roc_auc": 0.01, "brier": 0.01, "log_loss": 0.04, "f1": 0.01}.items():
        assert estimate(held(score), metric, reference).value == pytest.approx(truth[metric], abs=tolerance), metric
    assert estimate(held(score), "accuracy").value > truth["accuracy"] + 0.05, "taken at their word they promise more"


def realised_in_expectation(chance: Floats, score: Floats) -> dict[str, float]:
    return {metric: float(values.mean()) for metric, values in draws(chance, score, 300, 10).items()}


def test_windows_add_up_to_the_estimate_of_all_rows() -> None:
    one, other = shifted(500, 11, 0.2), shifted(700, 12, 0.5)
    merged = held(one).merge(held(other))
    for metric in METRICS:
        assert estimate(merged, metric) == estimate(held(np.append(one, other)), metric)


def test_what_has_no_estimate_says_so() -> None:
    estimator = Estimator(BINARY, CALIBRATED)
    few, none = held(shifted(29, 13, 0.3)), PredictedScores()
    undecided = held(shifted(500, 14, 0.3), np.full(500, -1))
    rare = held(np.full(500, 0.001))

    def said(scores: PredictedScores, metric: str, by: Estimator = estimator) -> str:
        status, _, found = by.estimates(scores, [metric])[metric]
        assert (found is not None) == (status == "ok")
        return status

    assert [said(few, metric) for metric in METRICS] == ["insufficient"] * 9
    assert [said(none, metric) for metric in METRICS] == ["not_applicable"] * 9
    assert [said(undecided, metric) for metric in METRICS] == ["not_applicable"] * 5 + ["ok"] * 4
    assert [said(rare, metric) for metric in ("recall", "f1", "roc_auc", "pr_auc")] == ["insufficient"] * 4
    assert said(held(np.full(500, 0.1)), "precision") == "insufficient", "nothing was decided positive"
    assert said(few, "calibration_error") == "not_applicable"
    label = np.repeat([0, 1], [500, 9])
    for reference in (None, binary(label, np.full(509, 0.5)).outcome(), Outcome.empty(BINARY)):
        assert said(held(shifted(500, 15, 0.3)), "roc_auc", Estimator(BINARY, reference)) == "not_applicable"
    numbers = regression(np.arange(50.0), np.arange(50.0)).outcome()
    assert said(none, "mae", Estimator(REGRESSION, numbers)) == "not_applicable"


def agreed(scores: Floats, guess: Ints) -> PredictedScores:
    counts = np.zeros((scores.shape[1], CLASS_SCORE_CELLS.count + 2), dtype=np.int64)
    np.add.at(counts, (guess, CLASS_SCORE_CELLS.place(scores[np.arange(len(guess)), guess])), 1)
    return PredictedScores(counts)


@pytest.mark.parametrize("sharpness", [1.0, 2.5])
def test_the_accuracy_of_several_classes_is_what_the_predicted_ones_scores_promise(sharpness: float) -> None:
    """Calibrated, and overconfident; in a window where one class has become frequent."""
    random = np.random.default_rng(16)

    def rows(number: int, centre: Floats) -> tuple[Ints, Floats, Floats]:
        logits = random.normal(centre, 1.2, (number, 4))
        chances = softmax(logits, axis=1)
        label = (random.random((number, 1)) > chances.cumsum(axis=1)).sum(axis=1)
        return np.minimum(label, 3), softmax(sharpness * logits, axis=1), chances

    label, scores, _ = rows(40_000, np.zeros(4))
    population = multiclass(label, scores)
    _, scores, chances = rows(3_000, np.array([1.5, 0.0, 0.0, -1.0]))
    guess = scores.argmax(axis=1)
    truth = float(np.mean(chances[np.arange(3_000), guess]))
    constant = population.estimate("accuracy").value
    status, rows_used, found = Estimator(population.layout, population.outcome()).estimates(
        agreed(scores, guess), ["accuracy", "f1_macro"]
    )["accuracy"]
    assert (status, rows_used) == ("ok", 3_000)
    assert found is not None
    assert found.lower is not None
    assert found.upper is not None
    assert abs(found.value - truth) < 0.015 < abs(constant - truth)
    assert found.lower < truth < found.upper


def test_of_several_classes_only_accuracy_is_estimated() -> None:
    population = typical_multiclass(3_000, 17)
    estimator = Estimator(population.layout, population.outcome())
    scores = agreed(population.scores, population.decision.astype(np.int64))
    assert {name: found[0] for name, found in estimator.estimates(scores, ["accuracy", "f1_macro"]).items()} == {
        "accuracy": "ok",
        "f1_macro": "not_applicable",
    }
    unlabelled = Outcome.empty(population.layout)
    unlabelled.fold(
        population.layout,
        Pairs(
            population.pairs.prediction, {}, classes_of(population.label.astype(np.int64), population.layout.classes)
        ),
    )
    assert Estimator(population.layout, unlabelled).estimates(scores, ["accuracy"])["accuracy"][0] == "not_applicable"
