"""What a closed window's findings come to, feature by feature."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.detection.correlation import worst
from monitor.detection.records import State, Verdict
from monitor.detection.severity import MAJOR
from monitor.detection.streams import Judged
from monitor.detection.volume import Rows
from monitor.detection.watch import Findings, Watch, WatchState
from monitor.events.batch import CORRELATION, ROWS
from monitor.windows.window import Window


def of_rows(window: Window, rows: int, found: Rows) -> Verdict:
    """Too few rows, or too many."""
    return Verdict(window, ROWS, rows, "drifting", evidence_ratio=found.ratio, wrong=("volume",))


def verdicts_of(
    window: Window,
    rows: int,
    watch: Watch,
    findings: Findings,
    psi: Mapping[str, float | None],
    alarming: bool,
    remembered: WatchState,
) -> dict[str, Verdict]:
    """One a feature that is judged, and one on how they go together, where that is known."""
    tested_ms = remembered.tested_ms.tolist()
    found = {
        name: _verdict(window, rows, name, findings, findings.values, place, alarming, tested_ms[place], psi.get(name))
        for place, name in enumerate(watch.names)
        if watch.watches(name)
    }
    if watch.pairs.judged.any():
        pairs, tested = findings.pairs, remembered.paired_ms
        found[CORRELATION] = _verdict(window, rows, CORRELATION, findings, pairs, worst(pairs), alarming, tested)
    return found


def broken(watch: Watch, findings: Findings) -> NDArray[np.bool_]:
    """bool[F + P]: features, then pairs, of which a window is no lesson, if it is an exception."""
    wrong = np.array([name in findings.wrong for name in watch.names], dtype=np.bool_)
    # Also where the window alone holds too few rows to say.
    values, pairs = (each.drifting & ~(each.effect < MAJOR) for each in (findings.values, findings.pairs))
    features = values | wrong
    touched = watch.pairs.together.touching({watch.names[place] for place in np.flatnonzero(features).tolist()})
    return np.concatenate([features, pairs | touched])


def _verdict(
    window: Window,
    rows: int,
    name: str,
    findings: Findings,
    values: Judged,
    place: int,
    alarming: bool,
    tested_ms: int,
    psi: float | None = None,
) -> Verdict:
    """By one of the streams that were judged."""
    wrong = tuple(share.aspect for share in findings.wrong.get(name, ()))
    tested = bool(values.tested[place])
    state: State
    if not alarming:
        state = "learning"
    elif values.drifting[place] or wrong:
        state = "drifting"
    elif not findings.known:
        state = "learning"
    elif values.untestable[place]:
        state = "untestable"
    elif not tested:
        state = "insufficient"
    else:
        state = "watch" if values.watch[place] else "ok"
    return Verdict(
        window=window,
        feature=name,
        rows=rows,
        state=state,
        effect=float(values.effect[place]) if tested else None,
        noise_floor=float(values.floor[place]) if tested else None,
        psi=psi,
        p_value=float(values.p_value[place]) if tested else None,
        evidence_ratio=float(values.ratio[place]),
        wrong=wrong,
        moved=findings.moved.get(name, ()) if alarming else (),
        onset_ms=int(values.onset_ms[place]),
        tested_ms=tested_ms,
        day_effect=None if np.isnan(values.day_effect[place]) else float(values.day_effect[place]),
    )
