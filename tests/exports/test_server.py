"""The server: real sockets, one process."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager

import httpx
import pytest
from fastapi import FastAPI

from monitor.errors import UnavailableError
from monitor.exports.api import create_app
from monitor.exports.server import HttpServer
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
