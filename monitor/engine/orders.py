"""What people ask of a running service, carried out at the next step and kept as a control event.

An order counts from the boundary that comes next, whatever has been closed: a window that is open when it is given ends
under what it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import ClassVar

from monitor.detection.incidents import Key
from monitor.detection.past import shows_every_hour
from monitor.detection.records import IncidentChange, VersionChange
from monitor.detection.sentences import called, listed
from monitor.detection.triggers import Evidence
from monitor.engine import spans
from monitor.engine.control import Acknowledged, Rebaselined, Registered
from monitor.engine.ledger import together
from monitor.engine.making import ROWS_MIN, WINDOWS_MIN, enough, made_of, with_features
from monitor.engine.model import ModelMonitor
from monitor.engine.output import Output
from monitor.engine.references import SEED, Standard
from monitor.errors import RefusedError
from monitor.events.batch import CORRELATION
from monitor.events.timestamps import iso
from monitor.profiles.outcome import Outcome
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec
from monitor.statistics.performance import labels_by_class
from monitor.windows.streams import NEVER


@dataclass(frozen=True, slots=True)
class Rebaseline:
    """Take what is now for what is usual. features: only these; none means all, and performance too. version: only
    this. from_ms: of windows that start from then on; None: since the incident that is open, or all that are kept.
    """

    kind: ClassVar = "rebaseline"
    model: str
    reason: str
    features: tuple[str, ...] = ()
    version: str | None = None
    from_ms: int | None = None


@dataclass(frozen=True, slots=True)
class Register:
    """Compare a version, from its next window on, with a reference of its own. standard: of that version, from no time
    on, with what takes long worked out.
    """

    kind: ClassVar = "register"
    model: str
    standard: Standard


@dataclass(frozen=True, slots=True)
class Acknowledge:
    """Somebody looks after an incident: what goes wrong from now on is another one."""

    kind: ClassVar = "acknowledge"
    incident: str
    note: str = ""


def acknowledge(model: ModelMonitor, order: Acknowledge) -> tuple[Output, str]:
    """RefusedError where the incident is over."""
    change = model.progress.incidents.acknowledge(order.incident, order.note)
    model.notes.append(Acknowledged(model.spec.name, order.incident, model.progress.closed_ms, order.note))
    return Output(changes=[change]), f"incident {order.incident} is acknowledged"


def register(model: ModelMonitor, order: Register) -> tuple[Output, str]:
    """RefusedError where the version has another reference; nothing changes where it has this one."""
    version, reference = order.standard.version, order.standard.reference
    if model.references.seeded and not model.references.made:
        raise _learning(model)
    named = f"version {version!r} of model {model.spec.name!r}"
    own = [each for each in model.references.values() if each.version == version]
    if own and own[-1].reference.digest == reference.digest:
        return Output(), f"{named} has this reference already"
    if own and version:
        raise RefusedError(
            f"{named} has another reference, {own[-1].reference.digest}: register the new one under a new version, or "
            "accept recent data with `monitor rebaseline`"
        )
    since = _unopened_ms(model, version)
    model.maker.add(order.standard.since(since))
    model.notes.append(Registered(model.spec.name, version, model.progress.closed_ms, since, reference.digest))
    model.tidy_references()
    when = f"from {iso(since)} on" if since else "from its first window on"
    said = f"{named} is compared with the reference that was registered for it, {when}"
    return Output(versions=[VersionChange(model.spec.name, version, "registered", since, said)]), said


def _unopened_ms(model: ModelMonitor, version: str | None = None) -> int:
    """Start of the first windows, of one version or of all, that nothing was counted in; 0 where nothing has come."""
    grid = model.spec.window.grid_ms
    ends = (end for end, each in model.panes if version in (None, each))
    return max([0, -(-model.progress.closed_ms // grid) * grid, *ends])


def _learning(model: ModelMonitor) -> RefusedError:
    return RefusedError(f"model {model.spec.name!r} is still learning its first reference: wait until it has")


def rebaseline(model: ModelMonitor, order: Rebaseline) -> tuple[Output, str]:
    """What it changes, and a sentence; RefusedError, and nothing has changed, where there is too little to go by."""
    versions = _versions(model, order)
    made, refused = [], []
    for version in versions:
        try:
            made.append(_made(model, version, order))
        except RefusedError as error:
            refused.append(error)
    if not made:
        raise refused[0]
    output = Output()
    for standard in made:
        model.maker.add(standard)
        model.notes.append(
            Rebaselined(
                model=model.spec.name,
                version=standard.version,
                features=order.features,
                from_ms=order.from_ms,
                closed_ms=model.progress.closed_ms,
                since_ms=standard.since_ms,
                reference=standard.reference.digest,
                reason=order.reason,
            )
        )
        if not order.features:
            model.progress.followed.pop(standard.version, None)
        for key in _over(model, standard.version, order.features):
            output.changes.append(_accept(model, key, f"accepted as normal: {order.reason}"))
    model.progress.note(output.changes)
    model.tidy_references()
    what = listed(order.features) if order.features else "every feature"
    which = listed([called(standard.version) for standard in made])
    ended = [f"; its {each.incident.cause} incident is over" for each in output.changes]
    return output, (
        f"{what} of version {which} of {model.spec.name} is compared with a reference of recent data from "
        f"{iso(made[0].since_ms)} on" + "".join([*ended, *(f"; {error}" for error in refused)])
    )


def _versions(model: ModelMonitor, order: Rebaseline) -> list[str]:
    kept = model.maker.memory.versions
    references = model.references
    own = [each for each in kept if references.owns(each, references.key(each, model.progress.closed_ms))]
    if not own:
        raise RefusedError(
            f"no version of model {model.spec.name!r} has a reference of its own and windows that have closed: wait "
            "for the first ones"
        )
    if order.version is not None and order.version not in own:
        raise RefusedError(
            f"version {order.version!r} of model {model.spec.name!r} has no reference of its own and recent windows: "
            f"those that have are {listed([repr(each) for each in own])}"
        )
    return own if order.version is None else [order.version]


def _made(model: ModelMonitor, version: str, order: Rebaseline) -> Standard:
    spec, progress = model.spec, model.progress
    closed, since = progress.closed_ms, _unopened_ms(model)
    key = model.references.key(version, since)  # Of an order that came just before, where there was one.
    if key == SEED and model.references.seeded:
        raise _learning(model)
    before = model.references[key]
    old = before.reference
    if CORRELATION in order.features:
        raise RefusedError(
            f"{CORRELATION} is of pairs of features: name both features of the pair that is to be normal"
        )
    unknown = [name for name in order.features if name not in old.layout.features]
    if unknown:
        known = listed(sorted(old.layout.features))
        raise RefusedError(f"model {spec.name!r} has no feature {listed(unknown)}: it has {known}")
    begun = [
        each.opened.start_ms
        for each in progress.incidents.standing
        if (each.opened.version, each.opened.segment) == (version, "")
    ]
    from_ms = min(begun, default=NEVER) if order.from_ms is None else order.from_ms
    starts = model.maker.memory.starts(version, from_ms, closed)
    if not enough(model.maker.memory, version, starts):
        since_when = "" if from_ms == NEVER else f" since {iso(from_ms)}"
        part = "window" if spec.part == spec.window.size else "whole hour"  # Rows of shorter ones are kept by it.
        raise RefusedError(
            f"{len(starts)} {part}s of version {version!r} of model {spec.name!r} have passed{since_when}, and a "
            f"reference needs {WINDOWS_MIN} with {ROWS_MIN} rows: wait, or name an earlier time to begin from"
        )
    segments = old.segmented.segments if order.features and old.segmented is not None else None
    new = made_of(spec, model.maker.memory, version, starts, old.layout.outcome, segments)
    if order.features:
        reference = with_features(old, new, order.features)
    else:
        reference = replace(new, outcome=_outcome(model, version, starts, old))
    _refuse_unknown_hours(spec, before, new, order, len(starts))
    waits = reference.outcome is None and before.labels_until_ms != NEVER
    labels_until_ms = since + before.labels_until_ms - before.since_ms if waits else NEVER
    return Standard(spec, version, reference, since, order.reason, labels_until_ms)


def _refuse_unknown_hours(spec: ModelSpec, before: Standard, new: Reference, order: Rebaseline, windows: int) -> None:
    """What is usual at an hour that no window shows would be guessed, and every such hour be taken for a change."""
    if before.watch.complete and not shows_every_hour(spec, new.history):
        raise RefusedError(
            f"the {windows} windows that it would be made of do not show every hour of working days and of weekends "
            f"twice, so what is usual at the others is not known: acknowledge the incident of {order.model!r} for now, "
            "and accept the new normal when a week has shown it, or write alarms: {learning: 0s} if hours do not matter"
        )


def _outcome(model: ModelMonitor, version: str, starts: Sequence[int], old: Reference) -> Outcome | None:
    """Labels of the same windows, where there are enough to be compared with; else those there were."""
    layout, key = old.layout.outcome, model.references.key(version, starts[-1])
    ledgers = model.settlement.between(version, (key, ""), starts[0], starts[-1] + 1)
    # Labels that come early may be of another kind than those that come late.
    outcome = together(layout, (ledger for ledger in ledgers if ledger.settled))
    held = spans.enough(model.spec.performance, outcome.rows, labels_by_class(layout, outcome))
    return outcome if held else old.outcome


def _over(model: ModelMonitor, version: str, features: Sequence[str]) -> list[Key]:
    """Incidents that are over when these features are as they should be; no features: all."""
    subjects = model.references[model.references.key(version, model.progress.closed_ms)].watch.subjects
    named = {each.name for each in subjects if each.feature in features}
    return [
        key
        for key, incident in model.progress.incidents.all()
        if (incident.opened.version, incident.opened.segment) == (version, "")
        and (not features or (incident.cause != "performance" and set(incident.features) <= named))
    ]


def _accept(model: ModelMonitor, key: Key, reason: str) -> IncidentChange:
    change = model.progress.incidents.close(key, reason)
    latest = change.incident.latest
    evidence = Evidence(latest, change.incident.cause, (change,), reason, 0, {}, "", calm=True)
    model.progress.arbiter.note(evidence)
    return change
