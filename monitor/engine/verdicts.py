"""What a window's findings say of each feature, in whole traffic and in segments, and of how features go together; and
what of it makes an incident.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from monitor.detection.correlation import worst
from monitor.detection.faults import Wrong
from monitor.detection.records import Severity, State, Verdict
from monitor.detection.severity import MAJOR, severity
from monitor.detection.streams import Judged
from monitor.detection.subject import Subject
from monitor.detection.volume import Rows
from monitor.detection.watch import Findings, Watch, WatchState
from monitor.events.batch import CORRELATION, ROWS
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
    """By name of what is watched; and one on how features go together, of the pair that speaks for all, where that is
    known. tally: int64[S, WIDTH]; psi: by feature, of whole traffic.
    """
    judged, rows, tested_ms = findings.values, tally.sum(axis=1), remembered.tested_ms
    said = [(place, each) for place, each in enumerate(watch.subjects) if watch.watches(each)]
    if watch.pairs.judged.any():
        said.append((len(watch.subjects), Subject(CORRELATION)))
        judged = judged.with_one(findings.pairs, worst(findings.pairs, watch.pairs.judged))
        rows, tested_ms = np.append(rows, rows[0]), np.append(tested_ms, remembered.paired_ms)
    windows = {segment: window._replace(segment=segment) for segment in ("", *watch.segments)}
    columns = (
        rows,
        _said(judged.effect, judged.tested),
        _said(judged.floor, judged.tested),
        _said(judged.p_value, judged.tested),
        judged.ratio,
        judged.onset_ms,
        tested_ms,
        _said(judged.day_effect, ~np.isnan(judged.day_effect)),
    )
    figures = list(zip(*(column.tolist() for column in columns), strict=True))
    verdicts = {}
    for place, subject in said:
        name = subject.name
        count, effect, floor, p_value, ratio, onset_ms, tested, day_effect = figures[place]
        wrong = tuple(share.aspect for share in findings.wrong.get(name, ()))
        verdicts[name] = Verdict(
            window=windows[subject.segment],
            feature=subject.feature,
            rows=count,
            state=_state(judged, place, alarming, findings.known, bool(wrong)),
            effect=effect,
            noise_floor=floor,
            psi=None if subject.segment else psi.get(name),
            p_value=p_value,
            evidence_ratio=ratio,
            wrong=wrong,
            moved=findings.moved.get(name, ()) if alarming else (),
            onset_ms=onset_ms,
            tested_ms=tested,
            day_effect=day_effect,
        )
    return verdicts


def _said(figures: NDArray[np.float64], which: NDArray[np.bool_]) -> NDArray[np.object_]:
    """object[S]: the figures, None where there are none."""
    said = figures.astype(object)
    said[~which] = None
    return said


def _state(judged: Judged, place: int, alarming: bool, known: bool, wrong: bool) -> State:
    if not alarming:
        return "learning"
    if judged.drifting[place] or wrong:
        return "drifting"
    if not known:
        return "learning"
    if judged.untestable[place]:
        return "untestable"
    if not judged.tested[place]:
        return "insufficient"
    return "watch" if judged.watch[place] else "ok"


def of_rows(window: Window, rows: int, found: Rows) -> Verdict:
    """That too few or too many came."""
    return Verdict(window, ROWS, rows, "drifting", evidence_ratio=found.ratio, wrong=("volume",))


def broken(watch: Watch, findings: Findings) -> NDArray[np.bool_]:
    """bool[S + P]: what is watched, then pairs, of which a window is no lesson, if it is an exception."""
    wrong = np.array([name in findings.wrong for name in watch.names], dtype=np.bool_)
    # Also where the window alone holds too few rows to say.
    values, pairs = (each.drifting & ~(each.effect < MAJOR) for each in (findings.values, findings.pairs))
    subjects = values | wrong
    touched = watch.pairs.together.touching({watch.names[place] for place in np.flatnonzero(subjects).tolist()})
    return np.concatenate([subjects, pairs | touched])


def unexplained(
    watch: Watch, findings: Findings, verdicts: Mapping[str, Verdict]
) -> tuple[list[Verdict], dict[str, tuple[Wrong, ...]]]:
    """What drifts, whole traffic first and the worst first, and what is wrong with the data. Where whole traffic shows
    it of a feature, its segments say nothing more.
    """
    segments = {each.name: each for each in watch.subjects if each.segment}
    drifting = [verdicts[watch.names[place]] for place in np.flatnonzero(findings.values.drifting).tolist()]
    if findings.pairs.drifting.any():
        drifting.append(verdicts[CORRELATION])
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
