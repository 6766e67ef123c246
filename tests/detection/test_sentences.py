"""Sentences call what a model answered by the names that people use."""

from __future__ import annotations

from monitor.detection.faults import Share
from monitor.detection.records import Differing, Moved, Skew, Verdict
from monitor.detection.sentences import describe_data, describe_drift, describe_skew, spoken
from monitor.windows.window import Window

WINDOW = Window(3_600_000, "m", "3", "", 0)


def test_outputs_lose_the_sign_that_sets_them_apart_and_nothing_else_does() -> None:
    assert [spoken(name) for name in ("@score", "@prediction", "@other", "amount")] == [
        "score",
        "prediction",
        "@other",
        "amount",
    ]


def test_a_drifting_score_is_called_score() -> None:
    drifting = [Verdict(WINDOW, "@score", 800, "drifting", 0.31), Verdict(WINDOW, "amount", 800, "drifting")]
    assert describe_drift(drifting) == "score (effect 0.31) and amount drifted"
    assert (
        describe_data({"@prediction": [Share("unseen", 0.25, 0.0, 1.0, 0)]})
        == "25.0% of prediction unseen (0.0% before)"
    )


def test_training_and_production_differ_worst_first_with_where() -> None:
    income = Differing("income", 0.25, (Moved("over 90", 0.1, 0.01, 0.9),))
    score = Differing("@score", 0.041, (Moved("0.5 to 1", 0.25, 0.3, 0.5),))
    assert describe_skew(Skew("3", 0, 1, (income, score))) == (
        "training and production differ: income (effect 0.25; over 90 went from 10% of rows to 1%) and score "
        "(effect 0.04; 0.5 to 1 went from 25% of rows to 30%)"
    )
