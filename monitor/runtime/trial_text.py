"""What the command `backtest` prints for people: what was found, what could not be judged, and what it amounts to."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from monitor.config.problems import listed
from monitor.detection.sentences import called, describe_skew, spoken
from monitor.events.batch import CORRELATION, OUTPUTS
from monitor.events.timestamps import iso
from monitor.exports.latest import estimated
from monitor.exports.lines import Line, lines
from monitor.exports.text import counted, printable
from monitor.runtime.backtest import Backtest
from monitor.runtime.findings import Findings, Learning
from monitor.runtime.trial import Progress, Trial, summary
from monitor.snapshot import ESTIMATE
from monitor.spec import FeatureSpec
from monitor.statistics.performance import performance
from monitor.statistics.reading import Reading
from monitor.windows.window import Window


def trial_report(trial: Trial, progress: Progress) -> Iterator[str]:
    """For people: incidents, triggers, the features by their worst window, performance, and what it amounts to."""
    return map(printable, _report(trial, trial.run(progress)))


def _report(trial: Trial, result: Backtest) -> Iterator[str]:
    shown = list(lines(result.outputs, result.by_row))
    yield from _absent(trial.predictions, result.absent)
    for line in shown:
        if line["kind"] == "incident":
            yield f"{_when(line)}  {line['cause']} incident {line['event']} ({line['severity']}): {line['reason']}"
        elif line["kind"] == "trigger":
            withheld = f", withheld: {line['withheld']}" if "withheld" in line else ""
            yield f"{_when(line)}  retrain trigger ({line['reason']}){withheld}"
    findings = Findings(result)
    yield from _features(shown, findings)
    yield from _unjudged(findings)
    yield from _ignored(result, findings)
    yield from _performance(shown, result)
    yield from _foreign(result)
    yield from _amounts(result, findings)


def _when(line: Line) -> str:
    """The window, at whose end it was decided."""
    if "window_start" in line:
        return f"{line['window_start']} to {line['window_end']}"
    return f"rows {line['first_row']} to {line['last_row']}"


def _absent(table: Path, absent: Mapping[str, str]) -> Iterator[str]:
    """A warning of features without a column: a service would see them as missing, too."""
    if absent:
        names = [f"{name!r} (did you mean {meant!r}?)" if meant else repr(name) for name, meant in absent.items()]
        columns, whose = ("column", "its") if len(names) == 1 else ("columns", "their")
        yield f"warning: {table} has no {columns} {listed(names)}, so all {whose} values count as missing"


def _features(shown: Sequence[Line], findings: Findings) -> Iterator[str]:
    """One line a feature that something was found of, the worst first: of others, the largest effect is chance."""
    worst: dict[str, Line] = {}
    found = {
        (each.feature, each.segment): each.name
        for each in findings.found
        if each.segment or each.feature in findings.tested
    }
    judged = [line for line in shown if line["kind"] == "verdict" and line["effect"] is not None]
    for line in sorted(judged, key=lambda each: each["effect"]):
        if (line["feature"], line["segment"]) in found:
            worst[found[line["feature"], line["segment"]]] = line
    for name, line in sorted(worst.items(), key=lambda each: -each[1]["effect"]):
        yield f"{name}: largest effect {line['effect']:.3f} (chance alone {line['noise_floor']:.3f}) at {_when(line)}"


def _unjudged(findings: Findings) -> Iterator[str]:
    """Which features could not be judged in some windows, or in none, and why."""
    verdicts = [
        each
        for place, mine in findings.verdicts.items()
        for each in mine
        if place not in findings.untested and each.feature not in (*OUTPUTS, CORRELATION)
    ]
    windows = Counter(each.feature for each in verdicts)
    too_few = Counter(each.feature for each in verdicts if each.state == "insufficient")
    alike: dict[tuple[int, int], list[str]] = {}
    for name, count in too_few.items():
        alike.setdefault((count, windows[name]), []).append(name)
    for (count, total), names in alike.items():
        which = "any feature" if len(names) == len(windows) else listed(names)
        yield (
            f"{count} of {counted(total, 'window')} could not judge {which} alone: a verdict needs rows enough in "
            "every cell, so several are judged together"
        )
    reasons: dict[tuple[str, str], list[str]] = {}
    for (version, name), why in findings.untested.items():
        reasons.setdefault((version, why), []).append(name)
    several = len({version for version, _ in findings.verdicts}) > 1
    for (version, why), names in reasons.items():
        of = f" of version {called(version)}" if several else ""
        yield f"never tested for drift{of}: {listed(map(spoken, names))}: {why}"
    for name, what in findings.blind.items():
        yield f"not to be seen of {name}: {what}"
    if findings.unpaired:
        yield (
            f"how {findings.unpaired} numeric columns go together was judged in no window: the reference does not tell "
            "it of such windows, as one of `monitor init --window` would, or no two of them are watched"
        )
    yield from _segments(findings)
    for each in findings.learning:
        yield _learning(each, findings)
    for skew in findings.skews:
        if skew.features:
            of = f" of version {skew.version}" if skew.version else ""
            yield f"{describe_skew(skew)}; measured from {iso(skew.start_ms)} to {iso(skew.end_ms)}{of}"


def _segments(findings: Findings) -> Iterator[str]:
    """Which were watched, and where nothing could be."""
    if findings.segments:
        yield f"watched besides whole traffic: {listed(findings.segments)}"
    for untested in dict.fromkeys(filter(None, findings.segments.values())):
        names = [name for name, mine in findings.segments.items() if mine == untested]
        yield f"never tested in {listed(names)}: {listed(untested)}: too few rows, or a reference of a single value"


def _ignored(result: Backtest, findings: Findings) -> Iterator[str]:
    """What the calendar did."""
    for name, windows in findings.ignored.items():
        span = f"{_start(windows[0], result.by_row)} to {_end(windows[-1], result.by_row)}"
        yield (
            f"{len(windows)} of {counted(len(findings.views), 'window')}, {span}, "
            f"{'was' if len(windows) == 1 else 'were'} ignored: the calendar names them {name}"
        )
    if result.by_row and result.spec.calendar:
        yield "nothing was ignored: the entries of the calendar are times, and windows by number of rows have none"


def _learning(learning: Learning, findings: Findings) -> str:
    total = sum(view.window.version == learning.version for view in findings.views)
    by_row = findings.run.by_row
    span = f"{_start(learning.first, by_row)} to {_end(learning.last, by_row)}"
    which = f"version {learning.version}" if learning.version else "the model"
    why = "its reference does not cover their hours of the week"
    if learning.foreign:
        why = "it has no reference of its own"
    if findings.run.spec.made is not None:
        why = "its reference was being learned"
    return f"{which} was learning in {learning.windows} of {counted(total, 'window')}, {span}: {why}"


def _performance(shown: Sequence[Line], result: Backtest) -> Iterator[str]:
    """The newest figure of each metric, beside the reference's."""
    newest = {line["statistic"]: line for line in shown if line["kind"] == "reading" and not line["feature"]}
    views = {view.window: view for output in result.outputs for view in output.performance}
    expected = estimated(views[max(views)].estimates) if views else {}
    for name, line in newest.items():
        metric = name.removesuffix(ESTIMATE)
        if name != metric:
            if line["value"] is not None and newest.get(metric, {"value": None})["value"] is None:
                said = f"{_figure(line)} in the last window; {_target(result, line['version'], metric)}"
                yield f"{metric}, expected without labels: {said}"
        elif line["status"] == "insufficient":
            yield f"{name}: too few labels in the last window and those before it"
        elif line["value"] is not None and "lower" in line:
            # Of more than the last window, where that has too few labels.
            said = f"{_figure(line)} by the last {counted(line['rows'], 'label')}"
            yield f"{name}: {said}; {_target(result, line['version'], name)}" + _gap(line, expected.get(name))


def _figure(line: Line) -> str:
    return f"{line['value']:.4g} ({line['lower']:.4g} to {line['upper']:.4g})"


def _gap(line: Line, expected: Reading | None) -> str:
    """Beside a realised figure, what was to be expected of the same windows without labels."""
    if expected is None or expected.value is None:
        return ""
    return f"; without labels {expected.value:.4g} was to be expected of it (gap {line['value'] - expected.value:+.2g})"


def _target(result: Backtest, version: str, metric: str) -> str:
    compared = result.compared_with(version)
    if compared is None:
        return "no reference has been learned yet to compare it with"
    reference = result.references[compared]
    if reference.outcome is not None:
        _, estimate = performance(reference.layout.outcome, reference.outcome, metric)
        if estimate is not None:
            return f"the reference had {estimate.value:.4g}"
    return "the reference has no labels to compare it with"


def _foreign(result: Backtest) -> Iterator[str]:
    """How many labels could not be of this model."""
    if not result.unknown:
        return
    layouts = [reference.layout.outcome for reference in result.references.values()]
    classes = listed(sorted({name for layout in layouts for name in layout.classes}))
    counts = "count for nothing" if result.spec.schema.task == "binary" else "count as errors"
    verb = "names" if result.unknown == 1 else "name"
    yield (
        f"{counted(result.unknown, 'label')} {verb} no class of the model ({classes}) and {counts}: "
        "write labels as the predictions or the reference do"
    )


def _amounts(result: Backtest, findings: Findings) -> Iterator[str]:
    """What it all amounts to."""
    for found in findings.found:
        where = f"{_start(found.window, result.by_row)} to {_end(found.window, result.by_row)}"
        onset = f"row {found.onset_ms}" if result.by_row else iso(found.onset_ms)
        yield f"found {found.name} ({found.cause}) in the window {where}; it began about {onset}"
    causes = ", ".join(f"{number} of {cause}" for cause, number in findings.incidents.items() if number)
    incidents = sum(findings.incidents.values())
    opened = f"{counted(incidents, 'incident')} {'was' if incidents == 1 else 'were'} opened"
    learning = " that were not learning" if findings.learning else " that were judged" if findings.ignored else ""
    windows = len(findings.judged) - sum(each.windows for each in findings.learning)
    yield (
        f"with a budget of {result.spec.alarms.budget:g} a month, at most {findings.false_alarms_expected:.2g} false "
        f"alarms were to be expected in the {counted(windows, 'window')}{learning}; {opened}"
        + (f" ({causes})" if causes else "")
    )
    yield from _calm(result, findings)
    yield from _left_over(result)
    yield from _dropped(result)
    whole = summary(result, findings)
    yield (
        f"{counted(result.predictions, 'prediction')}, {counted(result.labels, 'label')}, "
        f"{counted(len(findings.views), 'window')}, {counted(incidents, 'incident')}, "
        f"{counted(whole['triggers'], 'trigger')} in {whole['seconds']} s"
    )


def _calm(result: Backtest, findings: Findings) -> Iterator[str]:
    """What was looked at in vain, and what nobody looked at."""
    found = {each.name for each in findings.found}
    names = dict.fromkeys(name for _, name in findings.verdicts)
    told = {name: result.spec.features.get(name, FeatureSpec()).monitor for name in names}
    calm = [name for name in findings.tested if told[name] == "drift" and name not in found]
    if calm:
        yield f"tested, and nothing found: {listed(map(spoken, calm))}"
    off = [name for name, feature in result.spec.features.items() if feature.monitor == "off"]
    if off:
        yield f"not looked at, as the configuration says: {listed(off)}"
    quality = [name for name, monitor in told.items() if monitor == "quality"]
    if quality:
        yield f"looked at for missing and impossible values only, as the configuration says: {listed(quality)}"


_DROPPED = {
    "duplicate": "had the id of an earlier one",
    "late": "came after their window was closed",
    "rejected": "could not be used",
}


def _dropped(result: Backtest) -> Iterator[str]:
    """Predictions that were not counted; labels all are."""
    for why, said in _DROPPED.items():
        if rows := result.events.get(why, 0):
            yield f"{rows:,} of {counted(result.predictions, 'prediction')} were dropped, as they {said}"


def _left_over(result: Backtest) -> Iterator[str]:
    """What no window judged, as windows by rows must be full."""
    rows, size, left = result.predictions, result.spec.window.size, result.left_over
    if left and left == rows:
        yield (
            f"nothing was judged: the table has {counted(rows, 'row')}, and a window takes {size:,}: give a smaller "
            f"--window, as in --window '{max(1, rows // 10)} rows'"
        )
    elif left:
        which = "the last row" if left == 1 else f"the last {left:,} rows"
        yield (
            f"{which}, from row {rows - left} on, {'was' if left == 1 else 'were'} not judged: a window takes {size:,}"
        )


def _start(window: Window, by_row: bool) -> str:
    return f"row {window.start_ms}" if by_row else iso(window.start_ms)


def _end(window: Window, by_row: bool) -> str:
    return f"row {window.end_ms - 1}" if by_row else iso(window.end_ms)
