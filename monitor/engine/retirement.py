"""Versions that have gone: nothing of them is awaited, learned or shown any more, and their incidents are over.

A version has gone when other versions' windows show that it has had no prediction for `retire_ms`; one that is alone,
as of a model that is scored once a month, is awaited for ever. Its drift is told by the clock of predictions, its
performance by that of labels, each a function of event times alone, so that it does not matter how far the one is ahead
of the other.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from monitor.detection.records import Cause, VersionChange
from monitor.detection.sentences import called
from monitor.detection.triggers import Evidence
from monitor.engine.output import Output
from monitor.engine.pane import OTHER
from monitor.events.batch import LABELS
from monitor.spec import ModelSpec
from monitor.windows.streams import FOREVER
from monitor.windows.window import Window

if TYPE_CHECKING:
    from monitor.engine.model import ModelMonitor

WINDOWS_MIN = 4
"""Windows for which a version must have been silent at least, where they are long."""


def retire(model: ModelMonitor, window: Window, key: str, output: Output) -> None:
    """What a closed window, in the order of windows, says of versions: which have retired, and that its own is here.
    key: of the reference that it is counted under.
    """
    first, last, version = model.progress.first, model.progress.last, window.version
    bound = _bound(model.spec, window.end_ms, window)
    for silent in sorted(each for each, end_ms in last.items() if each != version and end_ms <= bound):
        del last[silent]
        first.pop(silent, None)
        model.watching.forget(silent)
        model.windows.drop(silent)
        _close(model, silent, ("drift", "data"), window.start_ms, window.end_ms, output)
        output.versions.append(VersionChange(model.spec.name, silent, "retired", window.end_ms, _reason(silent)))
    if version not in last and version != OTHER:
        first[version] = window.start_ms
        if not _registered(model, version):
            inherited = model.references[key].version
            detail = (
                f"version {version} has come, and nobody registered it: it is compared with the reference of version "
                f"{inherited} and alarms of nothing until it has learned what is usual; `monitor versions register` "
                "gives it a reference of its own"
            )
            output.versions.append(VersionChange(model.spec.name, version, "unregistered", window.start_ms, detail))
    last[version] = window.end_ms


def retire_performance(model: ModelMonitor, boundary_ms: int, output: Output) -> None:
    """The same, of what labels say, as of a boundary."""
    progress = model.progress
    standing = {each.opened.version for each in progress.incidents.standing if each.cause == "performance"}
    shown = {version for version, _ in model.performance}
    for version in sorted(standing | shown | progress.followed.keys()):
        if gone(model, version, boundary_ms):
            progress.followed.pop(version, None)
            model.performance.drop(version)
            _close(model, version, ("performance",), boundary_ms - model.spec.window.grid_ms, boundary_ms, output)


def gone(model: ModelMonitor, version: str, boundary_ms: int) -> bool:
    """Whether a version has retired as of a boundary."""
    newest = model.settlement.newest(version, boundary_ms)
    if newest is None:
        return True
    bound = _bound(model.spec, model.settlement.newest_ms(boundary_ms), newest)
    return newest.end_ms <= bound


def _registered(model: ModelMonitor, version: str) -> bool:
    """Whether it has a reference of its own, be it one that counts from a later window on."""
    return model.references.owns(version, model.references.key(version, FOREVER))


def _bound(spec: ModelSpec, end_ms: int, window: Window) -> int:
    return spec.silent_since(end_ms, max(spec.retire_ms, WINDOWS_MIN * (window.end_ms - window.start_ms)))


def _reason(version: str) -> str:
    return f"version {called(version)} has had no predictions for as long as retire_after says: it has retired"


def _close(
    model: ModelMonitor, version: str, causes: tuple[Cause, ...], start_ms: int, end_ms: int, output: Output
) -> None:
    progress, name = model.progress, model.spec.name
    reason = _reason(version)
    for key, incident in progress.incidents.all():
        opened = incident.opened
        if opened.version == version and opened.segment != LABELS and incident.cause in causes:
            change = progress.incidents.close(key, reason, start_ms)
            window = Window(end_ms, name, version, opened.segment, start_ms)
            progress.arbiter.note(Evidence(window, incident.cause, (change,), reason, 0, {}, "", calm=True))
            progress.note([change])
            output.changes.append(change)
