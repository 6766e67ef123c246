"""The `monitor.yaml` that `monitor init` writes: valid as it is, and commented so that a person learns from it."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from monitor.config import Columns
from monitor.config.document import quoted
from monitor.events.schema import Task
from monitor.profiles import codec
from monitor.runtime.inference import Inferred

_NAMED = "  # `model` in its events"
_SEAL = "# Written by `monitor init`, which replaces it as long as nobody edits it: "


@dataclass(frozen=True, slots=True)
class Starter:
    """What is known of one model. reference: path and digest of its compiled profile. window: how it is
    written, and why it was chosen.
    """

    name: str
    task: Task
    positive: str | None
    reference: tuple[str, str]
    features: Mapping[str, Inferred]
    columns: Columns
    window: tuple[str, str]
    metric: str
    drop: float
    threshold: float | None
    segments: Sequence[str]
    source: str


def sealed(body: str) -> str:
    """A file that says by its first line whether the rest is as it was written."""
    return f"{_SEAL}{_digest(body)}\n{body}"


def described(file: Path) -> list[str]:
    """The models of a file as `render` made it; none where there is no such file."""
    text = file.read_text(encoding="utf-8", errors="replace") if file.exists() else ""
    return [
        str(yaml.safe_load(name)) for name in re.findall(rf"^  - name: (.+){re.escape(_NAMED)}$", text, re.MULTILINE)
    ]


def is_unedited(text: str) -> bool:
    """Whether a file is as `sealed` made it."""
    first, _, body = text.partition("\n")
    return first == _SEAL + _digest(body)


def _digest(body: str) -> str:
    return codec.sha256(body.encode("utf-8"))


def render(starter: Starter) -> str:
    """The text of the file, without its seal."""
    return "\n".join([*_service(starter), *_model(starter), *_outlook(), ""])


def _service(starter: Starter) -> Iterator[str]:
    yield "#"
    yield "# `monitor check` validates this file and prints every value that it leaves to its default."
    yield "# Durations are written 250ms, 30s, 5m, 1h or 14d; paths are relative to this file."
    yield ""
    yield "kafka:"
    yield "  bootstrap_servers: localhost:9092"
    yield "  topics: {predictions: predictions, labels: labels, dead_letters: monitor-dead-letters}"
    yield "  # Any setting of the Kafka client may follow, as in"
    yield "  # security_protocol: SASL_SSL"
    yield "  # sasl_plain_password_file: /run/secrets/kafka"
    yield ""
    yield "state: ./state  # one directory, one running instance"
    window, why = starter.window
    yield f"# {why}:"
    yield f"window: {window}  # events are compared with the reference in windows of this length"
    yield "lateness: 5m  # how long a window waits for events that come late"
    yield ""
    yield "alarms:"
    yield "  budget: 0.1  # false alarms of a model in a month that you accept, of all its features together"
    yield "  tolerance: 0.02  # the change that nobody cares about, in PSI units: 0.14 standard deviations"
    yield "  persistence: 2  # windows that a change takes to alarm; broken data takes one"
    yield "  learning: 14d  # of production, where the reference does not tell what is usual at each hour; 0s trusts it"


def _model(starter: Starter) -> Iterator[str]:
    path, digest = starter.reference
    yield ""
    yield "models:"
    yield f"  - name: {quoted(starter.name)}{_NAMED}"
    yield f"    task: {starter.task}  # binary, multiclass or regression"
    if starter.positive is not None:
        yield f"    positive: {quoted(starter.positive)}  # the class that `score` is the probability of"
    yield f"    # What windows are compared with, compiled from {_comment(starter.source)}:"
    yield f"    # {digest}"
    yield f"    reference: {quoted(path)}"
    yield from _columns(starter.columns)
    yield from _features(starter.features)
    if starter.segments:
        yield "    # Each value of these that has rows enough is watched by itself, too, all others together:"
        yield f"    segments: [{', '.join(map(quoted, starter.segments))}]"
    yield from _performance(starter)


def _columns(columns: Columns) -> Iterator[str]:
    given = columns.model_dump(exclude_none=True)
    if given:
        yield "    # Columns of tables that `monitor backtest` reads; events use the names on the left."
        yield "    columns:"
    for role, column in given.items():
        yield f"      {role}: {_flow(column)}"


def _flow(column: str | Mapping[str, str]) -> str:
    if isinstance(column, str):
        return quoted(column)
    return "{" + ", ".join(f"{quoted(key)}: {quoted(name)}" for key, name in column.items()) + "}"


def _features(features: Mapping[str, Inferred]) -> Iterator[str]:
    yield "    # Numeric or categorical each. The long form, {type: numeric, monitor: quality}, says how it is watched:"
    yield "    # drift (the default), quality (only missing and impossible values) or off."
    yield "    features:" if features else "    features: {}"
    for name, inferred in features.items():
        if inferred.why:
            yield f"      {quoted(name)}: {{type: {inferred.kind}, monitor: off}}  # {inferred.why}"
        else:
            yield f"      {quoted(name)}: {inferred.kind}" + (f"  # {inferred.note}" if inferred.note else "")


def _performance(starter: Starter) -> Iterator[str]:
    yield "    # Known once labels arrive: {type: label, id: ..., model: ..., label: ...} on the topic of labels."
    yield "    performance:"
    yield f"      metric: {starter.metric}"
    yield f"      drop: {starter.drop:g}  # worse than the reference by this much is an incident"
    if starter.threshold is not None:
        yield f"      threshold: {starter.threshold:g}  # scores from here on count as {_comment(starter.positive)}"
    yield "      wait: 14d  # after that a window is judged by the labels it has"


def _outlook() -> Iterator[str]:
    yield from textwrap.dedent(
        """\
            # Whom to ask for a retrained model, and when; the receiver stands under `webhooks`.
            # retrain: {webhook: pipeline, on: [performance, drift], cooldown: 24h, labels_min: 2000}

        # webhooks:
        #   pipeline: {url: "https://pipeline.example/retrain", secret_file: /run/secrets/pipeline}

        # Who is told of incidents; `monitor notify test` tries it.
        # notify:
        #   slack: {url_file: /run/secrets/slack}

        server: {host: 127.0.0.1, port: 8000}  # metrics, API and pages"""
    ).splitlines()


def _comment(text: str | None) -> str:
    """Text that stays on the line of its comment."""
    return "".join(char if char.isprintable() else "?" for char in text or "")
