"""Two models on the same rows: figures of scikit-learn, errors of a bootstrap and of DeLong, and what is decided."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy import stats
from sklearn import metrics

from monitor.events.batch import CategoricalColumn, NumericColumn, Pairs
from monitor.profiles.layout import OutcomeLayout
from monitor.statistics import comparison
from monitor.statistics.comparison import PAIRS_MIN, SURE, Comparison, Disagreement, compare
from monitor.statistics.performance import METRICS

Floats = NDArray[np.float64]
BINARY = OutcomeLayout("binary", ("no", "yes"), "yes", 0.5)
THREE = OutcomeLayout("multiclass", ("a", "b", "c"))


def world(rows: int, seed: int = 0, positives: float = 0.3, noise: tuple[float, float] = (1.0, 0.7)) -> list[Floats]:
    """Labels, and two models' scores that share most of their errors."""
    random = np.random.default_rng(seed)
    label = (random.random(rows) < positives).astype(np.float64)
    common = random.normal(0, 0.8, rows)
    logits = [1.5 * label - 1 + common + random.normal(0, spread, rows) for spread in noise]
    return [label, *(1 / (1 + np.exp(-each)) for each in logits)]


def scored(label: Floats, score: Floats) -> Pairs:
    return Pairs(None, {"yes": NumericColumn.of(score)}, CategoricalColumn(label.astype(np.int32), ("no", "yes")))


def decided(label: NDArray[np.int64], guess: NDArray[np.int64], names: tuple[str, ...] = ("no", "yes")) -> Pairs:
    columns = [CategoricalColumn(each.astype(np.int32), names) for each in (guess, label)]
    return Pairs(columns[0], {}, columns[1])


def numbers(label: Floats, prediction: Floats) -> Pairs:
    return Pairs(NumericColumn.of(prediction), {}, NumericColumn.of(label))


def of_scores(label: Floats, one: Floats, other: Floats, metric: str = "roc_auc", drop: float = 0.03) -> Comparison:
    return compare(BINARY, scored(label, one), scored(label, other), metric, drop)


def half(found: Comparison) -> float:
    assert found.gain is not None
    assert found.gain.upper is not None
    return found.gain.upper - found.gain.value


def values(found: Comparison) -> tuple[float, float, float]:
    assert found.champion is not None
    assert found.challenger is not None
    assert found.gain is not None
    return found.champion.value, found.challenger.value, found.gain.value


SKLEARN = {
    "roc_auc": metrics.roc_auc_score,
    "pr_auc": metrics.average_precision_score,
    "log_loss": metrics.log_loss,
    "brier": metrics.brier_score_loss,
    "accuracy": lambda label, score: metrics.accuracy_score(label, score >= 0.5),
    "f1": lambda label, score: metrics.f1_score(label, score >= 0.5),
    "precision": lambda label, score: metrics.precision_score(label, score >= 0.5),
    "recall": lambda label, score: metrics.recall_score(label, score >= 0.5),
    "specificity": lambda label, score: metrics.recall_score(1 - label, score < 0.5),
}


@pytest.mark.parametrize("metric", SKLEARN)
def test_figures_are_those_of_scikit_learn_and_the_gain_is_their_difference(metric: str) -> None:
    label, one, other = world(1_500)
    expected = [SKLEARN[metric](label, score) for score in (one, other)]
    sign = 1 if METRICS[metric].better == "higher" else -1
    found = values(of_scores(label, one, other, metric))
    assert found == pytest.approx((*expected, sign * (expected[1] - expected[0])), abs=1e-6)


@pytest.mark.parametrize("metric", ["rmse", "mae", "r2"])
def test_regression_is_compared_in_the_labels_own_unit(metric: str) -> None:
    random = np.random.default_rng(1)
    label = random.normal(4_000, 900, 800)
    one, other = (label + random.normal(0, spread, 800) for spread in (120, 100))
    layout = OutcomeLayout("regression", centre=float(label.mean()), scale=float(label.std()))
    found = compare(layout, numbers(label, one), numbers(label, other), metric, 5.0)
    oracle = {"rmse": metrics.root_mean_squared_error, "mae": metrics.mean_absolute_error, "r2": metrics.r2_score}
    expected = [oracle[metric](label, each) for each in (one, other)]
    assert values(found)[:2] == pytest.approx(expected, rel=1e-4)
    nearer = int(np.sum(np.abs(other - label) < np.abs(one - label)))
    assert found.disagreement == Disagreement(nearer, 800 - nearer)
    assert found.labels == {}


def test_more_than_two_classes_are_compared_too() -> None:
    random = np.random.default_rng(2)
    label = random.integers(0, 3, 900)
    sides, expected, rankings = [], [], []
    for spread in (0.9, 0.6):
        logits = np.eye(3)[label] + random.normal(0, spread, (900, 3))
        chance = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
        pairs = decided(label, chance.argmax(axis=1), ("a", "b", "c"))
        sides.append(replace(pairs, scores={name: NumericColumn.of(chance[:, at]) for at, name in enumerate("abc")}))
        expected.append(metrics.f1_score(label, chance.argmax(axis=1), average="macro"))
        rankings.append(metrics.roc_auc_score(label, chance, multi_class="ovr"))
    assert values(compare(THREE, sides[0], sides[1], "f1_macro", 0.03))[:2] == pytest.approx(expected)
    # 900 scores a class in 256 cells.
    assert values(compare(THREE, sides[0], sides[1], "roc_auc_macro", 0.03))[:2] == pytest.approx(rankings, abs=5e-4)


def test_scores_that_nearly_touch_are_told_apart() -> None:
    label, one, other = world(900)
    assert values(of_scores(label, 0.3 + 1e-9 * one, other)) == values(of_scores(label, one, other))


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc"])
def test_a_ranking_of_more_scores_than_cells_is_as_good_as_exact(metric: str) -> None:
    label, one, other = world(20_000, positives=0.02)
    exact = [SKLEARN[metric](label, score) for score in (one, other)]
    assert values(of_scores(label, one, other, metric))[:2] == pytest.approx(exact, abs=5e-4)


@pytest.mark.parametrize("metric", ["roc_auc", "pr_auc", "f1"])
def test_the_standard_error_is_that_of_a_bootstrap_of_rows(metric: str) -> None:
    label, one, other = world(800, seed=3)
    random = np.random.default_rng(4)
    gains = []
    for _ in range(150):
        rows = random.integers(0, 800, 800)
        gains.append(np.subtract(*(SKLEARN[metric](label[rows], score[rows]) for score in (other, one))))
    error = half(of_scores(label, one, other, metric)) / comparison._factor(800 / PAIRS_MIN)
    assert error == pytest.approx(np.std(gains), rel=0.2)  # Either is known to a twentieth.


def test_the_standard_error_of_an_auc_is_delongs_for_paired_curves() -> None:
    label, one, other = world(900, seed=5)
    parts = []
    for side in (1, 0):
        mine, rest = label == side, label != side
        better = [
            (np.sign(score[mine][:, None] - score[rest]) * (1 if side else -1) / 2 + 0.5).mean(axis=1)
            for score in (one, other)
        ]
        parts.append(np.var(better[1] - better[0], ddof=1) / mine.sum())
    error = half(of_scores(label, one, other)) / comparison._factor(900 / PAIRS_MIN)
    assert error == pytest.approx(np.sqrt(sum(parts)), rel=0.15)


def test_rows_that_come_in_clusters_are_no_more_than_one_each() -> None:
    label, one, other = (np.repeat(each, 20) for each in world(800, seed=3))
    alone = half(of_scores(*world(800, seed=3)))
    many = half(of_scores(label, one, other)) / comparison._factor(20 * 1.6) * comparison._factor(1.6)
    assert many == pytest.approx(alone, rel=0.2)


@settings(max_examples=4)
@given(st.integers(0, 1_000), st.sampled_from(["roc_auc", "log_loss", "accuracy"]))
def test_whoever_is_called_the_challenger_the_gain_is_the_same_with_the_other_sign(seed: int, metric: str) -> None:
    label, one, other = world(600, seed, positives=0.5)
    forth, back = of_scores(label, one, other, metric), of_scores(label, other, one, metric)
    assert forth.gain is not None
    assert back.gain is not None
    assert forth.gain == pytest.approx((-back.gain.value, -back.gain.upper, -back.gain.lower))  # type: ignore[operator]
    assert forth.disagreement == Disagreement(back.disagreement.losses, back.disagreement.wins)  # type: ignore[union-attr]


@pytest.mark.parametrize(("wins", "losses"), [(0, 0), (7, 1), (1, 7), (30, 30), (240, 193), (90_000, 91_000)])
def test_the_p_value_is_mcnemars_exact_one(wins: int, losses: int) -> None:
    expected = stats.binomtest(wins, wins + losses).pvalue if wins + losses else 1.0
    assert Disagreement(wins, losses).p_value == pytest.approx(expected, rel=1e-9)


def test_either_end_of_the_interval_is_wrong_at_any_look_with_a_chance_of_five_in_a_hundred() -> None:
    assert 2 * (stats.norm.sf(SURE) + SURE * stats.norm.pdf(SURE)) == pytest.approx(0.10, abs=1e-4)
    random = np.random.default_rng(6)
    times = 1.02 ** np.arange(240)  # From 500 labels to 57,000, looked at with every fiftieth more.
    steps = np.sqrt(np.diff(times, prepend=0.0))
    distance = np.cumsum(random.normal(0, 1, (8_000, len(times))) * steps, axis=1) / np.sqrt(times)
    factors = np.array([comparison._factor(time) for time in times])
    assert 0.02 < np.mean((distance > factors).any(axis=1)) < 0.05
    once = stats.norm.isf(0.05)
    assert np.mean((distance > once).any(axis=1)) > 0.3  # What is true of one look is not of many.


def test_a_better_challenger_is_promoted_and_a_worse_one_is_not() -> None:
    label, one, other = world(4_000, noise=(1.6, 0.3))
    assert of_scores(label, one, other).verdict == "promote"
    back = of_scores(label, other, one)
    assert back.verdict == "keep"
    assert back.gain is not None
    assert back.gain.upper is not None
    assert back.gain.upper < 0
    assert back.needed is None


def test_two_that_are_alike_are_a_reason_to_keep_the_champion() -> None:
    label, one, _ = world(600)
    found = of_scores(label, one, one)
    assert found.verdict == "keep"
    assert found.gain == (0.0, 0.0, 0.0)
    assert found.disagreement == Disagreement(0, 0)


def test_what_may_be_either_waits_and_says_for_how_many_labels() -> None:
    found = of_scores(*world(800, noise=(1.0, 0.9)), drop=0.02)
    assert found.verdict == "not enough yet"
    assert found.needed is not None
    assert found.needed > 800
    times = found.needed / 800
    then = half(found) / comparison._factor(1.6) / np.sqrt(times) * comparison._factor(1.6 * times)
    assert found.gain is not None
    assert then == pytest.approx(max(found.gain.value, 0.02 - found.gain.value), rel=0.01)


def test_it_begins_with_rows_enough_and_labels_enough_of_either_class() -> None:
    label, one, other = world(499)
    found = of_scores(label, one, other, "accuracy")
    assert (found.verdict, found.gain, found.started, found.needed) == ("not enough yet", None, False, 500)
    label, one, other = world(2_000, positives=0.03)
    positives = int(label.sum())
    found = of_scores(label, one, other)
    assert (found.gain, found.started, found.labels) == (None, False, {"no": 2_000 - positives, "yes": positives})
    assert found.needed == int(np.ceil(2_000 / (positives / 100)))
    label[:] = 0
    found = of_scores(label, one, other)
    assert (found.verdict, found.started, found.needed) == ("not enough yet", False, None)


def test_rare_positives_do_not_make_the_first_interval_wider() -> None:
    label, one, other = world(6_000, positives=0.017)
    label[:] = 0
    label[:6_000:60] = 1  # A hundred: it begins here.
    found = of_scores(label, one, other)
    assert found.started
    assert comparison._held(BINARY, 6_000, found.labels) == 1.0


def test_whoever_never_says_positive_is_not_promoted_for_want_of_positives() -> None:
    label = np.zeros(2_000)
    label[::500] = 1
    found = of_scores(label, np.full(2_000, 0.05), np.full(2_000, 1e-9), "log_loss", 0.01)
    assert (found.verdict, found.needed) == ("not enough yet", 50_000)


def test_a_figure_that_is_not_defined_without_some_rows_is_not_decided_by() -> None:
    label, one, other = world(600)
    other = np.minimum(other, 0.49)
    other[0] = 0.9  # The only positive decision.
    found = of_scores(label, one, other, "precision")
    assert (found.verdict, found.started, found.gain) == ("not enough yet", True, None)


def test_rows_that_one_of_them_did_not_answer_are_left_out_and_counted() -> None:
    label, one, other = world(1_200)
    gaps = one.copy()
    gaps[:50] = np.nan
    beyond = other.copy()
    beyond[40:60] = np.nan
    found = of_scores(label, gaps, beyond)
    assert (found.pairs, found.unanswered) == (1_140, (50, 20))
    assert values(found) == values(of_scores(label[60:], one[60:], other[60:]))


def test_a_label_of_no_class_of_the_model_counts_for_nothing() -> None:
    label, one, other = world(1_000)
    codes = label.astype(np.int32)
    codes[:100] = 2
    truth = CategoricalColumn(codes, ("no", "yes", "maybe"))
    sides = [replace(scored(label, score), label=truth) for score in (one, other)]
    found = compare(BINARY, sides[0], sides[1], "roc_auc", 0.03)
    assert (found.pairs, found.unanswered) == (900, (0, 0))
    assert values(found) == values(of_scores(label[100:], one[100:], other[100:]))
