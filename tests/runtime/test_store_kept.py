"""What the store keeps of closed windows: as it was given, within its bytes, and read by anyone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from monitor.engine.kept import Kept
from monitor.engine.pane import Pane
from monitor.engine.references import Standard
from monitor.profiles.reference import Reference
from monitor.runtime.store import Store
from monitor.runtime.store import kept as module
from monitor.windows.window import Window
from tests.engine.specs import HOURLY
from tests.profiles import rows as table

HOUR_MS = 3_600_000
STANDARD = Standard(
    HOURLY, "3", Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(1), 800), None, version="3")
)


def window(hour: int, model: str = "m", version: str = "3") -> Window:
    return Window((hour + 1) * HOUR_MS, model, version, "", hour * HOUR_MS)


def kept(hour: int, model: str = "m", version: str = "3", standard: Standard = STANDARD, rows: int = 100) -> Kept:
    pane = Pane.empty("3", standard)
    pane.profile.fold(table.predictions(np.random.default_rng(hour), rows))
    (one,) = Kept.of(window(hour, model, version), pane, standard)
    return one


def keep(store: Store, *windows: Kept) -> None:
    with store.transaction():
        store.add_kept(windows)


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


@pytest.fixture
def narrow(monkeypatch: pytest.MonkeyPatch) -> None:
    """Room for the rows of ten windows beside those of the reference."""
    (one, basis) = kept(0), STANDARD.basis
    ten = 10 * len(module._packed_rows(one.sample, one.tally)) + len(module._packed_rows(basis.sample, basis.tally))
    monkeypatch.setitem(module.KEPT_MAX, "rows", round(ten / module._TRIMMED))


def ends(store: Store, part: module.Part = "rows", model: str = "m") -> list[int]:
    return [each.end_ms // HOUR_MS - 1 for each in store.kept_windows(model, part)]


def test_what_is_read_is_what_was_given(tmp_path: Path) -> None:
    given = kept(5)
    with Store.open(tmp_path) as store:
        keep(store, given)
    with Store.open(tmp_path) as store:
        counts, rows = store.kept_counts("m", "3", given.window.end_ms), store.kept_rows("m")
    assert counts is not None
    assert rows is not None
    assert counts.window == rows.window == given.window
    assert np.array_equal(counts.tally, given.tally)
    assert np.array_equal(counts.basis.tally, given.basis.tally)
    assert (counts.basis.name, counts.basis.standing) == (given.basis.name, given.basis.standing)
    assert (counts.basis.places, counts.basis.numeric) == (given.basis.places, given.basis.numeric)
    assert rows.sample.plain() == given.sample.plain()
    assert (rows.rows, rows.reference_rows) == (100, 800)
    assert rows.reference.plain() == STANDARD.reference.profile.sample.plain()


def test_the_newest_of_a_version_or_the_one_that_is_named(store: Store) -> None:
    keep(store, kept(1), kept(3), kept(2), kept(4, version="4"), kept(9, model="other"))

    def found(*asked: object) -> tuple[str, int] | None:
        (one, other) = store.kept_counts("m", *asked), store.kept_rows("m", *asked)
        assert (one and one.window) == (other and other.window)
        return one and (one.window.version, one.window.start_ms // HOUR_MS)

    assert found() == ("4", 4)
    assert found("3") == ("3", 3)
    assert found("3", 2 * HOUR_MS) == ("3", 1)
    assert found(None, 5 * HOUR_MS) == ("4", 4)
    assert found("3", 5 * HOUR_MS) is found("5") is None
    assert ends(store) == ends(store, "counts") == [4, 3, 2, 1]


def test_windows_that_were_compared_with_the_same_share_it(store: Store) -> None:
    other = replace(
        STANDARD, reference=Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(2), 800), None)
    )
    keep(store, kept(1), kept(2))
    keep(store, kept(3), kept(4, standard=other), kept(5, model="other"))
    assert len(store._database.committed("FROM basis_counts")) == len(store._database.committed("FROM basis_rows")) == 3
    names = [found.basis.name for hour in (1, 3, 4) if (found := store.kept_counts("m", "3", (hour + 1) * HOUR_MS))]
    assert names[0] == names[1] != names[2]


def test_a_step_that_failed_keeps_neither_windows_nor_what_they_were_compared_with(store: Store) -> None:
    with suppress(RuntimeError), store.transaction():
        store.add_kept([kept(1)])
        raise RuntimeError
    assert store._database.committed("SELECT size FROM kept_rows UNION ALL SELECT size FROM basis_counts") == []


def fill(store: Store, hours: Sequence[int], named: Sequence[int] = (), model: str = "m") -> None:
    for hour in hours:
        with store.transaction():
            store.add_kept([kept(hour, model)])
            store.trim_kept(model, {window(each, model) for each in named})


def bytes_of(store: Store, model: str) -> int:
    ((size,),) = store._database.committed(
        "SELECT sum(octet_length(body))"
        " FROM (SELECT model, body FROM kept_rows UNION ALL SELECT model, body FROM basis_rows) WHERE model = ?",
        [model],
    )
    return int(size)


def test_the_oldest_make_room_and_the_bytes_stay_within_the_limit(store: Store, narrow: None) -> None:
    for hour in range(30):
        fill(store, [hour])
        assert bytes_of(store, "m") <= module.KEPT_MAX["rows"]
    assert ends(store) == list(range(29, 29 - len(ends(store)), -1))
    assert len(ends(store)) >= 9
    assert ends(store, "counts") == list(range(29, -1, -1)), "counts have room of their own"


def test_windows_that_incidents_name_stay_and_so_does_the_newest(store: Store, narrow: None) -> None:
    fill(store, range(30), named=[1, 4])
    assert {1, 4, 29} <= set(ends(store))
    assert 5 not in ends(store)
    fill(store, range(30, 60), named=list(range(60)))
    assert {59, 58, 57} <= set(ends(store)), "however many they name"
    assert bytes_of(store, "m") <= module.KEPT_MAX["rows"]


def sizes() -> tuple[int, int]:
    """Bytes of a window's rows and of its basis's."""
    (one, basis) = kept(0), STANDARD.basis
    return len(module.bodies(one)["rows"]), len(module._packed_rows(basis.sample, basis.tally))


@pytest.mark.parametrize("room", [1.01, 1.08])
def test_where_one_window_fits_it_is_the_newest_and_its_basis_is_written_once(
    store: Store, monkeypatch: pytest.MonkeyPatch, room: float
) -> None:
    monkeypatch.setitem(module.KEPT_MAX, "rows", round(sum(sizes()) * room))
    for hour in range(4):
        before = store._database.committed("SELECT rowid FROM basis_rows")
        fill(store, [hour], named=[0])
        assert ends(store) == [hour]
        assert store._database.committed("SELECT rowid FROM basis_rows") == (before or [(0,)])
        assert bytes_of(store, "m") <= module.KEPT_MAX["rows"]


def test_where_none_fits_no_rows_are_written_nor_what_they_were_compared_with(
    store: Store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(module.KEPT_MAX, "rows", round(sum(sizes()) * 0.95))
    keep(store, kept(1), kept(2))
    assert ends(store) == []
    assert store._database.committed("FROM basis_rows") == []
    assert ends(store, "counts") == [2, 1]


def test_of_windows_by_rows_that_end_alike_each_is_kept_by_itself(store: Store, narrow: None) -> None:
    def ending(hour: int, start_ms: int) -> Kept:
        return replace(kept(hour), window=Window(40 * HOUR_MS, "m", "3", "", start_ms))

    older, newer = ending(1, 38 * HOUR_MS), ending(2, 39 * HOUR_MS)
    with store.transaction():
        store.add_kept([newer, older, *(kept(hour) for hour in range(41, 60))])
        store.trim_kept("m", {older.window})
    found = store.kept_windows("m", "rows")
    assert older.window in found
    assert newer.window not in found
    keep(store, newer)
    asked = store.kept_rows("m", "3", 40 * HOUR_MS)
    assert asked is not None
    assert asked.window == newer.window, "of two, the one that began last"


def test_other_models_are_left_alone(store: Store, narrow: None) -> None:
    fill(store, [1], model="other")
    fill(store, range(30))
    assert ends(store, model="other") == [1]
    assert store.kept_rows("other") is not None


def test_what_nothing_was_compared_with_goes(store: Store) -> None:
    other = replace(
        STANDARD, reference=Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(2), 800), None)
    )
    keep(store, kept(1), kept(4, standard=other))
    with store.transaction():
        assert store.expire_history(5 * HOUR_MS) == 2
    assert ends(store) == ends(store, "counts") == [4]
    assert store._database.committed("SELECT name FROM basis_rows") == [(other.basis.name,)]
