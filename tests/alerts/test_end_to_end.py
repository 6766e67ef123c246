"""From the demo's model that goes wrong to what people are told, through the real Prometheus and Alertmanager."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import unquote

import pytest

from tests.alerts.demo import demo
from tests.alerts.promtool import RUNBOOKS, rules, tool
from tests.alerts.stack import KEY, Message, Stack, awaited, first, messages, running, titled, titles
from tests.receivers import Receiver, answers

CLEAN_S = 6
"""Windows of a second that have to pass without an alert."""


def paged(action: str, summary: str) -> Callable[[Message], bool]:
    """An event of PagerDuty whose summary ends so."""
    return lambda event: event["event_action"] == action and event["payload"]["summary"].endswith(summary)


BROKEN = "credit version 1: its data is broken"
DRIFT = "credit version 1: what it is asked or answers has changed"
FALLEN = "credit version 1: performance has fallen"
DOWN = "model-monitor on monitor-0 is down: no model of it is watched"


@pytest.mark.timeout(180)
def test_what_goes_wrong_in_the_demo_is_told_once_and_understood(tmp_path: Path) -> None:
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name)
    with ExitStack() as parts:
        slack = parts.enter_context(Receiver(answers(200, b"ok")))
        pagerduty = parts.enter_context(Receiver(answers(202, b'{"status": "success"}')))
        shown = parts.enter_context(demo(tmp_path))
        urls = (f"http://127.0.0.1:{receiver.port}" for receiver in (slack, pagerduty))
        stack = parts.enter_context(running(tmp_path, shown.address, *urls))

        a_clean_service_is_silent(stack, slack, pagerduty)

        shown.broken.set()
        told = first(slack, titled(BROKEN))["attachments"][0]
        assert told["title"] == f":rotating_light: {BROKEN}"
        assert "Risen within a day: channel missing (by 100% of rows)." in told["text"]
        page = first(pagerduty, paged("trigger", BROKEN))

        shown.drifted.set()
        awaited(lambda: stack.suppressed("ModelDrift", by="ModelDataBroken"))
        awaited(lambda: stack.suppressed("ModelPerformanceFallen", by="ModelDataBroken"))
        assert titles(slack) == [f":rotating_light: {BROKEN}"]
        assert [event["payload"]["class"] for event in messages(pagerduty)] == ["ModelDataBroken"]

        shown.broken.clear()
        over = first(slack, titled(f"Over: {BROKEN}"))["attachments"][0]
        assert re.fullmatch(
            r"From 20\d\d-\d\d-\d\d \d\d:\d\d to 20\d\d-\d\d-\d\d \d\d:\d\d UTC, critical", over["text"].strip()
        )
        assert over["color"] == "good"
        assert first(pagerduty, paged("resolve", BROKEN))["dedup_key"] == page["dedup_key"]

        drift_is_told(first(slack, titled(DRIFT))["attachments"][0])
        first(slack, titled(FALLEN))
        the_fall_pages(first(pagerduty, paged("trigger", FALLEN)))

        shown.stop_service()
        first(pagerduty, paged("trigger", DOWN))
        awaited(lambda: stack.suppressed("ModelDrift", by="ModelMonitorDown"))
        first(slack, titled(DOWN))
        told_in_all = titles(slack)
        assert told_in_all.count(f":warning: {DRIFT}") == 1
        assert sorted(told_in_all) == sorted({*told_in_all}), "something was told twice"
        # Which of two groups is flushed first is Alertmanager's affair.
        actions = sorted((event["event_action"], event["payload"]["summary"]) for event in messages(pagerduty))
        pages = [("resolve", f"Over: {BROKEN}"), *(("trigger", summary) for summary in (BROKEN, FALLEN, DOWN))]
        assert actions == sorted(pages)
        assert not any(b"error expanding" in request.body for request in (*slack.requests, *pagerduty.requests))


def a_clean_service_is_silent(stack: Stack, *receivers: Receiver) -> None:
    """While some windows close, no rule finds anything, and all of them could be evaluated."""
    ends = "model_monitor_window_end_timestamp_seconds"
    start = awaited(lambda: stack.value(ends))
    awaited(lambda: (stack.value(ends) or 0) >= start + CLEAN_S)
    # On a busy machine a scrape may fail: that is waited for, and fires no alert.
    assert stack.query("ALERTS_FOR_STATE{alertname!~'ModelMonitorAbsent|ModelMonitorDown'}") == []
    assert stack.query("ALERTS{alertstate='firing'}") == []
    assert {(rule["name"], rule["health"]) for rule in stack.rules()} == {(rule["alert"], "ok") for rule in rules()}
    assert not any(receiver.requests for receiver in receivers)


def drift_is_told(message: dict[str, Any]) -> None:
    """What, since when, how bad, which version, what to look at, and where to read on."""
    print(json.dumps(message, indent=2, ensure_ascii=False))
    assert message["title"] == f":warning: {DRIFT}"
    assert message["title_link"] == f"{RUNBOOKS}ModelDrift.md"
    assert message["color"] == "warning"
    since, what, links = message["text"].strip().split("\n")
    assert re.fullmatch(r"\*Since 20\d\d-\d\d-\d\d \d\d:\d\d UTC, warning\*, seen by monitor-0", since)
    effects = re.fullmatch(
        r"Drifting: (.+); 0\.1 is moderate, 0\.25 major\. Newest window: to 20\d\d-[\d :-]+ UTC, \d+ rows\.", what
    )
    assert effects
    assert re.search(r"\bincome \(effect 0\.[3-9]\d\)", effects[1])
    what_to_do, figures, silence = re.findall(r"<([^|>]+)\|([^>]+)>", links)
    assert what_to_do == (f"{RUNBOOKS}ModelDrift.md", "What to do")
    assert figures[1] == "The figures"
    assert "model_monitor_incidents_open" in figures[0]
    assert unquote(silence[0]).endswith('/#/silences/new?filter={alertname="ModelDrift",model="credit"}')


def the_fall_pages(event: Message) -> None:
    assert event["routing_key"] == KEY
    payload = event["payload"]
    assert (payload["summary"], payload["severity"]) == (FALLEN, "critical")
    assert (payload["class"], payload["component"], payload["group"]) == (
        "ModelPerformanceFallen",
        "credit",
        "model-monitor",
    )
    said = payload["custom_details"]["firing"]
    roc_auc = re.search(r"roc_auc (0\.\d+) \((0\.\d+) to (0\.\d+); median of 7 days (0\.\d+)\)", said)
    assert roc_auc, said
    value, low, high, usual = map(float, roc_auc.groups())
    assert low < value < high < 0.78
    assert 0.5 < usual < 0.9  # Half of the run was before the fall, and half is after it.
    assert "Drifting too: " in said
    assert event["links"][0]["href"] == f"{RUNBOOKS}ModelPerformanceFallen.md"
