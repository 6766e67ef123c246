"""A snapshot with many features, in segments and versions, and hostile names."""

from __future__ import annotations

from monitor.detection.records import Incident, State
from monitor.snapshot import Snapshot
from tests.exports.snapshots import (
    HOSTILE,
    busy_service,
    drifting,
    model_view,
    performance_view,
    snapshot,
    verdict,
    window,
    window_view,
)

FEATURES = (HOSTILE, "a" * 120, *(f"feature_{number:02}" for number in range(35)))
HOURS = 30


def made() -> Snapshot:
    """Model `wide` has all features, which move now and then; another one has a hostile name."""
    windows = [
        window_view(
            place,
            [
                verdict(place, name, _state(hour, number), (hour * number) % 40 / 100, 0.02, (hour % 7) / 5)
                for number, name in enumerate(FEATURES)
            ],
        )
        for hour in range(HOURS)
        for place in (window(hour, model="wide", version=HOSTILE), window(hour, model="wide", segment=HOSTILE))
    ]
    before, last = (window(hour, model="wide", version=HOSTILE) for hour in (HOURS - 2, HOURS - 1))
    wide = model_view(
        "wide",
        features=FEATURES,
        versions=(HOSTILE, "3"),
        windows=windows,
        performance=[
            performance_view(window(hour, model="wide", version=HOSTILE), 0.9 - hour / 500) for hour in range(HOURS)
        ],
        incidents=[
            Incident("inc_9", "drift", "major", last, last, FEATURES[:3]),
            Incident("inc_8", "performance", "minor", before, before, ("roc_auc",)),
        ],
    )
    return snapshot(wide, model_view(HOSTILE), *drifting().models.values(), service=busy_service())


def _state(hour: int, number: int) -> State:
    states: tuple[State, ...] = ("ok", "ok", "watch", "drifting", "learning", "insufficient")
    return states[(hour + number) % len(states)]
