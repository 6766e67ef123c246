"""What is known of a performance metric besides its formula."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Literal

from monitor.events.schema import Task
from monitor.statistics.reading import Estimate

Better = Literal["higher", "lower", "zero"]
Needs = Literal["decisions", "scores", "ranks", "values"]

ROWS_MIN = 30
"""Rows below which the normal law is no guide to an interval."""


CLASS_ROWS_MIN = 10
"""Rows of either class below which the interval of a ranking covers too seldom (85 % at ten positives of AUC 0.96)."""


@dataclass(frozen=True, slots=True)
class Metric:
    """One metric: its function, and the metadata that registry, help texts, documentation and tests read.

    better: which way a better model moves it; "zero" for a signed one. range: least and greatest value, either may
    be infinite. needs: what a row must carry beside its label: a decision, scores, scores kept in cells ("ranks": not
    beyond 50 classes), or a predicted value. unit: "label" for the label's own, in which `performance` answers;
    function then answers in the layout's scale. rows_min: usable rows needed. function: of the summary of a task;
    None where these rows cannot define the metric (no row of a class, all labels alike).
    """

    name: str
    tasks: frozenset[Task]
    better: Better
    range: tuple[float, float]
    needs: Needs
    unit: str
    paper: str
    rows_min: int
    summary: str
    function: Callable[[Any], Estimate | None]


def metric(
    *tasks: Task,
    better: Better,
    range: tuple[float, float],  # noqa: A002
    needs: Needs,
    unit: str,
    paper: str,
) -> Callable[[Callable[[Any], Estimate | None]], Metric]:
    """Make a function the `Metric` of its name; the first line of its docstring is the summary."""

    def of(function: Callable[[Any], Estimate | None]) -> Metric:
        summary = (function.__doc__ or "").partition("\n")[0]
        return Metric(
            function.__name__, frozenset(tasks), better, range, needs, unit, paper, ROWS_MIN, summary, function
        )

    return of
