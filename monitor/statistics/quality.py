"""Data quality of one window: shares of its rows, each of the same denominator, so that they add up.

A figure is of the window alone; the reference's own is the same statistic of its summary.
"""

from __future__ import annotations

from monitor.statistics.statistic import Figures, statistic
from monitor.statistics.views import Counts, Quality

_PAPER = "Breck et al. 2019, Data Validation for Machine Learning, MLSys"


def _share(count: Counts, view: Quality) -> Figures:
    return Figures(count / view.rows)


@statistic(
    name="missing",
    over=Quality,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    rows_min=1,
    paper=_PAPER,
)
def missing(view: Quality) -> Figures:
    """Share of rows without a value: absent, or null."""
    return _share(view.missing, view)


@statistic(
    name="invalid",
    over=Quality,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    rows_min=1,
    paper=_PAPER,
)
def invalid(view: Quality) -> Figures:
    """Share of rows whose value has the wrong type: no finite number, or no category."""
    return _share(view.invalid, view)


@statistic(
    name="out_of_range",
    over=Quality,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    rows_min=1,
    paper=_PAPER,
    applies=("numeric",),
)
def out_of_range(view: Quality) -> Figures:
    """Share of rows below the reference's least value or above its greatest."""
    return _share(view.unusual, view)


@statistic(
    name="unseen",
    over=Quality,
    worse="higher",
    unit="share of rows",
    least=0.0,
    greatest=1.0,
    rows_min=1,
    paper=_PAPER,
    applies=("categorical",),
)
def unseen(view: Quality) -> Figures:
    """Share of rows of a category that the reference never had."""
    return _share(view.unusual, view)
