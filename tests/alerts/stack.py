"""A real Prometheus and a real Alertmanager with our files, in quick motion: a minute of the files is a second here.

What is changed of them, and nothing else: every duration is divided by 60, secrets are read from other files, templates
from where they stand in the repository, and PagerDuty is on loopback. Prometheus scrapes, evaluates and sends again
once a minute, as by default.
"""

from __future__ import annotations

import json
import re
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

import httpx
import yaml

from tests.alerts.promtool import ALERTS, RULES, tool
from tests.ports import closed_port
from tests.receivers import Receiver

QUICKER = 60
LOOK_S = 0.1
WAIT_S = 60.0
KEY = "0123456789abcdef0123456789abcdef"
"""PagerDuty's routing key."""

_MS = {"s": 1_000, "m": 60_000, "h": 3_600_000, "d": 86_400_000}
_DURATION = r"(\d+)([smhd])"

Found = TypeVar("Found")
Message = dict[str, Any]


def quickened(text: str, quicker: int = QUICKER) -> str:
    """A duration as Prometheus writes it: 2m becomes 2000ms."""
    return re.sub(_DURATION, lambda found: f"{int(found[1]) * _MS[found[2]] // quicker}ms", text)


def quick_rules() -> dict[str, Any]:
    """Our rules: `for`, `keep_firing_for`, ranges and offsets are shorter."""
    content: dict[str, Any] = yaml.safe_load(RULES.read_text())
    for rule in (rule for group in content["groups"] for rule in group["rules"]):
        rule["for"], rule["keep_firing_for"] = quickened(rule["for"]), quickened(rule["keep_firing_for"])
        rule["expr"] = re.sub(rf"\[[^]]+\]|offset {_DURATION}", lambda found: quickened(found[0]), rule["expr"])
    return content


def quick_alertmanager(directory: Path, slack_url: str, pagerduty_url: str, quicker: int = QUICKER) -> dict[str, Any]:
    """Our configuration: its waits are shorter, its secrets are in `directory`."""
    (directory / "slack-url").write_text(slack_url)
    (directory / "pagerduty-key").write_text(KEY)
    content: dict[str, Any] = yaml.safe_load((ALERTS / "alertmanager.yml").read_text())
    content["templates"] = [str(ALERTS / Path(name).name) for name in content["templates"]]
    for route in (content["route"], *content["route"]["routes"]):
        route |= {
            name: quickened(value, quicker) for name, value in route.items() if name.endswith(("_wait", "_interval"))
        }
    for receiver in content["receivers"]:
        for slack in receiver.get("slack_configs", ()):
            slack["api_url_file"] = str(directory / Path(slack["api_url_file"]).name)
        for pagerduty in receiver.get("pagerduty_configs", ()):
            pagerduty["routing_key_file"] = str(directory / Path(pagerduty["routing_key_file"]).name)
            pagerduty["url"] = pagerduty_url
    return content


def first(receiver: Receiver, wanted: Callable[[Message], bool]) -> Message:
    """The first message that is wanted, once it has arrived."""
    count = 1
    while True:
        receiver.wait_for_requests(count)
        arrived = messages(receiver)
        found = next(filter(wanted, arrived), None)
        if found is not None:
            return found
        count = len(arrived) + 1


def messages(receiver: Receiver) -> list[Message]:
    return [json.loads(request.body) for request in receiver.requests]


def titled(title: str) -> Callable[[Message], bool]:
    """A message of Slack whose title ends so."""
    return lambda message: message["attachments"][0]["title"].endswith(title)


def titles(slack: Receiver) -> list[str]:
    return [message["attachments"][0]["title"] for message in messages(slack)]


def awaited(look: Callable[[], Found | None]) -> Found:
    """What `look` finds, as soon as it does; a server that is not ready yet has nothing."""
    deadline = time.monotonic() + WAIT_S
    while time.monotonic() < deadline:
        with suppress(httpx.HTTPError):
            found = look()
            if found:
                return found
        time.sleep(LOOK_S)
    raise AssertionError(f"waited in vain for {look.__name__}")


@dataclass(frozen=True)
class Stack:
    """Where both are."""

    prometheus: str
    alertmanager: str

    def query(self, expression: str) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = _get(f"{self.prometheus}/api/v1/query", query=expression)["data"]["result"]
        return found

    def value(self, expression: str) -> float | None:
        found = self.query(expression)
        return float(found[0]["value"][1]) if found else None

    def rules(self) -> list[dict[str, Any]]:
        groups = _get(f"{self.prometheus}/api/v1/rules")["data"]["groups"]
        return [rule for group in groups for rule in group["rules"]]

    def suppressed(self, name: str, by: str) -> bool:
        """Whether the alert is there, and every one of its name is kept back by one that is named so."""
        alerts = standing(self.alertmanager)
        sources = {each["fingerprint"] for each in alerts if each["labels"]["alertname"] == by}
        mine = [each["status"]["inhibitedBy"] for each in alerts if each["labels"]["alertname"] == name]
        return bool(mine) and all(sources & set(inhibitors) for inhibitors in mine)


def standing(alertmanager: str) -> list[dict[str, Any]]:
    """The alerts that Alertmanager has, with whether and by what they are suppressed."""
    found: list[dict[str, Any]] = _get(f"{alertmanager}/api/v2/alerts")
    return found


def _get(url: str, **params: str) -> Any:
    return httpx.get(url, params=params, trust_env=False).raise_for_status().json()


@contextmanager
def alertmanager(directory: Path, slack_url: str, pagerduty_url: str, quicker: int = QUICKER) -> Iterator[str]:
    """Alertmanager alone; where it is."""
    address = f"127.0.0.1:{closed_port()}"
    path = directory / "alertmanager.yml"
    path.write_text(yaml.safe_dump(quick_alertmanager(directory, slack_url, pagerduty_url, quicker)))
    command = (
        tool("prometheus-alertmanager"),
        f"--config.file={path}",
        f"--storage.path={directory}/alertmanager",
        f"--web.listen-address={address}",
        "--cluster.listen-address=",
    )
    with _process(directory, command):
        yield f"http://{address}"


@contextmanager
def prometheus(directory: Path, target: str, **more: Any) -> Iterator[str]:
    """Prometheus alone; where it is. target: host and port of the service to scrape. more: of its configuration."""
    address = f"127.0.0.1:{closed_port()}"
    scraped = {"targets": [target], "labels": {"instance": "monitor-0"}}
    content = {
        "global": {"scrape_interval": "1s", "evaluation_interval": "1s"},
        "scrape_configs": [{"job_name": "model-monitor", "static_configs": [scraped]}],
        **more,
    }
    (directory / "prometheus.yml").write_text(yaml.safe_dump(content))
    command = (
        tool("prometheus"),
        f"--config.file={directory}/prometheus.yml",
        f"--storage.tsdb.path={directory}/prometheus",
        f"--web.listen-address={address}",
        "--rules.alert.resend-delay=1s",
    )
    with _process(directory, command):
        yield f"http://{address}"


@contextmanager
def running(directory: Path, target: str, slack_url: str, pagerduty_url: str) -> Iterator[Stack]:
    """Both, until the block ends. target: host and port of the service to scrape."""
    (directory / "rules.yml").write_text(yaml.safe_dump(quick_rules()))
    with alertmanager(directory, slack_url, pagerduty_url) as alerts:
        told = {"targets": [alerts.removeprefix("http://")]}
        alerting = {"alertmanagers": [{"static_configs": [told]}]}
        rule_files = [str(directory / "rules.yml")]
        with prometheus(directory, target, rule_files=rule_files, alerting=alerting) as address:
            yield Stack(address, alerts)


@contextmanager
def _process(directory: Path, command: tuple[str, ...]) -> Iterator[None]:
    """A program with its output in `directory`; without a proxy, as everything is on loopback."""
    with (directory / f"{Path(command[0]).name}.log").open("wb") as log:
        started = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL, env={})
        try:
            yield
        finally:
            started.terminate()
            started.wait(WAIT_S)
