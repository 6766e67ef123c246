"""A model's page: how each version stands, features by windows, performance, incidents, retraining."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from monitor.addresses import feature_page, incidents_page, model_page, report_page, triggers_page
from monitor.detection.detector import MERGED_MAX
from monitor.detection.records import Aspect, State, Verdict
from monitor.detection.sentences import describe_skew, spoken
from monitor.detection.severity import MAJOR
from monitor.events.batch import OUTPUTS
from monitor.events.timestamps import iso
from monitor.exports.latest import Slice, estimated, learning, overall, slices
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.choices import choices, chosen
from monitor.exports.pages.choices import name as part_name
from monitor.exports.pages.entries import incident, retraining
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.heat import heat_map
from monitor.exports.pages.parts import (
    as_of,
    badge,
    bar,
    duration,
    figure,
    interval,
    listed,
    moved,
    number,
    percent,
    powers,
    span,
    table,
    time,
    trouble,
)
from monitor.exports.pages.performance import performance_chart
from monitor.exports.text import counted, named
from monitor.snapshot import DeliveryView, ModelView, PerformanceView, Snapshot, Target
from monitor.statistics.reading import Reading

FEATURES_MAX = 30
TRIGGERS_MAX = 5

_LEGEND = (
    "Effects are in PSI units; the mark on the bar is what chance alone gives. Evidence grows by powers: its bar has "
    "a logarithmic scale, and the mark is the alarm."
)

_WHY_UNJUDGED: dict[State, str] = {
    "insufficient": "every window held too few rows",
    "untestable": f"even {MERGED_MAX} windows together hold too few rows",
    "learning": "what is usual is still being learned",
}


def page(
    snapshot: Snapshot,
    model: ModelView,
    version: str | None = None,
    segment: str = "",
    end_ms: int | None = None,
    search: str | None = None,
) -> str:
    """version, segment: what it is of; without a version, the newest. end_ms: as it stood at the end of that window;
    None: as it stands. search: features whose names hold this.
    """
    state = overall(verdict for part in slices(model) for verdict in part.standing)
    then = model if end_ms is None else _until(model, end_ms)
    late = end_ms is not None and not then.windows
    then, at_ms = (model, None) if late else (then, end_ms)
    parts, shown, said = chosen(then, version, segment)

    def address(part: Slice) -> str:
        return model_page(model.name, **_query(part, at_ms))

    return document(
        model.name,
        tag("p", badge(state), " ", _glance(model)),
        trouble(snapshot.service),
        _open_incidents(model),
        _when(model, end_ms, late, version, segment),
        said,
        choices(parts, shown, address),
        tag("p", "No window has closed yet.") if shown is None else _slice(model, then, shown, at_ms, search),
        _retraining(model, snapshot.service.delivery),
        as_of(snapshot.service),
        above=tag("a", "Models", href="/"),
        charts=True,
    )


def _until(model: ModelView, end_ms: int) -> ModelView:
    """What was known of its data when that window had closed; how it is watched is known of now alone."""
    windows = tuple(view for view in model.windows if view.window.end_ms <= end_ms)
    performance = tuple(view for view in model.performance if view.window.end_ms <= end_ms)
    versions = tuple(dict.fromkeys(view.window.version for view in windows))
    return replace(model, windows=windows, performance=performance, versions=versions, watches={})


def _query(part: Slice, end_ms: int | None) -> dict[str, str | None]:
    window = None if end_ms is None else iso(end_ms)
    return {"version": part.version, "segment": part.segment or None, "window": window}


def _when(model: ModelView, end_ms: int | None, late: bool, version: str | None, segment: str) -> Content:
    """As of which window the page is, where one is asked for."""
    if end_ms is None:
        return None
    if late:
        return tag("p", "No window up to ", time(end_ms), " is held any more: this is how it stands now.",
                   class_="trouble", role="status")  # fmt: skip
    now = tag("a", "As it stands now", href=model_page(model.name, version=version, segment=segment or None))
    return tag("p", "As it stood when the window closed that ended at ", time(end_ms), ". ", now, role="status")


def _glance(model: ModelView) -> Content:
    known = [model.task, counted(model.predictions, "prediction")]
    if model.latency_s is not None and model.latency_s.count:
        median, longest = (duration(model.latency_s.quantile(share) or 0.0) for share in (0.5, 0.95))
        known.append(f"answers in {median}, 95 of 100 within {longest}")
    seen: Content = "no event yet" if model.last_event_ms is None else ("last event ", time(model.last_event_ms))
    return tag("span", " · ".join(known), " · ", seen, class_="quiet")


def _open_incidents(model: ModelView) -> Content:
    if not model.incidents:
        return None
    found = listed("Open incidents", [incident(each) for each in reversed(model.incidents) if each.open])
    every = tag("a", f"All {counted(len(model.incidents), 'incident')}", href=incidents_page(model=model.name))
    return card(found, tag("p", every))


def _slice(model: ModelView, then: ModelView, part: Slice, end_ms: int | None, search: str | None) -> Content:
    """then: the model as of the window that ended at `end_ms`, which charts of all windows mark."""
    title = part_name(part.version, part.segment)
    return [
        card(
            tag("h2", title[0].upper() + title[1:], " ", badge(overall(part.standing))),
            None if part.segment else _performance(then, part),
            _window(part),
            _said(part),
        ),
        None if part.segment else _picture(heat_map(model, part.version, end_ms)),
        None if part.segment else _picture(performance_chart(model, part.version, end_ms)),
        _states(model, part, end_ms, search),
    ]


def _picture(drawn: Content) -> Content:
    return None if drawn is None else card(drawn)


def _performance(model: ModelView, part: Slice) -> Content:
    """The model's metric, by its labels and as expected; the others one step away."""
    target, expected = model.targets.get(part.version), estimated(part.window.estimates if part.window else ())
    settled = (
        {each.statistic: each for each in part.performance.readings if each.value is not None}
        if part.performance
        else {}
    )
    figures = []
    if model.metric in settled:
        figures.append(
            figure(model.metric, tag("b", number(settled[model.metric].value)), interval(settled[model.metric]))
        )
    if model.metric in expected:
        reading = expected[model.metric]
        figures.append(figure("expected of the last window", tag("b", number(reading.value)), interval(reading)))
    if target is not None:
        figures.append(figure("in the reference", tag("b", number(target.reference)), _limit(target)))
    return [
        tag("dl", figures, class_="figures") if figures else None,
        _covered(part.performance),
        _metrics(part, settled, expected),
    ]


def _limit(target: Target) -> Content:
    return None if target.limit is None else tag("span", f" limit {target.limit:.3f}", class_="quiet")


def _metrics(part: Slice, settled: Mapping[str, Reading], expected: Mapping[str, Reading]) -> Content:
    """Every metric: by labels, what was to be expected of the same span, and of the last window."""
    then = estimated(part.performance.estimates if part.performance else ())
    names = list(dict.fromkeys((*settled, *expected)))
    if not names:
        return None
    rows = [
        tag("tr", tag("th", name, scope="row"), [tag("td", cell, class_="number") for cell in (
            _reading(settled.get(name)), _gap(settled.get(name), then.get(name)), _reading(expected.get(name)))])
        for name in names
    ]  # fmt: skip
    heads = ("Metric", "By labels", "Expected of the same span", "Expected of the last window")
    note = "What is expected holds as long as scores mean what they meant."
    return tag("details", tag("summary", "All metrics"), table(heads, rows), tag("p", note, class_="quiet"))


def _reading(reading: Reading | None) -> Content:
    return "–" if reading is None else [number(reading.value), interval(reading)]


def _gap(reading: Reading | None, expected: Reading | None) -> str:
    """What was to be expected of the same span without its labels, and how far the labels are from it."""
    if expected is None or expected.value is None:
        return "–"
    gap = "" if reading is None or reading.value is None else f", gap {reading.value - expected.value:+.3f}"
    return f"{expected.value:.3f}{gap}"


def _covered(performance: PerformanceView | None) -> Markup:
    if performance is None:
        return tag("p", "No performance has been settled yet.", class_="quiet")
    few = None if any(each.value is not None for each in performance.readings) else "Too few labels for a figure. "
    said = f"{counted(performance.labels, 'label')}, {performance.coverage:.0%} labelled, "
    return tag("p", few, said, span(performance.span_start_ms, performance.window.end_ms), class_="quiet")


def _window(part: Slice) -> Content:
    if part.window is None:
        return None
    window = part.window.window
    rate = 1000 * part.window.rows / (window.end_ms - window.start_ms)
    rows = f"{counted(part.window.rows, 'row')}, {f'{rate:,.0f}' if rate >= 10 else f'{rate:.3g}'} a second"
    report = tag("a", "Evidently's report", href=report_page(window))
    return tag("p", f"Last window: {rows}, ", span(window.start_ms, window.end_ms), " · ", report, class_="quiet")


def _said(part: Slice) -> Content:
    sentence = learning(part)
    return [None if sentence is None else tag("p", sentence), _skew(part), _unjudged(part) if part.standing else None]


def _skew(part: Slice) -> Content:
    """How production differs from training, and as of when."""
    skew = part.watch and part.watch.skew
    if not skew or not skew.features:
        return None
    sentence = describe_skew(skew)
    measured = tag("span", ", measured ", span(skew.start_ms, skew.end_ms), class_="quiet")
    return tag("p", sentence[0].upper() + sentence[1:], measured)


def _unjudged(part: Slice) -> Content:
    """What the last window held too little to say anything of; the states are of earlier ones."""
    if part.window is not None and part.window.ignored:
        said = f"The last window was not judged, as the calendar says ({part.window.ignored}): this is of earlier ones."
        return tag("p", said, class_="quiet")
    last = part.window.verdicts if part.window is not None else ()
    unjudged = [verdict.feature for verdict in last if verdict.state == "insufficient"]
    if not unjudged or overall(part.standing) == "insufficient":
        return None
    which = "any feature" if len(unjudged) == len(last) else named([spoken(name) for name in unjudged])
    return tag("p", f"The last window held too few rows to judge {which}: this is of earlier ones.", class_="quiet")


def _states(model: ModelView, part: Slice, end_ms: int | None, search: str | None) -> Content:
    if not part.standing:
        return None
    some = any(verdict.state in ("drifting", "watch") for verdict in part.standing)
    outputs = [verdict for verdict in part.standing if verdict.feature in OUTPUTS]
    features = [verdict for verdict in part.standing if verdict.feature not in OUTPUTS]
    found = [each for each in features if search.lower() in each.feature.lower()] if search else features
    shown = found[:FEATURES_MAX]
    scale = max([MAJOR, *(verdict.effect or 0.0 for verdict in (*outputs, *shown))])
    return card(
        tag("h2", "Features"),
        None if some else _unmoved(overall(part.standing), part),
        _search(_query(part, end_ms), search) if len(features) > FEATURES_MAX or search else None,
        tag("p", "No feature has such a name.") if search and not found else None,
        _table("Feature", model, shown, part, end_ms, scale),
        tag("p", f"and {len(found) - len(shown):,} more", class_="quiet") if len(found) > len(shown) else None,
        _table("Output", model, outputs, part, end_ms, scale),
        tag("p", _LEGEND, class_="quiet"),
    )


def _search(query: Mapping[str, str | None], search: str | None) -> Markup:
    return tag(
        "form",
        [tag("input", type="hidden", name=name, value=value) for name, value in query.items() if value is not None],
        tag("label", "Features whose names hold", tag("br"),
            tag("input", type="search", name="features", value=search or "")),
        tag("button", "Show", type="submit"),
        method="get",
        role="search",
    )  # fmt: skip


def _unmoved(state: State, part: Slice) -> Content:
    if state == "ok":
        return tag("p", "No feature drifts.")
    if state == "learning" and part.watch is not None:
        if part.watch.learning_until_ms is not None:
            return None  # That it learns, and until when, was said.
        return tag("p", "No feature is judged: the version has no reference of its own.")
    return tag("p", f"No feature could be judged yet: {_WHY_UNJUDGED.get(state, state)}.")


def _table(
    title: str, model: ModelView, verdicts: list[Verdict], part: Slice, end_ms: int | None, scale: float
) -> Content:
    if not verdicts:
        return None
    heads = (title, "State", "Effect", "Evidence, of the alarm's limit", "Would be found from")
    return table(heads, [_row(model, verdict, part, end_ms, scale) for verdict in verdicts])


def _row(model: ModelView, verdict: Verdict, part: Slice, end_ms: int | None, scale: float) -> Markup:
    wrong: list[Content] = [tag("div", f"{aspect}{_share(part, verdict.feature, aspect)}") for aspect in verdict.wrong]
    reached = bar(verdict.state, powers(verdict.evidence_ratio), powers(1.0))
    address = feature_page(model.name, verdict.feature, **_query(part, end_ms))
    return tag(
        "tr",
        tag("th", tag("a", spoken(verdict.feature), href=address), scope="row"),
        tag("td", badge(verdict.state), wrong, [moved(verdict.feature, cell) for cell in verdict.moved]),
        tag("td", _effect(verdict, scale), class_="number"),
        tag("td", percent(verdict.evidence_ratio), reached, class_="number"),
        tag("td", _found_from(verdict, part), class_="number"),
    )


def _effect(verdict: Verdict, scale: float) -> Content:
    """The effect beside what chance alone gives, or when there last was one."""
    if verdict.effect is None:
        tested = tag("div", "last tested ", time(verdict.tested_ms), class_="quiet") if verdict.tested_ms >= 0 else None
        return ["–", tested]
    floor = verdict.noise_floor or 0.0
    chance = tag("span", f" chance {floor:.3f}", class_="quiet")
    return [number(verdict.effect), chance, bar(verdict.state, verdict.effect / scale, floor / scale)]


def _share(part: Slice, feature: str, aspect: Aspect) -> str:
    """The share of the last window's rows that went wrong so."""
    statistic = aspect.replace(" ", "_")
    for reading in part.window.readings if part.window is not None else ():
        if (reading.feature, reading.statistic) == (feature, statistic) and reading.value is not None:
            return f": {reading.value:.1%}"
    return ""


def _found_from(verdict: Verdict, part: Slice) -> Content:
    """The smallest change that would be found."""
    found = part.detectable.get(verdict.feature)
    if not found:
        return "–"
    together = tag("span", f" in {found.windows} windows", class_="quiet") if found.windows > 1 else None
    return [number(found.effect), together]


def _retraining(model: ModelView, deliveries: tuple[DeliveryView, ...]) -> Content:
    newest = model.triggers[: -TRIGGERS_MAX - 1 : -1]
    if not newest:
        return None
    every = tag("a", f"All {counted(len(model.triggers), 'request')}", href=triggers_page(model=model.name))
    return card(listed("Retraining", [retraining(each, deliveries) for each in newest]), tag("p", every))
