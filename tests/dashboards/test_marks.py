"""What annotations mark, and what they do not, told to the real promtool minute by minute."""

from __future__ import annotations

import re
from pathlib import Path

import yaml

from tests.alerts.model_cases import TARGET, named
from tests.alerts.promtool import run, tool
from tests.dashboards.grafana import DASHBOARDS, load, marks

KIND = {**TARGET, "model": "fraud", "cause": "drift", "severity": "major"}
AWAY = "stale _ _"

STORY = {
    named("build_info", **TARGET): f"1 1 1 1 1 1 {AWAY} 1 1 1 1 1 1 1",
    named("incidents_open", **KIND, version="3"): f"0 0 1 1 1 1 {AWAY} 1 1 0 0 1 1 1",
    named("incidents_open", **{**KIND, "severity": "minor"}, version="3"): f"0 0 0 0 0 0 {AWAY} 0 0 0 0 0 0 0",
    named("incidents_open", **KIND, version="4"): f"_ _ _ _ 0 0 {AWAY} 0 0 0 0 0 0 0",
    named(
        "triggers_total", **TARGET, model="fraud", version="3", result="requested"
    ): f"0 0 0 1 1 1 {AWAY} 1 1 1 1 1 1 1",
    named(
        "triggers_total", **TARGET, model="fraud", version="3", result="withheld"
    ): f"0 1 2 3 4 5 {AWAY} 6 7 8 9 9 9 9",
}
"""By the minute: the service is away from the sixth to the ninth."""

MARKED = {"Incident opened": {2, 13}, "Incident over": {11}, "Retraining": {3, 4}, "New version": {4}}
"""Minutes with a mark. The rise of a counter is seen for as long as the range that it is looked for in: one region."""


def test_what_happens_is_marked_once_and_a_restart_is_nothing_that_happens(tmp_path: Path) -> None:
    dashboard = load(DASHBOARDS / "model.json")
    cases = []
    for mark in marks(dashboard):
        expr = mark["expr"].replace("$__interval", "1m").replace("$__rate_interval", "2m1s")
        filled = re.sub(r"\$(job|instance|model)", ".+", expr).replace('model=".+"', 'model="fraud"')
        for minute in range(16):
            expected = {"labels": "{}", "value": int(minute in MARKED[mark["name"]])}
            query = f"count({filled}) or vector(0)"
            cases.append({"expr": query, "eval_time": f"{minute}m", "exp_samples": [expected]})
    series = [{"series": name, "values": values} for name, values in STORY.items()]
    test = {"interval": "1m", "input_series": series, "promql_expr_test": cases}
    path = tmp_path / "test.yml"
    path.write_text(yaml.safe_dump({"evaluation_interval": "1m", "tests": [test]}))
    run(tool("promtool"), "test", "rules", path)
