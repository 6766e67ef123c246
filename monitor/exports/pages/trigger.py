"""A retrain request's page: how far it is, why it was made, what was sent to whom, and what to train on."""

from __future__ import annotations

from collections.abc import Sequence

import orjson

from monitor.addresses import API, model_page, report_page, trigger_page, window_query
from monitor.detection.life import Life
from monitor.detection.records import Trigger
from monitor.detection.sentences import sentence
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages import evidence
from monitor.exports.pages.entries import incident
from monitor.exports.pages.frame import card, document
from monitor.exports.pages.parts import (
    as_of,
    badge,
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
        _figures(life),
        _links(model, trigger),
        _approve(model, life),
        _timeline(life),
        _sent(life, service.delivery, request),
        _why(trigger),
        _data(trigger),
        as_of(service),
        above=[tag("a", "Retraining", href="/triggers"), " · ", tag("a", model.name, href=model_page(model.name))],
    )


def _figures(life: Life) -> Markup:
    trigger = life.trigger
    return tag(
        "dl",
        figure("severity", badge(trigger.severity)),
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
    found = next((each for each in model.incidents if each.id == trigger.incident), None)
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


def _approve(model: ModelView, life: Life) -> Content:
    """Of one that was withheld, as long as its incident lasts."""
    if life.state != "withheld" or not any(each.open and each.id == life.trigger.incident for each in model.incidents):
        return None
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
    rows: list[Content] = [
        tag(
            "tr",
            tag("th", each.receiver, scope="row"),
            tag("td", each.state),
            tag("td", f"{each.attempts:,}", class_="number"),
            tag("td", each.last_error or "–"),
            tag("td", each.run or "–"),
        )
        for each in mine
    ]
    heads = ("Receiver", "State", "Attempts", "Last error", "Its run")
    return card(
        tag("h2", "What was sent"),
        table(heads, rows, "To whom") if rows else None,
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
        ("Labels that have come", f"{trigger.labels:,}"),
        ("Predictions in Kafka", evidence.places(trigger.offsets)),
        ("Labels in Kafka", evidence.places(trigger.label_offsets)),
        ("Digest of what was counted", evidence.digest(trigger.profile)),
    ]
    rows: list[Content] = [tag("tr", tag("th", name, scope="row"), tag("td", value)) for name, value in facts]
    return card(tag("h2", "Data"), table(("What", "Which"), rows, "What to train on, and what it was decided on"))
