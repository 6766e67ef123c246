"""What a window's findings say of each feature, in whole traffic and in segments, and what of it makes an incident."""

from __future__ import annotations

from collections.abc import Mapping

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
    values = findings.values
    windows = {segment: window._replace(segment=segment) for segment in ("", *watch.segments)}
    columns = (
        tally.sum(axis=1),
        _said(values.effect, values.tested),
        _said(values.floor, values.tested),
        _said(values.p_value, values.tested),
        values.ratio,
        values.onset_ms,
        remembered.tested_ms,
        _said(values.day_effect, ~np.isnan(values.day_effect)),
    )
    verdicts = {}
    for place, (subject, name, figures) in enumerate(
        zip(watch.subjects, watch.names, zip(*(column.tolist() for column in columns), strict=True), strict=True)
    ):
        if watch.watches(subject):
            rows, effect, floor, p_value, ratio, onset_ms, tested_ms, day_effect = figures
            wrong = tuple(share.aspect for share in findings.wrong.get(name, ()))
            verdicts[name] = Verdict(
                window=windows[subject.segment],
                feature=subject.feature,
                rows=rows,
                state=_state(findings, place, alarming, bool(wrong)),
                effect=effect,
                noise_floor=floor,
                psi=None if subject.segment else psi.get(name),
                p_value=p_value,
                evidence_ratio=ratio,
                wrong=wrong,
                moved=findings.moved.get(name, ()) if alarming else (),
                onset_ms=onset_ms,
                tested_ms=tested_ms,
                day_effect=day_effect,
            )
    return verdicts


def _said(figures: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.object_]:
    """object[S]: the figures, None where there are none."""
    said = figures.astype(object)
    said[~which] = None
    return said


def _state(findings: Findings, place: int, alarming: bool, wrong: bool) -> State:
    values = findings.values
    if not alarming:
        return "learning"
    if values.drifting[place] or wrong:
        return "drifting"
    if not findings.known:
        return "learning"
    if values.untestable[place]:
        return "untestable"
    if not values.tested[place]:
        return "insufficient"
    return "watch" if values.watch[place] else "ok"


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
