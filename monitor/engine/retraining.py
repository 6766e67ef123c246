"""What becomes of retrain triggers: made at boundaries, or by hand; sent; reported on; given up.

What comes from outside - a person's word, a pipeline's report, how a delivery went, the clock - changes a trigger's
life at once, and what is asked from the first boundary on that has not been arbitrated. It is noted with the boundary
before that, so that a replay decides the same.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from monitor.detection.identity import identity
from monitor.detection.life import EXPIRE, Life, TriggerEvent
from monitor.detection.records import Trigger, Verdict
from monitor.detection.sentences import listed
from monitor.detection.triggers import broken
from monitor.engine.control import Requested, Stepped
from monitor.engine.model import ModelMonitor
from monitor.engine.output import Output
from monitor.errors import RefusedError
from monitor.snapshot import WindowView
from monitor.spec import RetrainSpec


@dataclass(frozen=True, slots=True)
class Report:
    """A pipeline says how far it is with a trigger. version: that it has made. run: what it calls what it has begun."""

    trigger: str
    state: Literal["accepted", "running", "succeeded", "failed"]
    version: str = ""
    detail: str = ""
    run: str = ""


@dataclass(frozen=True, slots=True)
class Approve:
    """A person sends a trigger that was withheld."""

    trigger: str


@dataclass(frozen=True, slots=True)
class Retrain:
    """A person asks for a retrained model. version: whose traffic is to be learned from; None: that of the newest
    window. force: although the data is wrong.
    """

    model: str
    reason: str
    version: str | None = None
    force: bool = False


def report(model: ModelMonitor, order: Report, now_ms: int) -> tuple[Output, str]:
    """RefusedError where its state has no such step."""
    before = model.progress.lives[order.trigger]
    output = step(model, before, order.state, now_ms, order.detail, order.run, order.version)
    life = model.progress.lives[order.trigger]
    version = f", as version {life.version}" if life.version and life.state == "succeeded" else ""
    return output, f"trigger {order.trigger}: {life.state}{version}"


def approve(model: ModelMonitor, order: Approve, now_ms: int) -> tuple[Output, str]:
    """RefusedError where it is over, or nothing may be asked now."""
    life = model.progress.lives[order.trigger]
    retrain = _retrain(model)
    if life.state == "withheld":
        incidents = model.progress.incidents.standing
        if life.trigger.incident not in {incident.id for incident in incidents}:
            raise RefusedError(
                f"the incident of trigger {order.trigger} is over: give the name of its model, and a reason, if it is "
                "to be retrained all the same"
            )
        _refuse(model, broken(incidents, life.trigger.window))
    output = step(model, life, "approved", now_ms, "sent by a person")
    return output, f"trigger {order.trigger} is sent to {retrain.receiver}"


def request(model: ModelMonitor, order: Retrain, now_ms: int) -> tuple[Output, str]:
    """Whatever cool-down, budget, labels and approval would say. RefusedError where there is nothing to go by, the data
    is wrong, or a request is in flight; the same request again changes nothing.
    """
    retrain, view = _retrain(model), _newest(model, order.version)
    repeated = _repeated(model, order, view)
    if repeated is not None:
        return Output(), f"trigger {repeated.trigger.id} has asked {retrain.receiver} for this: it is {repeated.state}"
    incidents = model.progress.incidents.standing
    wrong = "" if order.force else broken(incidents, view.window)
    _refuse(model, f"{wrong}, unless it is forced" if wrong else "")
    trigger = _by_hand(model, order.reason, view, now_ms)
    model.notes.append(
        Requested(
            model.spec.name,
            view.window.version,
            order.reason,
            order.force,
            model.progress.closed_ms,
            model.progress.boundary_ms,
            now_ms,
            trigger.id,
        )
    )
    _send(model, trigger)
    output = Output()
    output.begin([model.progress.begin(trigger, now_ms)])
    return output, f"trigger {trigger.id} asks {retrain.receiver} for a retrained {model.spec.name}"


def deliver(model: ModelMonitor, life: Life, event: TriggerEvent, at_ms: int, detail: str, run: str) -> Output:
    """How an attempt to deliver a trigger's request ended."""
    try:
        return step(model, life, event, at_ms, detail, run)
    except RefusedError:  # Of what is withheld nothing is delivered; were it so, nobody could be told.
        return Output()


def expire(model: ModelMonitor, now_ms: int) -> Output:
    """Give up what has not been heard of for too long. now_ms: wall clock."""
    output, retrain = Output(), model.spec.retrain
    if retrain is not None and retrain.expires_ms:
        for life in list(model.progress.lives.values()):
            if life.state in EXPIRE and life.heard_ms + retrain.expires_ms <= now_ms:
                said = "nothing was heard of it for too long"
                output.trigger_changes += step(model, life, "expired", now_ms, said).trigger_changes
    return output


def step(
    model: ModelMonitor, life: Life, event: TriggerEvent, at_ms: int, detail: str = "", run: str = "", version: str = ""
) -> Output:
    """RefusedError, and nothing has changed, where there is no such step."""
    after = life.after(event, at_ms, detail, run, version)
    if after == life:
        return Output()
    trigger, progress = after.trigger, model.progress
    if event == "approved":
        del progress.lives[trigger.id]  # The newest request stands last.
    progress.lives[trigger.id] = after
    model.notes.append(Stepped(model.spec.name, trigger.id, event, progress.boundary_ms, at_ms, detail, run, version))
    if after.state == life.state:
        return Output()
    if event == "approved":
        _send(model, trigger)
    if after.state == "failed":
        progress.arbiter.fail(trigger)
    return Output(trigger_changes=[progress.stepped(life.state, after)])


def _send(model: ModelMonitor, trigger: Trigger) -> None:
    model.progress.arbiter.send(trigger, max(model.progress.boundary_ms, trigger.window.end_ms))


def _retrain(model: ModelMonitor) -> RetrainSpec:
    if model.spec.retrain is None:
        raise RefusedError(f"model {model.spec.name!r} has no receiver to ask: write retrain: {{webhook: ...}}")
    return model.spec.retrain


def _refuse(model: ModelMonitor, reason: str) -> None:
    """RefusedError where there is a reason, or a request is in flight."""
    flying = model.progress.in_flight(model.spec.retrain)
    if flying is not None:
        reason = f"trigger {flying.trigger.id} is in flight ({flying.state}): wait until its pipeline is done with it"
    if reason:
        raise RefusedError(f"model {model.spec.name!r} is not to be retrained now: {reason}")


def _newest(model: ModelMonitor, version: str | None) -> WindowView:
    """The last closed window with rows, of a version or, of those that ended last, of the busiest one."""
    views = [view for view in model.windows.values() if view.rows]
    mine = [view for view in views if version in (None, view.window.version)]
    if not mine:
        of = "" if version is None else f" of version {version!r}"
        known = sorted({repr(view.window.version) for view in views})
        raise RefusedError(
            f"no window{of} of model {model.spec.name!r} has closed yet: "
            + (f"versions with traffic are {listed(known)}" if known else "wait for the first one")
        )
    return max(mine, key=lambda view: (view.window.end_ms, view.rows, view.window.version))


def _repeated(model: ModelMonitor, order: Retrain, view: WindowView) -> Life | None:
    """The newest by hand, if it asks for the same and is not over: somebody who got no answer asks again."""
    mine = [life for life in model.progress.lives.values() if life.trigger.reason == "manual"]
    if not mine or not mine[-1].in_flight or mine[-1].trigger.summary != order.reason:
        return None
    same_window = mine[-1].trigger.window == view.window
    flying = model.progress.in_flight(model.spec.retrain) == mine[-1]
    return mine[-1] if same_window or (flying and order.version in (None, mine[-1].trigger.window.version)) else None


def _by_hand(model: ModelMonitor, reason: str, view: WindowView, now_ms: int) -> Trigger:
    """As full as one that a window asks for."""
    window = view.window
    open_now = [
        incident
        for incident in model.progress.incidents.standing
        if incident.cause != "data" and (incident.opened.version, incident.opened.segment) == window[2:4]
    ]
    incident = max(open_now, key=lambda each: (each.cause == "performance", each.opened), default=None)
    drifting = tuple(sorted((each for each in view.verdicts if _drifts(each)), key=lambda each: each.rank))
    began = [each.onset_ms for each in drifting if each.onset_ms >= 0]
    onset_ms = min([window.start_ms, *(each.opened.start_ms for each in open_now), *began])
    said = model.progress.arbiter.open.get(incident.id) if incident else None
    trigger = Trigger(
        id=identity("trg", f"manual/{reason}/{now_ms}", window),
        reason="manual",
        severity=incident.severity if incident else "minor",
        summary=reason,
        window=window,
        onset_ms=onset_ms,
        incident=incident.id if incident else "",
        evidence=drifting,
        performance=said[1].performance if said else None,
        labels=model.settlement.labels,
        rows=view.rows,
        offsets=view.offsets,
        training_ms=(onset_ms, window.end_ms),
        profile=view.profile,
    )
    return model.settlement.completed(trigger, model.spec.retrain_labels)


def _drifts(verdict: Verdict) -> bool:
    return verdict.state == "drifting" and verdict.standing is not None
