from __future__ import annotations

import dataclasses

import numpy as np
import pytest

from monitor.statistics.reading import Estimate
from monitor.statistics.registry import REGISTRY
from monitor.statistics.statistic import Figures, evaluate, statistic
from monitor.statistics.views import Quality


@statistic(name="rows", over=Quality, worse="lower", rows_min=10, paper="none", applies=("numeric",))
def rows(view: Quality) -> Figures:
    """Number of rows.

    More text.
    """
    return Figures(np.float64(view.rows))


def quality(kind: str = "numeric", rows: int = 10) -> Quality:
    return Quality(kind, *np.array([rows, 0, 0, 0]))


def test_a_statistic_is_evaluated_on_the_view_it_reads() -> None:
    assert evaluate(rows, [quality()]) == Estimate(10.0)


def test_too_few_rows_are_insufficient() -> None:
    assert evaluate(rows, [quality(rows=9)]) == "insufficient"


def test_another_kind_or_no_view_is_not_applicable() -> None:
    assert evaluate(rows, [quality("categorical")]) == "not_applicable"
    assert evaluate(rows, []) == "not_applicable"


def test_a_figure_that_is_not_finite_is_a_bug_of_the_statistic() -> None:
    broken = dataclasses.replace(rows, compute=lambda view: Figures(np.float64("nan")))
    with pytest.raises(AssertionError, match="rows gave nan"):
        evaluate(broken, [quality()])


def test_a_statistic_that_could_be_called_on_nothing_is_refused() -> None:
    with pytest.raises(AssertionError):
        dataclasses.replace(rows, rows_min=0)


def test_the_summary_is_the_first_line_of_the_docstring() -> None:
    assert rows.summary == "Number of rows."


def test_the_registry_cannot_be_changed() -> None:
    with pytest.raises(TypeError):
        REGISTRY["rows"] = rows  # type: ignore[index]
