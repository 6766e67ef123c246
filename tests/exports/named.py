"""Whether metrics, labels and values that a query names are scraped."""

from __future__ import annotations

import re

from monitor.exports.metrics import PREFIX
from monitor.statistics.performance.registry import METRICS as PERFORMANCE
from tests.exports.scrapes import Samples

TARGET = {"job", "instance"}
"""Labels that Prometheus gives."""

SELECTOR = re.compile(rf"\b{PREFIX}(\w+)(?:\{{([^}}]*)\}})?")
_MATCHER = re.compile(r"""(\w+)=~?(?:["']([^"']*)["']|%q)""")
_GROUPING = re.compile(r"\b(?:by|without|on|ignoring)\s*\(([^)]*)\)")


def selectors_are_scraped(text: str, scraped: Samples) -> int:
    """Assert that every metric is there, with its labels and values; the number of selectors. A value that is filled in
    later, as Grafana's `$model`, may be any.
    """
    selectors = SELECTOR.findall(text)
    for metric, matchers in selectors:
        assert metric in scraped, metric
        for label, wanted in _MATCHER.findall(matchers):
            assert label in TARGET or any(label in labels for labels in scraped[metric]), (metric, label)
            there = {labels.get(label) for labels in scraped[metric]} | (
                set(PERFORMANCE) if label == "metric" else set()
            )
            assert not wanted or "$" in wanted or set(wanted.split("|")) <= there, (metric, label, wanted)
    return len(selectors)


def groupings_are_scraped(text: str, scraped: Samples) -> None:
    """Assert that every label that is grouped by is there."""
    grouped = {label.strip() for group in _GROUPING.findall(text) for label in group.split(",")} - {""}
    assert grouped <= known(scraped), grouped - known(scraped)


def known(scraped: Samples) -> set[str]:
    return {name for samples in scraped.values() for labels in samples for name in labels} | TARGET
