"""What a scrape of 10 to 10,000 features costs, beside prometheus-client's own text of as many gauges.

    python -m benchmarks.scrape [--rounds R]

One model, a window of N features with a verdict, 14 scores and 4 ratios each, within the default budget of series. The
first scrape after a window closed has to choose and write what is shown; those until the next one write the service
and its models alone. The gauges are as many as the scrape has series, with five labels each, in a registry of their
own. Medians of R rounds in one process. Memory is the most that the first scrape held at a time, and what it leaves. A
thread that only counts stands for the loop: how much slower it is beside such first scrapes without a pause, and the
longest that it had to wait. Then what API and pages answer of the same model. Bounded: about a minute.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from dataclasses import replace
from typing import NamedTuple

from fastapi.testclient import TestClient
from prometheus_client import CollectorRegistry, Gauge, generate_latest

from monitor.cli import GC_THRESHOLD
from monitor.config.server import SERIES_BUDGET
from monitor.exports.api import create_app
from monitor.exports.budget import Budget
from monitor.exports.prometheus import Scrapes
from monitor.snapshot import ServiceView, Snapshot
from monitor.statistics.registry import DRIFT, QUALITY
from tests.exports.snapshots import model_view, reading, snapshot, verdict, window, window_view

SIZES = (10, 100, 1_000, 10_000)
HELD = 100
"""Windows that a model's views hold."""


class Row(NamedTuple):
    features: int
    there: int
    shown: int
    size: int
    first_ms: float
    next_ms: float
    gauges_ms: float
    peak_mb: float
    kept_mb: float
    slower: float
    waited_ms: float


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    arguments.add_argument("--rounds", type=int, default=5)
    rounds = arguments.parse_args().rounds
    gc.set_threshold(GC_THRESHOLD)  # As the service.
    say(f"budget of {SERIES_BUDGET:,} series; medians of {rounds}")
    say(
        "features  series there  shown      bytes  first ms  next ms  gauges ms  first/gauges  next/gauges  peak MB  "
        "kept MB  loop slower  waits ms"
    )
    for features in SIZES:
        row = measured(features, rounds)
        ratios = f"{row.first_ms / row.gauges_ms:12.2f}  {row.next_ms / row.gauges_ms:11.3f}"
        say(
            f"{row.features:8,}  {row.there:12,}  {row.shown:5,}  {row.size:9,}  {row.first_ms:8.1f}  "
            f"{row.next_ms:7.2f}  {row.gauges_ms:9.1f}  {ratios}  {row.peak_mb:7.1f}  {row.kept_mb:7.1f}  "
            f"{row.slower:10.2f}x  {row.waited_ms:8.1f}"
        )
    say("")
    say(f"answers, with {HELD} windows held: milliseconds and bytes")
    say("features  " + "  ".join(f"{path.format(m='fraud', f='feature_00000'):>38}" for path in PATHS))
    for features in SIZES:
        say(f"{features:8,}  " + "  ".join(f"{ms:19,.1f} {size:18,}" for ms, size in answers(features)))


PATHS = (
    "/",
    "/models/{m}",
    "/models/{m}/features/{f}",
    "/api/v1/models",
    "/api/v1/models/{m}",
    "/api/v1/models/{m}/features/{f}",
    "/api/v1/models/{m}/windows",
)


def say(text: str) -> None:
    sys.stdout.write(text + "\n")


def of(features: int, hours: int = 1) -> Snapshot:
    """Model `fraud`: a tenth of its features drift, in each of so many windows."""
    names = [f"feature_{number:05}" for number in range(features)]
    views = []
    for hour in range(hours):
        place = window(hour)
        verdicts = [
            verdict(place, name, "drifting" if 10 * number >= 9 * features else "ok", number / features, 0.01)
            for number, name in enumerate(names)
        ]
        readings = [reading(place, name, each.name, 0.1) for name in names for each in (*DRIFT, *QUALITY)]
        views.append(window_view(place, verdicts, readings))
    return snapshot(model_view(features=tuple(names), windows=views))


def measured(features: int, rounds: int) -> Row:
    current = of(features)
    scrapes = Scrapes(lambda: current)
    body, _ = scrapes.scrape()
    shown = sum(not line.startswith(b"#") for line in body.splitlines())
    there = sum(1 for _ in Budget(1 << 30).of(current).series)
    gauges = as_gauges(shown)
    tracemalloc.start()
    fresh = Scrapes(lambda: current)
    fresh.scrape()
    kept, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    first = median_ms(lambda: Scrapes(lambda: current).scrape(), rounds)
    following = median_ms(scrapes.scrape, rounds)
    own = median_ms(lambda: generate_latest(gauges), rounds)
    slower, waited = beside(lambda: Scrapes(lambda: current).scrape())
    return Row(features, there, shown, len(body), first, following, own, peak / 1e6, kept / 1e6, slower, waited)


def as_gauges(number: int) -> CollectorRegistry:
    registry = CollectorRegistry()
    gauge = Gauge(
        "model_monitor_figure", "As many gauges.", ("model", "version", "segment", "feature", "s"), registry=registry
    )
    for each in range(number):
        gauge.labels("fraud", "3", "", f"feature_{each // 10:05}", f"statistic_{each % 10}").set(each / 7)
    return registry


def median_ms(work: Callable[[], object], rounds: int) -> float:
    taken = []
    for _ in range(rounds):
        started = time.perf_counter()
        work()
        taken.append(1000 * (time.perf_counter() - started))
    return statistics.median(taken)


def beside(work: Callable[[], object], seconds: float = 1.0) -> tuple[float, float]:
    """How many times slower a thread that counts is while others do `work` over and over, and the longest it waited in
    milliseconds, less what it waits alone: it is Python's switch interval that bounds both.
    """
    alone, idle = counted_in(seconds)
    stop = threading.Event()

    def over_and_over() -> None:
        while not stop.is_set():
            work()

    other = threading.Thread(target=over_and_over)
    other.start()
    together, waited = counted_in(seconds)
    stop.set()
    other.join()
    return alone / together, max(waited - idle, 0.0)


def counted_in(seconds: float) -> tuple[int, float]:
    number, longest, last = 0, 0.0, time.perf_counter()
    end = last + seconds
    while last < end:
        now = time.perf_counter()
        longest, last = max(longest, now - last), now
        number += 1
    return number, 1000 * longest


def answers(features: int) -> list[tuple[float, int]]:
    current = of(features, hours=2)
    view = current.models["fraud"]
    held = tuple(replace(view.windows[-1], window=window(hour)) for hour in range(HELD))
    current = replace(current, models={"fraud": replace(view, windows=held)}, service=ServiceView())
    found = []
    with TestClient(create_app(lambda: current), base_url="http://127.0.0.1") as client:
        for path in PATHS:
            address = path.format(m="fraud", f="feature_00000")
            size = len(client.get(address).raise_for_status().content)
            found.append((median_ms(lambda: client.get(address), 3), size))  # noqa: B023
    return found


if __name__ == "__main__":
    main()
