"""What is kept of a window, as frames and over the API."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from urllib.parse import quote

import numpy as np
import pandas as pd
import pytest

from monitor.engine.kept import Kept
from monitor.engine.pane import Pane
from monitor.engine.references import References, Standard
from monitor.errors import NotFoundError
from monitor.events.batch import INVALID, MISSING, CategoricalColumn, NumericColumn
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.profiles.reference import Reference
from monitor.runtime.kept import distributed, frame, sampled
from monitor.runtime.store import Store
from monitor.runtime.store.kept import KEPT_MAX
from monitor.snapshot import Snapshot
from tests.engine.specs import HOURLY
from tests.exports.client import Client, Response
from tests.exports.snapshots import model_view, snapshot
from tests.profiles import rows as table
from tests.runtime.test_store_kept import STANDARD, keep, kept, window

REFERENCES = References(HOURLY, {"3": STANDARD.reference})


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        keep(opened, kept(1), kept(2, rows=900), kept(4, version="4"))
        yield opened


def asked(store: Store, path: str, references: References = REFERENCES) -> Response:
    def found(*asked: object) -> object:
        return distributed(store, references, *asked)

    def current() -> Snapshot:
        return snapshot(replace(model_view(), name="m", features=("amount", "age", "country", 'a/b "c" ü')))

    return Client(create_app(current, Behind(distributed=found))).get(f"/api/v1/models/m/features/{path}")


def test_frames_hold_the_rows_as_they_came(store: Store) -> None:
    found = sampled(store, "m", "3")
    batch = table.predictions(np.random.default_rng(2), 900)
    assert found.window == window(2)
    assert (len(found.current), len(found.reference), found.window_rows, found.reference_rows) == (500, 500, 900, 800)
    assert set(found.current) == {"feature:amount", "feature:age", "feature:country", "prediction", "score:1"}
    assert found.current.dtypes["feature:amount"] == np.float64
    age, country = batch.features["age"], batch.features["country"]
    assert isinstance(age, NumericColumn)
    assert isinstance(country, CategoricalColumn)
    usable = (age.state != MISSING) & (age.state != INVALID)
    rows = {
        (amount, value if known else None, None if code < 0 else country.values[code])
        for amount, value, known, code in zip(
            batch.features["amount"].values, age.values, usable, country.codes.tolist(), strict=True
        )
    }
    given = found.current[["feature:amount", "feature:age", "feature:country"]].itertuples(index=False)
    assert {tuple(None if pd.isna(each) else each for each in row) for row in given} <= rows


def test_an_empty_sample_is_an_empty_frame() -> None:
    assert frame(Pane.empty("3", STANDARD).profile.sample).shape == (0, 0)


def test_a_distribution_is_answered_as_it_was_counted(store: Store) -> None:
    answer = asked(store, "amount/distribution?version=3").json()
    assert answer["window_end"] == "1970-01-01T03:00:00Z"
    assert (answer["version"], answer["feature"], answer["numeric"]) == ("3", "amount", True)
    assert (answer["rows"], answer["reference_rows"], answer["reference_replaced"]) == (900, 800, False)
    cells = kept(2, rows=900).basis.compared("amount", kept(2, rows=900).tally).cells
    assert [tuple(each.values()) for each in answer["cells"]] == list(cells)
    assert asked(store, "amount/distribution").json()["version"] == "4"
    end = quote("1970-01-01T03:00:00+01:00")
    assert asked(store, f"@score/distribution?window={end}").json()["window_end"] == "1970-01-01T02:00:00Z"


def test_a_reference_that_was_replaced_is_said_and_the_window_is_shown_against_its_own(store: Store) -> None:
    newer = Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(9), 700), None, version="3")
    references = References(HOURLY, {"3": newer})
    before, after = asked(store, "age/distribution").json(), asked(store, "age/distribution", references).json()
    assert (before["reference_replaced"], after["reference_replaced"]) == (False, True)
    assert before["cells"] == after["cells"]


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("amount/distribution?version=5", "there is no such window of version '5' of which what it held would be kept"),
        (
            "amount/distribution?version=3&window=1970-01-02T00:00:00Z",
            "there is no such window of version '3' that ended at 1970-01-02T00:00:00Z of which what it held would "
            "still be kept; the 2 that are kept ended from 1970-01-01T02:00:00Z to 1970-01-01T03:00:00Z",
        ),
        ("nothing/distribution", "the model has no such feature; it has: "),
        ("@rows/distribution", "compared with a reference that has no such feature"),
        ("a/b%20%22c%22%20%C3%BC/distribution", "compared with a reference that has no such feature"),
    ],
)
def test_what_is_not_kept_is_a_problem_that_says_what_is(store: Store, path: str, said: str) -> None:
    answer = asked(store, path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert said in answer.json()["detail"]


@pytest.mark.parametrize(
    "end",
    ["yesterday", "1970-01-01T03:00:00", "", "9" * 400, "0001-01-01T00:00:00%2B14:00", "9999-12-31T23:59:59-12:00"],
)
def test_a_time_that_is_none_is_refused(store: Store, end: str) -> None:
    assert asked(store, f"amount/distribution?window={end}").status_code == 422


def test_a_service_that_keeps_nothing_says_so() -> None:
    answer = Client(create_app(lambda: snapshot(model_view()))).get("/api/v1/models/fraud/features/amount/distribution")
    assert answer.status_code == 503


def test_rows_that_are_not_kept_are_said(store: Store) -> None:
    with pytest.raises(NotFoundError, match="of which its rows would still be kept; the 3 that are kept ended from"):
        sampled(store, "m", None, 77)


def test_rows_that_were_too_many_to_keep_are_said_to_be(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(KEPT_MAX, "rows", 1 << 10)
    with Store.in_memory() as store:
        keep(store, kept(1))
        with pytest.raises(NotFoundError, match=r"its rows are kept: they had to make room .* `monitor plan` says"):
            sampled(store, "m", "3")
        with pytest.raises(NotFoundError, match="of version '4' of which its rows would be kept: ask again when one"):
            sampled(store, "m", "4")


def test_windows_that_were_compared_with_newer_ones_are_kept_with_those(
    store: Store,
) -> None:
    """As where `reference: {rolling: 24}`: the cells stand, the rows are others each time."""
    pane = Pane.empty("3", STANDARD)
    pane.profile.fold(table.predictions(np.random.default_rng(8), 50, shift=1.0))
    facing = STANDARD.facing(
        pane.profile, pane.tally(STANDARD.reference.cells), STANDARD.watch.pairs.together.none, 1, 1.0
    )
    (one,) = Kept.of(window(7), pane, facing)
    keep(store, one)
    found = distributed(store, REFERENCES, "m", "amount", "3")
    assert not found.replaced
    assert found.distribution.reference_rows == 50
    assert all(each.reference == each.current for each in found.distribution.cells)
    assert sampled(store, "m", "3").reference_rows == 50
    assert one.basis.name != STANDARD.basis.name


def test_nothing_is_kept_of_a_window_without_a_reference() -> None:
    seed = References(HOURLY, {})[""]
    assert list(Kept.of(window(1), Pane.empty("", seed), seed)) == []
    assert isinstance(seed, Standard)
