"""Errors of predicted numbers. e = prediction - label, y = label, both in the layout's scale (see `Metric.unit`)."""

from __future__ import annotations

import math
from fractions import Fraction

from monitor.profiles.outcome_summaries import UNIT, RegressionOutcome
from monitor.statistics.performance.intervals import mapped, mean, positive
from monitor.statistics.performance.metric import ROWS_MIN, metric
from monitor.statistics.reading import Estimate

_WILLMOTT = "Willmott & Matsuura 2005, Clim. Res. 30"


@metric("regression", better="lower", range=(0.0, math.inf), needs="values", unit="label", paper=_WILLMOTT)
def mae(outcome: RegressionOutcome) -> Estimate:
    """Mean of |prediction - label|."""
    return mean(outcome.absolute, 0.0)


@metric("regression", better="zero", range=(-math.inf, math.inf), needs="values", unit="label", paper=_WILLMOTT)
def bias(outcome: RegressionOutcome) -> Estimate:
    """Mean of prediction - label: above 0 where the model predicts too much."""
    return mean(outcome.error)


@metric(
    "regression",
    better="lower",
    range=(0.0, math.inf),
    needs="values",
    unit="share",
    paper="Hyndman & Koehler 2006, Int. J. Forecast. 22(4)",
)
def mape(outcome: RegressionOutcome) -> Estimate | None:
    """Mean of |prediction - label| over |label|, a share (0.1 is 10 %); rows whose label is 0 are left out."""
    return mean(outcome.relative, 0.0) if outcome.relative.rows >= ROWS_MIN else None


@metric("regression", better="lower", range=(0.0, math.inf), needs="values", unit="label", paper=_WILLMOTT)
def rmse(outcome: RegressionOutcome) -> Estimate:
    """Root of the mean squared error; interval by the delta method on its logarithm."""
    square = outcome.error.mean_square
    if square == 0.0:
        return Estimate(0.0, 0.0, 0.0)
    rows = outcome.error.rows
    fourth = outcome.error_4 / (rows * UNIT**4)
    return positive(math.sqrt(square), (fourth / square**2 - 1.0) / (4 * rows))


@metric(
    "regression",
    better="higher",
    range=(-math.inf, 1.0),
    needs="values",
    unit="share",
    paper="Kvålseth 1985, Am. Stat. 39(4)",
)
def r2(outcome: RegressionOutcome) -> Estimate | None:
    """1 - mean squared error / variance of the labels (coefficient of determination); none where labels are alike.

    Interval: the delta method on the logarithm of the ratio a / b, whose influence is e^2 / a - (y - mean)^2 / b.
    """
    rows, error, label = outcome.error.rows, outcome.error, outcome.label
    spread = rows * label.square - label.total**2
    if spread == 0:
        return None
    ratio = rows * error.square / spread
    if ratio == 0.0:
        return Estimate(1.0, 1.0, 1.0)
    return mapped(positive(ratio, _log_ratio_variance(outcome)), lambda unexplained: 1.0 - unexplained)


def _log_ratio_variance(outcome: RegressionOutcome) -> float:
    """In rational arithmetic: central moments far from the layout's centre would cancel otherwise."""
    rows = outcome.error.rows
    centre = Fraction(outcome.label.total, rows)
    a = Fraction(outcome.error.square, rows)
    b = Fraction(outcome.label.square, rows) - centre**2
    label_4 = (
        Fraction(outcome.label_4 - 4 * centre * outcome.label_3, rows)
        + 6 * centre**2 * Fraction(outcome.label.square, rows)
        - 3 * centre**4
    )
    both = Fraction(outcome.error_2_label_2 - 2 * centre * outcome.error_2_label, rows) + centre**2 * a
    variance = float((Fraction(outcome.error_4, rows) / a**2 + label_4 / b**2 - 2 * both / (a * b)) / rows)
    # Neither part can exceed 1 (Cauchy-Schwarz); far from the centre, rounded fourth powers could say otherwise.
    return min(variance, 4.0)
