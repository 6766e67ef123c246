"""What an acceptance point gives: figures beside their targets."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol

from tests.acceptance import statistics


@dataclass(frozen=True, slots=True)
class Figure:
    """point: its letter. what: is measured, with its unit. target: as a reader would say it. ok: value meets it."""

    point: str
    what: str
    value: float
    target: str
    ok: bool

    @classmethod
    def at_most(cls, point: str, what: str, value: float, limit: float) -> Figure:
        return cls(point, what, value, f"at most {limit:g}", value <= limit)

    @classmethod
    def none(cls, point: str, what: str, count: int) -> Figure:
        return cls(point, what, count, "none", count == 0)

    @classmethod
    def at_least(cls, point: str, what: str, value: float, limit: float) -> Figure:
        return cls(point, what, value, f"at least {limit:g}", value >= limit)


class Point(Protocol):
    """A module of `tests.acceptance.statistics`, whose docstring begins with the promise in one line.

    SEEDS: of the whole measurement. `figures` yields as it goes; any subset of SEEDS is a smaller measurement of the
    same promise, and one seed takes seconds; where it does not, LONG is true and `make test` leaves the point out.
    """

    __doc__: str
    SEEDS: Sequence[int]

    def figures(self, seeds: Sequence[int]) -> Iterable[Figure]: ...


def points() -> Mapping[str, Point]:
    """Every point by its letter: the module `e_intervals` is point E."""
    names = sorted(module.name for module in iter_modules(statistics.__path__) if module.name[1:2] == "_")
    return {name[0].upper(): import_module(f"{statistics.__name__}.{name}") for name in names}
