"""Cases of our alerting rules, run by the real promtool: what it is given, and when an alert has to fire."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import pytest
import yaml

ALERTS = Path(__file__).parents[2] / "alerts"
RULES = ALERTS / "model-monitor.rules.yml"

RUNBOOKS = "https://runbooks.example.com/model-monitor/"
"""Where the rules say that runbooks are; docs/ALERTS.md says how to change it."""

Value = float | None | Literal["stale"]
"""A sample; None: none was scraped; stale: the series has ended."""

Series = dict[str, list[Value]]
"""Samples of each series, `step` minutes apart, from minute 0."""

_UNITS = {"m": 1, "h": 60, "d": 1440}


@dataclass(frozen=True)
class Case:
    """One alert of one severity over one story.

    starts, ends: the first minute in which its expression holds, and in which it holds no more. labels: of the alert,
    without its name and severity. summary, description: its texts when it begins to fire. lingers: minutes for which
    the expression still holds of series that have ended. stale: whether the end of its series is looked at.
    """

    alert: str
    severity: str
    series: Series
    starts: int
    ends: int
    labels: Mapping[str, str]
    summary: str
    description: str
    step: int = 1
    lingers: int = 0
    stale: bool = True
    also: Series = field(default_factory=dict)
    """Series of which the rule's texts tell; they never end."""

    @property
    def id(self) -> str:
        return f"{self.alert}-{self.severity}"


def rules() -> list[dict[str, Any]]:
    """Every alerting rule."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"]]


def rule_of(alert: str, severity: str) -> dict[str, Any]:
    [rule] = [each for each in rules() if (each["alert"], each["labels"]["severity"]) == (alert, severity)]
    return rule


def minutes(duration: str) -> int:
    return sum(int(number) * _UNITS[unit] for number, unit in re.findall(r"(\d+)([mhd])", duration))


def tool(name: str) -> str:
    """The path of promtool, amtool, Prometheus or Alertmanager; without it the test is skipped, or fails."""
    found = shutil.which(name)
    if found is None:
        packages = "Debian's packages prometheus and prometheus-alertmanager"
        assert os.environ.get("MODEL_MONITOR_REQUIRE_ALERTS") != "1", f"{name} is needed: it is in {packages}"
        pytest.skip(f"{name} is not installed: it is in {packages}")
    return found


def run(*command: str | Path) -> str:
    """What a checker says; it has to be content."""
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout + done.stderr


def firing(alert: str, severity: str, at: int, number: int) -> dict[str, Any]:
    """A test of promtool: how many alerts of this name fire in a minute."""
    return {
        "expr": f'count(ALERTS{{alertname="{alert}",severity="{severity}",alertstate="firing"}}) or vector(0)',
        "eval_time": f"{at}m",
        "exp_samples": [{"labels": "{}", "value": int(number)}],
    }


def check(
    directory: Path,
    alert: str,
    series: Series,
    step: int,
    firings: Sequence[dict[str, Any]],
    texts: Sequence[dict[str, Any]] = (),
) -> None:
    """Run promtool on one story. alert: whose rules are looked at; they alone, as long stories take their time."""
    test = {
        "interval": f"{step}m",
        "input_series": [{"series": name, "values": _written(values)} for name, values in series.items()],
        "promql_expr_test": list(firings),
        "alert_rule_test": list(texts),
    }
    path, its_rules = directory / "test.yml", directory / "rules.yml"
    mine = [rule for rule in rules() if rule["alert"] == alert]
    its_rules.write_text(yaml.safe_dump({"groups": [{"name": alert, "rules": mine}]}))
    path.write_text(
        yaml.safe_dump({"rule_files": [str(its_rules)], "evaluation_interval": f"{step}m", "tests": [test]})
    )
    run(tool("promtool"), "test", "rules", path)


def _written(values: Sequence[Value]) -> str:
    return " ".join("_" if value is None else str(value) for value in values)
