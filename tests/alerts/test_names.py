"""Every metric, label and value that our rules and Alertmanager's configuration name is one that is scraped."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from monitor.exports.metrics import PREFIX
from monitor.statistics.performance.registry import METRICS as PERFORMANCE
from tests.alerts.promtool import ALERTS, rules
from tests.exports.scrapes import Samples, scraped_run

TARGET = {"job", "instance"}
"""Labels that Prometheus gives."""

ADDED = {"how"}
"""Labels that a rule gives to what it lists."""

_RULES = pytest.mark.parametrize(
    "rule", rules(), ids=[f"{rule['alert']}-{rule['labels']['severity']}" for rule in rules()]
)
_SELECTOR = re.compile(rf"\b{PREFIX}(\w+)(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(r"""(\w+)=~?(?:["']([^"']*)["']|%q)""")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


@pytest.fixture(scope="module")
def scraped() -> Samples:
    return scraped_run()


def texts(rule: dict[str, Any]) -> list[str]:
    return [rule["expr"], *rule["annotations"].values()]


def known(scraped: Samples) -> set[str]:
    return {name for samples in scraped.values() for labels in samples for name in labels} | TARGET


@_RULES
def test_every_metric_of_a_rule_is_scraped_with_its_labels(rule: dict[str, Any], scraped: Samples) -> None:
    selectors = [found for text in texts(rule) for found in _SELECTOR.findall(text)]
    assert selectors
    for metric, matchers in selectors:
        assert metric in scraped
        for label, wanted in _MATCHER.findall(matchers):
            assert label in TARGET or any(label in labels for labels in scraped[metric]), (metric, label)
            there = {labels.get(label) for labels in scraped[metric]} | (
                set(PERFORMANCE) if label == "metric" else set()
            )
            assert not wanted or set(wanted.split("|")) <= there, (metric, label, wanted)


@_RULES
def test_every_label_of_a_rule_is_scraped(rule: dict[str, Any], scraped: Samples) -> None:
    own = {
        label
        for metric, _ in _SELECTOR.findall(rule["expr"])
        for labels in scraped[metric]
        for label in labels
    }  # fmt: skip
    for text in texts(rule):
        grouped = {label.strip() for group in _GROUPING.findall(text) for label in group.split(",")}
        assert grouped <= known(scraped)
        assert set(re.findall(r"\$labels\.(\w+)", text)) <= own | TARGET
        assert set(re.findall(r"\.Labels\.(\w+)", text)) <= known(scraped) | ADDED


def test_the_alertmanager_names_labels_and_alerts_that_there_are(scraped: Samples) -> None:
    content = yaml.safe_load((ALERTS / "alertmanager.yml").read_text())
    labels = known(scraped) | {"alertname", "severity"}
    names = {rule["alert"] for rule in rules()}
    assert set(content["route"]["group_by"]) <= labels
    for inhibition in content["inhibit_rules"]:
        assert set(inhibition.get("equal", ())) <= labels
        for matcher in (*inhibition["source_matchers"], *inhibition["target_matchers"]):
            label, _, wanted = re.fullmatch(r'(\w+)(=~|!=|=)"([^"]*)"', matcher).groups()  # type: ignore[union-attr]
            assert label in labels
            if label == "alertname":
                each = wanted.split("|")
                assert all(any(re.fullmatch(one, name) for name in names) for one in each), wanted
    template = (ALERTS / "model-monitor.tmpl").read_text() + yaml.safe_dump(content["receivers"])
    assert set(re.findall(r"Labels\.(\w+)", template)) <= labels
