"""A retrain trigger's life: one table says what may follow what, and everything else is refused with a sentence.

The pipeline may report before its answer to the request was read, or after it was given up waiting for: what was heard
last from whoever knows best stands, and no step goes back.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Literal, Self

from monitor.detection.records import Trigger
from monitor.errors import RefusedError

TriggerState = Literal["withheld", "pending", "sent", "accepted", "running", "succeeded", "failed", "expired"]
"""Not made for a reason; made, not tried; tried without an answer that says yes, so it may have been received; taken;
being worked on; over with a new version; over without; taken and not heard of for too long."""

TriggerEvent = Literal[
    "approved", "tried", "delivered", "given up", "accepted", "running", "succeeded", "failed", "expired"
]
"""A person's; three of the delivery; four reports of the pipeline; the clock's."""

_DELIVERY = ("tried", "delivered", "given up")


def _deaf(state: TriggerState) -> dict[TriggerEvent, TriggerState]:
    """What becomes of the delivery says nothing more of one that the pipeline is known to have."""
    return {"tried": state, "delivered": state, "given up": state}


_REPORTED: dict[TriggerEvent, TriggerState] = {
    "accepted": "accepted",
    "running": "running",
    "succeeded": "succeeded",
    "failed": "failed",
}
_ANSWERED: dict[TriggerEvent, TriggerState] = {"tried": "sent", "delivered": "accepted", "given up": "failed"}

STEPS: Mapping[TriggerState, Mapping[TriggerEvent, TriggerState]] = MappingProxyType(
    {
        "withheld": {"approved": "pending"},
        "pending": {"approved": "pending", **_ANSWERED, **_REPORTED},
        "sent": {"approved": "sent", **_ANSWERED, **_REPORTED},
        "accepted": {"approved": "accepted", **_deaf("accepted"), **_REPORTED, "expired": "expired"},
        "running": {
            "approved": "running",
            **_deaf("running"),
            "running": "running",
            "succeeded": "succeeded",
            "failed": "failed",
            "expired": "expired",
        },
        "succeeded": {**_deaf("succeeded"), "succeeded": "succeeded"},
        "failed": {**_deaf("failed"), "failed": "failed"},
        # A slow pipeline that was given up may still say how it ended.
        "expired": {**_deaf("expired"), "succeeded": "succeeded", "failed": "failed"},
    }
)
"""What each state becomes by each event; the same state: a repeat, which changes nothing; absent: refused."""

IN_FLIGHT: tuple[TriggerState, ...] = ("pending", "sent", "accepted", "running")
EXPIRE: tuple[TriggerState, ...] = tuple(state for state, steps in STEPS.items() if "expired" in steps)

_WHY: Mapping[TriggerState, str] = MappingProxyType(
    {
        "withheld": "was withheld, so that nobody has been asked: `monitor triggers send` sends it",
        "pending": "has not been tried yet",
        "sent": "has not been taken yet",
        "running": "is running, and takes no step back",
        "succeeded": "has succeeded and is over",
        "failed": "has failed and is over: what is to be tried again is another request",
        "expired": "has expired: only how it ended can still be reported",
    }
)


@dataclass(frozen=True, slots=True)
class Step:
    """A state that was reached. at_ms: wall clock; of what a window decided, the end of its boundary. detail: one
    sentence, or nothing.
    """

    state: TriggerState
    at_ms: int
    detail: str = ""


@dataclass(frozen=True, slots=True)
class Life:
    """How far one trigger has come. steps: oldest first. heard_ms: wall clock of the last that was heard of it. run:
    what the pipeline calls what it has begun. version: that it says it has made.
    """

    trigger: Trigger
    steps: tuple[Step, ...]
    heard_ms: int
    run: str = ""
    version: str = ""

    @classmethod
    def begun(cls, trigger: Trigger, at_ms: int) -> Self:
        """Made, or withheld."""
        state: TriggerState = "withheld" if trigger.withheld else "pending"
        return cls(trigger, (Step(state, at_ms, trigger.withheld or trigger.summary),), at_ms)

    @property
    def state(self) -> TriggerState:
        return self.steps[-1].state

    @property
    def since_ms(self) -> int:
        return self.steps[-1].at_ms

    @property
    def in_flight(self) -> bool:
        return self.state in IN_FLIGHT

    def after(self, event: TriggerEvent, at_ms: int, detail: str = "", run: str = "", version: str = "") -> Life:
        """What it becomes. RefusedError where the table does not have it."""
        state = STEPS[self.state].get(event)
        if state is None:
            raise RefusedError(f"trigger {self.trigger.id} {_WHY[self.state]}; it cannot be {event} now")
        known = replace(self, run=run or self.run, version=self.version or version)
        if state == self.state and event in (*_DELIVERY, "approved"):
            return known
        if state != self.state:
            steps = (*self.steps, Step(state, at_ms, detail))
        else:  # Heard of again, with the newest that is said of it.
            steps = (*self.steps[:-1], replace(self.steps[-1], detail=detail or self.steps[-1].detail))
        trigger = replace(self.trigger, withheld="") if event == "approved" else self.trigger
        return replace(known, trigger=trigger, steps=steps, heard_ms=at_ms)


@dataclass(frozen=True, slots=True)
class TriggerChange:
    """One step in a trigger's life. before: None where it begins. reason: one sentence for people. version: that the
    pipeline says it has made.
    """

    trigger: Trigger
    before: TriggerState | None
    after: TriggerState
    reason: str
    version: str = ""
