"""Each acceptance point on one of its seeds; `make acceptance` measures them on all."""

from __future__ import annotations

import sys

import pytest

from tests.acceptance import __main__ as command
from tests.acceptance.figures import Figure, points


@pytest.mark.acceptance
@pytest.mark.parametrize("letter", [letter for letter, point in points().items() if not getattr(point, "LONG", False)])
def test_a_point_meets_its_targets_on_one_seed(letter: str) -> None:
    point = points()[letter]
    found = list(getattr(point, "brief", point.figures)(point.SEEDS[:1]))
    assert found
    assert [figure for figure in found if not figure.ok] == []
    assert {figure.point for figure in found} == {letter}


class Point:
    """Delays, from seeds."""

    SEEDS = (4, 7)

    def figures(self, seeds: tuple[int, ...]) -> list[Figure]:
        return [Figure.at_most("X", f"delay of seed {seed}, windows", seed, 5) for seed in seeds]


@pytest.mark.parametrize(("letters", "code"), [([], 1), (["x"], 1), (["Y"], 0), (["X", "Q"], 2)])
def test_the_command_prints_every_figure_and_fails_where_one_is_missed(
    letters: list[str], code: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    holds = Point()
    holds.SEEDS = (4,)
    monkeypatch.setattr(command, "points", lambda: {"X": Point(), "Y": holds})
    assert command.main(letters) == code
    said = capsys.readouterr()
    if code == 2:
        assert said.err == "there is no point Q: name some of X, Y\n"
        return
    missed = "MISS delay of seed 7, windows"
    assert said.out.count(missed) == (2 if code else 0)  # Where it comes and again at the end.
    assert "ok   delay of seed 4, windows" in said.out
    assert "at most 5" in said.out


def test_every_point_is_found_by_its_file() -> None:
    assert {"E", "F"} <= set(points())
    for letter, point in points().items():
        assert point.SEEDS, letter
        assert point.__doc__, letter
        assert sys.modules[point.__name__] is point  # type: ignore[attr-defined]
