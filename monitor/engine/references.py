"""What the windows of a model's versions are compared with: compiled references, and those made in production."""

from __future__ import annotations

from collections.abc import Collection, Container, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from monitor.detection.watch import Watch
from monitor.engine.drift import DriftReader
from monitor.engine.performance import PerformanceReader
from monitor.profiles import codec
from monitor.profiles.distribution import Basis
from monitor.profiles.layout import Layout, OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.profile import Profile
from monitor.profiles.reference import Reference
from monitor.profiles.segments import NONE, SegmentCells, Segmented, Segments
from monitor.spec import ModelSpec
from monitor.windows.streams import NEVER

Counts = NDArray[np.int64]

SEED = ""
"""Key, and version, of the reference without features that windows are counted under while a model has no other."""

_SINCE = "\x1f"  # Between version and time in a key: no name of a version holds it.
_VERSION = 1


@dataclass(frozen=True, eq=False)
class Standard:
    """One reference in use. version: whose it is, empty of any. since_ms: windows that start from then on are compared
    with it. why: what it was made for here, empty of one that was compiled. labels_until_ms: labels of the windows that
    start before then are its own, once they have come; NEVER where it has all that it will have.
    """

    spec: ModelSpec
    version: str
    reference: Reference
    since_ms: int = NEVER
    why: str = ""
    labels_until_ms: int = NEVER

    @cached_property
    def drift(self) -> DriftReader:
        return DriftReader(self.spec, self.reference)

    @cached_property
    def performance(self) -> PerformanceReader:
        return PerformanceReader(self.spec, self.reference)

    @cached_property
    def watch(self) -> Watch:
        return Watch.of(self.spec, self.reference)

    @cached_property
    def segmented(self) -> Segmented | None:
        """The segments that are watched; None where there are none."""
        return self.reference.segments_of(self.spec.segments, self.spec.segments_max)

    @cached_property
    def counting(self) -> SegmentCells | None:
        """What counts rows in these."""
        return None if self.segmented is None else SegmentCells(self.segmented.segments, self.reference.cells)

    @property
    def segments(self) -> Segments:
        return NONE if self.segmented is None else self.segmented.segments

    @cached_property
    def cells(self) -> str:
        """Digest of its cells, segments, and of the rows in them: what evidence against it rests on."""
        digest = self.reference.profile.digest
        return codec.sha256("\0".join([digest, *self.segments.names]).encode()) if self.segments else digest

    @cached_property
    def basis(self) -> Basis:
        """What is shown later of what windows were compared with."""
        rows = self.reference.profile.digest  # Other ones than its cells were made for, where it faces those.
        return Basis.of(self.reference, self.cells, codec.sha256(f"{self.cells}\0{rows}".encode()))

    def since(self, since_ms: int) -> Standard:
        """The same, of windows that start from then on; what has been worked out stays."""
        other = replace(self, since_ms=since_ms)
        other.__dict__.update({name: value for name, value in self.__dict__.items() if name not in _FIELDS})
        return other

    def facing(self, profile: Profile, tally: Counts, pairs: Counts, windows: float, days: float) -> Standard:
        """With other rows instead, of so many windows and days, counted in the same cells; how much windows stray
        remains. tally, pairs: of these rows, as a `Watch` takes them.
        """
        reference = replace(self.reference, profile=profile)
        reference.__dict__["cells"] = self.reference.cells
        other = replace(self, reference=reference)
        other.__dict__.update(cells=self.cells, watch=self.watch.facing(tally, pairs, windows, days))
        return other

    def other_features(self, newer: Standard) -> NDArray[np.bool_]:
        """bool[F]: which features, the same of both, have other cells or rows in the newer one."""
        ours, theirs = self.reference, newer.reference
        return np.array(
            [
                part.plain() != theirs.layout.features[name].plain()
                or ours.profile.features[name].plain() != theirs.profile.features[name].plain()
                for name, part in ours.layout.features.items()
            ],
            dtype=np.bool_,
        )

    def dump(self) -> bytes:
        kept = (self.version, self.reference.dump(), self.since_ms, self.why, self.labels_until_ms)
        return codec.pack("MADE", _VERSION, kept)

    @classmethod
    def load(cls, spec: ModelSpec, data: bytes) -> Standard:
        kept = codec.unpack("MADE", _VERSION, data, tuple[str, bytes, int, str, int])
        version, reference, since_ms, why, labels_until_ms = kept
        return cls(spec, version, Reference.load(reference), since_ms, why, labels_until_ms)


_FIELDS = frozenset(field.name for field in fields(Standard))


def key_of(version: str, since_ms: int) -> str:
    """Of a reference that was made here."""
    return f"{version}{_SINCE}{since_ms}"


class References(Mapping[str, Standard]):
    """By key: the version of a compiled reference, or the version and the time of one that was made here. Any thread
    may read: what changes is put in place whole.
    """

    def __init__(self, spec: ModelSpec, compiled: Mapping[str, Reference]) -> None:
        """compiled: by version, oldest first; a version "" is of any. Without any, the model is to make one."""
        self.spec = spec
        self._standards = {version: Standard(spec, version, each) for version, each in compiled.items()}
        if not compiled:
            self._standards[SEED] = _seed(spec)
        for standard in self._standards.values():
            standard.watch  # noqa: B018 - Learned now: it takes seconds, and a step should not.

    def __getitem__(self, key: str) -> Standard:
        return self._standards[key]

    def __iter__(self) -> Iterator[str]:
        """Compiled ones first, then by time."""
        return iter(self._standards)

    def __len__(self) -> int:
        return len(self._standards)

    @property
    def made(self) -> dict[str, Standard]:
        return {key: each for key, each in self._standards.items() if each.why}

    @property
    def seeded(self) -> bool:
        """Whether there was no compiled one."""
        return not self._standards[next(iter(self))].reference.layout.features

    def key(self, version: str, start_ms: int) -> str:
        """Of the reference that a window is compared with: the version's own, of any, or the newest of another."""
        return self.found(version, start_ms)[0]

    def found(self, version: str, start_ms: int) -> tuple[str, Standard]:
        """The same with its key. For any thread."""
        standards = self._standards  # Of one moment: the loop may put others in their place.
        found = [key for key, each in standards.items() if each.since_ms <= start_ms]
        told = found[1:] if self.seeded and len(found) > 1 else found
        mine = [key for key in told if standards[key].version == version]
        key = (mine or [key for key in told if not standards[key].version] or told)[-1]
        return key, standards[key]

    def owns(self, version: str, key: str) -> bool:
        """Whether it is the version's own; an unnamed version, or reference, fits any."""
        return not version or self._standards[key].version in (version, "")

    def add(self, standard: Standard) -> str:
        """One more that was made here; its key."""
        key = key_of(standard.version, standard.since_ms)
        made = {**self.made, key: standard}
        compiled = {key: each for key, each in self._standards.items() if not each.why}
        self._standards = compiled | dict(sorted(made.items(), key=lambda each: (each[1].since_ms, each[0])))
        standard.watch  # noqa: B018 - As above.
        return key

    def replace(self, key: str, outcome: Outcome | None) -> None:
        """The same reference, with the labels that have come for it; none are awaited any more."""
        before = self._standards[key]
        after = replace(before, reference=replace(before.reference, outcome=outcome), labels_until_ms=NEVER)
        after.__dict__["watch"] = before.watch  # Labels change nothing of how features are watched.
        self._standards = {**self._standards, key: after}

    def leaving(self, version: str, start_ms: int) -> bool:
        """Whether a version's reference was replaced, but not yet for the window that starts then."""
        return any(each.version == version and each.since_ms > start_ms for each in self.made.values())

    def drop(self, used: Container[str], since_ms: int) -> list[tuple[str, int]]:
        """Forget what was made here and has been replaced for windows that start from `since_ms` on, unless it is used;
        versions and times of those.
        """
        made = self.made
        old = {
            key: (each.version, each.since_ms)
            for key, each in made.items()
            if key not in used
            and any(
                each.version == newer.version and each.since_ms < newer.since_ms <= since_ms for newer in made.values()
            )
        }
        self._standards = {key: each for key, each in self._standards.items() if key not in old}
        return list(old.values())


def overruling(compiled: Collection[str], made: Iterable[Standard]) -> list[Standard]:
    """Those made here, oldest first, that count instead of a compiled one: the newest of each version that has one.

    compiled: versions of the compiled ones; "" is of any.
    """
    newest = {each.version: each for each in made}
    return [each for version, each in newest.items() if version in compiled or "" in compiled]


def _seed(spec: ModelSpec) -> Standard:
    """Without features: what windows are counted under while a model has no reference."""
    schema = spec.schema
    classes = () if schema.positive is None else (schema.positive,)
    layout = Layout({}, OutcomeLayout(schema.task, classes, schema.positive, spec.performance.threshold))
    return Standard(spec, SEED, Reference("", layout, Profile.empty(layout), None))
