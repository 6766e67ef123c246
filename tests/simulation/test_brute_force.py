"""The engine says what the log means: an event at a time, boundary by boundary, worked out by other code."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from itertools import pairwise
from typing import Any

import pytest

from monitor.detection.records import Trigger, Verdict
from monitor.engine import Output
from monitor.snapshot import Histogram, PerformanceView
from monitor.spec import ModelSpec
from monitor.windows.window import Window, WindowSpec
from tests.simulation import oracle
from tests.simulation.judgements import Judgements
from tests.simulation.traffic import LABELS, MINUTE_MS, PREDICTIONS, Shape, Traffic
from tests.simulation.world import CHURN, FRAUD, LATER_MS, Observed, World, known_good, references

BY_ROWS = replace(FRAUD, window=WindowSpec(500, "rows", MINUTE_MS))
HALF_MINUTES = replace(FRAUD, window=WindowSpec(MINUTE_MS // 2), lateness_ms=3_500)

LONG_SPANS = replace(
    FRAUD,
    performance=replace(
        FRAUD.performance, wait_ms=6 * MINUTE_MS, labels_min=500, class_min=200, span_max_ms=4 * MINUTE_MS
    ),
)
SPECS = {"minutes": FRAUD, "half minutes": HALF_MINUTES, "500 rows": BY_ROWS, "long spans": LONG_SPANS}


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("fraud", SPECS.values(), ids=SPECS)
def test_the_engine_agrees_with_a_recomputation_from_the_whole_log(fraud: ModelSpec, seed: int) -> None:
    log = Traffic(seed, Shape(minutes=8)).log()
    world = World(log, (fraud, CHURN), seed=seed)
    outputs = world.outputs
    observed = world.run()
    view = observed.views["fraud"]
    meanings = {spec.name: oracle.meaning(log, spec, LATER_MS, good=known_good()) for spec in (fraud, CHURN)}
    world.close()

    assert windows_of(outputs) == {
        Window(window.end, name, window.version, "", window.start): rows
        for name, meaning in meanings.items()
        for window, rows in meaning.rows.items()
    }
    said, meant = [figure(view) for output in outputs for view in output.performance], meanings["fraud"].figures
    assert [each._replace(evidence=None) for each in said] == [each._replace(evidence=None) for each in meant]
    assert [loss for _, loss in map(evidence, said)] == [loss for _, loss in map(evidence, meant)]
    assert [ratio for ratio, _ in map(evidence, said)] == pytest.approx([ratio for ratio, _ in map(evidence, meant)])
    assert view.labels == meanings["fraud"].labels
    assert view.label_delay_s == histogram(meanings["fraud"].delays, [end for end, _ in view.label_delay_s.rows])
    possible = [each for each in meanings["fraud"].latencies if type(each) in (int, float) and 0 <= each <= 86_400_000]
    assert view.latencies_invalid == len(meanings["fraud"].latencies) - len(possible) > 20
    assert view.latency_s is not None
    microseconds = [round(1_000 * each) for each in possible]
    assert view.latency_s == histogram(microseconds, [end for end, _ in view.latency_s.rows], per_second=1_000_000)
    assert observed.views["churn"].latency_s is None
    for spec in (fraud, CHURN):
        expected = Judgements.of(meanings[spec.name], spec, references()[spec.name])
        assert verdicts(outputs, spec.name) == expected.verdicts
        assert changes(observed, spec.name) == expected.changes
        if spec is CHURN:
            assert triggers(observed.triggers["churn"]) == expected.triggers
    judged = sum((meaning.results for meaning in meanings.values()), Counter())
    counted = world.loop.snapshot.service.events
    for result in ("accepted", "duplicate", "late"):
        assert counted[PREDICTIONS, result] == judged[result], result
    assert counted[LABELS, "accepted"] == judged["labels"]
    for topic in (PREDICTIONS, LABELS):
        assert counted[topic, "rejected"] == oracle.rejected(log, topic, LATER_MS, fraud.future_ms)


def windows_of(outputs: list[Output]) -> dict[Window, int]:
    views = [view for output in outputs for view in output.windows]
    rows = {view.window: view.rows for view in views}
    assert len(rows) == len(views), "a window was closed twice"
    return rows


def verdicts(outputs: list[Output], model: str) -> dict[tuple[Window, str], Verdict]:
    views = [view for output in outputs for view in output.windows if view.window.model == model]
    # The PSI is a reading, which the contract tests compare with others' figures.
    return {(view.window, each.feature): replace(each, psi=None) for view in views for each in view.verdicts}


def changes(observed: Observed, model: str) -> list[Any]:
    """In the order of windows, drift before data; those of performance are no part of it."""
    found = [
        (change.window, cause, change.event, change.incident.severity, change.incident.features)
        for cause in ("drift", "data")
        for change in observed.changes.get((model, cause), ())
    ]
    return sorted(found, key=lambda each: each[0])


def triggers(made: Iterable[Trigger]) -> list[Any]:
    return [(each.window, each.onset_ms, each.withheld.partition(" (")[0]) for each in made]


def figure(view: PerformanceView) -> oracle.Figure:
    reading = next(each for each in view.readings if each.statistic == "accuracy")
    window = oracle.Span(view.window.end_ms, view.window.version, view.window.start_ms)
    followed = None if view.evidence_ratio is None else (view.evidence_ratio, view.evidence_loss)
    return oracle.Figure(
        window, view.labels, view.coverage, reading.status == "ok", reading.value, view.settled, followed
    )


def evidence(figure: oracle.Figure) -> tuple[float, str]:
    """Beyond a thousand limits nothing is told apart."""
    ratio, of = figure.evidence or (-1.0, "")
    return ratio, of if ratio < 999 else ""


def histogram(durations: list[int], ends_s: list[float], per_second: int = 1_000) -> Histogram:
    up_to = [sum(each <= end * per_second for each in durations) for end in ends_s]
    rows = [high - low for low, high in pairwise([0, *up_to])]
    return Histogram(tuple(zip(ends_s, rows, strict=True)), len(durations) - up_to[-1], sum(durations) / per_second)


def test_the_script_is_worth_recomputing() -> None:
    meaning = oracle.meaning(Traffic(0, Shape(minutes=8)).log(), FRAUD, LATER_MS)
    assert {window.version for window in meaning.rows} == {"", "1", "2"}
    assert meaning.results["late"] > 20
    assert meaning.results["duplicate"] > 20
    assert all(meaning.labels[result] > 20 for result in ("matched", "waiting", "conflict"))
    assert any(not figure.enough for figure in meaning.figures)
    assert any(figure.settled and figure.coverage < oracle.COVERAGE for figure in meaning.figures)
    followed = oracle.meaning(Traffic(0, Shape(minutes=8)).log(), FRAUD, LATER_MS, good=known_good()).figures
    ratios = {figure.window: figure.evidence[0] for figure in followed if figure.evidence}
    assert min(ratios.values()) < 0.01
    assert max(ratios.values()) > 1
    assert any(figure.settled and not figure.evidence for figure in followed), "windows that others overtook"
    assert references()["fraud"].keys() == {"1"}
    judged = Judgements.of(meaning, FRAUD, references()["fraud"])
    assert {verdict.state for verdict in judged.verdicts.values()} >= {"learning", "ok", "drifting"}
    assert {(cause, event) for _, cause, event, _, _ in judged.changes} >= {("drift", "opened")}
    assert Judgements.of(
        oracle.meaning(Traffic(0, Shape(minutes=8)).log(), CHURN, LATER_MS), CHURN, references()["churn"]
    ).triggers
    assert meaning.delays.count(0) > 20
    assert sum(delay > 60_000 for delay in meaning.delays) > 20
    spans = oracle.meaning(Traffic(0, Shape(minutes=8)).log(), LONG_SPANS, LATER_MS)
    revisions = Counter(figure.window for figure in spans.figures)
    assert sum(figure.enough and figure.labels > 2 * 240 for figure in spans.figures) > 20, "spans of several windows"
    assert revisions.most_common(1)[0][1] > 6
