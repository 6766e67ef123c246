"""Real scrapes, of a run that shows everything there is."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from prometheus_client.parser import text_string_to_metric_families

from monitor.exports.metrics import PREFIX
from monitor.exports.prometheus import Scrapes
from monitor.snapshot import Snapshot
from monitor.spec import AlarmSpec
from tests.simulation.traffic import Shape, Traffic
from tests.simulation.world import SPECS, World

Samples = dict[str, list[dict[str, str]]]
"""The labels of each sample, by the metric's name without the prefix."""


@cache
def scraped_run() -> Samples:
    """The samples of all scrapes of a run, one after each window that closed."""
    samples: Samples = {}
    trusting = tuple(replace(spec, alarms=AlarmSpec(learning_ms=0)) for spec in SPECS)
    world = World(Traffic(1, Shape(minutes=8)).log(), trusting)
    while not world.source.exhausted:
        if any(output.windows for output in world.step()):
            _scrape(world.loop.snapshot, samples)
    world.close()
    return samples


def _scrape(snapshot: Snapshot, samples: Samples) -> None:
    whole = replace(snapshot, service=replace(snapshot.service, poll_returned_ms=1))  # The service adds that.
    for family in text_string_to_metric_families(Scrapes(lambda: whole).scrape()[0].decode()):
        for sample in family.samples:
            samples.setdefault(sample.name.removeprefix(PREFIX), []).append(sample.labels)
