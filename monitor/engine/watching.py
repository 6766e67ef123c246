"""The features of a model's versions under watch: what a closed window says of each, and the incidents that follow.

A version whose reference does not tell what is usual at every hour learns it from its own windows. One that nobody
registered is compared with an inherited reference: it reads as `learning` and alarms of nothing until it has learned.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from statistics import median

import numpy as np
from numpy.typing import NDArray

from monitor.detection.incidents import Incidents
from monitor.detection.records import Skew, Verdict
from monitor.detection.sensitivity import Detectable
from monitor.detection.sentences import describe_data, describe_drift
from monitor.detection.triggers import Evidence
from monitor.detection.units import Seen
from monitor.detection.volume import Volume
from monitor.detection.watch import Findings, Watch, WatchState
from monitor.engine.learning import Learned, Lesson, fills_gaps, learn
from monitor.engine.pane import Pane
from monitor.engine.references import References, Standard
from monitor.engine.verdicts import broken, of_rows, severity_of, unexplained, verdicts_of
from monitor.events.batch import ROWS
from monitor.snapshot import WatchView, WindowView
from monitor.spec import HOUR_MS, ModelSpec
from monitor.statistics.reading import Reading
from monitor.windows.season import days
from monitor.windows.window import Window

Counts = NDArray[np.int64]


@dataclass(slots=True)
class Watching:
    """One model's. lessons: by (version, start). states: by version. touched: pieces that have changed since they were
    saved, as (kind, version, start).
    """

    spec: ModelSpec
    references: References
    states: dict[str, WatchState] = field(default_factory=dict)
    lessons: dict[tuple[str, int], Lesson] = field(default_factory=dict)
    touched: set[tuple[str, str, int]] = field(default_factory=set)
    _volume: Volume | None = field(init=False)
    _learned: dict[str, Learned] = field(default_factory=dict)
    _starts: dict[str, list[int]] = field(default_factory=dict)
    _news: list[Skew] = field(default_factory=list)

    def __post_init__(self) -> None:
        self._volume = Volume(self.spec) if self.spec.window.timed else None

    def judge(
        self, window: Window, pane: Pane, standard: Standard, readings: list[Reading], incidents: Incidents
    ) -> tuple[tuple[Verdict, ...], list[Evidence]]:
        """What a closed window says, windows in their order: of whole traffic, then of its segments. Evidence: of
        drift, then of causes in the data.
        """
        version = window.version
        registered = self.references.owns(version, pane.reference)
        tally, identity = pane.tally(standard.reference.cells), standard.cells
        self._forget_other_cells(version, standard)
        watch = self._watch(version, registered, standard.watch)
        alarming = registered or version in self._learned
        leaving = self.references.leaving(version, window.start_ms)
        alarming = alarming and not leaving and bool(watch.names)
        psi = {reading.feature: reading.value for reading in readings if reading.statistic == "psi"}
        if self.spec.ignored(window):
            return self._ignore(window, pane, tally, watch, psi, alarming)
        if alarming:
            state = self.states.setdefault(version, watch.blank())
            state.reference = identity
            self.touched.add(("watch", version, 0))
        else:
            state = watch.blank()
        paired = watch.pairs.together.of_sample(pane.profile.sample)
        findings = watch.judge(state, window, tally, max(1, len(self.states)), partial(Seen.of, pane.profile), paired)
        gaps_alone = version in self._learned or (registered and fills_gaps(self.spec, standard))
        if not (findings.known if gaps_alone else registered and watch.complete):
            self._learn(window, Lesson(identity, tally, paired, window.end_ms, broken(watch, findings)))
        verdicts = verdicts_of(window, tally, watch, findings, psi, alarming, state)
        if self._volume is not None:
            others = [other for other in self.states if other != version]
            self.touched |= {("watch", other, 0) for other in others if Volume.pause(self.states[other].volume)}
            if leaving and version in self.states:  # An hour of which some windows are not counted says nothing.
                self.touched |= {("watch", version, 0)} if Volume.pause(self.states[version].volume) else set()
            if alarming:
                findings = self._with_volume(self._volume, window, pane.profile.rows, findings, verdicts)
        said = tuple(verdicts.values()) or self._unsaid(window, pane)
        # What the last windows before a new reference say is neither here nor there.
        followed = Incidents() if leaving else incidents
        return said, self._evidence(window, pane, watch, findings, verdicts, followed, alarming)

    def _ignore(
        self,
        window: Window,
        pane: Pane,
        tally: Counts,
        watch: Watch,
        psi: Mapping[str, float | None],
        alarming: bool,
    ) -> tuple[tuple[Verdict, ...], list[Evidence]]:
        """What a window says that the calendar says to ignore: what stood before it stands, and it is no evidence."""
        state, rows = self.states.get(window.version) if alarming else None, pane.profile.rows
        if state is None:
            state = watch.blank()
        else:
            self.touched.add(("watch", window.version, 0))
            if self._volume is not None:
                self._volume.ignore(state.volume, window)
        findings = watch.ignore(state, max(1, len(self.states)))
        verdicts = verdicts_of(window, tally, watch, findings, psi, alarming, state)
        for name in verdicts.keys() & state.wrong.keys():  # Of a feature whose data alone is watched there is none.
            verdicts[name] = replace(verdicts[name], state="drifting", wrong=state.wrong[name])
        if state.volume.found is not None:
            verdicts[ROWS] = of_rows(window, rows, state.volume.found)
        said = tuple(verdicts.values()) or self._unsaid(window, pane)
        return said, [Evidence(window, "drift", (), "", rows, pane.offsets, pane.profile.digest)]

    def _unsaid(self, window: Window, pane: Pane) -> tuple[Verdict, ...]:
        """Of a window that no reference is there for."""
        told = self.spec.features
        watched = [name for name in self.spec.schema.features if name not in told or told[name].monitor == "drift"]
        return tuple(Verdict(window, name, pane.profile.rows, "learning") for name in watched)

    def _with_volume(
        self, volume: Volume, window: Window, rows: int, findings: Findings, verdicts: dict[str, Verdict]
    ) -> Findings:
        """The findings, and verdicts, with too few or too many rows among them; and when they are right again."""
        state = self.states[window.version].volume
        before = state.found
        volume.judge(state, window, rows)
        if state.found is not None:
            verdicts[ROWS] = replace(
                of_rows(window, rows, state.found), effect=state.found.effect, tested_ms=window.end_ms
            )
            return replace(findings, wrong={**findings.wrong, ROWS: (state.found,)})
        if before is not None:
            verdicts[ROWS] = Verdict(window, ROWS, rows, "ok", tested_ms=window.end_ms)
        return findings

    def _evidence(
        self,
        window: Window,
        pane: Pane,
        watch: Watch,
        findings: Findings,
        verdicts: Mapping[str, Verdict],
        incidents: Incidents,
        alarming: bool,
    ) -> list[Evidence]:
        """Move the version's incidents on."""
        drifting, wrong = unexplained(watch, findings, verdicts) if alarming else ([], {})
        affected = {each.name: severity_of(each.window.segment, each.standing or 0.0) for each in drifting}
        whole = [each for each in drifting if not each.window.segment] or drifting
        judged = [(each.standing, watch.tolerance[each.name]) for each in whole if each.standing is not None]
        calm = bool(judged) and all(effect < tolerance for effect, tolerance in judged)
        worst = {name: max(share.effect for share in shares) for name, shares in wrong.items()}
        parts = {each.name: each.segment for each in watch.subjects}
        ranked = sorted(worst, key=lambda name: (bool(parts.get(name)), -worst[name], name))
        affected_data = {name: severity_of(parts.get(name, ""), worst[name]) for name in ranked}
        said = describe_data({name: wrong[name] for name in ranked})
        began = min((verdict.onset_ms for verdict in drifting if verdict.onset_ms >= 0), default=None)
        reason = describe_drift(drifting)
        drift = Evidence(
            window=window,
            cause="drift",
            changes=tuple(incidents.update(window, "drift", affected, reason, began)),
            reason=reason,
            rows=pane.profile.rows,
            offsets=pane.offsets,
            profile=pane.profile.digest,
            verdicts=tuple(drifting),
            calm=calm,
            onset_ms=began,
        )
        since = min((share.onset_ms for shares in wrong.values() for share in shares), default=None)
        changes = tuple(incidents.update(window, "data", affected_data, said, since))
        return [
            drift,
            replace(drift, cause="data", changes=changes, reason=said, verdicts=(), calm=False, onset_ms=since),
        ]

    def _learn(self, window: Window, lesson: Lesson) -> None:
        """Keep a window of a version that is still learning; from enough of them, what is usual follows."""
        alarms, version = self.spec.alarms, window.version
        if not self.spec.window.timed or alarms.learning_ms == 0 or not len(lesson.tally):
            return
        start = window.start_ms // HOUR_MS * HOUR_MS
        before = self.lessons.get((version, start))
        if before is not None:
            tally, pairs = before.tally + lesson.tally, before.pairs + lesson.pairs
            lesson = replace(lesson, tally=tally, pairs=pairs, broken=before.broken | lesson.broken)
        self.keep(version, start, lesson)
        self.touched.add(("lesson", version, start))
        starts = self._starts[version]
        if version not in self._learned:
            self.conclude(version)
            learned = self._learned.get(version)
            if learned is not None and learned.skew is not None:
                self._news.append(learned.skew)
        # Hours that it had not seen then are learned of by the day: to learn takes seconds.
        elif before is None and len(np.unique(days(starts[-2:], self.spec.timezone))) == 2:
            self.conclude(version)

    def measured(self) -> list[Skew]:
        """Of versions that have learned since the last call."""
        news, self._news = self._news, []
        return news

    def keep(self, version: str, start_ms: int, lesson: Lesson) -> None:
        """Take in a lesson, as one was made or saved, in order of their starts."""
        starts = self._starts.setdefault(version, [])
        if not starts or starts[-1] < start_ms:
            starts.append(start_ms)
        self.lessons[version, start_ms] = lesson

    def conclude(self, version: str) -> None:
        """Go by what a version's lessons of its newest reference say, once they are enough."""
        lessons = {start: self.lessons[version, start] for start in self._starts[version]}
        cells = lessons[max(lessons)].reference
        key = next((key for key, each in self.references.items() if each.cells == cells), None)
        if key is None:
            return  # It is not used any more: the version's next window drops what was counted in its cells.
        registered = self.references.owns(version, key)
        learned = learn(self.spec, version, self.references[key], lessons, registered=registered)
        if learned is not None:
            self._learned[version] = learned

    def conclude_all(self) -> None:
        """After a restart: versions that had learned go by it again."""
        for version in self._starts:
            self.conclude(version)

    def view(self, windows: Sequence[WindowView]) -> WatchView:
        """How the version of these windows, oldest first, is watched."""
        newest = windows[-1].window
        version, key = newest.version, self.references.key(newest.version, newest.end_ms)
        registered = self.references.owns(version, key)
        watch = self._watch(version, registered, self.references[key].watch)
        alarming = registered or version in self._learned
        starts = self._starts.get(version)
        learning = bool(starts) and not (alarming and watch.complete)
        known = alarming and watch.knows(newest)
        found = watch.detectable_about(median(view.rows for view in windows)) if known else {}
        by_segment: dict[str, dict[str, Detectable | None]] = {}
        for each in watch.subjects:
            if each.name in found:
                by_segment.setdefault(each.segment, {})[each.feature] = found[each.name]
        return WatchView(
            registered=registered,
            learning_until_ms=starts[0] + self.spec.alarms.learning_ms if starts and learning else None,
            detectable=by_segment.pop("", {}),
            segments=by_segment,
            skew=self._learned[version].skew if version in self._learned else None,
        )

    def _watch(self, version: str, registered: bool, given: Watch) -> Watch:
        """What a version is judged by: its own reference where that tells enough, else what it has learned, if any."""
        learned = self._learned.get(version)
        return given if learned is None or (registered and given.complete) else learned.watch

    def _forget_other_cells(self, version: str, standard: Standard) -> None:
        """Begin anew with the features of a version that are compared with other rows than before."""
        state, starts = self.states.get(version), self._starts.get(version, [])
        if state is not None and state.reference != standard.cells:
            before = next((each for each in self.references.values() if each.cells == state.reference), None)
            registered = self.references.owns(version, self.references.key(version, state.end_ms))
            if not registered or before is None or before.watch.names != standard.watch.names:
                del self.states[version]
            else:
                self._begin_anew(version, before.other_features(standard), standard.watch)
            self.touched.add(("watch", version, 0))
        if starts and self.lessons[version, starts[-1]].reference != standard.cells:
            self._forget_lessons(version)

    def _begin_anew(self, version: str, features: NDArray[np.bool_], watch: Watch) -> None:
        """With some of the features, bool[F]; where it is all of them, with how many rows come, too."""
        if features.all():
            del self.states[version]
        else:
            state, names = self.states[version], np.array(watch.names)
            which = np.resize(features, len(names))  # In whole traffic, and in each segment.
            kept = set(names[~which].tolist())
            state.forget(which, watch.pairs.together.touching(names[which].tolist()))
            state.units = {name: each for name, each in state.units.items() if name in kept}
            state.wrong = {name: each for name, each in state.wrong.items() if name in kept}

    def _forget_lessons(self, version: str) -> None:
        self._learned.pop(version, None)
        for start in self._starts.pop(version, []):
            del self.lessons[version, start]
            self.touched.add(("lesson", version, start))

    def forget(self, version: str) -> None:
        """All that was learned of a version, which has retired."""
        if self.states.pop(version, None) is not None:
            self.touched.add(("watch", version, 0))
        self._forget_lessons(version)
