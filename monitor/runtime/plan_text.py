"""What `monitor plan` prints."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from pathlib import Path

import orjson

from monitor.config import load
from monitor.config.problems import listed
from monitor.config.units import duration_text, window_text
from monitor.detection.budget import SEGMENTS_SHARE
from monitor.detection.translation import Change, Growth, Move, Odds, Shift
from monitor.errors import ConfigError
from monitor.events.timestamps import iso
from monitor.exports.text import counted, printable
from monitor.profiles.segments import ROWS_MIN
from monitor.profiles.together import COLUMNS_MAX
from monitor.runtime.footprint import Footprint, Rehearsal, SeriesPlan
from monitor.runtime.plan import Alarms, FeaturePlan, Found, SegmentPlan, Traffic, VersionPlan, plan_version
from monitor.runtime.store.kept import KEPT_MAX, fitting
from monitor.windows.window import WindowSpec

ROWS_MAX = 1e12
"""Rows of a window at most: with more, no figure would be another."""

_DAYS = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_UNITS = ("bytes", "kB", "MB", "GB")


def plan(config: Path, rows: float | None, as_json: bool) -> Iterator[str]:
    """For people; or one JSON object a version, and one of kind `series` last. ConfigError where no window could hold
    `rows`.
    """
    if rows is not None and not 0 < rows <= ROWS_MAX:
        raise ConfigError(
            f"--rows is {rows:g}, and must be greater than 0 and at most {ROWS_MAX:g}: give the rows that a window is "
            "expected to hold"
        )
    loaded = load(config)
    specs, references = loaded.specs(), loaded.references()
    rehearsal = Rehearsal(specs, references)
    for name, spec in specs.items():
        if not references[name] and not as_json:
            yield (
                f"{printable(name)}: its reference is made of what arrives, so nothing can be said of it yet; "
                "`monitor backtest` shows what it would find"
            )
            yield ""
        for version, reference in references[name].items():
            planned, size = plan_version(spec, version, reference, rows), rehearsal.footprint(name, version)
            if as_json:
                head = {"kind": "plan", "window": window_text(spec.window)}
                yield orjson.dumps(head | asdict(planned) | {"bytes": asdict(size)}).decode()
            else:
                yield from _version(planned, size, spec.window)
                yield ""
    series, budget = rehearsal.series(loaded), loaded.server.series_budget
    if as_json:
        said = {"kind": "series", "series": series.total, "limit": budget}
        yield orjson.dumps(said | {"models": dict(series.by_model), "left_out": dict(series.left_out)}).decode()
    else:
        yield from _series(series, budget)


def _series(series: SeriesPlan, budget: int) -> Iterator[str]:
    yield f"{series.total:,} Prometheus series in all, of a budget of {budget:,}:"
    for name, number in series.by_model.items():
        yield f"  {printable(name)}: {number:,}; each further version that is in use takes about as many again"
    if series.total > budget:
        for name, number in series.left_out.items():
            yield f"  left out: the series of {counted(number, 'feature')} of {printable(name)}, the least drifted"
        yield f"  to show all, set server.series_budget to {series.total:,} or more; all are watched in any case"


def change_text(change: Change | None) -> str:
    """In a feature's own unit: 0.14 sd = 18; x1.2 = 31; odds x1.2 = 0.03; -7 points of PL (50%)."""
    if isinstance(change, Shift):
        return f"{change.sd:.2g} sd = {short(change.amount)}"
    if isinstance(change, Growth):
        return f"x{change.factor:.3g} = {short(change.amount)}"
    if isinstance(change, Odds):
        return f"odds x{change.factor:.3g} = {short(change.amount)}"
    if isinstance(change, Move):
        points = 100.0 * (change.after - change.before)
        return f"{points:+.2g} points of {printable(change.category)} ({change.before:.0%})"
    return "more than its values can differ by"


def short(value: float) -> str:
    """A number of any size in a few characters: 0.142, 4,310 or 2.3e+300."""
    return f"{value:,.0f}" if 1000 <= abs(value) < 1e6 else f"{value:.3g}"


def _version(planned: VersionPlan, size: Footprint, window: WindowSpec) -> Iterator[str]:
    which = f"version {printable(planned.version)}" if planned.version else "any version"
    yield f"{printable(planned.model)}, {which}, windows of {window_text(window)}: {_traffic(planned.traffic)}"
    yield f"  {_holds(planned)}"
    yield f"  {_alarms(planned.alarms)}"
    for each in planned.calendar:
        yield f"  Not judged: {iso(each.from_ms)} to {iso(each.to_ms)}, as the calendar says ({printable(each.name)})."
    yield from _state(size)
    tested = [feature for feature in planned.features if not feature.untestable]
    if tested:
        yield "  A change of this size is found as often as not, one of twice as many windows nearly always:"
        yield from _table(tested, planned.traffic is not None)
        yield from _legend(planned)
    yield from _pairs(planned)
    for feature in planned.features:
        if feature.untestable:
            yield f"  not tested: {printable(feature.name)}: {feature.untestable}"
    for feature in tested:
        if feature.blind:
            yield f"  not seen: {printable(feature.name)}: {feature.blind}"
    yield from _segments(planned)
    if planned.unwatched:
        yield f"  not watched for drift, as the configuration says: {listed(map(printable, planned.unwatched))}"


def _segments(planned: VersionPlan) -> Iterator[str]:
    """Which there are, and what the largest and the smallest of them show."""
    if not planned.segments:
        return
    by = {column: sum(each.name.startswith(f"{column}=") for each in planned.segments) for column in planned.left_out}
    columns = [
        f"{counted(parts, 'part')} by {printable(column)} "
        f"({counted(planned.left_out[column], 'value')} of the reference in its __other__)"
        for column, parts in by.items()
    ]
    yield f"  Segments have {SEGMENTS_SHARE:.0%} of the budget of values and of causes in the data: {listed(columns)}"
    tested = [each for each in planned.segments if each.found]
    for which, each in zip(("largest", "smallest"), (*tested[:1], *tested[1:][-1:]), strict=False):
        yield f"    {which} {printable(each.name)} ({each.share:.2g} of the rows): {_smallest(each, planned.traffic)}"
    for each in planned.segments:
        if each.untestable:
            which = "any feature" if not each.found else listed(map(printable, each.untestable))
            why = f"the reference has fewer than {ROWS_MIN} rows of it there, or one value alone"
            yield f"  not tested in {printable(each.name)}: {which}: {why}"


def _smallest(part: SegmentPlan, traffic: Traffic | None) -> str:
    if traffic is None:
        return "give --rows to see what would be found"
    shown = sorted((effect, name) for name, effect in part.found.items() if effect is not None)
    if not shown:
        return "its windows hold too few rows for any change"
    ends = [
        f"{effect:.3f} ({printable(name)}, in {part.after[name]} windows)" for effect, name in (shown[0], shown[-1])
    ]
    return f"changes are found from {' to '.join(dict.fromkeys(ends))} on"


def _traffic(traffic: Traffic | None) -> str:
    if traffic is None:
        return "the reference does not say how many rows a window holds, so give --rows to see what would be found"
    if traffic.source == "reference":
        half = f"{traffic.lower:,.0f} to {traffic.upper:,.0f}"
        return f"{traffic.median:,.0f} rows each by the reference (half of them {half})"
    return f"{traffic.median:,.0f} rows each" + (", as --rows says" if traffic.source == "option" else "")


def _holds(planned: VersionPlan) -> str:
    if not planned.learning_ms:
        return "The budget holds from the first window on."
    unknown = planned.unknown_hours
    which = "any hour of the week" if len(unknown) == 7 * 24 else listed(_spans(unknown))
    return (
        f"The budget holds after {duration_text(planned.learning_ms)} of production, as the reference does not tell "
        f"what is usual in {which}. Until then such windows read `learning`, and only causes in the data and major "
        "changes (0.25 or more) alarm."
    )


def _spans(hours: Sequence[int]) -> list[str]:
    """Hours of the week as spans: Saturday 00:00 to Sunday 24:00."""
    spans: list[list[int]] = []
    for hour in hours:
        if spans and spans[-1][1] == hour:
            spans[-1][1] = hour + 1
        else:
            spans.append([hour, hour + 1])
    return [
        f"{_DAYS[first // 24]} {first % 24:02d}:00 to {_DAYS[(end - 1) // 24]} {(end - 1) % 24 + 1:02d}:00"
        for first, end in spans
    ]


def _alarms(alarms: Alarms) -> str:
    return (
        f"At most {alarms.budget:g} false alarms a month are to be expected: {alarms.values:.2g} of values, "
        f"{alarms.pairs:.2g} of how features go together, {alarms.data:.2g} of causes in the data, "
        f"{alarms.performance:.2g} for performance; of one feature's values, one in "
        f"{short(alarms.windows_between)} windows."
    )


def _state(size: Footprint) -> Iterator[str]:
    parts = [f"{_bytes(size.open_window)} an open window", f"{_bytes(size.detection)} for evidence"]
    counts = fitting("counts", size.kept_counts, size.basis_counts)
    samples = fitting("rows", size.kept_rows, size.basis_rows)
    kept, most = size.kept_counts + (size.kept_rows if samples else 0), _bytes(sum(KEPT_MAX.values()))
    rows = f"the rows of {samples:,}"
    if not samples:
        rows = f"no rows and so no reports: one window's and its reference's take more than {_bytes(KEPT_MAX['rows'])}"
    parts.append(
        f"{_bytes(kept)} kept of each closed window, of all versions up to {most} "
        f"(the counts of {counts:,} windows, {rows})"
    )
    parts.append(f"up to {_bytes(size.remembered)} of rows that a new normal is made of")
    if size.learning:
        parts.append(f"{_bytes(size.learning)} of windows that it learns from")
    if size.pending_million is not None:
        parts.append(f"{_bytes(size.pending_million)} a million predictions that wait for their label")
    yield f"  State: {', '.join(parts)}."


def _bytes(number: float) -> str:
    unit = 0
    while number >= 1000 and unit < len(_UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {_UNITS[unit]}"


def _legend(planned: VersionPlan) -> Iterator[str]:
    """What the columns mean that do not say it themselves."""
    changes = [feature.tolerated for feature in planned.features]
    if any(isinstance(change, Shift) for change in changes):
        yield "    sd: all values rise by so many standard deviations of the reference, so much in their own unit"
    if any(isinstance(change, Growth) for change in changes):
        yield "    x: all values, as they are skewed, are multiplied by it, and their mean rises by so much"
    if any(isinstance(change, Odds) for change in changes):
        yield "    odds x: the odds of all scores, p / (1 - p), are multiplied by it, and their mean rises by so much"
    if planned.traffic is None:
        return
    yield "    missing, unseen: the smallest share of a window's rows without a value, or with one that the reference"
    yield "      never had, that alarms at once (-: none does)"
    yield "    season: what is usual goes by the hour of the day, by that of working days and weekends (day type), or"
    yield "      by that of the week"
    yield "    rho: how much more alike rows of one window are than rows of different ones, from 0 to 1; in brackets"
    yield "      the change that windows would find if they were not"


def _table(features: Sequence[FeaturePlan], measured: bool) -> Iterator[str]:
    days = any(feature.by_day for feature in features)
    head = ["feature", "tolerated"]
    if measured:
        head += ["found by window"] + (["found by day"] if days else []) + ["missing", "unseen", "season", "rho"]
    rows = [head]
    for feature in features:
        raised = f" (raised from {feature.asked:g})" if feature.tolerance > feature.asked else ""
        row = [printable(feature.name), f"{feature.tolerance:.2g}{raised} = {change_text(feature.tolerated)}"]
        if measured:
            row.append(_found(feature.by_window, "window"))
            row += [_found(feature.by_day, "day")] if days else []
            without = feature.independent
            cost = "" if without is None else f" ({without.effect:.3f} without)"
            row += [_share(feature.missing), _share(feature.unseen), feature.season, f"{feature.rho:.1e}{cost}"]
        rows.append(row)
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        yield "    " + "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()


def _pairs(planned: VersionPlan) -> Iterator[str]:
    """How features go together."""
    pairs, persistence = planned.pairs, planned.persistence
    which = counted(pairs.judged, "pair")
    if pairs.change is not None:
        median, most = pairs.change
        yield (
            f"  how features go together: a change of correlation of {median:.2f} (at most {most:.2f}) is found in "
            f"{counted(persistence, 'window')}, of {which}"
        )
    elif pairs.judged:
        yield f"  how features go together: {which} are judged"
    if pairs.blind:
        yield f"  not seen: of {counted(pairs.blind, 'pair')}, any change of correlation in so few rows"
    if pairs.unknown:
        yield (
            f"  not judged yet: of {counted(pairs.unknown, 'pair')}, how they go together, as the reference does not "
            "tell what is usual in windows of this length, or nearly always holds one value of a column"
        )
    if pairs.left_out:
        yield (
            f"  not judged: how {counted(pairs.left_out, 'numeric feature')} go together with others, as that is "
            f"looked at for the first {COLUMNS_MAX} columns only"
        )


def _share(share: float | None) -> str:
    return "-" if share is None else f"{100 * share:.2g}%"


def _found(found: Found | None, unit: str) -> str:
    if found is None:
        return "nothing"
    in_ = f"in {found.after} {unit}{'' if found.after == 1 else 's'}"
    return f"{found.effect:.3f} = {change_text(found.change)}, {in_}"
