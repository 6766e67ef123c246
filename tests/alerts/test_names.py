"""Every metric, label and value that our rules and Alertmanager's configuration name is one that is scraped."""

from __future__ import annotations

import re
from typing import Any

import pytest
import yaml

from tests.alerts.promtool import ALERTS, rules
from tests.exports.named import SELECTOR, TARGET, groupings_are_scraped, known, selectors_are_scraped
from tests.exports.scrapes import Samples, scraped_run

ADDED = {"how"}
"""Labels that a rule gives to what it lists."""

_RULES = pytest.mark.parametrize(
    "rule", rules(), ids=[f"{rule['alert']}-{rule['labels']['severity']}" for rule in rules()]
)


@pytest.fixture(scope="module")
def scraped() -> Samples:
    return scraped_run()


def texts(rule: dict[str, Any]) -> list[str]:
    return [rule["expr"], *rule["annotations"].values()]


@_RULES
def test_every_metric_of_a_rule_is_scraped_with_its_labels(rule: dict[str, Any], scraped: Samples) -> None:
    assert sum(selectors_are_scraped(text, scraped) for text in texts(rule))


@_RULES
def test_every_label_of_a_rule_is_scraped(rule: dict[str, Any], scraped: Samples) -> None:
    own = {
        label
        for metric, _ in SELECTOR.findall(rule["expr"])
        for labels in scraped[metric]
        for label in labels
    }  # fmt: skip
    for text in texts(rule):
        groupings_are_scraped(text, scraped)
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
