"""An order from the command line, over HTTP, through the loop and into the store."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from monitor.engine import Acknowledge, Monitor
from monitor.errors import CommitFailedError, ConfigError, RefusedError, UnavailableError
from monitor.events.batch import no_predictions
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.server import HttpServer
from monitor.runtime.asking import rebaseline
from monitor.runtime.backtest import TableSource
from monitor.runtime.clock import now
from monitor.runtime.intake import Topics
from monitor.runtime.loop import Loop
from monitor.runtime.orders import Orders
from monitor.runtime.store import Store
from tests.engine.saved import saved
from tests.engine.test_orders import SPEC, Run, monitor


@pytest.fixture
def loop() -> Loop:
    """Over an engine whose `amount` has drifted for six windows."""
    run = Run(monitor())
    run.windows(6, amount=2.0)
    source = TableSource(no_predictions("m", "predictions", SPEC.schema.features), None)
    topics = Topics(frozenset({"predictions"}), frozenset({"labels"}))
    pieces = saved(run.engine)

    def made() -> Monitor:
        engine = monitor()
        engine.restore(pieces)
        return engine

    return Loop(made, Store.in_memory(), source, topics, lambda output, now_ms: [], now)


@contextmanager
def turning(loop: Loop) -> Iterator[None]:
    stop = threading.Event()
    thread = threading.Thread(target=lambda: [None for _ in loop.turns(stop)])
    thread.start()
    try:
        yield
    finally:
        stop.set()
        thread.join()


@contextmanager
def served(loop: Loop, directory: Path, token: str | None = None) -> Iterator[Path]:
    """Its HTTP server, and a configuration that names it, and the token."""
    server = HttpServer("127.0.0.1", 0)
    server.start(create_app(lambda: loop.snapshot, Behind(obey=loop.orders.give), token=token))
    (directory / "token").write_text(token or "of nobody's service")
    try:
        yield configured(directory, server.port, ", token_file: token" if token else "")
    finally:
        server.stop()


def configured(directory: Path, port: int, also: str = "") -> Path:
    path = directory / "monitor.yaml"
    path.write_text(
        "kafka: {bootstrap_servers: 'localhost:9092'}\n"
        f"server: {{port: {port}{also}}}\n"
        "models: [{name: m, task: binary, positive: '1', reference: {learn: 14d}, features: {amount: numeric}}]\n"
    )
    return path


def test_a_new_normal_from_the_command_line_is_committed_before_it_is_answered(loop: Loop, tmp_path: Path) -> None:
    with turning(loop), served(loop, tmp_path) as config:
        (said,) = rebaseline(config, "m", "a new product", ["amount"], None, None)
        assert (
            said == "amount of version 3 of m is compared with a reference of recent data from 1970-01-01T06:00:00Z on"
            "; its drift incident is over"
        )
        assert [incident.open for incident in loop.snapshot.models["m"].incidents] == [False]
        with pytest.raises(RefusedError, match="has no feature nothing"):
            list(rebaseline(config, "m", "r", ["nothing"], None, None))
        with pytest.raises(ConfigError, match="there is no such model; the configured ones: m"):
            list(rebaseline(config, "x", "r", [], None, None))
        with pytest.raises(ConfigError, match="from must be a time with its offset"):
            list(rebaseline(config, "m", "r", [], None, "yesterday"))
    kinds = [event.kind for event in loop._store.control_events()]
    assert kinds == ["rebaselined"]


def test_without_a_service_there_is_one_sentence(tmp_path: Path) -> None:
    with pytest.raises(
        UnavailableError, match=r"no service answers at http://127.0.0.1:1 .*start it with `monitor run`"
    ):
        list(rebaseline(configured(tmp_path, 1), "m", "r", [], None, None))


def test_only_the_address_is_read_of_the_configuration(loop: Loop, tmp_path: Path) -> None:
    with turning(loop), served(loop, tmp_path) as config:
        elsewhere = config.read_text().replace("reference: {learn: 14d}", "reference: not/on/this/machine.profile")
        config.write_text(elsewhere)
        (said,) = rebaseline(config, "m", "r", ["amount"], None, None)
        assert said.startswith("amount of version 3 of m is compared with")
    config.write_text("server: {prot: 8000}")
    with pytest.raises(ConfigError, match=r"monitor.yaml:1: server.prot is not a known key: did you mean 'port'\?"):
        list(rebaseline(config, "m", "r", [], None, None))


def test_an_incident_is_acknowledged_over_http_once(loop: Loop, tmp_path: Path) -> None:
    (incident,) = loop.snapshot.models["m"].incidents
    with turning(loop), served(loop, tmp_path) as config:
        port = config.read_text().partition("port: ")[2].partition("}")[0]
        url = f"http://127.0.0.1:{port}/api/v1/incidents/{incident.id}"
        assert httpx.post(f"{url}/acknowledge", json={"note": "Ann"}).json() == {
            "detail": f"incident {incident.id} is acknowledged"
        }
        assert httpx.get(url).json()["acknowledged"] is True
        again = httpx.post(f"{url}/acknowledge", json={})
        assert (again.status_code, again.json()["detail"]) == (
            409,
            f"incident {incident.id} was acknowledged before: nothing is left to be done",
        )
        unknown = httpx.post(f"http://127.0.0.1:{port}/api/v1/incidents/inc_none/acknowledge", json={})
        assert (unknown.status_code, unknown.headers["content-type"]) == (404, "application/problem+json")
        assert unknown.json() == {
            "type": "about:blank",
            "title": "Not Found",
            "status": 404,
            "detail": "there is no incident 'inc_none'; /api/v1/incidents lists those that are still held",
        }
        foreign = httpx.post(f"{url}/acknowledge", json={}, headers={"origin": "http://evil.example"})
        assert foreign.status_code == 403


def test_an_order_whose_commit_failed_is_carried_out_by_the_next_step(
    loop: Loop, monkeypatch: pytest.MonkeyPatch
) -> None:
    (incident,) = loop.snapshot.models["m"].incidents
    whole, failures = loop._keep_state, iter([CommitFailedError("no")])

    def keep_state() -> None:
        whole()
        for failure in failures:
            raise failure

    monkeypatch.setattr(loop, "_keep_state", keep_state)
    answers: list[str] = []
    asking = threading.Thread(target=lambda: answers.append(loop.orders.give(Acknowledge(incident.id))))
    asking.start()
    while not answers and asking.is_alive():
        loop.step(0)
    asking.join()
    assert next(failures, None) is None
    assert len(answers) == 1
    assert [each.acknowledged for each in loop.snapshot.models["m"].incidents] == [True]
    assert [event.kind for event in loop._store.control_events()] == ["acknowledged"]


def test_an_order_that_nobody_takes_ends_in_a_sentence() -> None:
    with pytest.raises(UnavailableError, match=r"has not come to it for 0.01 s"):
        Orders().give(Acknowledge("inc"), timeout_s=0.01)


def test_commands_bring_the_token_that_the_service_asks_for(loop: Loop, tmp_path: Path) -> None:
    with turning(loop), served(loop, tmp_path, "0123456789abcdef") as config:
        (said,) = rebaseline(config, "m", "a new product", ["amount"], None, None)
        assert said.startswith("amount of version")
        (tmp_path / "token").write_text("0123456789abcdeF")
        with pytest.raises(ConfigError, match=r"does not know this token: name the same file under server\.token_file"):
            list(rebaseline(config, "m", "a new product", ["amount"], None, None))
