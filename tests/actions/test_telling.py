from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from monitor.actions.notification import Scene
from monitor.actions.telling import Event, bars, headline, plain, retraining, span, summary
from tests.actions.notices import (
    AMOUNT,
    BROKEN,
    COUNTRY,
    CREATED_MS,
    DRIFTED,
    FELL,
    FIGURES,
    PAIRS,
    SINCE_MS,
    change,
    lived,
    message,
)


@pytest.mark.parametrize(
    ("incident", "event", "said"),
    [
        (FELL, "opened", "Critical: performance of fraud (version 3) has fallen"),
        (DRIFTED, "opened", "Moderate: amount and score of fraud (version 3) drifted"),
        (DRIFTED, "joined", "Moderate, growing: amount and score of fraud (version 3) drifted"),
        (BROKEN, "worsened", "Minor, worse than before: data of fraud (version 3) is faulty, country"),
        (DRIFTED, "acknowledged", "Acknowledged: drift of amount and score of fraud (version 3)"),
        (BROKEN, "resolved", "Resolved: faulty data of fraud (version 3), country"),
    ],
)
def test_the_first_line_says_how_bad_what_and_of_which_version(incident: object, event: str, said: str) -> None:
    assert headline(Event.of(message(change(incident, event)))) == said  # type: ignore[arg-type]


def test_the_whole_of_it_as_text() -> None:
    scene = Scene(SINCE_MS, (AMOUNT, PAIRS, COUNTRY), FIGURES)
    told = change(DRIFTED, reason="amount (effect 0.31) drifted")
    assert plain(Event.of(message(told, scene)), CREATED_MS + 3_600_000) == (
        "amount (effect 0.31) drifted.\n"
        "Since: about 2026-11-23 09:14 UTC, 3 h ago\n"
        "Performance: roc_auc 0.84 (0.82 to 0.86); the reference had 0.91\n"
        "amount: 20 to 45: 5% → 21% of rows; over 45: 50% → 40% of rows; effect 0.31\n"
        "correlation: amount and age: 0.61 → -0.02; effect 0.1\n"
        "country: missing, unseen\n"
        "What to do: Its inputs are not what it learned from; whether its answers are still right, its performance "
        "tells. Look at where amount comes from, and what changed there.\n"
        "Incident: https://monitor.example/incidents/inc_42\n"
        "Report: https://monitor.example/models/fraud/report?version=3&window=2026-11-23T11%3A00%3A00Z\n"
        "Overview: https://monitor.example/"
    )


@pytest.mark.parametrize(
    ("milliseconds", "said"),
    [(-5, "0 s"), (40_000, "40 s"), (150_000, "2 min"), (7_200_000, "2 h"), (172_800_000, "2 days"), (0, "0 s")],
)
def test_lengths_of_time_are_short(milliseconds: int, said: str) -> None:
    assert span(milliseconds) == said


@given(st.lists(st.floats(-1e6, 1e6), min_size=1, max_size=30))
def test_bars_are_in_the_order_of_their_values(values: list[float]) -> None:
    drawn = bars(values)
    assert len(drawn) == len(values)
    assert set(drawn) <= set("▁▂▃▄▅▆▇█")
    assert [bar for _, bar in sorted(zip(values, drawn, strict=True))] == sorted(drawn)


def test_what_stands_beside_it_is_not_said_twice() -> None:
    reason = (
        "roc_auc fell from 0.91 to 0.84; the error rate rose from 0.1 to 0.2 over 300 labels; the evidence reached its "
        "limit; it began about 2026-11-23T09:14:00Z"
    )
    said = "roc_auc fell from 0.91 to 0.84; the error rate rose from 0.1 to 0.2 over 300 labels."
    assert summary(Event.of(message(change(reason=reason)))) == said


@pytest.mark.parametrize(
    ("withheld", "said"),
    [
        ("", "requested, of the window that ended 2026-11-23 11:00 UTC"),
        ("too few labels", "not requested: too few labels"),
    ],
)
def test_whether_retraining_was_asked_for_and_when(withheld: str, said: str) -> None:
    told = message(scene=Scene(SINCE_MS, retraining=lived(withheld)))
    assert retraining(Event.of(told)) == said
