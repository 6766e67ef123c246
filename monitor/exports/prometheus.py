"""Scrapes: the newest snapshot, within a budget of series, in the text format or in OpenMetrics."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import NamedTuple

from prometheus_client import generate_latest
from prometheus_client.core import Metric as Family
from prometheus_client.openmetrics import exposition as openmetrics
from prometheus_client.registry import Collector

from monitor.config.server import SERIES_BUDGET
from monitor.exports.budget import Budget, Standing
from monitor.exports.metrics import METRICS, PREFIX, Metric
from monitor.exports.series import Series
from monitor.exports.text import bounded
from monitor.snapshot import Snapshot

_EOF = b"# EOF\n"


class _Format(NamedTuple):
    content_type: str
    render: Callable[[Iterable[Series]], bytes]


class Scrapes:
    """What each scrape answers, for any thread: the snapshot that `current` returns, at most `budget` series of it.

    What windows say is written once for all scrapes until another one closes: that is nearly all of the text.
    """

    def __init__(self, current: Callable[[], Snapshot], budget: int = SERIES_BUDGET) -> None:
        self._current = current
        self._budget = Budget(budget)
        self._lock = threading.Lock()
        self._written: dict[_Format, tuple[Standing, bytes]] = {}

    def scrape(self, accept: str = "") -> tuple[bytes, str]:
        """Text and content type: OpenMetrics where `accept` names it, else the text format."""
        form = _OPENMETRICS if "application/openmetrics-text" in accept else _TEXT
        with self._lock:
            shown = self._budget.of(self._current())
            standing, text = self._written.get(form, (None, b""))
            if standing is not shown.standing:
                text = form.render(series for group in shown.standing.groups for series in group.series)
                self._written[form] = shown.standing, text
        # Their metrics are the last of the table.
        return form.render(shown.live).removesuffix(_EOF) + text, form.content_type


class _Families(Collector):
    """The families of the table that have a sample, in the table's order, as the client's writers ask for them."""

    def __init__(self, series: Iterable[Series]) -> None:
        self._samples: dict[str, list[Series]] = {}
        for each in series:
            self._samples.setdefault(each.metric, []).append(each)

    def collect(self) -> Iterable[Family]:
        return (_family(metric, self._samples[metric.name]) for metric in METRICS if metric.name in self._samples)


def _family(metric: Metric, samples: Iterable[Series]) -> Family:
    name = PREFIX + metric.name
    # prometheus_client names a family without the suffix that its type gives to the sample.
    family = Family(name.removesuffix("_total").removesuffix("_info"), metric.help, metric.type)
    for series in samples:
        labels = dict(zip(metric.labels, map(bounded, series.labels), strict=True))
        if series.le:
            labels["le"] = series.le
        family.add_sample(name + series.suffix, labels, series.value)
    return family


def _text(series: Iterable[Series]) -> bytes:
    return generate_latest(_Families(series))


def _openmetrics(series: Iterable[Series]) -> bytes:
    text: bytes = openmetrics.generate_latest(_Families(series))  # type: ignore[no-untyped-call]
    return text


_TEXT = _Format("text/plain; version=0.0.4; charset=utf-8", _text)
_OPENMETRICS = _Format(openmetrics.CONTENT_TYPE_LATEST, _openmetrics)
