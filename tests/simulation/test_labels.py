"""Labels before their prediction, weeks late, twice, corrected in either direction, and from partitions that disagree:
each case is told an event a poll, and all at once.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from monitor.windows.window import WindowSpec
from tests.simulation.story import CROWD, PLAIN, Story, figures, rows
from tests.simulation.traffic import LABELS, MINUTE_MS, START_MS
from tests.simulation.world import World

pytestmark = pytest.mark.parametrize("poll_max", [1, 1_000])


def counted(world: World) -> dict[str, int]:
    """Crowds of labels by what became of them; the events that only move time are none."""
    return {
        result: rows // CROWD for result, rows in world.loop.snapshot.models["fraud"].labels.items() if rows >= CROWD
    }


def test_labels_may_come_first_last_or_never(poll_max: int) -> None:
    story = Story(label_partitions=2)
    story.label("first", 0.2)
    story.label("first", 0.2, partition=1)
    story.label("never", 0.3)
    story.predict("last", 0.5)
    story.reach(1)
    story.predict("first", 1.5, version="2")
    story.predict("first", 1.6, version="3")
    story.reach(4)
    assert counted(story.told(poll_max=poll_max)) == {"matched": 2, "waiting": 3}
    story.label("last", 4.2)
    story.predict("first", 4.5)
    story.label("never", 5, partition=1)
    story.reach(2 * 1_440)
    spec = replace(PLAIN, retention_ms=7 * MINUTE_MS)
    assert counted(story.told(spec, poll_max=poll_max)) == {"matched": 4, "waiting": 4, "expired": 2}


def test_neither_a_prediction_nor_a_label_is_found_when_it_has_waited_longer_than_retention(poll_max: int) -> None:
    """Whether its row has been deleted by then depends on the polls; what becomes of the label does not."""
    story = Story()
    story.label("c", 0.1)
    story.label("d", 1.1)
    story.predict("a", 0.5)
    story.predict("b", 1.5)
    for minute in range(2, 8):
        story.reach(minute)
    story.predict("c", 7.5)
    story.predict("d", 7.5)
    story.label("a", 8.5)
    story.label("b", 8.5)
    story.reach(10)
    story.reach(2 * 1_440)
    spec = replace(PLAIN, retention_ms=7 * MINUTE_MS)
    counts = {"matched": 1, "waiting": 3, "expired": 2}
    assert counted(story.told(spec, poll_max=poll_max)) == counts, "b and d are found"


def test_a_label_that_comes_before_its_prediction_counts_when_the_window_ends(poll_max: int) -> None:
    story = Story()
    story.label("a", -30)
    story.reach(0.1)
    story.predict("a", 0.5)
    story.reach(3)
    assert figures(story.told(poll_max=poll_max)) == [(1, 1.0)]


def test_a_label_counts_from_the_first_boundary_after_it_became_known(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.predict("b", 0.5)
    story.reach(1)
    story.label("a", 1.5)
    story.reach(3)
    story.label("b", 1.2)  # An old time: but nobody knew of it before minute 3.
    story.reach(5)
    assert figures(story.told(poll_max=poll_max)) == [(0, None), (1, 1.0), (2, 1.0)]


SPANS = replace(
    PLAIN,
    performance=replace(
        PLAIN.performance, wait_ms=9 * MINUTE_MS, labels_min=2 * CROWD, class_min=CROWD, span_max_ms=3 * MINUTE_MS
    ),
)
"""A figure needs two crowds, one of each class, from windows of three minutes."""


def test_a_late_label_revises_the_newer_windows_whose_span_holds_its_own(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.label("a", 0.7, "ok")
    story.predict("b", 0.5)
    story.predict("c", 1.5)
    story.label("c", 1.7)
    story.predict("d", 2.5)
    story.label("d", 2.7)
    story.label("d", 2.8, "ok")
    story.reach(4)
    story.label("b", 4.2)
    story.reach(6)
    world = story.told(SPANS, poll_max=poll_max)
    assert figures(world, 1) == [(1, None), (2, 0.5)]
    assert figures(world, 2) == [(2, 0.5), (3, 2 / 3)]
    assert figures(world, 3) == [(2, 0.5)], "its span does not reach back to the label's window"
    assert verdicts(world) == {1: 1, 2: 1, 3: 1}


def test_a_correction_that_takes_the_rarer_class_away_takes_the_figure_of_newer_windows_away(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.label("a", 0.7)
    story.predict("b", 0.5)
    story.label("b", 0.7, "ok")
    story.predict("c", 1.5)
    story.label("c", 1.7)
    story.reach(3)
    story.label("b", 3.2)
    story.reach(4)
    story.label("b", 4.2, "ok")
    story.reach(6)
    world = story.told(SPANS, poll_max=poll_max)
    assert figures(world, 2) == [(3, 2 / 3), (1, None), (3, 2 / 3)]
    assert verdicts(world) == {1: 1, 2: 1}


def verdicts(world: World) -> dict[float, int]:
    """How often each window of version 1 went from waiting to settled, by the minute at which it ends."""
    before: dict[int, bool] = {}
    found: Counter[float] = Counter()
    for view in (view for output in world.outputs for view in output.performance if view.window.version == "1"):
        minute = (view.window.end_ms - START_MS) / MINUTE_MS
        found[minute] += view.settled and not before.get(view.window.end_ms, False)
        before[view.window.end_ms] = view.settled
    return dict(found)


def test_a_label_weeks_late_changes_nothing(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.predict("b", 0.5)
    story.reach(2)
    story.label("a", 6)  # The window has waited until minute 6, and no longer.
    story.label("b", 6.1)
    story.reach(30_000)
    assert figures(story.told(poll_max=poll_max)) == [(0, None), (0, None), (1, 1.0)]


def test_a_repeated_label_counts_once(poll_max: int) -> None:
    story = Story(label_partitions=2)
    story.predict("a", 0.5)
    story.label("a", 0.7)
    story.label("a", 0.7)
    story.label("a", 0.7, partition=1)
    story.reach(2)
    story.label("a", 0.7)
    story.reach(9)
    world = story.told(poll_max=poll_max)
    assert figures(world)[-1] == (1, 1.0)
    assert counted(world) == {"matched": 1}


@pytest.mark.parametrize(("first", "second", "right"), [("ok", "fraud", 1.0), ("fraud", "ok", 0.0)])
def test_the_label_of_the_later_time_replaces_the_other(first: str, second: str, right: float, poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.reach(1)
    story.label("a", 1.2, first)
    story.reach(2)
    story.label("a", 2.2, second)
    story.reach(4)
    assert figures(story.told(poll_max=poll_max)) == [(0, None), (1, 1 - right), (1, right)]


def test_a_correction_of_an_earlier_time_changes_nothing(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    story.label("a", 0.9)
    story.reach(2)
    story.label("a", 0.8, "ok")
    story.reach(4)
    assert figures(story.told(poll_max=poll_max)) == [(1, 1.0)]


def test_a_conflict_of_partitions_is_counted_once_an_id(poll_max: int) -> None:
    story = Story(label_partitions=2)
    story.predict("a", 0.5)
    story.predict("b", 0.5)
    story.label("a", 0.7)
    story.reach(2)
    story.label("a", 0.6, "ok", partition=1)
    story.label("b", 2, "ok")
    story.reach(3)
    story.label("a", 3, "ok", partition=1)
    story.label("b", 3, "fraud")  # Corrected in its own partition: no conflict.
    story.reach(5)
    assert counted(story.told(poll_max=poll_max)) == {"matched": 2, "conflict": 1}


def test_one_label_serves_every_version_that_answered(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5, "fraud")
    story.predict("a", 0.5, "ok", version="2")
    story.label("a", 0.7)
    story.reach(3)
    world = story.told(poll_max=poll_max)
    assert figures(world) == [(1, 1.0)]
    assert counted(world) == {"matched": 2}


def test_of_a_prediction_that_is_sent_again_the_first_is_measured(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5, "fraud")
    story.reach(1)
    story.predict("a", 1.5, "ok")
    story.label("a", 1.6, "fraud")
    story.reach(4)
    world = story.told(poll_max=poll_max)
    assert rows(world) == {1: 1, 2: 1}
    assert (figures(world, 1)[-1], figures(world, 2)[-1]) == ((1, 1.0), (0, None))


def test_a_label_is_not_kept_longer_than_retention_for_its_prediction(poll_max: int) -> None:
    """Whether its row has been deleted by then depends on the polls; whether it counts does not."""
    story = Story()
    story.label("a", 0.1)
    story.label("b", 2.1)
    story.reach(8)
    story.predict("a", 8.5)
    story.predict("b", 8.5)
    story.reach(9)
    story.reach(12)
    spec = replace(PLAIN, retention_ms=7 * MINUTE_MS)
    assert figures(story.told(spec, poll_max=poll_max), 9) == [(1, 1.0)]


def test_the_correction_of_an_early_label_is_not_counted_beside_it(poll_max: int) -> None:
    story = Story()
    story.label("a", 2.1, "ok")
    story.reach(8)
    story.predict("a", 8.5)
    story.reach(9)
    story.reach(12)
    story.label("a", 12.5, "fraud")  # By now the first label is older than `retention`.
    story.reach(14)
    spec = replace(PLAIN, retention_ms=7 * MINUTE_MS)
    assert figures(story.told(spec, poll_max=poll_max), 9) == [(1, 0.0), (1, 1.0)]


def test_a_prediction_stays_for_as_long_as_a_label_may_count(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    for minute in (1, 3, 5.9):
        story.reach(minute)
    story.label("a", 6)
    story.reach(6.99)
    story.reach(9)
    spec = replace(PLAIN, retention_ms=PLAIN.performance.wait_ms)
    assert figures(story.told(spec, poll_max=poll_max))[-1] == (1, 1.0)


def test_labels_that_a_row_window_had_early_count_when_it_closes(poll_max: int) -> None:
    story = Story()
    for minute in range(4):
        story.predict(f"a{minute}", minute + 0.5)
        story.label(f"a{minute}", minute + 0.6)
        story.reach(minute + 1)
    story.reach(6)
    spec = replace(PLAIN, window=WindowSpec(4 * CROWD, "rows", MINUTE_MS))
    world = story.told(spec, poll_max=poll_max)
    assert rows(world) == {4: 4}
    assert figures(world, 4)[-1] == (4, 1.0)


def test_labels_of_a_model_that_takes_none_are_counted_and_not_kept(poll_max: int) -> None:
    story = Story()
    story.predict("a", 0.5)
    for minute in range(30):
        story.label("a", minute + 0.5)
    story.reach(31)
    world = story.told(replace(PLAIN, labelled=False), poll_max=poll_max)
    assert world.loop.snapshot.service.events[LABELS, "accepted"] >= 30 * CROWD
    assert world.loop.monitor.models["fraud"].progress.label_flow.arrived == {}
    assert world.store._database.rows("SELECT count(*) FROM labels_0") == [(0,)]
