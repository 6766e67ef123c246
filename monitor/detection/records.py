"""What detection says: verdicts, incidents and triggers. Their ids are digests of what caused them."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal, NamedTuple

from monitor.detection.subject import Subject
from monitor.windows.window import Offsets, Window

State = Literal["learning", "insufficient", "untestable", "ok", "watch", "drifting"]
Cause = Literal["drift", "performance", "data"]
Severity = Literal["minor", "moderate", "major"]
Aspect = Literal["missing", "invalid", "out of range", "unseen", "unit", "volume"]
IncidentEvent = Literal["opened", "joined", "worsened", "acknowledged", "resolved"]


class Moved(NamedTuple):
    """cell: its values, for people: "20 to 45", or categories. usual, now: its share of the rows with a known value.
    part: of the whole difference. Of how features go together: two of them, "amount and income", and their correlation.
    """

    cell: str
    usual: float
    now: float
    part: float


class Differing(NamedTuple):
    """A feature of a `Skew`. effect: de-biased, PSI units; moved: the cells that differ most, usual in training."""

    feature: str
    effect: float
    moved: tuple[Moved, ...]


@dataclass(frozen=True, slots=True)
class Skew:
    """How the windows that a version learned from differ from the rows of its reference. start_ms: of the first window,
    end_ms: of the last. features: those that differ by more than is tolerated, worst first.
    """

    version: str
    start_ms: int
    end_ms: int
    features: tuple[Differing, ...]


@dataclass(frozen=True, slots=True)
class Verdict:
    """What one window says of one feature. effect: de-biased, PSI units; noise_floor: what chance alone gives; p_value:
    of a difference within the tolerance. evidence_ratio: evidence over the alarm's limit. wrong: what is not as it
    should be besides the distribution of values. moved: of a feature that drifts, the cells that moved most. onset_ms:
    start of the window from which the evidence has grown.
    tested_ms: end of the newest window, this one included, that held enough rows to be tested; -1: none has yet.
    day_effect: of the newest whole day, where it took days to find that the feature drifts.
    """

    window: Window
    feature: str
    rows: int
    state: State
    effect: float | None = None
    noise_floor: float | None = None
    psi: float | None = None
    p_value: float | None = None
    evidence_ratio: float = 0.0
    wrong: tuple[Aspect, ...] = ()
    moved: tuple[Moved, ...] = ()
    onset_ms: int = -1
    tested_ms: int = -1
    day_effect: float | None = None

    @property
    def name(self) -> str:
        """What it is of: amount, or amount in country=PL."""
        return Subject(self.feature, self.window.segment).name

    @property
    def rank(self) -> tuple[bool, float, str]:
        """Sorts whole traffic before segments, then the worst first."""
        return bool(self.window.segment), -(self.standing or 0.0), self.name

    @property
    def standing(self) -> float | None:
        """The effect by which it drifts: the day's, where the windows do not show it."""
        return self.effect if self.day_effect is None else self.day_effect


@dataclass(frozen=True, slots=True)
class Incident:
    """One problem of one model version, from the window that opened it on. `features` in the order they joined.
    acknowledged: whether somebody has said to look after it.
    """

    id: str
    cause: Cause
    severity: Severity
    opened: Window
    latest: Window
    features: tuple[str, ...]
    open: bool = True
    acknowledged: bool = False


@dataclass(frozen=True, slots=True)
class IncidentChange:
    """One step in an incident's life. reason: one sentence for people. onset_ms: when what it says is estimated to have
    begun; of features that drift, their verdicts say it of each.
    """

    incident: Incident
    event: IncidentEvent
    window: Window
    reason: str
    onset_ms: int


@dataclass(frozen=True, slots=True)
class VersionChange:
    """One step in a version's life: it has come unregistered, was registered, or has retired. at_ms: event time.
    detail: one sentence for people.
    """

    model: str
    version: str
    event: Literal["unregistered", "registered", "retired"]
    at_ms: int
    detail: str


@dataclass(frozen=True, slots=True)
class PerformanceEvidence:
    """The performance figures a trigger carries; `reference` is the figure the reference had."""

    metric: str
    value: float
    lower: float
    upper: float
    reference: float
    label_coverage: float


@dataclass(frozen=True, slots=True)
class Trigger:
    """A decision that a model should be retrained.

    window: the one that decided. onset_ms: when the change is estimated to have begun. evidence: the drifting
    features' verdicts, worst first, of a performance trigger as of the boundary that decided. labels: number of labels
    joined so far. offsets, label_offsets: [first, last + 1) of the window's predictions, and of the labels that counted
    for them, in each partition. training_ms: start and end of the span to train on. profile: digest of the window's
    profile. withheld: empty for a trigger that is to be sent, else why it is not.
    """

    id: str
    reason: Literal["drift", "performance", "manual"]
    severity: Severity
    summary: str
    window: Window
    onset_ms: int
    incident: str
    evidence: tuple[Verdict, ...]
    performance: PerformanceEvidence | None
    labels: int
    rows: int
    offsets: Offsets
    training_ms: tuple[int, int]
    label_offsets: Offsets = field(default_factory=dict)
    profile: str = ""
    withheld: str = ""
