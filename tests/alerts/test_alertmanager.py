"""Where the alerts go, which keep others back, and what is said: by the real amtool and Alertmanager."""

from __future__ import annotations

import json
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from tests.alerts.promtool import ALERTS, rules, run, tool
from tests.alerts.stack import alertmanager, awaited, first, quick_alertmanager, standing, titled, titles
from tests.receivers import Receiver, answers

NOWHERE = "http://127.0.0.1:9"
PAGED = "model-monitor-pagerduty,model-monitor-slack"

Labels = dict[str, str]


@pytest.fixture
def configuration(tmp_path: Path) -> Path:
    """As it stands, but for the templates' place."""
    content = yaml.safe_load((ALERTS / "alertmanager.yml").read_text())
    content["templates"] = quick_alertmanager(tmp_path, NOWHERE, NOWHERE)["templates"]
    path = tmp_path / "alertmanager.yml"
    path.write_text(yaml.safe_dump(content))
    return path


def test_amtool_takes_the_configuration(configuration: Path) -> None:
    said = run(tool("amtool"), "check-config", configuration)
    assert "1 templates" in said


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: f"{rule['alert']}-{rule['labels']['severity']}")
def test_what_is_critical_pages_and_everything_is_said(rule: dict[str, Any], configuration: Path) -> None:
    severity = rule["labels"]["severity"]
    labels = (f"alertname={rule['alert']}", f"severity={severity}", "model=fraud")
    said = run(tool("amtool"), "config", "routes", "test", f"--config.file={configuration}", *labels)
    assert said.splitlines()[0] == (PAGED if severity == "critical" else "model-monitor-slack")


def alert(name: str, severity: str = "", **labels: str) -> Labels:
    there = {"job": "model-monitor", "instance": "monitor-0", "model": "fraud", "version": "3"}
    return {"alertname": name, **there, **({"severity": severity} if severity else {}), **labels}


BROKEN = alert("ModelDataBroken", "critical")
PARTLY_BROKEN = alert("ModelDataBroken", "warning")
DRIFT = alert("ModelDrift", "warning")
FALLEN = alert("ModelPerformanceFallen", "critical")
DOWN = alert("ModelMonitorDown", "critical", model="", version="")
ABSENT = alert("ModelMonitorAbsent", "critical", job="", instance="", model="", version="")
SILENT = alert("ModelSilent", "warning", version="")
LAGGING = alert("ModelMonitorLagGrowing", "warning", model="", version="", topic="predictions")
NOT_READING = alert("ModelMonitorNotReading", "critical", model="", version="")

PAIRS: dict[str, tuple[Labels, Labels, bool]] = {
    "broken data over drift": (BROKEN, DRIFT, True),
    "broken data over a page about performance": (BROKEN, FALLEN, True),
    "broken data of another version": (BROKEN, DRIFT | {"version": "4"}, False),
    "broken data of another model": (BROKEN, DRIFT | {"model": "churn"}, False),
    "broken data of another environment": (BROKEN, DRIFT | {"job": "staging"}, False),
    "broken data over labels that stopped": (BROKEN, alert("ModelLabelsStopped", "warning", version=""), False),
    "partly broken data over drift": (PARTLY_BROKEN, DRIFT, True),
    "partly broken data keeps no page back": (PARTLY_BROKEN, FALLEN, False),
    "drift over broken data": (DRIFT, BROKEN, False),
    "critical over warning": (FALLEN, FALLEN | {"severity": "warning"}, True),
    "warning over critical": (FALLEN | {"severity": "warning"}, FALLEN, False),
    "warning over info": (DRIFT, DRIFT | {"severity": "info"}, True),
    "critical over another alert": (FALLEN, DRIFT, False),
    "down over drift": (DOWN, DRIFT, True),
    "down over a page": (DOWN, FALLEN, True),
    "down over another instance": (DOWN, DRIFT | {"instance": "monitor-1"}, False),
    "down over absence": (DOWN, ABSENT, True),
    "absence over what was said": (ABSENT, FALLEN, True),
    "absence over down": (ABSENT, DOWN, False),
    "not reading over silence": (NOT_READING, SILENT, True),
    "lag over silence": (LAGGING, SILENT, True),
    "lag over drift": (LAGGING, DRIFT, False),
    "somebody else's alert": (DOWN, alert("KubePodCrashLooping", "warning"), False),
}


WITNESS = {"alertname": "ModelWitness", "job": "witness", "instance": "witness"}
"""Posted last: once one of it is kept back, those before it have been looked at."""


@pytest.mark.parametrize("pair", PAIRS)
def test_who_keeps_whom_back(pair: str, tmp_path: Path) -> None:
    source, target, kept = PAIRS[pair]
    posted = [source, target, WITNESS | {"severity": "critical"}, WITNESS | {"severity": "warning"}]
    with alertmanager(tmp_path, NOWHERE, NOWHERE) as url:
        body = [{"labels": {name: value for name, value in each.items() if value}} for each in posted]
        awaited(lambda: httpx.post(f"{url}/api/v2/alerts", json=body, trust_env=False).raise_for_status().is_success)
        awaited(lambda: state(url, body[-1]["labels"]) == "suppressed")
        assert state(url, body[1]["labels"]) == ("suppressed" if kept else "active")


def state(url: str, labels: Labels) -> str | None:
    """Of one alert: active or suppressed; None while it is not there."""
    states = {frozenset(each["labels"].items()): each["status"]["state"] for each in standing(url)}
    return states.get(frozenset(labels.items()))


def test_an_outage_is_told_once_and_ends_nothing(tmp_path: Path) -> None:
    """Drift, the service goes, drift ends in Prometheus as nobody exports it any more, and both come back."""
    with ExitStack() as parts:
        slack = parts.enter_context(Receiver(answers(200, b"ok")))
        pagerduty = parts.enter_context(Receiver(answers(202, b"{}")))
        urls = (f"http://127.0.0.1:{receiver.port}" for receiver in (slack, pagerduty))
        url = parts.enter_context(alertmanager(tmp_path, *urls, quicker=600))

        post(url, DRIFT)
        first(slack, titled("ModelDrift fraud"))
        post(url, DOWN)
        first(slack, titled("ModelMonitorDown "))
        post(url, DRIFT, over=True)
        a_round_passes(url, slack, "one")
        post(url, DRIFT)
        post(url, DOWN, over=True)
        first(slack, titled("Over: ModelMonitorDown "))
        a_round_passes(url, slack, "two")
        assert [title for title in titles(slack) if "ModelDrift fraud" in title] == [":warning: ModelDrift fraud"]

        post(url, DRIFT, over=True)
        first(slack, titled("Over: ModelDrift fraud"))


def post(url: str, labels: Labels, over: bool = False) -> None:
    """As Prometheus does: an alert that fires, or one that has ended."""
    there = {name: value for name, value in labels.items() if value}
    summary = f"{labels['alertname']} {labels.get('model', '')}"
    body = {"labels": there, "annotations": {"summary": summary}, "generatorURL": "http://g"}
    times = {"endsAt": datetime.now(UTC).isoformat()} if over else {}
    awaited(lambda: httpx.post(f"{url}/api/v2/alerts", json=[body | times], trust_env=False).is_success)


def a_round_passes(url: str, slack: Receiver, name: str) -> None:
    """Another alert is told and ends: meanwhile Alertmanager has gone through every group once more."""
    witness = WITNESS | {"severity": "warning", "model": name}
    post(url, witness)
    first(slack, titled(f"ModelWitness {name}"))
    post(url, witness, over=True)
    first(slack, titled(f"Over: ModelWitness {name}"))


def shown(template: str, data: dict[str, Any], directory: Path) -> str:
    path = directory / "data.json"
    path.write_text(json.dumps(data))
    text = f'{{{{ template "{template}" . }}}}'
    files = f"--template.glob={ALERTS}/*.tmpl"
    return run(tool("amtool"), "template", "render", files, f"--template.text={text}", f"--template.data={path}")


def group(*alerts: Labels, status: str = "firing") -> dict[str, Any]:
    """What a receiver's templates are given."""
    annotations = {"summary": "a <!channel> & b: it fell", "description": "of <http://x|y>", "runbook_url": "http://r"}
    times = {"startsAt": "2026-11-30T03:04:05Z", "endsAt": "2026-11-30T05:06:07Z", "generatorURL": "http://g"}
    each = [{"status": status, "labels": labels, "annotations": annotations, **times} for labels in alerts]
    common = {"severity": alerts[0]["severity"]}
    return {"status": status, "alerts": each, "commonLabels": common, "externalURL": "http://alerts"}


def test_names_in_slack_call_nobody(tmp_path: Path) -> None:
    odd = FALLEN | {"instance": "<!here>"}
    title = shown("model_monitor.slack.title", group(odd), tmp_path)
    assert title.strip() == ":rotating_light: a &lt;!channel&gt; &amp; b: it fell"
    text = shown("model_monitor.slack.text", group(odd), tmp_path)
    since, description, links = text.strip().splitlines()
    assert since == "*Since 2026-11-30 03:04 UTC, critical*, seen by &lt;!here&gt;"
    assert description == "of &lt;http://x|y&gt;"
    silence = "http://alerts/#/silences/new?filter=%7Balertname%3D%22ModelPerformanceFallen%22%2Cmodel%3D%22fraud%22%7D"
    assert links == f"<http://r|What to do> · <http://g|The figures> · <{silence}|Silence>"


def test_several_alerts_are_one_message(tmp_path: Path) -> None:
    two = group(DOWN, DOWN | {"instance": "monitor-1"})
    assert shown("model_monitor.title", two, tmp_path).strip() == "a <!channel> & b: it fell (and 1 more)"
    text = shown("model_monitor.slack.text", two, tmp_path)
    assert text.count("*a &lt;!channel&gt; &amp; b: it fell*\n") == 2
    assert (text.count("seen by monitor-0"), text.count("seen by monitor-1")) == (1, 1)
    assert text.count("%22ModelMonitorDown%22%2Cinstance%3D%22monitor-0%22%7D|Silence>") == 1


@pytest.mark.parametrize("template", ["model_monitor.title", "model_monitor.slack.title"])
def test_what_is_over_says_so(template: str, tmp_path: Path) -> None:
    over = group(FALLEN, status="resolved")
    assert "Over: a " in shown(template, over, tmp_path)
    said = shown("model_monitor.slack.text", over, tmp_path)
    assert said.strip() == "From 2026-11-30 03:04 to 2026-11-30 05:06 UTC, critical"


@pytest.mark.parametrize(
    ("severity", "status", "color"),
    [
        ("critical", "firing", "danger"),
        ("warning", "firing", "warning"),
        ("info", "firing", "#439fe0"),
        ("critical", "resolved", "good"),
    ],
)
def test_the_color_says_how_bad_it_is(severity: str, status: str, color: str, tmp_path: Path) -> None:
    data = group(FALLEN | {"severity": severity}, status=status)
    assert shown("model_monitor.color", data, tmp_path).strip() == color
