"""What a closed window's features read, each statistic beside the reference."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Sequence
from dataclasses import dataclass
from itertools import islice, repeat
from typing import Any, TypeVar

import numpy as np
from numpy.typing import NDArray

from monitor.profiles.layout import NumericLayout
from monitor.profiles.numeric import NumericSummary
from monitor.profiles.profile import Profile, Summary
from monitor.profiles.reference import Reference
from monitor.spec import FeatureSpec, ModelSpec
from monitor.statistics.reading import Reading, Status
from monitor.statistics.registry import DRIFT, QUALITY
from monitor.statistics.statistic import Figures, Statistic
from monitor.statistics.views import Cells, Counts, Grid, Quality, decision_groups
from monitor.windows.window import Window

K = TypeVar("K", bound=Hashable)
Bools = NDArray[np.bool_]


@dataclass(slots=True)
class CellStack:
    """Features with equally many decision cells, all ordered or none. places: the cell of each fine count of all."""

    names: tuple[str, ...]
    places: Counts
    reference: Cells

    def facing(self, profiles: Sequence[Profile]) -> Cells:
        """One member a profile and feature, those of one profile side by side."""
        counts = np.concatenate([profile.features[name].counts for profile in profiles for name in self.names])
        reference = np.tile(self.reference.reference, (len(profiles), 1))
        first = self.reference.reference.size * np.arange(len(profiles))
        # Sums of counts are exact in float64: a feature has fewer than 2**53 rows.
        current = np.bincount((first[:, None] + self.places).ravel(), weights=counts, minlength=reference.size)
        return Cells(reference, current.astype(np.int64).reshape(reference.shape), self.reference.ordered)


@dataclass(slots=True)
class GridStack:
    """Numeric features with equally many fine cells."""

    names: tuple[str, ...]
    reference: Grid

    def facing(self, profiles: Sequence[Profile]) -> Grid:
        """One member a profile and feature, those of one profile side by side."""
        return self.reference.repeated(len(profiles)).facing(_numeric(profiles, self.names))


class DriftReader:
    """Compares the windows of one model version with its reference; features of one shape are computed together."""

    def __init__(self, spec: ModelSpec, reference: Reference) -> None:
        self.spec = spec
        watched = {name: spec.features.get(name, FeatureSpec()).monitor for name in reference.layout.features}
        self._order = {name: place for place, name in enumerate(watched)}
        self._kinds = _by(schema_kind(reference), [name for name in watched if watched[name] != "off"])
        drifting = [name for name in watched if watched[name] == "drift"]
        self._cells = _cell_stacks(reference, drifting)
        self._grids = _grid_stacks(reference, drifting)

    def read(self, closed: Sequence[tuple[Window, Profile]]) -> list[list[Reading]]:
        """What each window says; many windows are computed in little more time than one."""
        windows = [window for window, _ in closed]
        profiles = [profile for _, profile in closed]
        found: list[list[Reading]] = [[] for _ in closed]
        for names in self._kinds.values():
            summaries = [profile.features[name] for profile in profiles for name in names]
            _add_readings(found, QUALITY, windows, names, summaries, Quality.stack(summaries))
        for stack in self._cells:
            summaries = [profile.features[name] for profile in profiles for name in stack.names]
            cells = stack.facing(profiles)
            _add_readings(found, DRIFT, windows, stack.names, summaries, cells)
        for grids in self._grids:
            summaries = [profile.features[name] for profile in profiles for name in grids.names]
            _add_readings(found, DRIFT, windows, grids.names, summaries, grids.facing(profiles))
        # Every window has the same readings in the same places.
        places = sorted(range(len(found[0])), key=lambda place: self._order[found[0][place].feature])
        return [[readings[place] for place in places] for readings in found]


def schema_kind(reference: Reference) -> Callable[[str], str]:
    """What kind a feature is of."""
    layouts = reference.layout.features
    return lambda name: "numeric" if isinstance(layouts[name], NumericLayout) else "categorical"


def _cell_stacks(reference: Reference, names: Sequence[str]) -> list[CellStack]:
    features = reference.profile.features
    groups = {name: decision_groups(reference.layout.features[name], features[name].counts) for name in names}
    kind = schema_kind(reference)
    stacks = []
    for (cells, feature_kind), members in _by(lambda name: (int(groups[name].max()) + 1, kind(name)), names).items():
        places = np.concatenate([groups[name] + cells * place for place, name in enumerate(members)])
        empty = np.zeros((len(members), cells), dtype=np.int64)
        stack = CellStack(members, places, Cells(empty, empty, feature_kind == "numeric"))
        counts = stack.facing([reference.profile]).current
        stacks.append(CellStack(members, places, Cells(counts, counts, stack.reference.ordered)))
    return stacks


def _grid_stacks(reference: Reference, names: Sequence[str]) -> list[GridStack]:
    layouts = {name: layout for name in names if isinstance(layout := reference.layout.features[name], NumericLayout)}
    return [
        GridStack(members, Grid.against([layouts[name] for name in members], _numeric([reference.profile], members)))
        for members in _by(lambda name: len(layouts[name].edges), list(layouts)).values()
    ]


def _numeric(profiles: Sequence[Profile], names: Sequence[str]) -> list[NumericSummary]:
    summaries = [profile.features[name] for profile in profiles for name in names]
    return [summary for summary in summaries if isinstance(summary, NumericSummary)]


def _by(key: Callable[[str], K], names: Sequence[str]) -> dict[K, tuple[str, ...]]:
    groups: dict[K, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return {shared: tuple(members) for shared, members in groups.items()}


def _add_readings(
    found: Sequence[list[Reading]],
    statistics: Sequence[Statistic[Any]],
    windows: Sequence[Window],
    names: Sequence[str],
    summaries: Sequence[Summary],
    view: Cells | Grid | Quality,
) -> None:
    """Every statistic over this kind of view; the view's members are each window's features side by side."""
    usable = view.rows
    enough = usable > 0
    filled = view if enough.all() else view.take(enough)
    of_window = [window for window in windows for _ in names]
    of_feature = list(names) * len(windows)
    rows = [summary.rows for summary in summaries]
    for entry in statistics:
        if entry.over is not type(view):
            continue
        if view.kind not in entry.applies:
            status: Iterable[Status] = repeat("not_applicable")
            figures: tuple[Iterable[float | None], ...] = (repeat(None), repeat(None), repeat(None))
        else:
            said = usable >= entry.rows_min
            status = ["ok" if ok else "insufficient" for ok in said.tolist()]
            figures = _columns(entry.figures(filled), enough, said) if said.any() else (repeat(None),) * 3
        made = map(Reading._make, zip(of_window, of_feature, repeat(entry.name), rows, status, *figures, repeat(0)))
        for each in found:
            each.extend(islice(made, len(names)))


def _columns(figures: Figures, enough: Bools, said: Bools) -> tuple[Iterable[float | None], ...]:
    """Value, lower and upper of each member, None where it is not said or has none. enough: which have figures."""
    columns: list[Iterable[float | None]] = []
    for part in (figures.value, figures.lower, figures.upper):
        if part is None:
            columns.append(repeat(None))
        elif said.all():
            columns.append(part.tolist())
        else:
            column = np.full(len(said), None, dtype=object)
            column[enough] = part
            column[~said] = None
            columns.append(column.tolist())
    return tuple(columns)
