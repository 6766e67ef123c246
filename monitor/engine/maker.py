"""Which references a model makes in production, and when.

A model without a compiled reference learns one: its first windows are counted in no cells, since there are none, and a
sample of their rows is kept; when there are enough, these are the reference of their version. Rows of later windows
that arrive before that are kept whole, and counted when it is there, so that no interleaving of partitions matters.
Where windows are to be compared with newer ones than those, the cells, and how much windows stray, remain as learned.
"""

from __future__ import annotations

from collections.abc import Container, Mapping
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from monitor.engine.ledger import together
from monitor.engine.making import enough, made_of
from monitor.engine.memory import Memory, rows_of
from monitor.engine.pane import Pane, count_parts
from monitor.engine.references import SEED, References, Standard
from monitor.engine.settlement import Settlement
from monitor.profiles.sample import SIZE, WHOLE
from monitor.spec import DAY_MS, ModelSpec
from monitor.windows.streams import FOREVER, NEVER
from monitor.windows.window import Window

Counts = NDArray[np.int64]


@dataclass(slots=True)
class Maker:
    """One model's. recent: the newest windows of versions that are compared with such, by (version, start), in order.
    touched: pieces that have changed since they were saved, as (kind, version, time).
    """

    spec: ModelSpec
    references: References
    memory: Memory
    recent: dict[tuple[str, int], Pane] = field(default_factory=dict)
    touched: set[tuple[str, str, int]] = field(default_factory=set)
    _pairs: dict[tuple[str, int], Counts] = field(default_factory=dict)

    @property
    def singly(self) -> bool:
        """Whether what one window holds may change what the next one is counted in, or compared with."""
        made = self.spec.made
        return made is not None and (made.against != "first" or not self.references.made)

    def compared(self, window: Window, pane: Pane) -> Standard:
        """What a closed window is compared with."""
        made, standard = self.spec.made, self.references[pane.reference]
        if made is None or made.against == "first" or pane.reference == SEED:
            return standard
        before = [key for key in self.recent if key[0] == window.version]
        if len(before) < made.windows or any(self.recent[key].reference != pane.reference for key in before):
            return standard
        if made.against == "previous":
            before = before[-made.windows :][:1]
        merged = reduce(Pane.merge, [self.recent[key] for key in before])
        tally = merged.tally(standard.reference.cells)
        pairs = reduce(np.add, [self._paired(key, standard) for key in before])
        windows = len(before)
        a_day = max(1.0, DAY_MS / self.spec.window.size) if self.spec.window.timed else 1.0
        return standard.facing(merged.profile, tally, pairs, windows, max(1.0, windows / a_day))

    def _paired(self, key: tuple[str, int], standard: Standard) -> Counts:
        """int64[P, 2]: how the rows of one of these windows go together, worked out once."""
        if key not in self._pairs:
            self._pairs = {key: each for key, each in self._pairs.items() if key in self.recent}
            self._pairs[key] = standard.watch.pairs.together.of_sample(self.recent[key].profile.sample)
        return self._pairs[key]

    def empty(self, version: str, start_ms: int) -> Pane:
        """What the rows of a window, or of a part of one, are to be counted in."""
        key = self.references.key(version, start_ms)
        pane = Pane.empty(key, self.references[key])
        if self.spec.made is not None and not pane.profile.features and not self._surely_first(start_ms):
            pane.profile.sample.limit = WHOLE
        return pane

    def _surely_first(self, start_ms: int) -> bool:
        """Whether a window belongs to those that a reference is made of, whatever is still to come: before the first
        one has closed it is not known when they began, and of a number of rows not when they end.
        """
        made, first_ms = self.spec.made, self.memory.first_ms
        return made is not None and made.unit != "rows" and first_ms is not None and start_ms < first_ms + made.size

    def trim(self, panes: Mapping[tuple[int, str], Pane]) -> list[tuple[int, str]]:
        """Keep no more rows than need be of windows that a reference is made of, now that it is known when these began;
        which ones have changed.
        """
        grid = self.spec.window.grid_ms
        found = [
            (end, version)
            for (end, version), pane in panes.items()
            if pane.profile.sample.limit == WHOLE and self._surely_first(end - grid)
        ]
        for place in found:
            panes[place].profile.sample = panes[place].profile.sample.first(SIZE)
        return found

    def counted(self, version: str, start_ms: int, pane: Pane) -> Pane:
        """A pane whose rows were kept whole, in the cells of a reference made since; any other as it is."""
        key = self.references.key(version, start_ms)
        sample = pane.profile.sample
        if key == pane.reference or sample.limit != WHOLE:
            return pane
        counted = Pane.empty(key, self.references[key])
        rows = rows_of(self.spec.schema, version, [sample], [start_ms])
        count_parts([counted], rows, np.zeros(1, dtype=np.intp), self.references[key].counting)
        counted.profile.sample, counted.offsets = sample.first(counted.profile.sample.limit), pane.offsets
        return counted

    def take(self, window: Window, pane: Pane) -> bool:
        """Remember a window that has closed, and learn where it was the last one needed. Whether it is the first."""
        if self.spec.ignored(window):
            return False
        first = self.memory.first_ms is None
        owner = bool(window.version) and self.references[pane.reference].version == window.version
        kept = self.memory.keep(window, pane.profile.sample, owner=owner)
        self.touched |= {("memory", *place) for place in kept}
        self._learn(window, pane)
        return first and self.spec.made is not None

    def _learn(self, window: Window, pane: Pane) -> None:
        made, version = self.spec.made, window.version
        if made is None:
            return
        if made.against != "first" and pane.reference != SEED:
            self._recall(window, pane, made.windows)
        if pane.reference != SEED or self.references.made:
            return
        starts = self.memory.starts(version, NEVER, window.end_ms)
        if not starts:
            return
        seen = len(starts) * self.spec.window.size if made.unit == "rows" else window.end_ms - starts[0]
        if (seen >= made.size or len(starts) == self.memory.parts) and enough(self.memory, version, starts):
            reference = made_of(self.spec, self.memory, version, starts)
            labels = 2 * window.end_ms - starts[0] if self.spec.labelled else NEVER
            self.add(Standard(self.spec, version, reference, window.end_ms, "learned", labels))

    def _recall(self, window: Window, pane: Pane, windows: int) -> None:
        """Keep a window for those that will be compared with it. A version that has been silent begins anew."""
        version = window.version
        silent = [key for key in self.recent if key[1] < window.start_ms - self.memory.span_ms]
        mine = [key for key in self.recent if key[0] == version]
        for key in {*silent, *mine[: max(0, len(mine) - windows + 1)]}:
            del self.recent[key]
            self.touched.add(("recent", *key))
        self.recent[version, window.start_ms] = pane
        self.touched.add(("recent", version, window.start_ms))

    def add(self, standard: Standard) -> None:
        """One more reference."""
        self.references.add(standard)
        self.touched.add(("reference", standard.version, standard.since_ms))

    def learning_until_ms(self, version: str) -> int | None:
        """Until when a version's first reference is being learned; None where it has one, or none can say."""
        made, starts = self.spec.made, self.memory.starts(version, NEVER, FOREVER)
        if made is None or made.unit == "rows" or not starts or self.references.key(version, starts[-1]) != SEED:
            return None
        return starts[0] + made.size

    def drop(self, used: Container[str], since_ms: int) -> None:
        """Forget references that were made here and replaced for windows from `since_ms` on, unless they are used."""
        self.touched |= {("reference", *place) for place in self.references.drop(used, since_ms)}

    def settle(self, boundary_ms: int, settlement: Settlement) -> None:
        """Take in the labels that a reference waits for, once the windows they are of have had their verdicts."""
        for key, standard in self.references.made.items():
            if standard.labels_until_ms == NEVER or boundary_ms < standard.labels_until_ms:
                continue
            span = standard.since_ms, standard.labels_until_ms
            ledgers = list(settlement.between(standard.version, (key, ""), *span))
            if all(ledger.settled for ledger in ledgers):
                outcome = together(standard.reference.layout.outcome, ledgers)
                self.references.replace(key, outcome if outcome.rows else None)
                self.touched.add(("reference", standard.version, standard.since_ms))
