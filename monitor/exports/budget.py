"""Which groups of series fit a budget, and stay.

In order: the service; versions with open incidents; each model; other versions; whole traffic of each version; then
segments and features: the gravest state first, of one state whole traffic before segments, and of those alike what
was shown before, then the most drifted. Groups are kept whole while they fit; what follows is left out and counted.
What comes and goes would end alerts and break graphs, so a feature that drifts and is shown stays while it drifts, and
a group keeps the room that it once took, however few figures a quiet window has.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from monitor.exports.latest import STATES, alive, gravity, slices
from monitor.exports.series import (
    FeatureGroup,
    Features,
    Labels,
    Series,
    SliceGroup,
    of_model,
    of_service,
    of_slice,
    of_versions,
)
from monitor.snapshot import ModelView, Snapshot

Group = SliceGroup | FeatureGroup

_Place = tuple[int, bool, bool, bool, bool, float, Labels]


@dataclass(frozen=True, eq=False, slots=True)
class Standing:
    """What windows say. groups: those that are shown; dropped: series of the others; features: how many of these are
    features, by model and state.
    """

    groups: tuple[Group, ...]
    dropped: int
    features: Mapping[tuple[str, str], int]


@dataclass(frozen=True, slots=True)
class Shown:
    """One scrape. live: the service, models and versions, which change with every event; standing: the same object
    as long as no window closes.
    """

    live: tuple[Series, ...]
    standing: Standing

    @property
    def series(self) -> Iterator[Series]:
        yield from self.live
        yield from (series for group in self.standing.groups for series in group.series)


class Budget:
    """At most `limit` series, those of the service itself always. It remembers what it has shown; for one thread at a
    time.
    """

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._room_of: dict[Labels, int] = {}
        """Of each group that is shown, how many series it has had at most."""
        self._seen: object = None
        self._standing = Standing((), 0, {})

    def of(self, snapshot: Snapshot) -> Shown:
        """What is shown of a snapshot."""
        live = list(of_service(snapshot.service))
        room, dropped, shown = self._limit - len(live) - 1, 0, []
        models = sorted(snapshot.models.values(), key=lambda model: model.name)
        for name, group in _of_models(models):
            size = len(group) + (len(STATES) if name is not None else 0)
            if dropped or size > room:
                dropped += size
            else:
                room -= size
                live += group
                shown += [] if name is None else [name]
        room = 0 if dropped else room
        seen = (room, [_windows_of(model) for model in models])
        if self._seen != seen:  # Of windows that are the same objects, Python compares no more than that.
            self._standing, self._seen = self._chosen(models, room), seen
        left_out = self._standing.features
        for name in shown:
            live += [
                Series("series_dropped_features", (name, state), left_out.get((name, state), 0)) for state in STATES
            ]
        live.append(Series("series_dropped", (), dropped + self._standing.dropped))
        return Shown(tuple(live), self._standing)

    def _chosen(self, models: Iterable[ModelView], room: int) -> Standing:
        kept: list[Group] = []
        dropped, features = 0, Counter[tuple[str, str]]()
        rooms: dict[Labels, int] = {}
        for group in self._ordered(models):
            size = max(group.size, self._room_of.get(group.labels, 0))
            if dropped or size > room:
                dropped += group.size
                if isinstance(group, FeatureGroup) and group.verdict is not None:
                    features[group.labels[0], group.verdict.state] += 1
            else:
                room -= size
                rooms[group.labels] = size
                kept.append(group)
        self._room_of = rooms
        return Standing(tuple(kept), dropped, features)

    def _ordered(self, models: Iterable[ModelView]) -> Iterator[Group]:
        whole: list[Group] = []
        rest: list[tuple[_Place, Group]] = []
        for model in models:
            for part in slices(model):
                labels = (model.name, part.version, part.segment)
                one = of_slice(labels, part)
                if part.segment:
                    rest.append((self._place(one), one))
                else:
                    whole.append(one)
                rest += [(self._place(each), each) for each in Features(labels, part, model.alarms).groups()]
        yield from whole
        yield from (group for _, group in sorted(rest, key=lambda placed: placed[0]))

    def _place(self, group: Group) -> _Place:
        """Sorts groups, those that are shown first first."""
        shown = group.labels in self._room_of
        segmented = bool(group.labels[2])
        if isinstance(group, SliceGroup):
            return gravity(group.state), True, segmented, False, not shown, 0.0, group.labels
        state = None if group.verdict is None else group.verdict.state
        effect = 0.0 if group.verdict is None else group.verdict.effect or 0.0
        held = shown and state == "drifting"
        return gravity(state), not held, segmented, True, not shown, -effect, group.labels


def _windows_of(model: ModelView) -> tuple[object, ...]:
    """All that slices and features are made of."""
    return model.name, alive(model), model.windows, model.performance, model.watches, model.alarms


def _of_models(models: Sequence[ModelView]) -> Iterator[tuple[str | None, list[Series]]]:
    """Open incidents, then each model, whose name it says, then versions without any."""
    versions = [found for model in models for found in of_versions(model)]
    yield from ((None, group) for opened, group in versions if opened)
    yield from ((model.name, list(of_model(model))) for model in models)
    yield from ((None, group) for opened, group in versions if not opened)
