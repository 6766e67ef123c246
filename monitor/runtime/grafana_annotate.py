"""`monitor grafana annotate`: what the service decided, as annotations of Grafana, kept as they are to be."""

from __future__ import annotations

import hashlib
import html
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple
from urllib.parse import urlencode

from monitor.addresses import incident_page, public, trigger_page
from monitor.config import load_grafana, load_server
from monitor.config.network import own_url
from monitor.config.units import duration_ms, duration_text
from monitor.detection.sentences import called
from monitor.detection.severity import level
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.events.timestamps import instant
from monitor.exports.course import happened
from monitor.exports.text import counted, printable
from monitor.runtime.asking import ask
from monitor.runtime.grafana import Annotation, Grafana, Noted

TAG = "model-monitor"
"""Every annotation of ours has it."""

PAGE = 500
PAGES_MAX = 4
"""Of each list of the service: its newest 2,000."""

FOUND_MAX = 5_000
"""Annotations that are asked for at once; one that is not among them is looked for by its id before it is written."""

TURNS_MAX = 100
"""Annotations that are looked for and written at a time, the newest first: the next time goes on."""

EVERY_MIN_MS = 5_000
TEXT_MAX = 500
TAG_MAX = 100
"""Characters: Grafana keeps each half of a tag in a column of this width."""

_Item = Mapping[str, Any]
"""A resource of the service's API."""


class Done(NamedTuple):
    """What came of one time. left: still to be written."""

    written: int
    changed: int
    same: int
    left: int


def annotate(config: Path, every: str | None, wait: Callable[[float], object] = time.sleep) -> Iterator[str]:
    """Once, and a line on what was done; or at every such duration until it is interrupted, through outages of the
    service and of Grafana, and a line where something was done or is not as it was. ConfigError where it was never
    right; once it was, files that are being replaced are waited for.
    """
    if every is None:
        yield _sentence(once(config))
        return
    every_s = _seconds(every)
    outage, right = "", False
    while True:
        try:
            done = once(config)
        except (ConfigError, UnavailableError, RefusedError) as error:
            if isinstance(error, ConfigError) and not right:
                raise
            if str(error) != outage:
                yield str(error)
            outage = str(error)
        else:
            if outage or done.written or done.changed:
                yield _sentence(done)
            outage, right = "", True
        wait(every_s)


def once(config: Path) -> Done:
    """Make Grafana's annotations what the service says now."""
    grafana = Grafana(load_grafana(config))
    server, _ = load_server(config)
    incidents, triggers, models = (_listed(config, kind) for kind in ("incidents", "triggers", "models"))
    wanted = wanted_of(incidents, triggers, models, server.public_url or own_url(server.host, server.port))
    if not wanted:
        return Done(0, 0, 0, 0)
    first_ms = min(each.start_ms for each in wanted.values())
    last_ms = max(each.end_ms for each in wanted.values())
    known = _by_id(grafana.annotations([TAG], FOUND_MAX, first_ms, last_ms))
    written = changed = same = left = turns = 0
    for name, noted in sorted(wanted.items(), key=lambda each: (-each[1].end_ms, each[0])):
        found = known.get(name)
        if found is not None and _is(found, noted):
            same += 1
            continue
        if turns == TURNS_MAX:
            left += 1
            continue
        turns += 1
        found = found or _by_id(grafana.annotations([_id(name)], 1)).get(name)
        if found is None:
            grafana.annotate(noted)
            written += 1
        elif _is(found, noted):
            same += 1
        else:
            grafana.change(found.id, noted)
            changed += 1
    return Done(written, changed, same, left)


def wanted_of(
    incidents: Sequence[_Item], triggers: Sequence[_Item], models: Sequence[_Item], base_url: str
) -> Mapping[str, Noted]:
    """The annotations by the id of what they are of, from the resources of the API."""
    requests = [each for each in triggers if each["state"] != "withheld"]
    return {
        **{each["id"]: _of_incident(each, base_url) for each in incidents},
        **{each["id"]: _of_trigger(each, base_url) for each in requests},
        **dict(_of_version(each["name"], *version) for each in models for version in each["versions_since"].items()),
    }


def _of_incident(incident: _Item, base_url: str) -> Noted:
    """From the end of the window that opened it, when it was known, to that of the last one that showed it."""
    start_ms = instant(incident["opened"]["window_end"])
    end_ms = start_ms if incident["open"] else instant(incident["latest"]["window_end"])
    what = happened(incident["cause"], incident["features"])
    state = "over" if not incident["open"] else "acknowledged" if incident["acknowledged"] else "open"
    text = f"{_who(incident)}: {what} ({level(incident['cause'], incident['severity'])}, {state})"
    return _noted("incident", incident, start_ms, end_ms, text, public(base_url, incident_page(incident["id"])))


def _of_trigger(trigger: _Item, base_url: str) -> Noted:
    at_ms = instant(trigger["window"]["window_end"])
    made = f" as version {trigger['new_version']}" if trigger["new_version"] else ""
    text = f"{_who(trigger)}: retrain request, {trigger['state']}{made}. {trigger['summary']}"
    return _noted("trigger", trigger, at_ms, at_ms, text, public(base_url, trigger_page(trigger["id"])))


def _of_version(model: str, version: str, since: str) -> tuple[str, Noted]:
    name = "ver_" + hashlib.sha256("\0".join((model, version, since)).encode()).hexdigest()[:16]
    told = {"id": name, "model": model, "version": version, "segment": ""}
    at_ms = instant(since)
    return name, _noted("version", told, at_ms, at_ms, f"{_who(told)}: first predictions", None)


def _noted(kind: str, told: _Item, start_ms: int, end_ms: int, text: str, link: str | None) -> Noted:
    """text: plain. Grafana shows a text as HTML."""
    line = html.escape(printable(text)[:TEXT_MAX])
    if link is not None:
        line += f' <a href="{html.escape(link)}">{kind}</a>'
    return Noted(start_ms, end_ms, (TAG, _tag("model", told["model"]), kind, _id(told["id"])), line)


def _who(told: _Item) -> str:
    segment = f" in {told['segment']}" if told["segment"] else ""
    return f"{told['model']} version {called(told['version'])}{segment}"


def _tag(key: str, value: str) -> str:
    return f"{key}:{value[:TAG_MAX]}"


def _id(name: str) -> str:
    return _tag("id", name)


def _by_id(annotations: list[Annotation]) -> dict[str, Annotation]:
    return {tag.removeprefix("id:"): each for each in annotations for tag in each.tags if tag.startswith("id:")}


def _is(found: Annotation, noted: Noted) -> bool:
    """Tags are not compared: of one id they are the same for ever."""
    return (found.time, found.timeEnd or found.time, found.text) == (noted.start_ms, noted.end_ms, noted.text)


def _listed(config: Path, kind: str) -> list[_Item]:
    """The newest of a list of the service's API."""
    found: list[_Item] = []
    for page in range(PAGES_MAX):
        answer = ask(config, f"{kind}?{urlencode({'limit': PAGE, 'offset': page * PAGE})}")
        found += answer["items"]
        if answer["next"] is None:
            break
    return found


def _seconds(every: str) -> float:
    try:
        milliseconds = duration_ms(every)
    except ValueError as error:
        raise ConfigError(f"--every {error}") from None
    if milliseconds < EVERY_MIN_MS:
        raise ConfigError(f"--every is {every}: write {duration_text(EVERY_MIN_MS)} or more")
    return milliseconds / 1000


def _sentence(done: Done) -> str:
    rest = f"; {done.left:,} more the next time" if done.left else ""
    return f"{counted(done.written, 'annotation')} written, {done.changed:,} changed, {done.same:,} as they were{rest}"
