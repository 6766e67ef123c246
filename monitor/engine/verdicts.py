"""What a window's findings say of each feature, in whole traffic and in segments, and what of it makes an incident."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import Severity, State, Verdict
from monitor.detection.severity import MAJOR, severity
from monitor.detection.volume import Rows
from monitor.detection.watch import Findings, Watch, WatchState, Wrong
from monitor.events.batch import ROWS
from monitor.windows.window import Window

Counts = NDArray[np.int64]


def verdicts_of(
    window: Window,
    tally: Counts,
    watch: Watch,
    findings: Findings,
    psi: Mapping[str, float | None],
    alarming: bool,
    remembered: WatchState,
) -> dict[str, Verdict]:
    """By name of what is watched. tally: int64[S, WIDTH]; psi: by feature, of whole traffic."""
    rows = tally.sum(axis=1).tolist()
    windows = {each.segment: window._replace(segment=each.segment) for each in watch.subjects}
    return {
        subject.name: _verdict(
            windows[subject.segment],
            rows[place],
            subject.feature,
            findings,
            place,
            findings.wrong.get(subject.name, ()),
            None if subject.segment else psi.get(subject.feature),
            alarming,
            remembered,
        )
        for place, subject in enumerate(watch.subjects)
        if watch.watches(subject)
    }


def _verdict(
    window: Window,
    rows: int,
    feature: str,
    findings: Findings,
    place: int,
    found: Sequence[Wrong],
    psi: float | None,
    alarming: bool,
    remembered: WatchState,
) -> Verdict:
    values = findings.values
    wrong = tuple(share.aspect for share in found)
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
    verdict = Verdict(
        window=window,
        feature=feature,
        rows=rows,
        state=state,
        effect=float(values.effect[place]) if tested else None,
        noise_floor=float(values.floor[place]) if tested else None,
        psi=psi,
        p_value=float(values.p_value[place]) if tested else None,
        evidence_ratio=float(values.ratio[place]),
        wrong=wrong,
        onset_ms=int(values.onset_ms[place]),
        tested_ms=int(remembered.tested_ms[place]),
        day_effect=None if np.isnan(values.day_effect[place]) else float(values.day_effect[place]),
    )
    moved = findings.moved.get(verdict.name) if alarming else None
    return verdict if moved is None else replace(verdict, moved=moved)


def of_rows(window: Window, rows: int, found: Rows) -> Verdict:
    """That too few or too many came."""
    return Verdict(window, ROWS, rows, "drifting", evidence_ratio=found.ratio, wrong=("volume",))


def broken(watch: Watch, findings: Findings) -> NDArray[np.bool_]:
    """bool[S]: what of a window is no lesson, if it is an exception."""
    values = findings.values
    major = values.drifting & ~(values.effect < MAJOR)  # Also where the window alone holds too few rows to say.
    return major | np.array([name in findings.wrong for name in watch.names], dtype=np.bool_)


def unexplained(
    watch: Watch, findings: Findings, verdicts: Mapping[str, Verdict]
) -> tuple[list[Verdict], dict[str, tuple[Wrong, ...]]]:
    """What drifts, whole traffic first and the worst first, and what is wrong with the data. Where whole traffic shows
    it of a feature, its segments say nothing more.
    """
    segments = {each.name: each for each in watch.subjects if each.segment}
    drifting = [verdicts[watch.names[place]] for place in np.flatnonzero(findings.values.drifting).tolist()]
    faulty = {name for name in findings.wrong if name not in segments}
    shown = faulty | {each.feature for each in drifting if not each.window.segment}
    kept = [each for each in drifting if not each.window.segment or each.feature not in shown]
    wrong = {
        name: found
        for name, found in findings.wrong.items()
        if name not in segments or segments[name].feature not in faulty
    }
    return sorted(kept, key=lambda verdict: verdict.rank), wrong


def severity_of(segment: str, effect: float) -> Severity:
    """What touches a segment alone is minor for the model, however far it goes there."""
    return "minor" if segment else severity(effect)
