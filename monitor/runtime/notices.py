"""Who is told of incidents, and what: `notify` of the configuration as receivers, and a message for each of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from monitor.actions.apprise import Apprise
from monitor.actions.notification import (
    Audience,
    Course,
    Scene,
    incident_message,
    last_of_each,
    trigger_message,
)
from monitor.actions.outbox import Message
from monitor.actions.pagerduty import HOST, PagerDuty
from monitor.actions.receiver import Receiver
from monitor.actions.signing import parse_secret
from monitor.actions.slack import Slack
from monitor.actions.webhook import Webhook
from monitor.config.notify import Notified
from monitor.detection.life import Life
from monitor.detection.records import Incident, IncidentChange, PerformanceEvidence
from monitor.engine import Monitor, Output
from monitor.exports.course import began_ms, concerned, figure, line
from monitor.runtime.apprise import check_addresses, need_apprise
from monitor.snapshot import ModelView
from monitor.windows.window import Window

GATHER_MS = 5_000
"""How long a message waits that goes together with others of the same moment: what one step says comes at once, and
several models go wrong within a few steps.
"""


COURSE_MAX = 24
"""Windows in a message's line of bars."""


def audience(told: Notified) -> Audience:
    """What somebody hears. Whoever gets one incident a message is told at once."""
    settings = told.settings
    gathers = settings.kind in ("url_file", "apprise_file")
    return Audience(
        told.name,
        settings.level_min,
        frozenset(settings.models),
        settings.resolved,
        GATHER_MS if gathers else 0,
        settings.runbook,
    )


def receiver(told: Notified, public_url: str | None, own_url: str, token: str | None = None) -> Receiver:
    """How somebody is reached. public_url: where others reach this service; own_url: where this machine does. token:
    that it asks for, so that others can fetch no pictures. ConfigError where a secret is not one.
    """
    settings, secrets = told.settings, told.secrets
    pictures = (public_url or "").startswith("https://") and token is None
    if settings.kind == "url_file":
        return Slack(told.name, secrets[0], pictures)
    if settings.kind == "routing_key_file":
        return PagerDuty(told.name, secrets[0], settings.url or HOST, pictures)
    if settings.kind == "apprise_file":
        return Apprise(told.name, secrets[0], own_url, token)
    keys = tuple(parse_secret(secret, f"the secret of notify.{told.name}") for secret in secrets)
    return Webhook(told.name, settings.webhook or "", keys)


def check_installed(told: Notified) -> None:
    """ConfigError where the library is missing that reaches somebody."""
    if told.settings.kind == "apprise_file":
        need_apprise(told.name)


def check_usable(told: Notified) -> None:
    """ConfigError where what somebody's files hold is of no use."""
    if told.settings.kind == "apprise_file":
        check_addresses(told.name, told.secrets[0])
    receiver(told, None, "")


def addresses(told: Iterable[Notified]) -> Iterator[tuple[str, str]]:
    """Name and address of each receiver that can be tried by connecting to it."""
    for each in told:
        settings = each.settings
        if settings.kind == "url_file":
            yield each.name, each.secrets[0]
        elif settings.kind == "routing_key_file":
            yield each.name, settings.url or HOST
        elif settings.webhook is not None:
            yield each.name, settings.webhook


def notices(
    output: Output, audiences: Sequence[Audience], monitor: Monitor, base_url: str, now_ms: int
) -> list[Message]:
    """What every audience is told of a step. monitor: after it. base_url: where they reach the HTTP API. now_ms: wall
    clock.
    """
    told: list[Message] = []
    for change in last_of_each(output.changes) if audiences else ():
        scene = scene_of(monitor.view(change.window.model), change)
        made = (incident_message(change, scene, each, base_url, now_ms) for each in audiences)
        told += [message for message in made if message is not None]
    last = {change.trigger.id: change for change in output.trigger_changes}.values()
    requests = (trigger_message(change, each, base_url, now_ms) for change in last for each in audiences)
    return told + [message for message in requests if message is not None]


def scene_of(model: ModelView, change: IncidentChange) -> Scene:
    """What is known beside the change itself."""
    incident = change.incident
    verdicts = [] if change.event == "resolved" else concerned(model, incident, change.window)
    since_ms = min(change.onset_ms, began_ms(model, incident))  # What joins may have begun later than the others.
    found = line(model, incident, change.window, since_ms)
    course = None
    if found is not None and found.steps:
        course = Course(found.name, found.values[-COURSE_MAX:], found.limits[-1][1] if found.limits else None)
    retraining = _retraining(model, incident, since_ms)
    return Scene(since_ms, verdicts, _performance(model, change.window), course, retraining)


def _retraining(model: ModelView, incident: Incident, since_ms: int) -> Life | None:
    """One that another incident of the same change has asked for is why this one's was withheld."""
    version = incident.opened.version
    recent = [
        each
        for each in model.triggers
        if (each.trigger.window.version, each.trigger.window.end_ms > since_ms) == (version, True)
    ]
    sent = [each for each in recent if each.state != "withheld"]
    own = [each for each in recent if each.trigger.incident == incident.id]
    return next(reversed(sent or own), None)


def _performance(model: ModelView, window: Window) -> PerformanceEvidence | None:
    """The newest figure of the version's metric that has had its verdict, up to a window."""
    target = model.targets.get(window.version)
    for view in reversed(model.performance):
        if target is None or not view.settled or view.window.end_ms > window.end_ms:
            continue
        reading = figure(model, view)
        if view.window.version == window.version and reading is not None and reading.value is not None:
            lower = reading.value if reading.lower is None else reading.lower
            upper = reading.value if reading.upper is None else reading.upper
            return PerformanceEvidence(model.metric, reading.value, lower, upper, target.reference, view.coverage)
    return None
