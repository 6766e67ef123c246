"""Features by windows: which rows stay, beside all of them made and sorted, and how much work that is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monitor.detection.records import State, Verdict
from monitor.exports import heat
from monitor.exports.heat import ROWS_MAX, Heats
from monitor.snapshot import ModelView, WindowView
from tests.exports.snapshots import model_view, verdict, window, window_view

_STATES = st.sampled_from(["ok", "watch", "drifting", "learning"])
_EFFECTS = st.none() | st.integers(0, 20).map(lambda hundredths: hundredths / 100)


def views_of(table: Sequence[Sequence[tuple[State, float | None]]], segments: Sequence[str]) -> list[WindowView]:
    """A window for each entry of the table: of each feature, state and effect; the same of each segment."""
    found = []
    for hour, features in enumerate(table):
        whole, *parts = (
            window_view(place, [verdict(place, f"f{at}", *said) for at, said in enumerate(features)])
            for segment in ("", *segments)
            for place in [window(hour, segment=segment)]
        )
        found.append(replace(whole, segments=tuple(parts)))
    return found


def worst_window(found: Verdict) -> tuple[int, float]:
    return {"drifting": 2, "watch": 1}.get(found.state, 0), (found.effect or 0.0) / 0.03


@settings(deadline=None, max_examples=40)
@given(
    table=st.lists(st.lists(st.tuples(_STATES, _EFFECTS), max_size=6), min_size=1, max_size=4), most=st.integers(1, 4)
)
def test_the_rows_that_stay_are_the_first_of_all_sorted(
    table: list[list[tuple[State, float | None]]], most: int
) -> None:
    views = views_of(table, ["a=1", "a=2"])
    every: dict[tuple[str, str], list[Verdict]] = {}
    for view in views:
        for part in view.parts:
            for each in part.verdicts:
                every.setdefault((each.feature, part.window.segment), []).append(each)
    worst = {place: max(map(worst_window, mine)) for place, mine in every.items()}
    rows = [place for place, (alarmed, _) in worst.items() if alarmed or not place[1]]
    rows.sort(key=lambda place: (-worst[place][0], -worst[place][1], " in ".join(filter(None, place))))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(heat, "ROWS_MAX", most)
        seen = Heats().of(model_view(windows=views), "3")
    shown = rows if len(rows) == most + 1 else rows[:most]
    assert [(row.feature, row.segment) for row in seen.rows] == shown
    assert seen.left_out == len(rows) - len(shown)
    for row in seen.rows:
        mine = {each.window.end_ms: each for each in every[row.feature, row.segment]}
        expected = [each and (each.state, each.effect) for each in map(mine.get, (end for _, end in seen.columns))]
        assert [cell and (cell.state, cell.ratio) for cell in row.cells] == [
            each and (each[0], None if each[1] is None else pytest.approx(each[1] / 0.03)) for each in expected
        ]


def wide(features: int, hours: int = 3) -> ModelView:
    return model_view(windows=views_of([[("ok", at / features) for at in range(features)]] * hours, ["a=1"]))


def test_cells_are_made_of_the_rows_that_stay_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    made = []
    cell = heat._cell
    monkeypatch.setattr(heat, "_cell", lambda *given: made.append(given) or cell(*given))
    seen = Heats().of(wide(1_000), "3")
    assert (len(seen.rows), seen.left_out) == (ROWS_MAX, 1_000 - ROWS_MAX)
    assert len(made) == ROWS_MAX * 3


def test_a_map_is_made_again_only_where_other_windows_are_held() -> None:
    heats, model = Heats(), wide(2)
    seen = heats.of(model, "3")
    assert heats.of(replace(model, windows=(*model.windows,), predictions=9), "3") is seen
    later = replace(model, windows=model.windows[1:])
    assert len(heats.of(later, "3").columns) == 2
    as_many = replace(model, windows=tuple(replace(view, verdicts=view.verdicts[:1]) for view in later.windows))
    assert len(heats.of(as_many, "3").rows) == 1
    assert heats.of(replace(model, name="other"), "3") is not seen
    stricter = replace(model, alarms=replace(model.alarms, tolerance=0.01))
    assert heats.of(stricter, "3").rows[0].badness.ratio == pytest.approx(3 * seen.rows[0].badness.ratio)


def test_only_so_many_maps_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(heat, "MADE_MAX", 2)
    heats, model = Heats(), wide(2)
    first, second = (replace(model, name=name) for name in "ab")
    seen, again = heats.of(first, "3"), heats.of(second, "3")
    assert heats.of(first, "3") is seen
    heats.of(replace(model, name="c"), "3")
    assert heats.of(first, "3") is seen
    assert heats.of(second, "3") is not again
