"""The retrain request: one trigger as the exact bytes that are signed, stored and sent (`model.retrain.requested`).

The bytes are a function of the arguments alone, so two instances that decide the same send the same message, under
the same id, and the receiver drops the second copy.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from types import MappingProxyType

import orjson

from monitor.actions.outbox import Attempt, DeliveryState, Message
from monitor.addresses import API, incident_page, public, report_page, trigger_page
from monitor.detection.life import TriggerEvent
from monitor.detection.records import Trigger, Verdict
from monitor.events.batch import OUTPUTS
from monitor.events.timestamps import iso
from monitor.windows.window import Offsets

EVIDENCE_MAX = 20
"""Features named in one request: webhook payloads should stay below 20 kB."""


@dataclass(frozen=True, slots=True)
class Receipt:
    """What the decision was computed from, so that it can be repeated, and where to read on.

    monitor: version of this program. config, reference, profile: digests, "sha256:<hex>", None where unknown.
    base_url: where receivers reach the HTTP API, None if they cannot.
    """

    monitor: str
    config: str | None = None
    reference: str | None = None
    profile: str | None = None
    base_url: str | None = None


def retrain_request(trigger: Trigger, receipt: Receipt, receiver: str, created_ms: int) -> Message:
    """The message that asks `receiver` (its name in the configuration) for a retrained model.

    A field that is named by the contract and not known here is null, never absent.
    """
    assert not trigger.withheld, "a withheld trigger is recorded, not sent"
    body = {"type": "model.retrain.requested", "timestamp": iso(created_ms), "data": _data(trigger, receipt)}
    return Message(
        id=message_id(trigger.id, receiver),
        receiver=receiver,
        subject=trigger.id,
        body=orjson.dumps(body),
        created_ms=created_ms,
    )


def message_id(trigger: str, receiver: str) -> str:
    """The `webhook-id` of a trigger's message to one receiver: the same on every attempt, instance and restart."""
    return "msg_" + hashlib.sha256(f"{trigger}\0{receiver}".encode()).hexdigest()[:32]


DELIVERY: Mapping[DeliveryState, TriggerEvent] = MappingProxyType(
    {"pending": "tried", "delivered": "delivered", "failed": "given up", "disabled": "given up"}
)
"""What an attempt to deliver its request is in the life of a trigger; a request is never superseded."""


def delivered(attempt: Attempt) -> tuple[str, TriggerEvent, int, str, str] | None:
    """Trigger, event, wall clock, sentence and run of an attempt to deliver a request; None of any other message."""
    if attempt.message != message_id(attempt.subject, attempt.receiver) or attempt.state not in DELIVERY:
        return None
    return attempt.subject, DELIVERY[attempt.state], attempt.at_ms, attempt.detail, attempt.run


def _data(trigger: Trigger, receipt: Receipt) -> dict[str, object]:
    window = trigger.window
    return {
        "trigger": trigger.id,
        "model": window.model,
        "version": window.version,
        "reason": trigger.reason,
        "severity": trigger.severity,
        "summary": trigger.summary,
        "window": {"start": iso(window.start_ms), "end": iso(window.end_ms)},
        "onset": iso(trigger.onset_ms),
        "training_window": {"start": iso(trigger.training_ms[0]), "end": iso(trigger.training_ms[1])},
        "labels_available": trigger.labels,
        "evidence": [_evidence(each) for each in trigger.evidence if each.feature not in OUTPUTS][:EVIDENCE_MAX],
        "performance": asdict(trigger.performance) if trigger.performance else None,
        "data": {
            "rows": trigger.rows,
            "offsets": {"predictions": _offsets(trigger.offsets), "labels": _offsets(trigger.label_offsets)},
        },
        "receipt": {
            "monitor": receipt.monitor,
            "config": receipt.config,
            "reference": receipt.reference,
            "profile": receipt.profile,
        },
        "links": _links(trigger, receipt.base_url),
    }


def _evidence(verdict: Verdict) -> dict[str, object]:
    segment = {"segment": verdict.window.segment} if verdict.window.segment else {}
    return {
        "feature": verdict.feature,
        **segment,
        "effect": verdict.effect,
        "noise_floor": verdict.noise_floor,
        "evidence_ratio": verdict.evidence_ratio,
        "psi": verdict.psi,
    }


def _offsets(offsets: Offsets) -> dict[str, list[int]]:
    """By partition, in the order of their numbers, whatever order they were collected in."""
    partitions = {int(place.rpartition("/")[2]): list(span) for place, span in offsets.items()}
    return {str(number): partitions[number] for number in sorted(partitions)}


def _links(trigger: Trigger, base_url: str | None) -> dict[str, str | None]:
    """incident: a page, which whoever looks at the pipeline's run follows; status: what the pipeline itself calls."""
    if base_url is None:
        return {"incident": None, "report": None, "status": None}
    return {
        "incident": public(base_url, incident_page(trigger.incident)) if trigger.incident else None,
        "report": public(base_url, report_page(trigger.window)),
        "status": public(base_url, f"{API}{trigger_page(trigger.id)}/status"),
    }
