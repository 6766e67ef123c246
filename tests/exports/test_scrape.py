"""What a scrape of a real run shows: every metric of the table, and nothing under a name that means another."""

from __future__ import annotations

from dataclasses import replace

import pytest
from prometheus_client import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from monitor.exports.metrics import METRICS, PREFIX
from monitor.exports.prometheus import registry
from monitor.snapshot import Snapshot
from monitor.spec import AlarmSpec
from monitor.statistics.registry import DRIFT
from tests.simulation.traffic import Shape, Traffic
from tests.simulation.world import SPECS, World

Samples = dict[str, list[dict[str, str]]]


@pytest.fixture(scope="module")
def scraped() -> Samples:
    """The samples of all scrapes of a run, one after each window that closed."""
    samples: Samples = {}
    trusting = tuple(replace(spec, alarms=AlarmSpec(learning_ms=0)) for spec in SPECS)
    world = World(Traffic(1, Shape(minutes=8)).log(), trusting)
    while not world.source.exhausted:
        if any(output.windows for output in world.step()):
            scrape(world.loop.snapshot, samples)
    world.close()
    return samples


def scrape(snapshot: Snapshot, samples: Samples) -> None:
    whole = replace(snapshot, service=replace(snapshot.service, poll_returned_ms=1))  # The service adds that.
    for family in text_string_to_metric_families(generate_latest(registry(lambda: whole)).decode()):
        for sample in family.samples:
            samples.setdefault(sample.name.removeprefix(PREFIX), []).append(sample.labels)


@pytest.mark.parametrize("metric", METRICS, ids=lambda metric: metric.name)
def test_every_metric_of_the_table_is_in_a_real_scrape(metric: object, scraped: Samples) -> None:
    names = {f"{metric.name}{suffix}" for suffix in ("", "_count", "_sum", "_bucket")}  # type: ignore[attr-defined]
    assert names & scraped.keys()


def test_drift_scores_are_of_the_statistics_of_drift(scraped: Samples) -> None:
    assert {labels["statistic"] for labels in scraped["drift_score"]} == {statistic.name for statistic in DRIFT}
