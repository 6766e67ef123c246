"""Every panel, variable and annotation, asked of a real Prometheus that scrapes the demo: none is empty."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from confluent_kafka import Producer

from monitor.demo.traffic import LEARNED
from tests.alerts.demo import Demo, demo
from tests.alerts.promtool import tool
from tests.alerts.stack import Stack, awaited, prometheus
from tests.dashboards.grafana import FILES, SCRAPED_S, Asked, Json, Query, Span, load, marks, panels, targets

CHOSEN: dict[str, dict[str, str]] = {
    "at first": {},
    "a numeric feature": {"feature": "income"},
    "one of each": {
        "job": "model-monitor",
        "instance": "monitor-0",
        "model": "credit",
        "version": "1",
        "segment": "country=PL",
        "feature": "channel",
        "metric": "accuracy",
        "statistic": "chi_square",
    },
}
"""What is chosen of the variables."""


@pytest.fixture
def scraped(tmp_path: Path) -> Iterator[Callable[[], Asked]]:
    """A Prometheus that has seen a model go wrong in every way, and another version of it begin; asked for all that."""
    tool("prometheus")
    with ExitStack() as parts:
        shown = parts.enter_context(demo(tmp_path, "country"))
        address = parts.enter_context(prometheus(tmp_path, shown.address))
        begin = now()
        story(shown, Stack(address, ""))
        client = parts.enter_context(httpx.Client(base_url=address, trust_env=False, timeout=30))
        yield lambda: Asked(client, Span(begin, now()))


def story(shown: Demo, stack: Stack) -> None:
    """Data breaks and is mended, events come that nobody can read, the world drifts, and a version 2 answers, too."""
    awaited(lambda: stack.query("model_monitor_drift_detectable_effect"))
    shown.broken.set()
    awaited(lambda: stack.query('model_monitor_incidents_open{cause="data"} > 0'))
    shown.broken.clear()
    producer = Producer({"bootstrap.servers": shown.bootstrap_servers})
    for _ in range(30):
        producer.produce("predictions", b"not an event")
    producer.flush(10)
    awaited(lambda: stack.query('model_monitor_events_total{result="rejected"} >= 30'))
    awaited(lambda: stack.query('sum(model_monitor_incidents_open{cause="data"}) == 0'))
    shown.drifted.set()
    awaited(lambda: stack.query('model_monitor_triggers_total{result="requested"} > 0'))
    awaited(lambda: stack.query('model_monitor_incidents_open{cause="performance"} > 0'))
    shown.simulation.versions = {**shown.simulation.versions, "2": LEARNED}
    awaited(lambda: stack.query('model_monitor_window_rows{version="2"}'))


@pytest.mark.timeout(600)
def test_no_panel_is_empty_and_every_annotation_marks_something(scraped: Callable[[], Asked]) -> None:
    """One test, as only one worker is to start what is asked. What is empty is on a scrape that has not been: it is
    asked again for a while.
    """
    empty: list[str] = []

    def all_shown() -> bool:
        empty[:] = [f"{path.name}: {each}" for path in FILES for each in not_shown(scraped, load(path))]
        return not empty

    with suppress(AssertionError):
        awaited(all_shown)
    assert empty == []


def not_shown(scraped: Callable[[], Asked], dashboard: Json) -> list[str]:
    """Panels that are empty whatever is chosen, queries that find something for no choice (a number has no unseen
    category), and annotations without a mark.
    """
    found = {choice: answered(scraped(), dashboard, wanted) for choice, wanted in CHOSEN.items()}
    return [*empty_panels(dashboard, found), *empty_queries(dashboard, found), *unmarked(scraped(), dashboard)]


def answered(asked: Asked, dashboard: Json, wanted: Mapping[str, str]) -> set[str]:
    """The queries of panels that find something. A panel that is repeated is shown for version 1."""
    values, repeated = (asked.chosen(dashboard, {**more, **wanted}) for more in ({}, {"version": "1"}))
    return {
        query.expr
        for panel in panels(dashboard)
        for query in targets(panel)
        if asked.has_data(query, repeated if "repeat" in panel else values)
    }


def empty_panels(dashboard: Json, found: Mapping[str, set[str]]) -> list[str]:
    """With the choices for which they are."""
    empty = []
    for panel in panels(dashboard):
        queries = {query.expr for query in targets(panel)}
        choices = [choice for choice, answers in found.items() if not answers & queries]
        if choices:
            empty.append(f"{panel['title']} ({', '.join(choices)})")
    return empty


def empty_queries(dashboard: Json, found: Mapping[str, set[str]]) -> list[str]:
    every = {query.expr for panel in panels(dashboard) for query in targets(panel)}
    return sorted(every.difference(*found.values()))


def unmarked(asked: Asked, dashboard: Json) -> list[str]:
    values = asked.chosen(dashboard)
    return [mark["name"] for mark in marks(dashboard) if not asked.has_data(Query(mark["expr"]), values)]


def now() -> int:
    """Steps begin at multiples of their length, as Grafana's do."""
    return int(time.time()) // SCRAPED_S * SCRAPED_S
