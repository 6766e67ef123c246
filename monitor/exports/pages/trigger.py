"""A retrain request's page: how far it is, why it was made, what was sent to whom, and what to train on."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from monitor.addresses import API, model_page, report_page, trigger_page, window_query
from monitor.detection.life import Life
from monitor.detection.records import Incident, Trigger
from monitor.detection.sentences import sentence
from monitor.detection.triggers import broken
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages import evidence
from monitor.exports.pages.entries import incident
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    as_of,
    badge,
    cells,
    figure,
    span,
    table,
    time,
    trouble,
    version_name,
)
from monitor.exports.pages.triggers import headline, waits
from monitor.snapshot import DeliveryView, ModelView, ServiceView


def page(service: ServiceView, model: ModelView, life: Life, request: bytes | None = None) -> str:
    """request: the event that was stored to be sent, as JSON; None where none is kept."""
    trigger = life.trigger
    return document(
        headline(trigger),
        trouble(service),
        tag("p", badge(life.state), " ", sentence(trigger.summary)),
        _figures(model, life),
        _links(model, trigger),
        _approve(model, life),
        _timeline(life),
        _sent(life, service.delivery, request),
        _why(trigger),
        _data(trigger),
        as_of(service),
        above=[tag("a", "Retraining", href="/triggers"), " · ", tag("a", model.name, href=model_page(model.name))],
    )


def _figures(model: ModelView, life: Life) -> Markup:
    """How bad it is says its incident, as long as that is held."""
    trigger = life.trigger
    return tag(
        "dl",
        figure("severity", badge(trigger.severity)) if _incident(model, trigger) is None else None,
        figure("decided", time(trigger.window.end_ms)),
        figure("the change began about", time(trigger.onset_ms)),
        figure("the pipeline's run", life.run) if life.run else None,
        _made(trigger, life.version) if life.version else None,
        class_="figures",
    )


def _made(trigger: Trigger, version: str) -> Markup:
    return figure("made", tag("a", version_name(version), href=model_page(trigger.window.model, version=version)))


def _links(model: ModelView, trigger: Trigger) -> Content:
    window = trigger.window
    found = _incident(model, trigger)
    return [
        None if found is None else tag("p", "Incident: ", incident(found)),
        tag(
            "p",
            tag("a", "The model then", href=model_page(window.model, **window_query(window))),
            " · ",
            tag("a", "Report of the window", href=report_page(window)),
            " · ",
            tag("a", "For programs", href=f"{API}{trigger_page(trigger.id)}"),
        ),
    ]


def _incident(model: ModelView, trigger: Trigger) -> Incident | None:
    return next((each for each in model.incidents if each.id == trigger.incident), None)


def _approve(model: ModelView, life: Life) -> Content:
    """Of one that was withheld, as long as its incident lasts."""
    if life.state != "withheld" or not any(each.open and each.id == life.trigger.incident for each in model.incidents):
        return None
    refused = _refused(model, life)
    if refused is not None:
        return card(tag("h2", "It cannot be sent now"), tag("p", refused))
    why = "" if waits(life) else f"It was not sent: {sentence(life.trigger.withheld)} "
    return card(
        tag("h2", "It waits for approval" if waits(life) else "Send it all the same?"),
        tag("p", f"{why}Once it is sent, the pipeline begins.", class_="quiet"),
        tag(
            "form",
            tag("button", "Approve" if waits(life) else "Send it", type="submit"),
            method="post",
            action=f"{trigger_page(life.trigger.id)}/approve",
        ),
    )


def _refused(model: ModelView, life: Life) -> Content:
    """Why an approval would be refused now."""
    if model.in_flight:
        flying = next((each for each in reversed(model.triggers) if each.in_flight), None)
        other = "another request"
        which = other if flying is None else tag("a", other, href=trigger_page(flying.trigger.id))
        return ["A request at a time: ", which, " of this model is in flight until its pipeline is done with it."]
    wrong = broken([each for each in model.incidents if each.open], life.trigger.window)
    return sentence(f"The model is not to be retrained now: {wrong}") if wrong else None


def _timeline(life: Life) -> Markup:
    entries = [
        [time(step.at_ms), " ", badge(step.state), tag("div", sentence(step.detail)) if step.detail else None]
        for step in life.steps
    ]
    return card(tag("h2", "What happened"), tag("ol", [tag("li", entry) for entry in entries], class_="timeline"))


def _sent(life: Life, deliveries: Sequence[DeliveryView], request: bytes | None) -> Content:
    """Whom it went to, and in which words."""
    mine = [each for each in deliveries if each.subject == life.trigger.id]
    if not mine and request is None:
        return None
    heads = ("Receiver", "State", "Attempts", "Last error", "Its run")
    rows: list[Content] = [
        tag(
            "tr",
            tag("th", each.receiver, scope="row"),
            cells(heads, (each.state, f"{each.attempts:,}", each.last_error or "–", each.run or "–"), ("Attempts",)),
        )
        for each in mine
    ]
    return card(
        tag("h2", "What was sent"),
        table(heads, rows, "To whom", cards=True) if rows else None,
        None if request is None else _request(request),
    )


def _request(request: bytes) -> Content:
    """The event, which a receiver may have made a request of its own from; its receipt on top."""
    event = orjson.loads(request)
    receipt = event["data"]["receipt"]
    figures = [figure(f"{name}", evidence.digest(receipt[name] or "")) for name in receipt]
    text = orjson.dumps(event, option=orjson.OPT_INDENT_2).decode()
    return [
        tag("h3", "Receipt"),
        tag("p", "The versions and digests that it was computed with.", class_="quiet"),
        tag("dl", figures, class_="figures"),
        tag("details", tag("summary", "The whole event"), tag("pre", tag("code", text), tabindex="0")),
    ]


def _why(trigger: Trigger) -> Content:
    found = [evidence.fell(trigger.performance), evidence.features(trigger.evidence, "Features that drift")]
    return card(tag("h2", "Why"), found) if any(found) else None


def _data(trigger: Trigger) -> Markup:
    """What to train on, and where the records are that it was decided on."""
    window = trigger.window
    facts: list[tuple[str, Content]] = [
        ("Train on", span(*trigger.training_ms)),
        ("Decided on", span(window.start_ms, window.end_ms)),
        ("Rows of that window", f"{trigger.rows:,}"),
        ("Its predictions in Kafka", evidence.places(trigger.offsets)),
        ("Its labels in Kafka", evidence.places(trigger.label_offsets) if trigger.label_offsets else "none by then"),
        ("Labels joined by then, of all windows", f"{trigger.labels:,}"),
        ("Digest of what was counted", evidence.digest(trigger.profile)),
    ]
    rows: list[Content] = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in facts]
    return card(tag("h2", "Data"), table(("What", "Which"), rows, "What to train on, and what it was decided on"))
