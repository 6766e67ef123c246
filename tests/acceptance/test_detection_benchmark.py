"""What the benchmark counts: false alarms a month, and delays from the first shifted window on."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks import detection
from benchmarks.comparators import Alarms
from benchmarks.detection import BEGIN, END, HORIZON, SHIFTED, STARTS, Result, measure, table
from tests.acceptance.traffic import MONTH, Model, Traffic

MODEL = Model(features=10, rows=(30, 30), cells=20)


class Told:
    """Alarms as the test says, of windows of live traffic."""

    def __init__(self, name: str, said: Callable[[Traffic], Alarms]) -> None:
        self.name, self.said = name, said

    def alarms(self, reference: Traffic, live: Traffic) -> Alarms:
        assert (reference.features, reference.first) == (10, 0)
        assert live.first == reference.windows
        return self.said(live)


def third_window_after_each_shift(live: Traffic) -> Alarms:
    """Knows the means; one feature is never found, and one was flagged before and is again in the second."""
    shifted = [window for window in range(live.windows) if live.means[window, 0]]
    if not shifted:
        return []
    start = shifted[0]
    assert start in STARTS.values()
    assert live.windows == start + HORIZON
    return [(start - 1, 1), (start + 1, 1), *((start + 2, feature) for feature in range(1, 10))]


def test_figures_are_counted_from_the_alarms() -> None:
    twice = Told("twice", lambda live: [(5, 1), (5, 9), (9, 3)] if live.windows == MONTH else [])
    noisy = Told("noisy", lambda live: [(window, 0) for window in range(live.windows)])
    third = Told("third", third_window_after_each_shift)
    results = measure("", MODEL, [twice, noisy, third])
    assert (results["twice"].months, results["twice"].alarms, results["twice"].windows) == (3, 9, 6)
    assert results["twice"].delays[0.5] == [float("inf")] * SHIFTED * 3
    assert results["third"].delays[0.15] == [float("inf"), 2, 3, 3, 3, 3, 3, 3] * 3
    lines = table("Traffic", 10, results).splitlines()
    assert lines[0] == "**Traffic**"
    assert lines[4:] == [
        "| twice | 3.0 | 2.0 | never | never | never | never | never |",
        "| noisy | 720.0 | 720.0 | always | always | always | always | always |",
        "| third | 0.0 | 0.0 | 3 | 3 | 3 | 3 | 3 |",
    ]


def test_a_delay_means_nothing_where_chance_finds_half_of_the_features_in_time() -> None:
    for alarms, nothing in ((68, False), (70, True)):  # Of 7,200 tests: 0.96 % in each of 72 windows finds half.
        result = Result()
        result.add_clean([(window, 0) for window in range(alarms)], MONTH)
        assert result.means_nothing(10) is nothing


def test_a_week_without_shift_counts_as_its_share_of_a_month() -> None:
    result = Result(delays={sd: [1.0] for sd in detection.SHIFTS})
    result.add_clean([(3, 0), (3, 1), (9, 0)], MONTH // 4)
    assert table("", 10, {"some": result}).splitlines()[4].startswith("| some | 12.0 | 8.0 | 1 |")


def test_tables_are_written_between_the_marks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    page = tmp_path / "page.md"
    page.write_text(f"before\n{BEGIN}\nold\n{END}\nafter\n")
    monkeypatch.setattr(detection, "TRAFFIC", {"quiet": MODEL})
    monkeypatch.setattr(detection, "measure", lambda name, model: {"none": Result(months=1.0)})
    monkeypatch.setattr(detection, "_shown", lambda result, sd, features: "never")
    assert detection.main(["--write", str(page)]) == 0
    text = page.read_text()
    assert text.startswith(f"before\n{BEGIN}\n\n**quiet**\n\n| method |")
    assert text.endswith(f"| none | 0.0 | 0.0 | never | never | never | never | never |\n\n{END}\nafter\n")


def test_a_file_without_marks_is_refused_before_anything_is_measured(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "page.md").write_text(f"{END} {BEGIN}")
    for name in ("page.md", "absent.md"):
        assert detection.main(["--write", str(tmp_path / name)]) == 2
        assert "add them where the tables belong" in capsys.readouterr().err
