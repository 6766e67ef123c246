"""Every metric, label and value that a dashboard names is one that is scraped."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from monitor.exports.metrics import METRICS, PREFIX
from tests.dashboards.grafana import FILES, expressions, load
from tests.exports.named import groupings_are_scraped, selectors_are_scraped
from tests.exports.scrapes import Samples, scraped_run

OF_PROMETHEUS = {"scrape_samples_scraped", "scrape_duration_seconds"}


@pytest.fixture(scope="module")
def scraped() -> Samples:
    return scraped_run()


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_every_metric_of_a_dashboard_is_scraped_with_its_labels(path: Path, scraped: Samples) -> None:
    for expr in expressions(load(path)):
        by_name = re.findall(rf'__name__=~"{PREFIX}\((.+?)\)"', expr)
        others = OF_PROMETHEUS & set(re.findall(r"\w+", expr))
        assert selectors_are_scraped(expr, scraped) or by_name or others, expr
        assert {name for names in by_name for name in names.split("|")} <= set(scraped), expr
        groupings_are_scraped(expr, scraped)


def test_every_metric_is_on_a_dashboard() -> None:
    """By its whole name: one may begin as another does."""
    shown = " ".join(expr for path in FILES for expr in expressions(load(path)))
    ends = r"(_bucket|_sum|_count)?\b"
    assert [metric.name for metric in METRICS if not re.search(PREFIX + metric.name + ends, shown)] == []
