"""What a back-test found, missed and could not look for: figures of a whole run, of its outputs alone."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from monitor.detection.budget import windows_a_month
from monitor.detection.records import Cause, Skew, Verdict
from monitor.detection.subject import Subject
from monitor.events.batch import CORRELATION
from monitor.profiles.together import Together
from monitor.runtime.backtest import Backtest
from monitor.runtime.plan import CONSTANT, FeaturePlan, plan_version
from monitor.snapshot import WindowView
from monitor.windows.window import Window

CAUSES: tuple[Cause, ...] = ("drift", "data", "performance")


@dataclass(frozen=True, slots=True)
class Finding:
    """A feature, or a metric, that joined an incident. name: as people call it; feature, segment: what it is of.
    onset_ms: when the change is estimated to have begun.
    """

    cause: Cause
    feature: str
    segment: str
    window: Window
    onset_ms: int

    @property
    def name(self) -> str:
        return Subject(self.feature, self.segment).name


@dataclass(frozen=True, slots=True)
class Learning:
    """Windows of one version that read as `learning`, from the first to the last of them. foreign: because the version
    is compared with another's reference; else because its own does not cover their hours.
    """

    version: str
    windows: int
    first: Window
    last: Window
    foreign: bool


@dataclass(frozen=True, eq=False)
class Findings:
    """Of one run."""

    run: Backtest

    @cached_property
    def views(self) -> list[WindowView]:
        return [view for output in self.run.outputs for view in output.windows]

    @cached_property
    def judged(self) -> list[WindowView]:
        """Those that the calendar does not say to ignore."""
        return [view for view in self.views if not view.ignored]

    @cached_property
    def ignored(self) -> Mapping[str, list[Window]]:
        """The others, by the entry of the calendar."""
        found: dict[str, list[Window]] = {}
        for view in self.views:
            if view.ignored:
                found.setdefault(view.ignored, []).append(view.window)
        return found

    @cached_property
    def incidents(self) -> Mapping[Cause, int]:
        """How many were opened, by cause."""
        opened = [
            change.incident.cause
            for output in self.run.outputs
            for change in output.changes
            if change.event == "opened"
        ]
        return {cause: opened.count(cause) for cause in CAUSES}

    @cached_property
    def found(self) -> list[Finding]:
        """In the order in which they were."""
        verdicts = {
            (view.window, each.name): each for view in self.views for part in view.parts for each in part.verdicts
        }
        parts = {name: (each.feature, each.window.segment) for (_, name), each in verdicts.items()}
        known: set[tuple[str, str]] = set()
        found = []
        for change in (change for output in self.run.outputs for change in output.changes):
            for name in change.incident.features:
                if (change.incident.id, name) not in known:
                    known.add((change.incident.id, name))
                    onset = change.onset_ms
                    verdict = verdicts.get((change.window, name))
                    if change.incident.cause == "drift" and verdict is not None and verdict.onset_ms >= 0:
                        onset = verdict.onset_ms
                    found.append(Finding(change.incident.cause, *parts.get(name, (name, "")), change.window, onset))
        return sorted(found, key=lambda each: (each.window, CAUSES.index(each.cause)))

    @cached_property
    def learning(self) -> list[Learning]:
        """A version each."""
        by_version: dict[str, list[Window]] = {}
        for view in self.judged:
            if any(verdict.state == "learning" for verdict in view.verdicts):
                by_version.setdefault(view.window.version, []).append(view.window)
        known = self.run.references
        return [
            Learning(version, len(windows), windows[0], windows[-1], version not in known and "" not in known)
            for version, windows in by_version.items()
        ]

    @cached_property
    def skews(self) -> list[Skew]:
        """Of each version that has learned what is usual, in the order in which they did."""
        return [skew for output in self.run.outputs for skew in output.skews]

    @cached_property
    def untested(self) -> dict[tuple[str, str], str]:
        """Why each feature that was tested in no window of a version was not, by version and feature."""
        return dict(self._untested())

    def _untested(self) -> Iterator[tuple[tuple[str, str], str]]:
        for (version, name), mine in self.verdicts.items():
            feature = self._planned.get(self.run.compared_with(version), {}).get(name)
            why = "" if feature is None else feature.untestable
            if why != CONSTANT and any(verdict.effect is not None for verdict in mine):
                continue
            wrong = sorted({aspect for verdict in mine for aspect in verdict.wrong})
            if not why and wrong:
                why = f"hardly any of its values could be compared, as they were {' or '.join(wrong)}"
            if not why and not mine:
                why = "all its windows were ignored, as the calendar says"
            if not why and all(verdict.state == "learning" for verdict in mine):
                why = "all its windows read as learning"
            if not why and name == CORRELATION:
                why = "its pairs had too few rows, or waited as one of their columns was reported by itself"
            yield (
                (version, name),
                why or "its windows, also together, hold too few rows with a value, or of all values but one",
            )

    @cached_property
    def verdicts(self) -> dict[tuple[str, str], list[Verdict]]:
        """By version and feature, those of windows that the calendar does not say to ignore."""
        found: dict[tuple[str, str], list[Verdict]] = {}
        for view in self.views:
            for verdict in view.verdicts:
                mine = found.setdefault((view.window.version, verdict.feature), [])
                mine.extend(() if view.ignored else (verdict,))
        return found

    @property
    def tested(self) -> list[str]:
        """Features that were tested in some window."""
        return list(dict.fromkeys(name for version, name in self.verdicts if (version, name) not in self.untested))

    @cached_property
    def unpaired(self) -> int:
        """Numeric columns whose going together no version was asked about, though there are several."""
        if any(name == CORRELATION for _, name in self.verdicts) or not self.judged:
            return 0
        columns = [len(Together.of(each.layout).columns) for each in self.run.references.values()]
        most = max(columns, default=0)
        return most if most > 1 else 0

    @cached_property
    def segments(self) -> Mapping[str, tuple[str, ...]]:
        """Those that were watched, with the features that were tested in none of their windows."""
        known: dict[str, dict[str, bool]] = {}
        for part in (part for view in self.judged for part in view.segments):
            for verdict in part.verdicts:
                tested = known.setdefault(part.window.segment, {})
                tested[verdict.feature] = tested.get(verdict.feature, False) or verdict.effect is not None
        return {name: tuple(feature for feature, was in each.items() if not was) for name, each in known.items()}

    @cached_property
    def blind(self) -> dict[str, str]:
        """What of a feature that was tested could not be seen."""
        planned = [each for features in self._planned.values() for each in features.values()]
        return {each.name: each.blind for each in planned if each.blind and each.name in self.tested}

    @cached_property
    def _planned(self) -> dict[str | None, dict[str, FeaturePlan]]:
        """By version of the reference, of windows with as many rows as these have."""
        rows = float(np.median([view.rows for view in self.judged])) if self.judged else 0.0
        planned = {
            version: plan_version(self.run.spec, version, reference, max(rows, 1.0)).features
            for version, reference in self.run.references.items()
        }
        return {version: {each.name: each for each in features} for version, features in planned.items()}

    @property
    def false_alarms_expected(self) -> float:
        """At most, by the budget, in the windows that it holds in."""
        spec, learning = self.run.spec, sum(each.windows for each in self.learning)
        return spec.alarms.budget * (len(self.judged) - learning) / windows_a_month(spec.window)
