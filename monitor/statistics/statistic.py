"""What a statistic is: a pure function of one view, with what must be known to read its figure.

Adding one: a file with a decorated function, and its name in `monitor.statistics.registry`.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.statistics.reading import Estimate

Floats = NDArray[np.float64]

Worse = Literal["higher", "lower", "away"]
"""Which way is worse; "away": the farther from neutral on either side."""

Absence = Literal["insufficient", "not_applicable"]
"""Why there is no figure."""

FEATURES = ("numeric", "categorical")
"""Kinds of features."""


@dataclass(frozen=True, slots=True)
class Figures:
    """A statistic of every feature of a view: float64[...], finite; with bounds where counts give only these."""

    value: Floats
    lower: Floats | None = None
    upper: Floats | None = None

    def tolist(self) -> list[Estimate]:
        """One estimate a feature of a stack."""
        absent: list[None] = [None] * self.value.size
        bounds = (absent if bound is None else bound.ravel().tolist() for bound in (self.lower, self.upper))
        return list(map(Estimate, self.value.ravel().tolist(), *bounds))


class View(Protocol):
    """What a statistic reads: one feature, or a stack of features of one kind and shape along its leading axis."""

    @property
    def kind(self) -> str:
        """Kind of the features: one of FEATURES."""
        ...

    @property
    def rows(self) -> NDArray[np.int64]:
        """int64[...]: rows each figure rests on: of the smaller side where two sides are compared."""
        ...


V = TypeVar("V", bound=View)


@dataclass(frozen=True, slots=True)
class Statistic(Generic[V]):
    """A function of one view, and its meaning.

    over: the view it reads. applies: kinds of feature it has a meaning for. rows_min (> 0): below this the
    figure would be noise and is not computed. least, greatest: range of the value, None where it has no end. neutral:
    the value of two identical samples; None where the figure is of the window alone. unit: empty for a plain number.
    """

    name: str
    over: type[V]
    compute: Callable[[V], Figures]
    worse: Worse
    unit: str
    rows_min: int
    paper: str
    least: float | None
    greatest: float | None
    neutral: float | None
    applies: tuple[str, ...]

    def __post_init__(self) -> None:
        assert self.rows_min > 0, f"{self.name} would be called on nothing"

    def __call__(self, view: V) -> Estimate:
        """The finite figure of a single feature, which has at least one row on each side."""
        return self.figures(view).tolist()[0]

    def figures(self, view: V) -> Figures:
        """The finite figures of `view`, each feature of which has at least one row on each side."""
        figures = self.compute(view)
        assert np.isfinite(figures.value).all(), f"{self.name} gave {figures.value}"
        return figures

    @property
    def summary(self) -> str:
        """First line of the function's docstring: one sentence."""
        return (inspect.getdoc(self.compute) or "").partition("\n")[0]


def statistic(
    *,
    name: str,
    over: type[V],
    worse: Worse,
    rows_min: int,
    paper: str,
    unit: str = "",
    least: float | None = None,
    greatest: float | None = None,
    neutral: float | None = None,
    applies: tuple[str, ...] = FEATURES,
) -> Callable[[Callable[[V], Figures]], Statistic[V]]:
    """Turns a function of a view into a `Statistic`, whose fields are explained there."""

    def decorate(compute: Callable[[V], Figures]) -> Statistic[V]:
        return Statistic(name, over, compute, worse, unit, rows_min, paper, least, greatest, neutral, applies)

    return decorate


def evaluate(entry: Statistic[Any], views: Iterable[View]) -> Estimate | Absence:
    """The figure of the one view that `entry` reads, or why there is none.

    views: everything known of one feature, or of one model's outcome, each of another type.
    """
    view = next((view for view in views if isinstance(view, entry.over)), None)
    if view is None or view.kind not in entry.applies:
        return "not_applicable"
    if view.rows < entry.rows_min:
        return "insufficient"
    return entry(view)
