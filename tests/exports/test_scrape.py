"""What a scrape of a real run shows: every metric of the table, and nothing under a name that means another."""

from __future__ import annotations

import pytest

from monitor.exports.metrics import METRICS
from monitor.statistics.registry import DRIFT
from tests.exports.scrapes import Samples, scraped_run


@pytest.fixture(scope="module")
def scraped() -> Samples:
    return scraped_run()


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_of_the_table_is_in_a_real_scrape(metric: object, scraped: Samples) -> None:
    names = {f"{metric.name}{suffix}" for suffix in ("", "_count", "_sum", "_bucket")}  # type: ignore[attr-defined]
    assert names & scraped.keys()


def test_drift_scores_are_of_the_statistics_of_drift(scraped: Samples) -> None:
    assert {labels["statistic"] for labels in scraped["drift_score"]} == {statistic.name for statistic in DRIFT}
