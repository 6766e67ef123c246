"""What is known of the performance of one window."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from functools import lru_cache

from monitor.profiles import codec
from monitor.profiles.layout import OutcomeLayout
from monitor.profiles.outcome import Outcome
from monitor.profiles.outcome_summaries import Summary
from monitor.profiles.predicted import PredictedScores
from monitor.statistics.performance import labels_by_class
from monitor.windows.window import Offsets, Window

Alike = tuple[str, str]
"""A reference, and the entry of the calendar that a window is ignored by; empty for one that is judged."""

_VERSION = 1


@dataclass(frozen=True, slots=True)
class Ledger:
    """What is known of one window.

    predicted: its predictions; by_class: labels of each class; outcome, scores: of its labelled predictions and of all,
    packed bytes. reference: key of the one it is compared with. settled: it has had its verdict. revision: how often
    its reading has been given. enough: its span held enough labels when it was last read. offsets, label_offsets: where
    its predictions lie, and the labels that have counted. profile: the digest of the predictions' profile. ignored: the
    calendar's entry by which it is not judged, if any.
    """

    window: Window
    predicted: int
    reference: str
    outcome: bytes = b""
    labels: int = 0
    by_class: Mapping[str, int] = field(default_factory=dict)
    settled: bool = False
    revision: int = 0
    enough: bool = False
    offsets: Offsets = field(default_factory=dict)
    label_offsets: Offsets = field(default_factory=dict)
    profile: str = ""
    scores: bytes = b""
    ignored: str = ""

    @property
    def alike(self) -> Alike:
        """Windows that agree in this may share a span."""
        return self.reference, self.ignored

    @property
    def coverage(self) -> float:
        return min(1.0, self.labels / self.predicted) if self.predicted else 0.0

    def holding(self, layout: OutcomeLayout, outcome: Outcome, label_offsets: Offsets) -> Ledger:
        """With another outcome, and where its labels lie."""
        return replace(
            self,
            outcome=packed(outcome),
            labels=outcome.rows,
            by_class=labels_by_class(layout, outcome),
            label_offsets=label_offsets,
        )


def packed(outcome: Outcome) -> bytes:
    return codec.pack("OUTC", _VERSION, outcome.plain())


def unpacked(layout: OutcomeLayout, packed: bytes) -> Outcome:
    """An outcome of its own; what it begins with is shared, and immutable."""
    return Outcome(_summary(packed)) if packed else Outcome.empty(layout)


@lru_cache(maxsize=512)  # Spans of neighbouring windows share nearly all of their members.
def _summary(packed: bytes) -> Summary:
    return Outcome.of_plain(codec.unpack("OUTC", _VERSION, packed, list)).summary


def together(layout: OutcomeLayout, ledgers: Iterable[Ledger]) -> Outcome:
    """The labels of all of them."""
    outcome = Outcome.empty(layout)
    for ledger in ledgers:
        outcome = outcome.merge(unpacked(layout, ledger.outcome))
    return outcome


def packed_scores(scores: PredictedScores) -> bytes:
    plain = scores.plain()
    return b"" if plain is None else codec.pack("SCOR", _VERSION, plain)


@lru_cache(maxsize=512)  # Spans of neighbouring windows share nearly all of their members. Nobody changes them.
def unpacked_scores(packed: bytes) -> PredictedScores:
    return PredictedScores.of_plain(codec.unpack("SCOR", _VERSION, packed, list) if packed else None)
