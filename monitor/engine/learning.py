"""What a version's own windows teach: what is usual where its reference does not say, and how far that is from the
reference's rows.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from monitor.detection.records import Skew
from monitor.detection.skew import differing
from monitor.detection.watch import Watch
from monitor.engine.references import Standard
from monitor.profiles.history import History
from monitor.spec import ModelSpec
from monitor.windows.season import days, slots, week_hours

Counts = NDArray[np.int64]
Bools = NDArray[np.bool_]


@dataclass(frozen=True, slots=True)
class Lesson:
    """Rows of one version in one hour, or longer window. reference: `Standard.cells` of the one in whose decision cells
    they are counted. tally: int64[S, WIDTH], of what is watched. pairs: int64[P, 2], as of `Together`. end_ms: of the
    newest window in it. broken: bool[S + P], whether something was wrong with its data, or it drifted by a major
    change; and then with each pair.
    """

    reference: str
    tally: Counts
    pairs: Counts
    end_ms: int
    broken: Bools


@dataclass(frozen=True, slots=True)
class Learned:
    """What follows from lessons. skew: None where drift itself says how production differs from the reference."""

    watch: Watch
    skew: Skew | None


def fills_gaps(spec: ModelSpec, standard: Standard) -> bool:
    """Whether lessons are of those hours of the week alone that a reference does not know: it knows some, and how its
    rows came then can be put into windows as lessons are.
    """
    past = standard.reference.history
    timed = past is not None and past.unit == "ms" and spec.part % past.size == 0
    return timed and standard.watch.knows_some


def learn(
    spec: ModelSpec, version: str, standard: Standard, lessons: Mapping[int, Lesson], *, registered: bool
) -> Learned | None:
    """From lessons by their start, in order; None while they are too few. Those of the first `learning` count, and of
    later ones the days that have ended, so that a restart comes to the same.
    """
    starts = list(lessons)
    if not starts or lessons[starts[-1]].end_ms - starts[0] < spec.alarms.learning_ms:
        return None
    until_ms, size = starts[0] + spec.alarms.learning_ms, spec.part
    day = days(starts, spec.timezone)
    early = np.array(starts) + size <= until_ms
    used = np.array(starts)[early | (day < day[-1])]
    if not len(used):
        return None
    cells, segments = standard.reference.cells, standard.segments
    training, past = standard.reference.streams(standard.segmented)
    tallies, pairs = _sound(spec, lessons, used)
    history = History("ms", size, used, tallies, pairs)
    if past is not None and registered and fills_gaps(spec, standard):
        total = training + tallies.sum(axis=0)
        return Learned(Watch(spec, cells, total, _joined(past.in_windows_of(size), history), segments), None)
    skew = None
    measured = np.array(starts)[early]
    if registered and not standard.why and len(measured):
        found = differing(standard.watch, cells, training, _sound(spec, lessons, measured)[0].sum(axis=0))
        skew = Skew(version, int(measured[0]), lessons[int(measured[-1])].end_ms, found)
    return Learned(Watch(spec, cells, tallies.sum(axis=0), history, segments), skew)


def _sound(spec: ModelSpec, lessons: Mapping[int, Lesson], starts: Counts) -> tuple[Counts, Counts]:
    """int64[W, S, WIDTH] and int64[W, P, 2]: tallies, and pairs, without those that were broken on less than half of
    the working days, or of the weekend's: what is so on most days, or at some hours of each, is no fault that passes
    but how this production is.
    """
    taken = [lessons[start] for start in starts.tolist()]
    broken = np.stack([lesson.broken for lesson in taken])
    day = np.unique(days(starts.tolist(), spec.timezone), return_inverse=True)[1]
    weekend = slots(week_hours(starts.tolist(), spec.timezone), "day type") >= 24
    passing = np.zeros_like(broken)
    for kind in (weekend, ~weekend):
        faulty = np.zeros((int(day[-1]) + 1, broken.shape[1]), dtype=np.bool_)
        np.logical_or.at(faulty, day[kind], broken[kind])
        passing[kind] = broken[kind] & (2 * faulty.sum(axis=0) < len(np.unique(day[kind])))
    tallies, pairs = (np.stack(each) for each in ([one.tally for one in taken], [one.pairs for one in taken]))
    subjects = tallies.shape[1]
    return tallies * ~passing[:, :subjects, None], pairs * ~passing[:, subjects:, None]


def _joined(past: History, history: History) -> History:
    """Both, in order of time."""
    starts = np.concatenate([past.starts, history.starts])
    order = np.argsort(starts, kind="stable")
    tallies, pairs = (
        np.concatenate(each)[order] for each in ((past.tallies, history.tallies), (past.pairs, history.pairs))
    )
    return replace(past, starts=starts[order], tallies=tallies, pairs=pairs)
