"""The server: real sockets, one process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest
from fastapi import FastAPI

from monitor.errors import UnavailableError
from monitor.exports.api import create_app
from monitor.exports.server import Connection, HttpServer
from tests.exports.snapshots import drifting


@contextmanager
def serving(app: FastAPI, host: str = "127.0.0.1") -> Iterator[HttpServer]:
    server = HttpServer(host, 0)
    server.start(app)
    try:
        yield server
    finally:
        server.stop()


def listening(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


def test_the_server_answers_on_the_free_port_that_it_reports() -> None:
    with serving(create_app(drifting)) as server:
        assert server.port > 0
        assert server.url == f"http://127.0.0.1:{server.port}"
        answer = httpx.get(f"{server.url}/livez", trust_env=False)
        assert answer.json() == {"status": "alive"}
        assert "server" not in answer.headers


def test_a_taken_port_is_one_sentence_that_says_what_to_do() -> None:
    with serving(create_app(drifting)) as server:
        with pytest.raises(UnavailableError) as raised:
            HttpServer("127.0.0.1", server.port)
        assert str(raised.value) == f"port {server.port} on 127.0.0.1 is in use by another program; set server.port"


@pytest.mark.parametrize("host", ["203.0.113.7", "no such host", "not-a-name.invalid"])
def test_an_address_that_cannot_be_had_names_the_setting(host: str) -> None:
    with pytest.raises(UnavailableError, match=r"set server\.host"):
        HttpServer(host, 0)


@pytest.mark.parametrize("accept", ["text/html", "*/*"])
def test_a_question_about_the_server_as_a_whole_is_refused_like_any_other(accept: str) -> None:
    with serving(create_app(drifting)) as server, socket.create_connection(("127.0.0.1", server.port), 10) as sent:
        asked = f"OPTIONS * HTTP/1.1\r\nhost: localhost\r\naccept: {accept}\r\nconnection: close\r\n\r\n"
        sent.sendall(asked.encode())
        with sent.makefile("rb") as answer:
            assert answer.readline().split()[1] in (b"404", b"405")


def test_the_port_is_free_again_after_stop_and_stopping_twice_is_harmless() -> None:
    with serving(create_app(drifting)) as server:
        # The side that closes first keeps the connection in TIME_WAIT: here the server.
        httpx.get(f"{server.url}/livez", headers={"connection": "close"}, trust_env=False)
    server.stop()
    HttpServer("127.0.0.1", server.port).stop()


def test_a_request_under_way_is_answered_before_the_server_stops() -> None:
    begun, finish = threading.Event(), threading.Event()
    app = FastAPI()

    @app.get("/")
    def slow() -> str:
        begun.set()
        assert finish.wait(30)
        return "done"

    answers: list[str] = []
    with serving(app) as server:
        asking = threading.Thread(target=lambda: answers.append(httpx.get(server.url, trust_env=False).json()))
        asking.start()
        assert begun.wait(30)
        stopping = threading.Thread(target=server.stop)
        stopping.start()
        while listening(server.port):
            assert stopping.is_alive()
        finish.set()
        asking.join(30)
        stopping.join(30)
    assert answers == ["done"]


def test_requests_that_come_before_the_start_wait_for_it() -> None:
    server = HttpServer("127.0.0.1", 0)
    try:
        with socket.create_connection(("127.0.0.1", server.port), timeout=30) as early:
            early.sendall(b"GET /livez HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")
            server.start(create_app(drifting))
            assert early.recv(15) == b"HTTP/1.1 200 OK"
    finally:
        server.stop()


@pytest.mark.skipif(not socket.has_ipv6, reason="this machine has no IPv6")
def test_the_server_listens_on_ipv6() -> None:
    with serving(create_app(drifting, host="::1"), "::1") as server:
        assert server.url == f"http://[::1]:{server.port}"
        assert httpx.get(f"{server.url}/livez", trust_env=False).status_code == 200


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_s", 0.2)
    monkeypatch.setattr(Connection, "body_s", 0.4)
    monkeypatch.setattr(Connection, "most", 3)


def hung_up_on(client: socket.socket) -> None:
    """Returns when the other side has closed, without an answer or behind one."""
    client.settimeout(30)
    try:
        while client.recv(65_536):
            pass
    except ConnectionResetError:
        pass


ASK = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"
SEND = b"POST /api/v1/triggers HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json\r\nContent-Length: 99\r\n"


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    "begun",
    [b"", ASK, ASK + b"\r\n", ASK + b"\r\nGET ", SEND + b"\r\n{"],
    ids=["nothing", "half a head", "idle after an answer", "half a head after an answer", "half a body"],
)
def test_a_client_that_does_not_say_what_it_wants_is_hung_up_on(begun: bytes) -> None:
    with serving(create_app(drifting)) as server, socket.create_connection(("127.0.0.1", server.port)) as client:
        client.sendall(begun)
        hung_up_on(client)


@pytest.mark.usefixtures("impatient")
def test_clients_beyond_the_most_are_hung_up_on_and_the_others_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Connection, "head_s", 60.0)
    with ExitStack() as stack:
        address = ("127.0.0.1", stack.enter_context(serving(create_app(drifting))).port)
        kept = [stack.enter_context(socket.create_connection(address)) for _ in range(3)]
        hung_up_on(stack.enter_context(socket.create_connection(address)))
        kept[0].sendall(ASK + b"Connection: close\r\n\r\n")
        kept[0].settimeout(30)
        assert kept[0].recv(20).startswith(b"HTTP/1.1 200")
