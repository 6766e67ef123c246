"""What the commands `backtest` and `check` print."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from urllib.parse import urlsplit

import orjson
from kafka import KafkaAdminClient
from kafka.errors import KafkaError

from monitor.config import Config, describe, load
from monitor.config.problems import listed
from monitor.config.units import window_spec
from monitor.detection.detector import MERGED_MAX
from monitor.errors import ConfigError, UnavailableError
from monitor.exports.lines import Line, lines
from monitor.runtime.backtest import Backtest, run_backtest
from monitor.runtime.clock import now
from monitor.runtime.kafka_log import last_failure, limit_kafka_log
from monitor.runtime.service import keys_of
from monitor.runtime.tables import read_labels, read_table

Progress = Callable[[int, int], None]

_REACH_S = 5.0
_TOO_FEW = {
    "insufficient": f" alone: they were judged with those that followed, up to {MERGED_MAX} together",
    "untestable": f", even {MERGED_MAX} together",
}


def backtest_lines(
    config: Path, predictions: Path, labels: Path | None, model: str | None, window: str | None, progress: Progress
) -> Iterator[str]:
    """JSON, one object a line, in the order of the windows; a summary last."""
    result = _backtest(config, predictions, labels, model, window, progress)
    for line in lines(result.outputs, result.by_row):
        yield orjson.dumps(line).decode()
    yield orjson.dumps(_summary(result)).decode()


def backtest_report(
    config: Path, predictions: Path, labels: Path | None, model: str | None, window: str | None, progress: Progress
) -> Iterator[str]:
    """For people: incidents, triggers, the features by their worst window, performance, and the summary."""
    result = _backtest(config, predictions, labels, model, window, progress)
    shown = list(lines(result.outputs, result.by_row))
    for line in shown:
        if line["kind"] == "incident":
            yield f"{_when(line)}  {line['cause']} incident {line['event']} ({line['severity']}): {line['reason']}"
        elif line["kind"] == "trigger":
            withheld = f", withheld: {line['withheld']}" if "withheld" in line else ""
            yield f"{_when(line)}  retrain trigger ({line['reason']}){withheld}"
    yield from _features(shown)
    yield from _unjudged(shown)
    yield from _performance(shown)
    summary = _summary(result)
    yield (
        f"{summary['predictions']:,} predictions, {summary['labels']:,} labels, {summary['windows']:,} windows, "
        f"{summary['incidents']} incidents, {summary['triggers']} triggers in {summary['seconds']} s"
    )


def check(config: Path, offline: bool) -> Iterator[str]:
    """Every value in force; then whether the broker, its topics and the receivers can be reached."""
    loaded = load(config)
    yield describe(loaded)
    for warning in loaded.warnings():
        yield f"warning: {warning}"
    for receiver in loaded.webhooks():
        keys_of(receiver)
    if not offline:
        problems = [*_kafka_problems(loaded), *_receiver_problems(loaded)]
        if problems:
            raise UnavailableError("\n".join(problems))
    yield f"{config} is valid" + ("" if offline else ", and what it names can be reached")


def _backtest(
    config: Path, predictions: Path, labels: Path | None, model: str | None, window: str | None, progress: Progress
) -> Backtest:
    loaded = load(config)
    name = _only_model(loaded, model)
    spec, chosen = loaded.specs()[name], loaded.models[name]
    if window is not None:
        try:
            spec = replace(spec, window=window_spec(window))
        except ValueError as error:
            raise ConfigError(f"--window {error}") from error
    table = read_table(predictions, spec.schema, chosen.columns, chosen.timezone)
    given = None
    if labels is not None:
        given = read_labels(labels, spec.schema, chosen.columns, table, chosen.timezone)
    return run_backtest(spec, loaded.references()[name], table, given, now, progress)


def _only_model(config: Config, model: str | None) -> str:
    names = list(config.models)
    if model is None and len(names) == 1:
        return names[0]
    if model not in names:
        raise ConfigError(f"{config.path} has the models {', '.join(names)}: name one of them with --model")
    return model


def _summary(result: Backtest) -> Line:
    outputs = result.outputs
    return {
        "kind": "summary",
        "predictions": result.predictions,
        "labels": result.labels,
        "windows": sum(len(output.windows) for output in outputs),
        "incidents": sum(change.event == "opened" for output in outputs for change in output.changes),
        "triggers": sum(not trigger.withheld for output in outputs for trigger in output.triggers),
        "events": dict(result.events),
        "seconds": round(result.seconds, 3),
    }


def _when(line: Line) -> str:
    return str(line["window_start"]) if "window_start" in line else f"rows {line['first_row']} to {line['last_row']}"


def _features(shown: Sequence[Line]) -> Iterator[str]:
    """One line a feature, or output, the worst first."""
    worst: dict[str, Line] = {}
    judged = [line for line in _verdicts(shown) if line["effect"] is not None]
    for line in sorted(judged, key=lambda each: each["effect"]):
        worst[_subject(line)] = line
    for name, line in sorted(worst.items(), key=lambda each: -each[1]["effect"]):
        yield f"{name}: largest effect {line['effect']:.3f} (chance alone {line['noise_floor']:.3f}) at {_when(line)}"


def _verdicts(shown: Sequence[Line]) -> list[Line]:
    return [line for line in shown if line["kind"] in ("verdict", "output")]


def _subject(line: Line) -> str:
    """A feature as it is named, or what the model answers as people call it."""
    return f"the {line['output']}" if line["kind"] == "output" else str(line["feature"])


def _unjudged(shown: Sequence[Line]) -> Iterator[str]:
    """Which features and outputs could not be judged in how many windows, or not in each alone, and why."""
    verdicts = _verdicts(shown)
    windows: Counter[str] = Counter(_subject(line) for line in verdicts)
    for state, said in _TOO_FEW.items():
        too_few: Counter[str] = Counter(_subject(line) for line in verdicts if line["state"] == state)
        alike: dict[tuple[int, int], list[str]] = {}
        for name, count in too_few.items():
            alike.setdefault((count, windows[name]), []).append(name)
        for (count, total), names in alike.items():
            which = "any feature" if len(names) == len(windows) else listed(names)
            yield f"{count} of {total} windows held too few rows to judge {which}{said}"
    learning = sum(line["state"] == "learning" for line in verdicts)
    if learning:
        yield (
            f"{learning} verdicts are only learning: their versions have no reference of their own, or it does not "
            "tell what is usual at every hour (alarms.learning: 0s trusts it as it is)"
        )


def _performance(shown: Sequence[Line]) -> Iterator[str]:
    """The newest figure of each metric."""
    newest = {line["statistic"]: line for line in shown if line["kind"] == "reading" and not line["feature"]}
    for name, line in newest.items():
        if line["status"] == "insufficient":
            yield f"{name}: too few labels in the last window and those before it"
        elif line["value"] is not None and "lower" in line:
            yield f"{name}: {line['value']:.4g} ({line['lower']:.4g} to {line['upper']:.4g}) in the last window"


def _kafka_problems(config: Config) -> Iterator[str]:
    limit_kafka_log()
    settings = config.kafka_settings() | {"request_timeout_ms": int(_REACH_S * 1000)}
    servers = ", ".join(config.kafka.bootstrap_servers)
    topics = config.kafka.topics
    try:
        existing = _topics(settings)
    except (KafkaError, OSError) as error:
        reason = last_failure() or type(error).__name__
        yield f"Kafka at {servers} does not answer ({reason}): start it, or correct kafka.bootstrap_servers"
        return
    for name in sorted({topics.predictions, topics.labels, topics.dead_letters} - existing):
        yield f"topic {name!r} does not exist on {servers}: create it, or correct kafka.topics"


def _topics(settings: Mapping[str, object]) -> set[str]:
    known = {name: value for name, value in settings.items() if name in KafkaAdminClient.DEFAULT_CONFIG}
    admin = KafkaAdminClient(**known, bootstrap_timeout_ms=int(_REACH_S * 1000))
    try:
        return set(admin.list_topics())
    finally:
        admin.close()


def _receiver_problems(config: Config) -> Iterator[str]:
    for receiver in config.webhooks():
        url = urlsplit(receiver.url)
        port = url.port or (443 if url.scheme == "https" else 80)
        try:
            socket.create_connection((url.hostname or "", port), _REACH_S).close()
        except OSError as error:
            yield f"webhook {receiver.name} cannot be reached ({error.strerror or error}): start it, or correct its url"
