"""A run of the engine over tables, as the command `backtest` makes it, with what its options try; and what it found."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path

import orjson
from pydantic import ValidationError

from monitor.config import Config, load
from monitor.config.models import Alarms
from monitor.config.problems import path, problems_of
from monitor.config.units import window_spec
from monitor.detection.records import Skew
from monitor.errors import ConfigError
from monitor.events.timestamps import iso
from monitor.exports.chart import chart, kind_of
from monitor.exports.lines import Line, lines
from monitor.runtime.backtest import Backtest, run_backtest
from monitor.runtime.clock import now
from monitor.runtime.findings import Finding, Findings
from monitor.runtime.tables import read_labels, read_table
from monitor.spec import AlarmSpec

Progress = Callable[[int, int], None]


@dataclass(frozen=True, slots=True)
class Trial:
    """The options of the command; None where the configuration's own value stands."""

    config: Path
    predictions: Path
    labels: Path | None = None
    model: str | None = None
    window: str | None = None
    budget: float | None = None
    tolerance: float | None = None
    chart: Path | None = None

    def run(self, progress: Progress) -> Backtest:
        """ConfigError where an option or a table is wrong; draws the chart, if there is to be one."""
        kind = None if self.chart is None else kind_of(self.chart.name)
        loaded = load(self.config)
        name = only_model(loaded, self.model)
        spec, chosen = loaded.specs()[name], loaded.models[name]
        spec = replace(spec, alarms=self._alarms(spec.alarms))
        if self.window is not None:
            try:
                spec = replace(spec, window=window_spec(self.window))
            except ValueError as error:
                raise ConfigError(f"--window {self.window!r} {error}") from error
        table = read_table(self.predictions, spec.schema, chosen.columns, chosen.timezone)
        given = None
        if self.labels is not None:
            given = read_labels(self.labels, spec.schema, chosen.columns, table, chosen.timezone)
        result = run_backtest(spec, loaded.references()[name], table, given, now, progress)
        if self.chart is not None and kind is not None:
            text = chart(kind, result.spec, result.references, result.outputs)
            try:
                self.chart.write_text(text, encoding="utf-8", newline="\n")
            except OSError as error:
                raise ConfigError(f"--chart {self.chart} cannot be written ({error.strerror}): name another") from None
        return result

    def _alarms(self, alarms: AlarmSpec) -> AlarmSpec:
        tried = {key: value for key in ("budget", "tolerance") if (value := getattr(self, key)) is not None}
        try:
            Alarms.model_validate(tried)
        except ValidationError as error:
            raise ConfigError(*(f"--{path(where)} {text}" for where, text in problems_of(error, Alarms))) from None
        return replace(alarms, **tried)


def trial_lines(trial: Trial, progress: Progress) -> Iterator[str]:
    """JSON, one object a line, in the order of the windows; a summary last."""
    result = trial.run(progress)
    for line in lines(result.outputs, result.by_row):
        yield orjson.dumps(line).decode()
    yield orjson.dumps(summary(result, Findings(result))).decode()


def only_model(config: Config, model: str | None) -> str:
    """The model of this name; without one, the only one there is."""
    names = list(config.models)
    if model is None and len(names) == 1:
        return names[0]
    if model not in names:
        raise ConfigError(f"{config.path} has the models {', '.join(names)}: name one of them with --model")
    return model


def summary(result: Backtest, findings: Findings) -> Line:
    """What a run comes to."""
    outputs, alarms = result.outputs, result.spec.alarms
    return {
        "kind": "summary",
        "predictions": result.predictions,
        "labels": result.labels,
        "windows": len(findings.views),
        "rows_left_over": result.left_over,
        "absent_features": list(result.absent),
        "incidents": sum(findings.incidents.values()),
        "triggers": sum(not trigger.withheld for output in outputs for trigger in output.triggers),
        "events": dict(result.events),
        "seconds": round(result.seconds, 3),
        "budget": alarms.budget,
        "tolerance": alarms.tolerance,
        "false_alarms_expected": findings.false_alarms_expected,
        "incidents_by_cause": dict(findings.incidents),
        "found": [_finding(each, result.by_row) for each in findings.found],
        "untested": [
            {"feature": name, "version": version, "reason": why} for (version, name), why in findings.untested.items()
        ],
        "not_seen": findings.blind,
        "segments": list(findings.segments),
        "segments_untested": {name: list(untested) for name, untested in findings.segments.items() if untested},
        "learning_windows": sum(each.windows for each in findings.learning),
        "ignored_windows": {name: len(windows) for name, windows in findings.ignored.items()},
        "skew": [line for skew in findings.skews for line in _skewed(skew)],
    }


def _finding(found: Finding, by_row: bool) -> Line:
    window = found.window
    when: Line = {"first_row": window.start_ms, "last_row": window.end_ms - 1, "onset_row": found.onset_ms}
    if not by_row:
        when = {"window_start": iso(window.start_ms), "window_end": iso(window.end_ms), "onset": iso(found.onset_ms)}
    where = {"segment": found.segment} if found.segment else {}
    return {"cause": found.cause, "feature": found.feature, **where, "version": window.version, **when}


def _skewed(skew: Skew) -> Iterator[Line]:
    """A line a feature, worst first."""
    measured = {"measured_from": iso(skew.start_ms), "measured_until": iso(skew.end_ms)}
    for each in skew.features:
        moved = [cell._asdict() for cell in each.moved]
        yield {"feature": each.feature, "effect": each.effect, "version": skew.version, **measured, "moved": moved}
