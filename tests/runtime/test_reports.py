"""What a report is of: the window that is asked for, its rows and those of the reference, and what is left out."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from monitor.detection.records import Incident
from monitor.engine.kept import Kept
from monitor.engine.pane import Pane
from monitor.engine.references import Standard
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.events.batch import MISSING, CategoricalColumn, NumericColumn, Predictions
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.markup import Markup
from monitor.exports.server import HttpServer
from monitor.profiles.reference import Reference
from monitor.runtime import reports as module
from monitor.runtime.rendering import Renderer
from monitor.runtime.reporting import report
from monitor.runtime.reports import Reporter
from monitor.runtime.store import Store
from monitor.snapshot import Snapshot
from tests.engine.specs import HOURLY
from tests.exports.client import Client, Response
from tests.exports.snapshots import model_view, snapshot, verdict, window_view
from tests.exports.snapshots import window as shown
from tests.ports import closed_port
from tests.profiles import rows as table
from tests.runtime.test_orders import configured

STANDARD = Standard(
    HOURLY, "3", Reference.build(table.SCHEMA, table.predictions(np.random.default_rng(1), 800), None, version="3")
)
INCIDENT = Incident("inc_1", "drift", "major", shown(1, model="m"), shown(2, model="m"), ("amount",))


class Drawing(Renderer):
    """Remembers what it is to draw."""

    def render(self, current: pd.DataFrame, reference: pd.DataFrame, title: str, banner: Markup) -> bytes:
        self.drawn = (current, reference, title, banner)
        return b"<p>drawn</p>"


def kept(
    hour: int, version: str = "3", rows: int = 100, change: Callable[[Predictions], Predictions] = lambda _: _
) -> Kept:
    pane = Pane.empty(version, STANDARD)
    pane.profile.fold(change(table.predictions(np.random.default_rng(hour), rows)))
    (one,) = Kept.of(shown(hour, model="m", version=version), pane, STANDARD)
    return one


@pytest.fixture
def store() -> Iterator[Store]:
    with Store.in_memory() as opened:
        yield opened


def reporter(store: Store, *windows: Kept, view: Snapshot | None = None) -> Reporter:
    with store.transaction():
        store.add_kept(windows)
    current = view or snapshot(model_view("m", incidents=[INCIDENT]))
    return Reporter(store, lambda: current, Drawing(), "http://monitor.example")


def drawn(asked: Reporter) -> tuple[pd.DataFrame, pd.DataFrame, str, Markup]:
    assert isinstance(asked.renderer, Drawing)
    return asked.renderer.drawn


@pytest.mark.parametrize(
    ("query", "found"),
    [
        ("", ("4", 3)),
        ("version=3", ("3", 2)),
        ("window=2026-11-23T12:00:00Z", ("3", 1)),
        ("version=3&window=2026-11-23T13:00:00%2B01:00", ("3", 1)),
        ("incident=inc_1", ("3", 2)),
        ("version=4&incident=inc_1", ("3", 2)),
    ],
)
def test_the_window_that_is_asked_for(store: Store, query: str, found: tuple[str, int]) -> None:
    version, hour = found
    made = asking(reporter(store, kept(1), kept(2), kept(3, "4")), query).json()
    assert (made["version"], made["window_end"]) == (version, f"2026-11-23T{11 + hour}:00:00Z")


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("version=5", 404, "there is no such window of version '5' of which its rows"),
        ("window=2026-11-23T10:00:00Z", 404, "there is no such window that ended at 2026-11-23T10:00:00Z"),
        ("incident=inc_9", 404, "the model has no such incident; /api/v1/incidents lists those"),
        ("window=yesterday", 422, "window must be"),
        ("window=inc_1", 422, "window must be"),
        ("window=2026-11-23T12:00:00", 422, "window must be"),
        ("window=2026-11-23T12:00:00Z&incident=inc_1", 422, "by its end or by an incident: leave out"),
    ],
)
def test_a_window_that_is_none_or_is_not_kept(store: Store, query: str, status: int, said: str) -> None:
    answer = asking(reporter(store, kept(1)), query)
    assert answer.status_code == status
    assert said in answer.json()["detail"]


def asking(asked: Reporter, query: str) -> Response:
    client = Client(create_app(asked.snapshot, Behind(report=asked.report)))
    return client.get(f"/api/v1/models/m/report?{query}")


def test_it_is_of_the_rows_of_both_samples_and_says_of_how_many(store: Store) -> None:
    asked = reporter(store, kept(1, rows=612))
    scope = asked.report("m").scope
    assert (scope.rows, scope.sampled, scope.reference_rows, scope.reference_sampled) == (612, 500, 800, 500)
    current, reference, title, banner = drawn(asked)
    assert (len(current), len(reference)) == (500, 500)
    assert dict(current.dtypes) == dict(reference.dtypes)
    rows = table.predictions(np.random.default_rng(1), 612)
    amounts = rows.features["amount"]
    assert isinstance(amounts, NumericColumn)
    assert set(current["amount"]) <= set(amounts.values.tolist())
    assert set(current.columns) == {"amount", "age", "country", "@prediction", "@score:1"}
    assert title == "Report on m, version 3, 2026-11-23T12:00:00Z"
    assert "500 of 612 rows of the window" in banner


def test_rows_without_a_usable_value_are_null(store: Store) -> None:
    def change(rows: Predictions) -> Predictions:
        state = np.where(np.arange(100) < 40, MISSING, 0).astype(np.uint8)
        codes = np.where(np.arange(100) < 30, -1, 0).astype(np.int32)
        features = {"amount": NumericColumn(np.arange(100.0), state), "country": CategoricalColumn(codes, ("PL",))}
        return replace(rows, features={**rows.features, **features})

    asked = reporter(store, kept(1, change=change))
    asked.report("m")
    current = drawn(asked)[0]
    assert current[["amount", "country"]].isna().sum().tolist() == [40, 30]
    assert sorted(current["amount"].dropna()) == list(range(40, 100))
    assert set(current["country"].dropna()) == {"PL"}


def missing(*names: str) -> Callable[[Predictions], Predictions]:
    def change(rows: Predictions) -> Predictions:
        count = len(rows.key)
        none = NumericColumn(np.zeros(count), np.full(count, MISSING, np.uint8))
        nothing = {"amount": none, "age": none, "country": CategoricalColumn(np.full(count, -1, np.int32), ())}
        features = {**rows.features, **{name: nothing[name] for name in names}}
        return replace(rows, features=features, prediction=None, scores={})

    return change


def test_a_feature_without_a_value_is_left_out_and_a_window_without_any_has_no_report(store: Store) -> None:
    asked = reporter(store, kept(1, change=missing("amount")), kept(2, change=missing("amount", "age", "country")))
    scope = asked.report("m", None, shown(1, model="m").end_ms).scope
    assert "amount" in scope.empty
    assert "amount" not in drawn(asked)[0]
    assert "country" in drawn(asked)[0]
    with pytest.raises(RefusedError, match="there is nothing to report on"):
        asked.report("m", None, shown(2, model="m").end_ms)


def test_of_many_features_those_that_moved_most_are_shown(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def change(rows: Predictions) -> Predictions:
        count = len(rows.key)
        return replace(
            rows, features={**rows.features, "country": CategoricalColumn(np.zeros(count, np.int32), ("??",))}
        )

    monkeypatch.setattr(module, "FEATURES_MAX", 1)
    asked = reporter(store, kept(1, change=change))
    scope = asked.report("m").scope
    names = list(drawn(asked)[0])
    assert (scope.shown, scope.columns) == (3, 5)
    assert "country" in names
    assert "amount" not in names
    assert "Shown are 3 of 5 columns" in drawn(asked)[3]


def test_it_says_what_was_decided_of_the_window_as_long_as_that_is_held(store: Store) -> None:
    place = shown(1, model="m")
    view = model_view("m", windows=[window_view(place, [verdict(place, "amount", "drifting", 0.31, 0.02)])])
    asked = reporter(store, kept(1), kept(2), view=snapshot(view))
    asked.report("m", "3", shown(1, model="m").end_ms)
    assert "drifting: amount (effect 0.310, chance alone 0.020)." in drawn(asked)[3]
    asked.report("m", "3", shown(2, model="m").end_ms)
    assert "no longer held." in drawn(asked)[3]


@pytest.fixture
def config(store: Store, tmp_path: Path) -> Iterator[Path]:
    """Of a service that keeps two windows."""
    asked = reporter(store, kept(1, rows=612), kept(2))
    server = HttpServer("127.0.0.1", 0)
    server.start(create_app(asked.snapshot, Behind(report=asked.report)))
    try:
        yield configured(tmp_path, server.port)
    finally:
        server.stop()


def test_the_command_writes_the_page_and_says_of_how_many_rows_it_is(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (said,) = report(config, "m", None, "2026-11-23T12:00:00Z", None, tmp_path / "one.html")
    assert said == (f"{tmp_path / 'one.html'}: 500 of 612 rows of the window, against 500 of 800 rows of the reference")
    assert (tmp_path / "one.html").read_text() == "<p>drawn</p>"
    monkeypatch.chdir(tmp_path)
    (said,) = report(config, "m", "3", None, "inc_1", None)
    assert said.startswith("report-m-3-20261123T130000Z.html: all 100 rows of the window, ")
    assert (tmp_path / "report-m-3-20261123T130000Z.html").exists()


def test_the_command_says_what_is_wrong(config: Path, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no such window"):
        list(report(config, "m", "9", None, None, None))
    with pytest.raises(ConfigError, match="there is no such model"):
        list(report(config, "x", None, None, None, None))
    with pytest.raises(ConfigError, match=r"cannot be written .* name another file by --out"):
        list(report(config, "m", None, None, None, tmp_path / "none" / "x.html"))
    with pytest.raises(UnavailableError, match="no service answers"):
        list(report(configured(tmp_path, closed_port()), "m", None, None, None, None))
