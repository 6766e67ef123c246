"""How long a model takes to answer: counted once a prediction that counts, whatever order they come in."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.engine import Monitor
from monitor.engine.durations import Durations
from monitor.engine.intake import Result
from monitor.engine.latency import LATENCIES_MS, Latencies
from monitor.events.batch import INVALID, MISSING, PRESENT, NumericColumn, Predictions
from monitor.snapshot import ModelView
from monitor.windows.streams import Now
from tests.engine.test_state import monitor, reopened
from tests.profiles import rows

STATES = st.sampled_from([PRESENT, PRESENT, PRESENT, MISSING, INVALID])
SAID = st.tuples(STATES, st.one_of(st.sampled_from(LATENCIES_MS), st.floats(0, 86_400_000)))


def column(said: list[tuple[int, float]]) -> NumericColumn:
    values = [value if state == PRESENT else 0.0 for state, value in said]
    return NumericColumn(np.array(values), np.array([state for state, _ in said], dtype=np.uint8))


@settings(max_examples=60)
@given(said=st.lists(SAID, max_size=40), cut=st.integers(0, 40), order=st.randoms(use_true_random=False))
def test_cells_and_sum_are_those_of_the_values_one_by_one_in_any_order_and_parts(said, cut, order) -> None:
    found, shuffled = Latencies(), [*said]
    order.shuffle(shuffled)
    for part in (shuffled[:cut], shuffled[cut:]):
        found.add(column(part))
    told = [value for state, value in said if state == PRESENT]
    assert found.invalid == sum(state == INVALID for state, _ in said)
    histogram = found.histogram()
    if histogram is None:
        assert not told and not found.invalid  # noqa: PT018
        return
    microseconds = [round(1_000 * value) for value in told]
    for end, rows_up_to in zip(LATENCIES_MS, np.cumsum([count for _, count in histogram.rows]), strict=True):
        assert rows_up_to == sum(each <= 1_000 * end for each in microseconds)
    assert [end for end, _ in histogram.rows] == [end / 1_000 for end in LATENCIES_MS]
    assert (histogram.count, histogram.total) == (len(told), sum(microseconds) / 1_000_000)


def test_sums_do_not_overflow() -> None:
    found = Durations.empty([1])
    for _ in range(3):
        found.add(np.full(1_000, 1 << 52))
    assert found.total_us == 3_000 << 52


def timed(first: int, count: int, latency_ms: float, **how: int) -> Predictions:
    batch = rows.predictions(np.random.default_rng(first), count, first=first, **how)
    return replace(batch, latency=column([(PRESENT, latency_ms)] * count))


def taken(engine: Monitor, batch: Predictions) -> list[int]:
    """How many of a batch were accepted, duplicates, and late."""
    judged = engine.models["m"].ingest(batch, (), {}, Now.at(1 << 50))
    engine.models["m"].advance({}, Now.at(0))
    return [int((judged.result == each).sum()) for each in (Result.ACCEPTED, Result.DUPLICATE, Result.LATE)]


def view(engine: Monitor) -> ModelView:
    return engine.views()["m"]


def test_only_predictions_that_are_accepted_count() -> None:
    engine = monitor()
    twice = rows.predictions(np.random.default_rng(1), 10)
    double = replace(twice.take(np.repeat(np.arange(10), 2)), latency=column([(PRESENT, 3.0)] * 20))
    assert taken(engine, double) == [10, 10, 0]
    assert taken(engine, timed(8_000, 5, 40.0, offset=100)) == [5, 0, 0]
    assert taken(engine, timed(50, 7, 20_000.0, offset=200)) == [0, 0, 7]
    histogram = view(engine).latency_s
    assert histogram is not None
    assert {end: count for end, count in histogram.rows if count} == {0.005: 10, 0.05: 5}
    assert (histogram.beyond, histogram.total) == (0, 0.23)
    assert view(engine).predictions == histogram.count


def test_a_model_whose_events_say_nothing_has_no_latency_and_one_whose_events_say_nonsense_has_none_that_counts() -> (
    None
):
    engine = monitor()
    taken(engine, rows.predictions(np.random.default_rng(1), 10))
    assert view(engine).latency_s is None
    odd = rows.predictions(np.random.default_rng(1), 10, first=20, offset=20)
    taken(engine, replace(odd, latency=column([(INVALID, 0.0)] * 4 + [(MISSING, 0.0)] * 6)))
    found = view(engine)
    assert found.latency_s is not None
    assert (found.latency_s.count, found.latencies_invalid, found.predictions) == (0, 4, 20)


def test_a_restart_goes_on_counting() -> None:
    whole, before = monitor(), monitor()
    batches = [timed(0, 50, 3.0), timed(60, 70, 777.125, offset=60)]
    for batch in batches:
        taken(whole, batch)
    taken(before, batches[0])
    after = reopened(before)
    assert view(after).latency_s == view(before).latency_s
    taken(after, batches[1])
    assert view(after).latency_s == view(whole).latency_s
    assert view(after).latency_s.total == (50 * 3_000 + 70 * 777_125) / 1_000_000
