"""What a model must remember across a restart, as small pieces of bytes: only those that changed are written again."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, TypeVar
from urllib.parse import quote, unquote

from monitor.detection.watch import WatchState
from monitor.engine.learning import Lesson
from monitor.engine.ledger import Ledger
from monitor.engine.memory import Remembered
from monitor.engine.model import ModelMonitor
from monitor.engine.pane import Pane
from monitor.engine.progress import Progress
from monitor.engine.references import Standard, key_of
from monitor.errors import CodecError, LayoutMismatchError, StateError
from monitor.profiles import codec
from monitor.profiles.sample import Sample
from monitor.snapshot import PerformanceView, WindowView
from monitor.spec import ModelSpec

_VERSION = 4
T = TypeVar("T")
_PROGRESS = ("progress", "", 0)


def changes(model: ModelMonitor) -> dict[str, bytes | None]:
    """The pieces that changed since the last call, by key; None for one that is gone."""
    pieces = {_key(model.spec.name, place): _dump(model, *place) for place in sorted(model.dirty)}
    model.dirty.clear()
    progress = _dump(model, *_PROGRESS)
    if progress != model.saved:
        pieces[_key(model.spec.name, _PROGRESS)] = model.saved = progress
    return pieces


def restore(model: ModelMonitor, pieces: Mapping[str, bytes]) -> None:
    """Fill a new model from the pieces of all models that were saved."""
    for key in sorted(pieces, key=_order):
        name, kind, version, number = key.split("/")
        if unquote(name) == model.spec.name:
            try:
                _load(model, kind, unquote(version), int(number), pieces[key])
            except LayoutMismatchError as error:
                raise StateError(
                    f"the reference of model {model.spec.name!r}, version {unquote(version)!r}, was replaced while its "
                    "windows were open; put the old file back, or register the new one under a new version"
                ) from error
            except CodecError as error:
                raise _unread(model.spec, error) from error
    model.watching.conclude_all()


def made(spec: ModelSpec, pieces: Mapping[str, bytes]) -> list[Standard]:
    """Of the pieces of all models, the references that this one made here, oldest first. StateError where they cannot
    be read.
    """
    prefix = f"{quote(spec.name, safe='')}/reference/"
    try:
        found = [Standard.load(spec, pieces[key]) for key in pieces if key.startswith(prefix)]
    except CodecError as error:
        raise _unread(spec, error) from error
    return sorted(found, key=lambda each: each.since_ms)


def _unread(spec: ModelSpec, error: CodecError) -> StateError:
    return StateError(
        f"the state of model {spec.name!r} cannot be read ({error}): run the version of this program that wrote it, or "
        "begin with a new state directory"
    )


def _order(key: str) -> tuple[str, bool, str, str, int]:
    """References before the panes that are counted in their cells."""
    name, kind, version, number = key.split("/")
    return name, kind != "reference", kind, version, int(number)


def _key(model: str, place: tuple[str, str, int]) -> str:
    kind, version, number = place
    return f"{quote(model, safe='')}/{kind}/{quote(version, safe='')}/{number}"


def _dump(model: ModelMonitor, kind: str, version: str, number: int) -> bytes | None:
    value: Any
    match kind:
        case "progress":
            value = model.progress
        case "pane":
            pane = model.panes.get((number, version))
            return pane.dump() if pane else None
        case "gathered":
            gathered = model.gathered.get(version)
            value = (gathered[0], gathered[1].dump()) if gathered else None
        case "ledger":
            ledger = model.settlement.ledgers.get((version, number))
            value = (model.references[ledger.reference].reference.layout.outcome.plain(), ledger) if ledger else None
        case "window":
            value = model.windows.get((version, number))
        case "watch":
            value = model.watching.states.get(version)
        case "lesson":
            value = model.watching.lessons.get((version, number))
        case "memory":
            kept = model.maker.memory.kept.get((version, number))
            value = (kept.end_ms, kept.sample.plain()) if kept else None
        case "recent":
            pane = model.maker.recent.get((version, number))
            return pane.dump() if pane else None
        case "reference":
            standard = model.references.get(key_of(version, number))
            return standard.dump() if standard else None
        case _:
            value = model.performance.get((version, number))
    return None if value is None else codec.pack("STAT", _VERSION, value)


def _load(model: ModelMonitor, kind: str, version: str, number: int, data: bytes) -> None:
    match kind:
        case "progress":
            model.resume(_unpack(data, Progress))
            model.saved = data
        case "pane":
            model.panes[(number, version)] = Pane.load(model.references, data)
        case "gathered":
            start_ms, pane = _unpack(data, tuple[int, bytes])
            model.gathered[version] = (start_ms, Pane.load(model.references, pane))
        case "ledger":
            outcome, ledger = _unpack(data, tuple[list[Any], Ledger])
            known = model.references.get(ledger.reference)
            if ledger.outcome and (known is None or outcome != known.reference.layout.outcome.plain()):
                raise LayoutMismatchError("these labels were counted under another layout: its reference was replaced")
            model.settlement.hold(ledger)
        case "window":
            model.windows[(version, number)] = _unpack(data, WindowView)
        case "watch":
            model.watching.states[version] = _unpack(data, WatchState)
        case "lesson":
            model.watching.keep(version, number, _unpack(data, Lesson))
        case "performance":
            model.performance[(version, number)] = _unpack(data, PerformanceView)
        case _:
            _load_made(model, kind, version, number, data)


def _unpack(data: bytes, shape: type[T]) -> T:
    return codec.unpack("STAT", _VERSION, data, shape, oldest=_VERSION)


def _load_made(model: ModelMonitor, kind: str, version: str, number: int, data: bytes) -> None:
    """What references are made of, and those that were."""
    match kind:
        case "memory":
            end_ms, sample = _unpack(data, tuple[int, list[Any]])
            model.maker.memory.put(version, number, Remembered(end_ms, Sample.of_plain(sample)))
        case "recent":
            model.maker.recent[version, number] = Pane.load(model.references, data)
        case "reference":
            model.references.add(Standard.load(model.spec, data))
