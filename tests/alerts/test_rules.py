"""Each alert fires when it should and not before, holds, ends, and is silent where there is nothing to say."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.alerts.model_cases import MODEL_CASES
from tests.alerts.promtool import (
    ALERTS,
    RULES,
    RUNBOOKS,
    Case,
    Series,
    check,
    firing,
    minutes,
    rule_of,
    rules,
    run,
    tool,
)
from tests.alerts.service_cases import SERVICE_CASES

CASES = (*MODEL_CASES, *SERVICE_CASES)

OUTAGES = ("ModelMonitorDown", "ModelMonitorAbsent")
"""What a restart ends."""


def cases(wanted: Callable[[Case], bool] = lambda _: True) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("case", [*filter(wanted, CASES)], ids=lambda case: case.id)


def spans(case: Case) -> tuple[int, int]:
    """Minutes for which the rule waits, and for which it holds on."""
    rule = rule_of(case.alert, case.severity)
    return minutes(rule["for"]), minutes(rule["keep_firing_for"])


def test_promtool_takes_the_rules() -> None:
    run(tool("promtool"), "check", "rules", RULES)


def test_every_rule_has_its_cases() -> None:
    ours = {(rule["alert"], rule["labels"]["severity"]) for rule in rules()}
    assert ours == {(case.alert, case.severity) for case in CASES}


def test_what_fires_outlasts_the_time_until_an_outage_is_told() -> None:
    """Else it would be called over because nobody looks. The outage itself ends soon after it has."""
    told = max(minutes(rule_of(outage, "critical")["for"]) for outage in OUTAGES)
    for rule in rules():
        keeps = minutes(rule["keep_firing_for"])
        assert keeps <= 2 if rule["alert"] in OUTAGES else keeps > told + 2


@cases()
def test_it_fires_after_its_time_and_ends_after_holding_on(case: Case, tmp_path: Path) -> None:
    waits, keeps = spans(case)
    fires = case.starts + waits
    assert fires + 3 * case.step < case.ends, "the story is too short"
    firings = [
        firing(case.alert, case.severity, at, number)
        for at, number in (
            (0, 0),
            (fires - case.step, 0),
            (fires, 1),
            (case.ends - case.step, 1),
            (case.ends + keeps - case.step, 1),
            (case.ends + keeps, 0),
        )
    ]
    says = {
        "eval_time": f"{fires}m",
        "alertname": case.alert,
        "exp_alerts": [
            {
                "exp_labels": {**case.labels, "severity": case.severity},
                "exp_annotations": {
                    "summary": case.summary,
                    "description": case.description,
                    "runbook_url": f"{RUNBOOKS}{case.alert}.md",
                },
            }
        ],
    }
    check(tmp_path, case.alert, case.series | case.also, case.step, firings, [says])


@cases(lambda case: case.alert not in OUTAGES)
def test_it_holds_while_the_service_restarts(case: Case, tmp_path: Path) -> None:
    """Ten minutes without a sample, from the moment in which it fires."""
    waits, _ = spans(case)
    fires = case.starts + waits
    first, last = fires // case.step + 1, (fires + 10) // case.step
    gap = {
        name: [*values[:first], *[None] * (last - first + 1), *values[last + 1 :]]
        for name, values in case.series.items()
    }
    until = min(fires + 25, case.ends - case.step)
    firings = [firing(case.alert, case.severity, at, 1) for at in range(fires, until + 1, case.step)]
    check(tmp_path, case.alert, gap | case.also, case.step, firings)


@cases(lambda case: case.stale)
def test_it_ends_when_its_series_have_ended(case: Case, tmp_path: Path) -> None:
    """As when a version retires, or an instance is taken away."""
    waits, keeps = spans(case)
    first = (case.starts + waits) // case.step + 1
    ended = {name: [*values[:first], "stale"] for name, values in case.series.items()}
    held = first * case.step + keeps
    firings = [
        firing(case.alert, case.severity, held - case.step, 1),
        firing(case.alert, case.severity, held + case.lingers, 0),
    ]
    check(tmp_path, case.alert, ended | case.also, case.step, firings)


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_without_any_metric_only_absence_fires(rule: dict[str, Any], tmp_path: Path) -> None:
    alert, severity = rule["alert"], rule["labels"]["severity"]
    series: Series = {"up{job='other',instance='x'}": [0] * 101}
    check(tmp_path, alert, series, 1, [firing(alert, severity, 100, alert == "ModelMonitorAbsent")])


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_each_alert_says_what_to_do(rule: dict[str, Any]) -> None:
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert rule["annotations"].keys() == {"summary", "description", "runbook_url"}
    page = ALERTS / "runbooks" / rule["annotations"]["runbook_url"].removeprefix(RUNBOOKS)
    text = page.read_text()
    assert text.startswith(f"# {rule['alert']}\n")
    for heading in ("What it means", "Look first", "What to do", "When to silence"):
        assert f"\n## {heading}\n" in text


def test_there_is_no_runbook_without_its_alert() -> None:
    assert {page.stem for page in (ALERTS / "runbooks").glob("*.md")} == {rule["alert"] for rule in rules()}
