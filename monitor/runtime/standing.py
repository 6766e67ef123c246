"""Where a reference in the state counts instead of the one that the configuration names: who looks is told."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator

from monitor.config import Config
from monitor.detection.sentences import called
from monitor.engine import state
from monitor.engine.references import Standard, overruling
from monitor.errors import StateError, StateHeldError
from monitor.events.timestamps import iso
from monitor.runtime.store import Store


def overruled(compiled: Collection[str], made: Iterable[Standard]) -> Iterator[str]:
    """A sentence on each version whose compiled reference does not count. compiled: by version, "" is of any."""
    for standard in overruling(compiled, made):
        yield (
            f"version {called(standard.version)} of model {standard.spec.name} is compared, from "
            f"{iso(standard.since_ms)} on, with a reference that was made here ({standard.why}), not with the compiled "
            "one that the configuration names: for that one to count, give it to a new version, or begin with a new "
            "state directory"
        )


def in_state(config: Config) -> Iterator[str]:
    """The same of a configuration whose service is not running: one that runs has said it. A sentence where the state
    cannot be looked at.
    """
    try:
        pieces = Store.kept(config.state)
        made = {name: state.made(spec, pieces) for name, spec in config.specs().items()}
    except StateHeldError:
        return
    except StateError as error:
        yield f"whether references made here count instead of compiled ones was not looked up: {error}"
        return
    references = config.references()
    for name, standards in made.items():
        yield from overruled(references[name], standards)
