"""What docker-compose.yml starts finds each other: the real Kafka, Prometheus, Alertmanager, and our own programs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.alerts.promtool import rules, tool
from tests.alerts.stack import awaited
from tests.brokers import real_broker_possible
from tests.deploy.files import healthcheck
from tests.deploy.native import Native, whole
from tests.ports import closed_port


def asked(native: Native, service: str, path: str, **options: Any) -> httpx.Response:
    return httpx.get(f"http://{native.addresses[service]}{path}", trust_env=False, **options)


def prometheus(native: Native, path: str, **params: str) -> Any:
    return asked(native, "127.0.0.1:9090", f"/api/v1/{path}", params=params).raise_for_status().json()["data"]


def token(native: Native) -> str:
    return (native.volume("prepared") / "token").read_text()


@pytest.mark.timeout(600)
def test_what_is_started_finds_each_other(tmp_path: Path) -> None:
    """One test, as only one worker is to start it all."""
    for name in ("prometheus", "prometheus-alertmanager"):
        tool(name)
    if not real_broker_possible() and os.environ.get("MODEL_MONITOR_REQUIRE_KAFKA") != "1":
        pytest.skip("Apache Kafka needs Java and Maven")
    with whole(tmp_path) as stack:
        prometheus_scrapes_the_service_and_shows_it_the_token(stack)
        what_the_model_answers_arrives(stack)
        prometheus_has_every_rule_and_tells_alertmanager(stack)
        pages_ask_for_the_password_that_was_said(stack)
        a_retrain_request_reaches_the_pipeline_and_is_known_by_its_signature(stack)
        the_health_check_of_the_image_is_of_the_service_that_answers(stack)


def prometheus_scrapes_the_service_and_shows_it_the_token(stack: Native) -> None:
    def up() -> list[dict[str, Any]]:
        found = prometheus(stack, "targets")["activeTargets"]
        return found if found and all(each["health"] == "up" for each in found) else []

    assert [each["labels"] for each in awaited(up)] == [{"instance": "monitor-0", "job": "model-monitor"}]


def what_the_model_answers_arrives(stack: Native) -> None:
    rows = "model_monitor_window_rows{model='credit',version='1',segment='',instance='monitor-0'}"
    awaited(lambda: [each for each in prometheus(stack, "query", query=rows)["result"] if float(each["value"][1]) > 0])
    labels = "model_monitor_labels_total{model='credit',result='matched'} > 0"
    awaited(lambda: prometheus(stack, "query", query=labels)["result"])
    rejected = prometheus(stack, "query", query="sum(model_monitor_events_total{result='rejected'})")
    assert rejected["result"][0]["value"][1] == "0"


def prometheus_has_every_rule_and_tells_alertmanager(stack: Native) -> None:
    def evaluated() -> bool:
        loaded = [rule for group in prometheus(stack, "rules")["groups"] for rule in group["rules"]]
        return {(each["name"], each["health"]) for each in loaded} == {(each["alert"], "ok") for each in rules()}

    awaited(evaluated)
    known = awaited(lambda: prometheus(stack, "alertmanagers")["activeAlertmanagers"])
    assert [each["url"] for each in known] == [f"http://{stack.addresses['alertmanager:9093']}/api/v2/alerts"]
    status = awaited(lambda: asked(stack, "alertmanager:9093", "/api/v2/status").json())
    assert "receiver: page" in status["config"]["original"]


def pages_ask_for_the_password_that_was_said(stack: Native) -> None:
    refused = asked(stack, "monitor:8000", "/")
    assert (refused.status_code, refused.headers["www-authenticate"].split()[0]) == (401, "Basic")
    said = re.search(
        r"the pages are at http://127\.0\.0\.1:8000: any user name, and as the password (\w+)\n", stack.log("prepare")
    )
    assert said is not None
    assert asked(stack, "monitor:8000", "/", auth=("me", said[1])).status_code == 200


def a_retrain_request_reaches_the_pipeline_and_is_known_by_its_signature(stack: Native) -> None:
    awaited(
        lambda: asked(stack, "monitor:8000", "/api/v1/models/credit/windows", auth=("me", token(stack))).json()["items"]
    )
    done = subprocess.run(
        [sys.executable, "-m", "monitor.cli", "triggers", "send", "credit", "--reason", "to try it"],
        cwd=stack.folder("monitor"),
        env=stack.python(),
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stderr
    awaited(lambda: re.search(r"retrain request trg_\w+ received: ", stack.log("model")))


def the_health_check_of_the_image_is_of_the_service_that_answers(stack: Native) -> None:
    """And fails where nothing does."""
    python, *arguments = healthcheck()
    assert python == "python"
    for asked_port, code in ((stack.port("monitor:8000"), 0), (str(closed_port()), 1)):
        command = [sys.executable, *(each.replace("8000", asked_port) for each in arguments)]
        assert subprocess.run(command, check=False, capture_output=True, timeout=60).returncode == code
