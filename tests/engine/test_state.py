"""What the engine takes with it through a restart, and what it takes anew from the configuration."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import pytest

from monitor.engine import Monitor
from monitor.engine.ledger import Ledger
from monitor.errors import StateError
from monitor.events.schema import Schema
from monitor.profiles import codec
from monitor.profiles.reference import Reference
from monitor.spec import ModelSpec, PerformanceSpec
from monitor.windows.streams import Now
from monitor.windows.window import WindowSpec
from tests.engine.saved import saved
from tests.profiles import rows

HOUR_MS = 3_600_000
PLACE = ("predictions", 0)
SPEC = ModelSpec("m", rows.SCHEMA, WindowSpec(HOUR_MS), PerformanceSpec("accuracy", 0.1), lateness_ms=0)


def reference(seed: int = 1, schema: Schema = rows.SCHEMA) -> Reference:
    random = np.random.default_rng(seed)
    batch = rows.predictions(random, 1_000)
    return Reference.build(schema, batch, rows.pairs(batch, rows.truths(random, batch)))


def monitor(spec: ModelSpec = SPEC, made: Reference | None = None) -> Monitor:
    return Monitor([spec], {"m": {"3": made or reference()}})


def reopened(before: Monitor, spec: ModelSpec = SPEC, made: Reference | None = None) -> Monitor:
    after = monitor(spec, made)
    after.restore(saved(before))
    return after


def ingest(engine: Monitor, first: int, count: int, offset: int = 0) -> Mapping[str, int]:
    """`count` predictions, a second apart from second `first` on; how many were accepted."""
    batch = rows.predictions(np.random.default_rng(2), count, first=first, offset=offset)
    judged = engine.models["m"].ingest(batch, (), {}, Now.at(1 << 50))
    engine.models["m"].advance({}, Now.at(0))
    return {"accepted": int(np.count_nonzero(judged.result == 0))}


def test_everything_saved_comes_back() -> None:
    before = monitor()
    ingest(before, 0, 9_000)
    after = reopened(before)
    assert after.views() == before.views()
    assert saved(after).keys() == saved(before).keys() >= {"m/progress//0", "m/pane/3/10800000", "m/window/3/3600000"}
    assert saved(reopened(after)) == saved(after)


def test_state_of_an_older_format_is_refused_in_one_sentence() -> None:
    before = monitor()
    ingest(before, 0, 100)
    pieces = saved(before)
    pieces["m/progress//0"] = codec.pack("STAT", 2, before.models["m"].progress)
    with pytest.raises(StateError, match=r"the state of model 'm' cannot be read .*: run the version of this program"):
        monitor().restore(pieces)


def test_a_shorter_lateness_takes_effect_with_the_next_start() -> None:
    patient = replace(SPEC, lateness_ms=HOUR_MS)
    before = monitor(patient)
    ingest(before, 0, 5_000)
    assert before.models["m"].progress.closed_ms < HOUR_MS
    after = reopened(before)
    after.models["m"].advance({}, Now.at(0))
    assert after.models["m"].progress.closed_ms == 4_999_000


def test_a_longer_lateness_opens_no_window_that_was_closed() -> None:
    before = monitor()
    ingest(before, 0, 5_000)
    after = reopened(before, replace(SPEC, lateness_ms=2 * HOUR_MS))
    assert ingest(after, 3_000, 600, offset=5_000) == {"accepted": 0}
    assert ingest(after, 3_601, 600, offset=6_000) == {"accepted": 600}
    assert after.models["m"].advance({}, Now.at(0)).windows == []


def test_a_model_that_is_scored_in_batches_from_now_on_waits_for_their_end() -> None:
    before = monitor()
    ingest(before, 0, 4_000)
    after = reopened(before, replace(SPEC, arrival="batch"))
    ingest(after, 8_000, 4_000, offset=4_000)
    assert after.models["m"].progress.closed_ms == before.models["m"].progress.closed_ms


def test_a_window_that_was_cut_otherwise_is_refused() -> None:
    """Its panes and boundaries would not fit: rows and labels would be counted twice."""
    before = monitor()
    ingest(before, 0, 100)
    with pytest.raises(StateError, match="the window of model 'm' was changed"):
        reopened(before, replace(SPEC, window=WindowSpec(HOUR_MS // 2)))


def test_the_partitions_of_a_topic_that_is_read_no_more_hold_nothing_up() -> None:
    before = monitor()
    ingest(before, 0, 3_000)
    after = reopened(before)
    model = after.models["m"]
    model.keep({"renamed", "labels"})
    model.expect([("renamed", 0)], [], Now.at(0))
    batch = rows.predictions(np.random.default_rng(3), 600, first=4_000)
    model.ingest(replace(batch, origin=replace(batch.origin, topic="renamed")), (), {}, Now.at(1 << 50))
    assert [view.rows for view in model.advance({}, Now.at(0)).windows] == [3_000]


def test_a_reference_that_was_replaced_under_open_windows_is_refused() -> None:
    before = monitor()
    ingest(before, 0, 100)
    with pytest.raises(StateError, match="was replaced while its windows were open; put the old file back"):
        reopened(before, made=reference(seed=9))


def labelled(before: Monitor) -> None:
    """Close every window, and count labels in the first."""
    ingest(before, 0, 5_000)
    model = before.models["m"]
    model.finish()
    key, ledger = next(iter(model.settlement.ledgers.items()))
    model.settlement.ledgers[key] = replace(ledger, outcome=codec.pack("OUTC", 1, reference().outcome.plain()))


def test_a_reference_that_scores_labels_otherwise_is_refused_while_windows_wait_for_them() -> None:
    before = monitor()
    labelled(before)
    layout = reference().layout
    other = replace(layout, outcome=replace(layout.outcome, threshold=0.7))
    with pytest.raises(StateError, match="was replaced while its windows were open"):
        reopened(before, made=replace(reference(), layout=other))


def test_a_reference_with_other_cells_may_take_over_where_no_window_is_open() -> None:
    before = monitor()
    labelled(before)
    after = reopened(before, made=reference(seed=9))
    assert isinstance(next(iter(after.models["m"].settlement.ledgers.values())), Ledger)
