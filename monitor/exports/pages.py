"""The index page: every model at a glance, in one page that needs no script and loads nothing."""

from __future__ import annotations

import math
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote

from monitor.detection.detector import MERGED_MAX
from monitor.detection.life import Life
from monitor.detection.records import Aspect, Incident, Moved, State, Verdict
from monitor.detection.sentences import describe_skew, spoken
from monitor.detection.severity import MAJOR
from monitor.events.batch import CORRELATION, OUTPUTS
from monitor.events.timestamps import utc
from monitor.exports.frame import document
from monitor.exports.latest import Slice, estimated, learning, overall, slices
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.text import counted, named
from monitor.snapshot import DeliveryView, ModelView, PerformanceView, ServiceView, Snapshot
from monitor.statistics.reading import Reading

FEATURES_MAX = 10
SEGMENTS_MAX = 10
TRIGGERS_MAX = 5

_EVIDENCE_LEAST, _EVIDENCE_MOST = 1e-6, 10.0
"""Evidence over the alarm's limit that a bar spans, in powers of ten."""

_LEGEND = (
    "Effects are in PSI units; the mark on the bar is what chance alone gives. Evidence grows by powers: its bar has "
    "a logarithmic scale, and the mark is the alarm."
)

_WHY_UNJUDGED: Mapping[State, str] = {
    "insufficient": "every window held too few rows",
    "untestable": f"even {MERGED_MAX} windows together hold too few rows",
    "learning": "what is usual is still being learned",
}


def index(snapshot: Snapshot) -> str:
    """The page over this snapshot."""
    models = sorted(snapshot.models.values(), key=lambda model: model.name)
    incidents = sum(incident.open for model in models for incident in model.incidents)
    return document(
        "Model monitor",
        tag("p", counted(len(models), "model"), ", ", counted(incidents, "open incident"), class_="quiet"),
        _trouble(snapshot.service),
        [_model(model, snapshot.service.delivery) for model in models],
        tag("p", _LEGEND, class_="quiet") if models else None,
    )


def _trouble(service: ServiceView) -> Content:
    if service.not_ready is None:
        return None
    return tag("p", tag("strong", "Not ready: "), service.not_ready, class_="trouble", role="status")


def _model(model: ModelView, deliveries: tuple[DeliveryView, ...]) -> Markup:
    parts = slices(model)
    state = overall(verdict for part in parts for verdict in part.standing)
    return tag(
        "article",
        tag("h2", tag("a", model.name, href=f"/api/v1/models/{_path(model.name)}"), " ", _badge(state)),
        tag("p", _glance(model), class_="quiet"),
        [_standing(part, alone=len(parts) == 1) for part in _shown(parts)] or tag("p", "No window has closed yet."),
        _listed("Open incidents", [_incident(incident) for incident in reversed(model.incidents) if incident.open]),
        _listed("Retrain triggers", [_trigger(each, deliveries) for each in model.triggers[: -TRIGGERS_MAX - 1 : -1]]),
    )


def _glance(model: ModelView) -> Content:
    known = [model.task, counted(model.predictions, "prediction")]
    if model.versions:
        known.insert(1, f"{'version' if len(model.versions) == 1 else 'versions'} {', '.join(model.versions)}")
    if model.latency_s is not None and model.latency_s.count:
        median, longest = (_duration(model.latency_s.quantile(share) or 0.0) for share in (0.5, 0.95))
        known.append(f"answers in {median}, 95 of 100 within {longest}")
    seen: Content = "no event yet" if model.last_event_ms is None else ("last event ", _time(model.last_event_ms))
    return [" · ".join(known), " · ", seen]


def _shown(parts: tuple[Slice, ...]) -> list[Slice]:
    """Whole traffic always, and the first segments in which something has moved."""
    moved = [part for part in parts if part.segment and overall(part.standing) in ("drifting", "watch")]
    return [part for part in parts if not part.segment or part in moved[:SEGMENTS_MAX]]


def _standing(part: Slice, *, alone: bool) -> Markup:
    name = f"Version {part.version}" + (f", {part.segment}" if part.segment else "")
    return tag(
        "section",
        None if alone else tag("h3", name),
        None if part.segment else _performance(part.performance),
        _window(part),
        _expected(part),
        _drift(part),
    )


def _performance(performance: PerformanceView | None) -> Content:
    if performance is None:
        return tag("p", "No performance has been settled yet.", class_="quiet")
    expected = estimated(performance.estimates)
    figures: list[Content] = [
        tag(
            "div",
            tag("dt", reading.statistic),
            tag("dd", tag("b", f"{reading.value:.3f}"), _interval(reading)),
            _gap(reading, expected.get(reading.statistic)),
        )
        for reading in performance.readings
        if reading.value is not None
    ]
    covered = f"{counted(performance.labels, 'label')}, {performance.coverage:.0%} labelled, "
    return [
        tag("dl", figures, class_="figures") if figures else tag("p", "Too few labels for a figure."),
        tag("p", covered, _span(performance.span_start_ms, performance.window.end_ms), class_="quiet"),
    ]


def _gap(reading: Reading, expected: Reading | None) -> Content:
    """What was to be expected of the same span without its labels, and how far the labels are from it."""
    if reading.value is None or expected is None or expected.value is None:
        return None
    said = f"expected {expected.value:.3f}, gap {reading.value - expected.value:+.3f}"
    return tag("dd", said, class_="quiet")


def _expected(part: Slice) -> Content:
    """The last window's performance before its labels come."""
    found = estimated(part.window.estimates) if part.window is not None else {}
    if not found:
        return None
    figures: list[Content] = [
        tag("div", tag("dt", f"{metric}, expected"), tag("dd", tag("b", _number(reading.value)), _interval(reading)))
        for metric, reading in found.items()
    ]
    return [
        tag("dl", figures, class_="figures"),
        tag("p", "Expected of the last window without labels, if scores mean what they meant.", class_="quiet"),
    ]


def _interval(reading: Reading) -> Content:
    if reading.lower is None or reading.upper is None:
        return None
    return tag("span", f" {reading.lower:.3f} to {reading.upper:.3f}", class_="quiet")


def _window(part: Slice) -> Content:
    if part.window is None:
        return None
    window = part.window.window
    rate = 1000 * part.window.rows / (window.end_ms - window.start_ms)
    rows = f"{counted(part.window.rows, 'row')}, {f'{rate:,.0f}' if rate >= 10 else f'{rate:.3g}'} a second"
    return tag("p", f"Last window: {rows}, ", _span(window.start_ms, window.end_ms), class_="quiet")


def _drift(part: Slice) -> Content:
    sentence = learning(part)
    learns = None if sentence is None else tag("p", sentence)
    said = [learns, _skew(part)]
    return [*said, _states(part), _unjudged(part)] if part.standing else said


def _skew(part: Slice) -> Content:
    """How production differs from training, and as of when."""
    skew = part.watch and part.watch.skew
    if not skew or not skew.features:
        return None
    sentence = describe_skew(skew)
    measured = tag("span", ", measured ", _span(skew.start_ms, skew.end_ms), class_="quiet")
    return tag("p", sentence[0].upper() + sentence[1:], measured)


def _unjudged(part: Slice) -> Content:
    """What the last window held too little to say anything of; the states above are of earlier ones."""
    if part.window is not None and part.window.ignored:
        said = f"The last window was not judged, as the calendar says ({part.window.ignored}): this is of earlier ones."
        return tag("p", said, class_="quiet")
    last = part.window.verdicts if part.window is not None else ()
    unjudged = [verdict.feature for verdict in last if verdict.state == "insufficient"]
    if not unjudged or overall(part.standing) == "insufficient":
        return None
    which = "any feature" if len(unjudged) == len(last) else named([spoken(name) for name in unjudged])
    return tag("p", f"The last window held too few rows to judge {which}: this is of earlier ones.", class_="quiet")


def _states(part: Slice) -> Content:
    moved = any(verdict.state in ("drifting", "watch") for verdict in part.standing)
    outputs = [verdict for verdict in part.standing if verdict.feature in OUTPUTS]
    features = [verdict for verdict in part.standing if verdict.feature not in OUTPUTS]
    shown = features[:FEATURES_MAX]
    scale = max(MAJOR, *(verdict.effect or 0.0 for verdict in (*outputs, *shown)))
    return [
        None if moved else _unmoved(overall(part.standing), part),
        _table("Feature", shown, part, scale),
        tag("p", f"and {len(features) - len(shown)} more", class_="quiet") if len(features) > len(shown) else None,
        _table("Output", outputs, part, scale),
    ]


def _unmoved(state: State, part: Slice) -> Content:
    if state == "ok":
        return tag("p", "No feature drifts.")
    if state == "learning" and part.watch is not None:
        if part.watch.learning_until_ms is not None:
            return None  # That it learns, and until when, was said.
        return tag("p", "No feature is judged: the version has no reference of its own.")
    return tag("p", f"No feature could be judged yet: {_WHY_UNJUDGED.get(state, state)}.")


def _table(title: str, verdicts: list[Verdict], part: Slice, scale: float) -> Content:
    if not verdicts:
        return None
    heads = (title, "State", "Effect", "Evidence, of the alarm's limit", "Would be found from")
    return tag(
        "div",
        tag(
            "table",
            tag("thead", tag("tr", [tag("th", head, scope="col") for head in heads])),
            tag("tbody", [_row(verdict, part, scale) for verdict in verdicts]),
        ),
        class_="scroll",
    )


def _row(verdict: Verdict, part: Slice, scale: float) -> Markup:
    wrong: list[Content] = [tag("div", f"{aspect}{_share(part, verdict.feature, aspect)}") for aspect in verdict.wrong]
    reached = _bar(verdict.state, _powers(verdict.evidence_ratio), _powers(1.0))
    return tag(
        "tr",
        tag("th", spoken(verdict.feature), scope="row"),
        tag("td", _badge(verdict.state), wrong, [_moved(verdict.feature, cell) for cell in verdict.moved]),
        tag("td", _effect(verdict, scale), class_="number"),
        tag("td", _percent(verdict.evidence_ratio), reached, class_="number"),
        tag("td", _found_from(verdict, part), class_="number"),
    )


def _moved(feature: str, cell: Moved) -> Markup:
    """Where a feature moved: from its usual share of the rows to the one now; or which pair, and its correlations."""
    figures = "{:z.2f} → {:z.2f}" if feature == CORRELATION else "{:.0%} → {:.0%}"
    return tag("div", f"{cell.cell}: {figures.format(cell.usual, cell.now)}", class_="quiet")


def _effect(verdict: Verdict, scale: float) -> Content:
    """The effect beside what chance alone gives, or when there last was one."""
    if verdict.effect is None:
        tested = (
            tag("div", "last tested ", _time(verdict.tested_ms), class_="quiet") if verdict.tested_ms >= 0 else None
        )
        return ["–", tested]
    floor = verdict.noise_floor or 0.0
    chance = tag("span", f" chance {floor:.3f}", class_="quiet")
    return [_number(verdict.effect), chance, _bar(verdict.state, verdict.effect / scale, floor / scale)]


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
    return [_number(found.effect), together]


def _percent(ratio: float) -> str:
    if ratio >= _EVIDENCE_MOST:
        return f"over {_EVIDENCE_MOST:,.0%}"
    if ratio >= 0.1:
        return f"{ratio:.0%}"
    if ratio >= 1e-3:
        return f"{ratio:.1%}"
    if ratio >= 1e-4:
        return f"{ratio:.2%}"
    return "under 0.01%" if ratio > 0 else "0%"


def _powers(ratio: float) -> float:
    """Where evidence lies between the powers of ten that a bar spans, from 0 to 1."""
    span = math.log10(_EVIDENCE_MOST / _EVIDENCE_LEAST)
    return math.log10(max(ratio, _EVIDENCE_LEAST) / _EVIDENCE_LEAST) / span


def _bar(state: State, length: float, mark: float) -> Markup:
    """A bar with a mark on it; the numbers stand beside it."""
    return tag(
        "div",
        tag("div", class_=f"fill {state}", style=f"width:{min(length, 1):.1%}"),
        tag("div", class_="mark", style=f"left:{min(mark, 1):.1%}"),
        class_="bar",
        aria_hidden="true",
    )


def _incident(incident: Incident) -> Content:
    features = f": {named([spoken(name) for name in incident.features])}" if incident.features else ""
    version = f", version {incident.opened.version}" if incident.opened.version else ""
    return [
        tag("a", f"{incident.severity} {incident.cause}", href=f"/api/v1/incidents/{_path(incident.id)}"),
        features,
        tag("span", f"{version}, since ", _time(incident.opened.end_ms), class_="quiet"),
    ]


def _trigger(life: Life, deliveries: tuple[DeliveryView, ...]) -> Content:
    trigger, told = life.trigger, life.steps[-1].detail
    tried = [f"{each.attempts} tries to {each.receiver}" for each in deliveries if each.subject == trigger.id]
    match life.state:
        case "withheld":
            fate = trigger.withheld
        case "pending":
            fate = ""
        case "sent":
            fate = ", ".join([*tried, told])
        case "succeeded":
            fate = f"version {life.version}" if life.version else ""
        case _:
            fate = told
    return [
        tag("a", trigger.summary, href=f"/api/v1/triggers/{_path(trigger.id)}"),
        tag("span", ", ", _time(trigger.window.end_ms), f", {life.state}", f": {fate}" if fate else "", class_="quiet"),
    ]


def _listed(title: str, entries: list[Content]) -> Content:
    return [tag("h3", title), tag("ul", [tag("li", entry) for entry in entries])] if entries else None


def _badge(state: str) -> Markup:
    return tag("span", state, class_=f"badge {state}")


def _number(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _duration(seconds: float) -> str:
    return f"{seconds:.3g} s" if seconds >= 1 else f"{1000 * seconds:.3g} ms"


def _span(start_ms: int, end_ms: int) -> Content:
    start, end = utc(start_ms), utc(end_ms)
    if start.date() == end.date():
        return [_stamp(start, "%Y-%m-%d %H:%M"), " to ", _stamp(end, "%H:%M UTC")]
    return [_time(start_ms), " to ", _time(end_ms)]


def _time(ms: int) -> Markup:
    return _stamp(utc(ms), "%Y-%m-%d %H:%M UTC")


def _stamp(moment: datetime, shown: str) -> Markup:
    return tag("time", moment.strftime(shown), datetime=moment.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _path(name: str) -> str:
    return quote(name, safe="", errors="backslashreplace")
