"""An event in words, for somebody who was asleep a minute ago: what, how bad, since when, what to look at.

Pure text: whoever sends it escapes it as the channel needs, and writes times as the channel can.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import orjson

from monitor.actions.outbox import Message
from monitor.detection.sentences import listed, sentence
from monitor.detection.severity import LEVELS
from monitor.events.timestamps import instant, utc

MOVED_MAX = 2
"""Parts of a feature of which it is said how they moved."""

_SAID_BESIDE = re.compile(r"; (it began about \S+|the evidence reached its limit)")
"""Of a summary, what stands beside it: when it began, and that there is an incident."""

_BARS = "▁▂▃▄▅▆▇█"
_LOOK: Mapping[str, str] = {
    "performance": "Its answers are worse than agreed. Look for what changed when it began: a release, where its "
    "features come from, the world. Roll back, or retrain.",
    "drift": "Its inputs are not what it learned from; whether its answers are still right, its performance tells. "
    "Look at where {inputs} comes from, and what changed there.",
    "data": "Rows are faulty, so answers made of them may be wrong; retraining would not mend it. Look at what sends "
    "{inputs}.",
}
_RETRAINING: Mapping[str, str] = {
    "waiting": "Retraining of {who} waits for your approval",
    "approved": "Retraining of {who} was approved",
    "failed": "Retraining of {who} failed",
    "expired": "Retraining of {who} was never heard of again",
    "succeeded": "{who} was retrained",
}
_NEXT: Mapping[str, str] = {
    "waiting": "Look at why it is asked for; then send it, or leave it.",
    "failed": "Look at the pipeline's run. It is asked again after the cool-down, within the budget.",
    "expired": "Look whether the pipeline received it, and whether it reports back.",
}
_LINKS: Mapping[str, str] = {
    "incident": "Incident",
    "trigger": "Request",
    "report": "Report",
    "runbook": "Runbook",
    "page": "Overview",
}


@dataclass(frozen=True, slots=True)
class Event:
    """A message's body, read again."""

    kind: str
    time_ms: int
    data: Mapping[str, Any]

    @classmethod
    def of(cls, message: Message) -> Event:
        body = orjson.loads(message.body)
        return cls(body["type"], instant(body["timestamp"]), body["data"])

    @property
    def state(self) -> str:
        """The last word of its type."""
        return self.kind.rpartition(".")[2]

    @property
    def of_incident(self) -> bool:
        return self.kind.startswith("model.incident.")

    @property
    def over(self) -> bool:
        return self.state in ("resolved", "approved", "succeeded", "test")

    @property
    def level(self) -> str:
        return str(self.data["level"])

    @property
    def rank(self) -> tuple[bool, int]:
        """Sorts what is not over first, then the most urgent."""
        return self.over, -LEVELS.index(self.data["level"])

    @property
    def since_ms(self) -> int:
        return instant(self.data["since"])

    def link(self, name: str) -> str | None:
        found = self.data["links"].get(name)
        return None if found is None else str(found)

    @property
    def page(self) -> str | None:
        """Of what it is about; of a test, the first."""
        return self.link("incident" if self.of_incident else "trigger") or self.link("page")


def headline(event: Event) -> str:
    """One line: how bad, what, of which model and version."""
    data = event.data
    who = f"{data['model']} (version {data['version']})" if data["version"] else data["model"]
    if event.state == "test":
        return "TEST: model-monitor reaches you here"
    if not event.of_incident:
        return _RETRAINING[event.state].format(who=who)
    features = listed(data["features"])
    if event.state in ("acknowledged", "resolved"):
        what = {
            "performance": f"fallen performance of {who}",
            "drift": f"drift of {features} of {who}",
            "data": f"faulty data of {who}, {features}",
        }[data["cause"]]
        return f"{event.state.capitalize()}: {what}"
    what = {
        "performance": f"performance of {who} has fallen",
        "drift": f"{features} of {who} drifted",
        "data": f"data of {who} is faulty, {features}",
    }[data["cause"]]
    worse = {"worsened": ", worse than before", "joined": ", growing"}.get(event.state, "")
    return f"{event.level.capitalize()}{worse}: {what}"


def summary(event: Event) -> str:
    """One sentence or two: the figures."""
    if event.of_incident or event.state == "test":
        return sentence(_SAID_BESIDE.sub("", event.data["summary"]))
    made = f"the new version is {event.data['new_version']}" if event.data["new_version"] else ""
    return " ".join(
        sentence(text)
        for text in (made, event.data["reason"], f"It was asked for because {event.data['summary']}")
        if text
    )


def moved(event: Event) -> Iterator[tuple[str, str]]:
    """Each feature concerned, and how its values moved."""
    for each in event.data.get("evidence", ()):
        figures = "{:z.2f} → {:z.2f}" if each["measure"] == "correlation" else "{:.0%} → {:.0%} of rows"
        parts = [f"{cell['values']}: {figures.format(cell['before'], cell['now'])}" for cell in each["moved"]]
        said = [", ".join(each["wrong"]), *parts[:MOVED_MAX]]
        if each["effect"] is not None and each["moved"]:
            said.append(f"effect {each['effect']:.2g}")
        yield each["feature"], "; ".join(filter(None, said))


def performance(event: Event) -> str | None:
    """The newest settled figure beside the reference's; None where there is none, or the summary has it."""
    known = event.data.get("performance")
    if known is None or event.data.get("cause") == "performance":
        return None
    interval = f"{known['lower']:.3g} to {known['upper']:.3g}"
    return f"{known['metric']} {known['value']:.3g} ({interval}); the reference had {known['reference']:.3g}"


def retraining(event: Event) -> str | None:
    """Whether a pipeline was asked to retrain, as far as it was decided in the same step."""
    known = event.data.get("retraining")
    if known is None:
        return None
    if known["state"] == "withheld":
        return f"not requested: {known['reason']}"
    state = "requested" if known["state"] in ("pending", "sent") else known["state"]
    return f"{state}, of the window that ended {utc(instant(known['decided'])):%Y-%m-%d %H:%M} UTC"


def look(event: Event) -> str | None:
    """What to do next; None where it is over."""
    if event.over:
        return None
    if not event.of_incident:
        return _NEXT[event.state]
    return _LOOK[event.data["cause"]].format(inputs=listed(event.data["inputs"]) or "its traffic")


def course(event: Event) -> tuple[str, str] | None:
    """What is followed, and its last windows as a line of bars with the first and the last figure."""
    known = event.data.get("course")
    if known is None or len(known["values"]) < 2:
        return None
    values, limit = known["values"], known["limit"]
    line = "" if limit is None else f", limit {limit:.3g}"
    windows = f"{known['of']}, last {len(values)} windows"
    return windows, f"{values[0]:.3g} {bars(values)} {values[-1]:.3g}{line}"


def bars(values: Sequence[float]) -> str:
    """A sparkline: the lowest is the shortest bar, the highest the tallest; all alike are the shortest."""
    low, high = min(values), max(values)
    room = (high - low) or 1.0
    return "".join(_BARS[round((value - low) / room * (len(_BARS) - 1))] for value in values)


def span(milliseconds: int) -> str:
    """A length of time as people say it: "40 s", "5 min", "3 h", "2 days"."""
    seconds = max(milliseconds, 0) / 1000
    for least, size, unit in ((172_800, 86_400, "days"), (7_200, 3_600, "h"), (120, 60, "min")):
        if seconds >= least:
            return f"{seconds / size:.0f} {unit}"
    return f"{seconds:.0f} s"


def since(event: Event, now_ms: int) -> str:
    """When it began, in UTC, and how long ago that is."""
    if event.of_incident and event.over:
        ended = utc(instant(event.data["window"]["end"]))
        return f"{utc(event.since_ms):%Y-%m-%d %H:%M} to {ended:%Y-%m-%d %H:%M} UTC"
    return f"about {utc(event.since_ms):%Y-%m-%d %H:%M} UTC, {span(now_ms - event.since_ms)} ago"


def facts(event: Event) -> Iterator[tuple[str, str]]:
    """What there is to know besides headline, summary and time: names and texts, in order of weight."""
    if event.over:
        return
    if (known := performance(event)) is not None:
        yield "Performance", known
    yield from moved(event)
    if (known := retraining(event)) is not None:
        yield "Retraining", known
    if (next_step := look(event)) is not None:
        yield "What to do", next_step


def links(event: Event) -> Iterator[tuple[str, str]]:
    """Names and addresses to read on at."""
    for name, said in _LINKS.items():
        if (url := event.link(name)) is not None:
            yield said, url


def plain(event: Event, now_ms: int) -> str:
    """The whole of it but the headline, as lines of text."""
    lines = [summary(event), f"Since: {since(event, now_ms)}"]
    lines += [f"{name}: {text}" for name, text in facts(event)]
    if (line := course(event)) is not None and not event.over:
        lines.append(f"{line[0]}: {line[1]}")
    lines += [f"{name}: {url}" for name, url in links(event)]
    return "\n".join(lines)
