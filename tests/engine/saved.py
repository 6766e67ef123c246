"""All of an engine's state, as if none of it had been saved before."""

from __future__ import annotations

from monitor.engine import Monitor
from monitor.engine.model import ModelMonitor


def saved(engine: Monitor) -> dict[str, bytes]:
    """Every piece by key; what the engine itself has still to save is saved with it."""
    for model in engine.models.values():
        model.dirty |= _pieces(model)
        model.saved = None
    return {key: piece for key, piece in engine.changes().items() if piece is not None}


def _pieces(model: ModelMonitor) -> set[tuple[str, str, int]]:
    return {
        *(("pane", version, end) for end, version in model.panes),
        *(("gathered", version, 0) for version in model.gathered),
        *(("ledger", version, start) for version, start in model.settlement.ledgers),
        *(("window", version, end) for version, end in model.windows),
        *(("performance", version, end) for version, end in model.performance),
        *(("watch", version, 0) for version in model.watching.states),
        *(("lesson", version, start) for version, start in model.watching.lessons),
        *(("memory", version, start) for version, start in model.maker.memory.kept),
        *(("recent", version, start) for version, start in model.maker.recent),
        *(("reference", made.version, made.since_ms) for made in model.references.made.values()),
    }
