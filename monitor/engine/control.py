"""What the clock and people decided, and the events alone do not tell: noted with every step, so that a replay can do
the same.

That an idle partition holds nothing up changes no figure while it stays silent. It does when the partition wakes, as
what was closed without it stays closed: hence `Woke`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar


@dataclass(frozen=True, slots=True)
class Woke:
    """From this offset on a partition's watermark is at least `floor_ms`: it was idle, or joined its topic late."""

    kind: ClassVar = "woke"
    model: str
    topic: str
    partition: int
    offset: int
    floor_ms: int


@dataclass(frozen=True, slots=True)
class Quarantined:
    """The local clock, as the topic does not say when its broker received them, found these rows too early.

    records: (partition, first offset, last offset), of whose events of the model all are meant; rows: (partition,
    offset, row in the record) of those of which some are. A producer with a wrong clock must not fill the store.
    """

    kind: ClassVar = "quarantined"
    model: str
    topic: str
    records: tuple[tuple[int, int, int], ...]
    rows: tuple[tuple[int, int, int], ...]


@dataclass(frozen=True, slots=True)
class Closed:
    """All partitions of the predictions were idle, and the clock moved the watermarks up to these times."""

    kind: ClassVar = "closed"
    model: str
    closed_ms: int
    joint_ms: int


@dataclass(frozen=True, slots=True)
class Rebaselined:
    """Somebody took recent data for the new normal: windows that start from `since_ms` on are compared with it.
    features: only these; none means all. from_ms: of windows from then on, None where that was left open; closed_ms:
    those that had closed by then. reference: digest of the one that was made.
    """

    kind: ClassVar = "rebaselined"
    model: str
    version: str
    features: tuple[str, ...]
    from_ms: int | None
    closed_ms: int
    since_ms: int
    reference: str
    reason: str


@dataclass(frozen=True, slots=True)
class Registered:
    """A version was given a reference of its own: its windows that start from `since_ms` on are compared with it.
    closed_ms: windows that had closed by then. reference: its digest.
    """

    kind: ClassVar = "registered"
    model: str
    version: str
    closed_ms: int
    since_ms: int
    reference: str


@dataclass(frozen=True, slots=True)
class Acknowledged:
    """Somebody looks after an incident; closed_ms: windows that had closed by then."""

    kind: ClassVar = "acknowledged"
    model: str
    incident: str
    closed_ms: int
    note: str


@dataclass(frozen=True, slots=True)
class Stepped:
    """A retrain trigger came a step further by something other than events: a person's word, its pipeline's report, how
    its delivery went, or the clock. boundary_ms: boundaries up to this one had been arbitrated; at_ms: wall clock.
    """

    kind: ClassVar = "stepped"
    model: str
    trigger: str
    event: str
    boundary_ms: int
    at_ms: int
    detail: str
    run: str
    version: str


@dataclass(frozen=True, slots=True)
class Requested:
    """Somebody asked for a retrained model. closed_ms: windows that had closed by then; boundary_ms, at_ms: as of
    `Stepped`.
    """

    kind: ClassVar = "requested"
    model: str
    version: str
    reason: str
    force: bool
    closed_ms: int
    boundary_ms: int
    at_ms: int
    trigger: str


Note = Woke | Quarantined | Closed | Rebaselined | Registered | Acknowledged | Stepped | Requested
