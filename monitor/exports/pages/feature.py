"""A feature's page: one window's distribution beside the reference's, and the feature's history."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.addresses import feature_page, model_page, report_page, window_query
from monitor.detection.records import Incident, State, Verdict
from monitor.detection.sentences import spoken
from monitor.detection.subject import Subject, is_of
from monitor.errors import NotFoundError, UnavailableError
from monitor.events.batch import PREDICTION, SCORE
from monitor.events.timestamps import iso
from monitor.exports.distribution import Compared
from monitor.exports.latest import Finder, Slice
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages import distribution
from monitor.exports.pages.choices import choices, chosen
from monitor.exports.pages.choices import name as part_name
from monitor.exports.pages.entries import incident
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.history import history, quality
from monitor.exports.pages.parts import (
    as_of,
    badge,
    listed,
    number,
    percent,
    span,
    span_text,
    time,
    trouble,
)
from monitor.exports.text import counted
from monitor.snapshot import ModelView, Snapshot, WindowView

Distributed = Callable[[str | None, int | None], Compared]
"""Of a version and the end of a window, None of the newest; NotFoundError or UnavailableError where there is none."""


def page(
    snapshot: Snapshot,
    model: ModelView,
    feature: str,
    distributed: Distributed,
    version: str | None = None,
    segment: str = "",
    end_ms: int | None = None,
) -> str:
    """version, segment: what it is of; without a version, the newest. end_ms: of the window; without it, the newest."""
    parts, shown, said = chosen(model, version, segment)
    name = spoken(feature)
    if shown is None:
        content: Content = tag("p", "No window has closed yet.")
    else:
        content = _slice(model, feature, shown, distributed, end_ms)
    return document(
        name,
        None if shown is None else _glance(feature, shown),
        said,
        trouble(snapshot.service),
        choices(parts, shown, lambda part: _address(model, feature, part), lambda part: _state(feature, part)),
        content,
        as_of(snapshot.service),
        above=[tag("a", "Models", href="/"), " / ", tag("a", model.name, href=_model(model, shown))],
        charts=True,
    )


def _address(model: ModelView, feature: str, part: Slice) -> str:
    return feature_page(model.name, feature, version=part.version, segment=part.segment or None)


def _model(model: ModelView, part: Slice | None) -> str:
    if part is None:
        return model_page(model.name)
    return model_page(model.name, version=part.version, segment=part.segment or None)


def _standing(feature: str, part: Slice) -> Verdict | None:
    return next((each for each in part.standing if each.feature == feature), None)


def _state(feature: str, part: Slice) -> State:
    verdict = _standing(feature, part)
    return "untestable" if verdict is None else verdict.state


def _glance(feature: str, part: Slice) -> Content:
    """How it stands now, whichever window is looked at."""
    verdict = _standing(feature, part)
    where = part_name(part.version, part.segment)
    if verdict is None:
        return tag("p", f"Not watched for drift in {where}.", class_="quiet")
    tested = [" · last tested ", time(verdict.tested_ms)] if verdict.tested_ms >= 0 else None
    return tag("p", badge(verdict.state), tag("span", f" now, in {where}", tested, class_="quiet"))


def _slice(model: ModelView, feature: str, part: Slice, distributed: Distributed, end_ms: int | None) -> Content:
    views = [
        view for view in model.windows if (view.window.version, view.window.segment) == (part.version, part.segment)
    ]
    finder = Finder(feature)
    steps = [(view, verdict) for view in views if (verdict := finder.verdict(view)) is not None]
    whole = [view for view in model.windows if view.window.version == part.version and not view.window.segment]
    at = _place(views, end_ms)
    view = None if at is None else views[at]
    asked_ms = view.window.end_ms if view is not None else end_ms
    related = _incidents(model, feature, part)
    past = history(model, feature, steps, related, asked_ms)
    wrong = None if part.segment else quality(feature, whole)
    found = listed("Incidents", [incident(each) for each in reversed(related)])
    return [
        card(
            tag("h2", "Window"),
            _windows(model, feature, part, views, at, end_ms),
            _verdict(feature, view),
            _distribution(feature, part, distributed, asked_ms),
        ),
        card(tag("h2", "History"), past) if past else None,
        card(tag("h2", "Data quality"), wrong) if wrong else None,
        card(found) if found else None,
    ]


def _place(views: Sequence[WindowView], end_ms: int | None) -> int | None:
    """Which of them is looked at; None where it is none of them."""
    if end_ms is None:
        return len(views) - 1 if views else None
    return next((at for at, view in enumerate(views) if view.window.end_ms == end_ms), None)


def _windows(
    model: ModelView, feature: str, part: Slice, views: Sequence[WindowView], at: int | None, end_ms: int | None
) -> Content:
    """Which window is looked at, and the way to the others."""
    if not views:
        return tag("p", "No window of it is held.")

    def link(text: str, place: int, relation: str) -> Markup | None:
        if at is None or not 0 <= place < len(views):
            return None
        return tag("a", text, href=feature_page(model.name, feature, **window_query(views[place].window)), rel=relation)

    chosen: Content = None
    if at is not None:
        window = views[at].window
        rows = f", {counted(views[at].rows, 'row')}{' (the newest)' if at == len(views) - 1 else ''}"
        report = None if part.segment else [" · ", tag("a", "Evidently's report", href=report_page(window))]
        chosen = tag("p", span(window.start_ms, window.end_ms), rows, report)
    elif end_ms is not None:
        chosen = tag("p", "The window that ended at ", time(end_ms), ", which is not among those that are listed.")
    steps = [
        each
        for each in (link("← Earlier window", (at or 0) - 1, "prev"), link("Later window →", (at or 0) + 1, "next"))
        if each
    ]
    options = [
        tag(
            "option",
            span_text(view.window.start_ms, view.window.end_ms),
            value=iso(view.window.end_ms),
            selected="" if place == at else None,
        )
        for place, view in reversed(list(enumerate(views)))
    ]
    form = tag(
        "form",
        tag("input", type="hidden", name="version", value=part.version),
        tag("input", type="hidden", name="segment", value=part.segment) if part.segment else None,
        tag("label", "Window", tag("br"), tag("select", options, name="window")),
        tag("button", "Show", type="submit"),
        method="get",
    )
    ways = tag("nav", tag("ul", [tag("li", each) for each in steps], class_="choice"), aria_label="Windows")
    return [chosen, ways if steps else None, form if len(views) > 1 else None]


def _verdict(feature: str, view: WindowView | None) -> Content:
    """What that window said."""
    verdict = None if view is None else Finder(feature).verdict(view)
    if verdict is None:
        return None
    size = (
        "too few rows to test"
        if verdict.effect is None
        else f"effect {number(verdict.effect)}, of which chance alone gives {number(verdict.noise_floor)}"
    )
    wrong = f"; {', '.join(verdict.wrong)}" if verdict.wrong else ""
    said = f" {size}; evidence {percent(verdict.evidence_ratio)} of the alarm's limit{wrong}."
    return tag("p", badge(verdict.state), said)


def _distribution(feature: str, part: Slice, distributed: Distributed, end_ms: int | None) -> Content:
    if feature not in (PREDICTION, SCORE) and feature.startswith("@"):
        return None  # Of rows, and of how features go together, there is none.
    try:
        found = distributed(part.version, end_ms)
    except (NotFoundError, UnavailableError) as error:
        said = str(error)
        return tag("p", f"Its distribution cannot be shown: {said}.", class_="quiet")
    notes: list[Content] = []
    if part.segment:
        notes.append("This is of all traffic: segments have no distribution of their own. ")
    if found.replaced:
        notes.append(
            "The reference has been replaced since: this is what the window was compared with then; newer windows are "
            "compared with another. "
        )
    counts = f"{counted(found.distribution.rows, 'row')} beside {found.distribution.reference_rows:,} of the reference."
    return [
        distribution.drawn(found),
        tag("p", *notes, counts, class_="quiet"),
        distribution.moved(found),
    ]


def _incidents(model: ModelView, feature: str, part: Slice) -> list[Incident]:
    """Of this version that name the feature, here or in any segment; of a segment, in that one."""
    name = Subject(feature, part.segment).name
    return [
        each
        for each in model.incidents
        if each.opened.version == part.version
        and any(known == name if part.segment else is_of(known, (feature,)) for known in each.features)
    ]
