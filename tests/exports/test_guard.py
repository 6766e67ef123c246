"""What every request passes: names, origins, sizes and headers."""

from __future__ import annotations

import asyncio
import base64
from collections.abc import AsyncIterator, Iterator

import pytest
from fastapi import FastAPI
from starlette.requests import Request
from starlette.types import Message, Receive, Scope, Send

from monitor.config.network import is_loopback
from monitor.errors import UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.guard import SECURITY_HEADERS, Guard, own_names
from monitor.exports.problems import add_handlers
from monitor.exports.report import Report
from monitor.snapshot import ServiceView
from tests.exports.client import Client
from tests.exports.snapshots import drifting, snapshot


def asked(host_header: str, *, bound: str = "127.0.0.1", origin: str | None = None) -> int:
    headers = {"host": host_header} | ({} if origin is None else {"origin": origin})
    return Client(create_app(drifting, host=bound)).get("/livez", headers=headers).status_code


@pytest.mark.parametrize("name", ["localhost", "LOCALHOST:8000", "127.0.0.1", "127.0.0.1:8000", "[::1]", "[::1]:8000"])
def test_a_loopback_server_answers_to_its_own_names(name: str) -> None:
    assert asked(name) == 200
    assert asked(name, bound="::1") == 200


@pytest.mark.parametrize(
    "name", ["evil.example", "127.0.0.1.evil.example", "localhost.", "evil@localhost", "localhost:80:80", "", "[::1"]
)
def test_a_loopback_server_refuses_every_other_name(name: str) -> None:
    assert asked(name) == 421


def test_the_bound_address_is_one_of_the_names() -> None:
    assert asked("127.8.8.8:8000", bound="127.8.8.8") == 200
    assert asked("127.8.8.8:8000") == 421


def test_a_server_for_other_machines_answers_to_any_name() -> None:
    assert asked("monitor.internal:8000", bound="0.0.0.0") == 200
    assert own_names("0.0.0.0") is None


@pytest.mark.parametrize(
    ("origin", "status"),
    [
        ("http://localhost:3000", 200),
        ("http://127.0.0.1:8000", 200),
        ("http://[::1]:8000", 200),
        ("https://evil.example", 403),
        ("null", 403),
        ("", 403),
    ],
)
def test_pages_of_another_origin_are_refused(origin: str, status: int) -> None:
    assert asked("localhost:8000", origin=origin) == status


@pytest.mark.parametrize(
    ("host", "loopback"),
    [
        ("localhost", True),
        ("127.0.0.1", True),
        ("127.5.5.5", True),
        ("::1", True),
        ("0.0.0.0", False),
        ("::", False),
        ("monitor.internal", False),
    ],
)
def test_only_loopback_addresses_are_loopback(host: str, loopback: bool) -> None:
    assert is_loopback(host) is loopback


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/livez", "/metrics", "/openapi.json", "/nowhere", "/api/v1/models?limit=0"]
)
def test_every_answer_carries_the_security_headers(path: str) -> None:
    headers = Client(create_app(drifting), base_url="http://localhost").get(path).headers
    assert headers.items() >= SECURITY_HEADERS.items()
    assert headers["content-security-policy"].startswith("default-src 'none'")


def test_a_refusal_carries_the_security_headers() -> None:
    headers = Client(create_app(drifting), base_url="http://evil.example").get("/").headers
    assert headers.items() >= SECURITY_HEADERS.items()


def echo(body_max_bytes: int) -> Client:
    """An application that counts the bytes it is sent."""
    app = FastAPI()
    add_handlers(app)
    app.add_middleware(Guard, names=None, body_max_bytes=body_max_bytes)

    @app.post("/")
    async def count(request: Request) -> int:
        return len(await request.body())

    return Client(app)


async def in_chunks(number: int) -> AsyncIterator[bytes]:
    for _ in range(number):
        yield b"x"


def test_a_body_up_to_the_limit_is_read() -> None:
    assert echo(10).post("/", content=b"x" * 10).json() == 10
    assert echo(10).post("/", content=in_chunks(10)).json() == 10


def test_a_body_beyond_the_limit_is_refused_whether_or_not_it_says_its_length() -> None:
    for content in (b"x" * 11, in_chunks(11)):
        answer = echo(10).post("/", content=content)
        assert answer.status_code == 413
        assert answer.headers["content-type"] == "application/problem+json"
        assert "10 bytes" in answer.json()["detail"]


def test_an_announced_length_beyond_the_limit_is_refused_though_nobody_would_read_the_body() -> None:
    assert echo(10).get("/", headers={"content-length": "11"}).status_code == 413


@pytest.mark.parametrize("length", ["-1", "9" * 5000, "ten", ""])
def test_a_length_that_is_no_number_is_refused(length: str) -> None:
    assert echo(10).post("/", headers={"content-length": length}).status_code == 413


def test_an_answer_that_fails_after_it_began_is_torn_not_mended() -> None:
    async def torn(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        raise RuntimeError

    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    async def receive() -> Message:
        return {"type": "http.request"}

    with pytest.raises(RuntimeError):
        asyncio.run(Guard(torn, None)({"type": "http", "method": "GET", "path": "/", "headers": []}, receive, send))
    assert [message["type"] for message in sent] == ["http.response.start"]


TOKEN = "0123456789abcdef"


def basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


@pytest.mark.parametrize(
    ("authorization", "status"),
    [
        (f"Bearer {TOKEN}", 200),
        (f"bearer  {TOKEN}", 200),
        (basic("anybody", TOKEN), 200),
        (basic("", TOKEN), 200),
        ("", 401),
        (TOKEN, 401),
        ("Bearer ", 401),
        (f"Bearer {TOKEN}x", 401),
        (f"Bearer {TOKEN[:-1]}", 401),
        (basic(TOKEN, ""), 401),
        ("Basic *", 401),
        (f"Digest {TOKEN}", 401),
        ("Bearer \u0142", 401),
    ],
)
def test_who_asks_has_to_know_the_token(authorization: str, status: int) -> None:
    client = Client(create_app(drifting, host="0.0.0.0", token=TOKEN))
    for path in ("/", "/metrics", "/api/v1/models", "/docs", "/openapi.json"):
        answer = client.get(path, headers={"authorization": authorization.encode()})  # type: ignore[dict-item]
        assert answer.status_code == status, path
    if status == 401:
        assert answer.headers["www-authenticate"].startswith("Basic realm=")
        assert answer.json()["detail"].startswith("the token of server.token_file is needed")


def test_whether_it_lives_may_be_asked_without_a_token() -> None:
    client = Client(create_app(drifting, host="0.0.0.0", token=TOKEN))
    assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 200]


def test_why_it_is_not_ready_is_told_to_who_knows_the_token() -> None:
    down = snapshot(service=ServiceView(not_ready="no broker answers at kafka.internal:9092"))
    client = Client(create_app(lambda: down, host="0.0.0.0", token=TOKEN))
    told = client.get("/readyz", headers={"authorization": f"Bearer {TOKEN}"})
    assert (told.status_code, told.json()["detail"]) == (503, "no broker answers at kafka.internal:9092")
    hidden = client.get("/readyz")
    assert hidden.status_code == 503
    assert "kafka.internal" not in hidden.text


def test_a_page_of_another_server_gives_no_orders_with_the_token_that_a_browser_remembers() -> None:
    client = Client(create_app(drifting, host="0.0.0.0", token=TOKEN, public_url="https://monitor.example"))
    path, known = "/api/v1/incidents/i/acknowledge", {"authorization": f"Bearer {TOKEN}", "host": "10.0.0.7:8000"}
    answers = {
        origin: client.post(path, headers={**known, "origin": origin}).status_code
        for origin in ("https://evil.example", "http://10.0.0.7:8000", "https://monitor.example")
    }
    assert answers == {"https://evil.example": 403, "http://10.0.0.7:8000": 422, "https://monitor.example": 422}


@pytest.mark.parametrize("origin", ["null", "", "file://"])
def test_a_page_without_an_origin_gives_no_orders(origin: str) -> None:
    client = Client(create_app(drifting, host="0.0.0.0", token=TOKEN))
    known = {"authorization": basic("", TOKEN), "host": "10.0.0.7:8000", "origin": origin}
    assert client.post("/api/v1/triggers/trg_0/approve", headers=known).status_code == 403
    assert client.get("/livez", headers=known).status_code == 200


FOLLOWED = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
CLICKED = FOLLOWED | {"sec-fetch-user": "?1"}


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, ""),
        (CLICKED | {"sec-fetch-site": "same-origin"}, ""),
        (CLICKED | {"sec-fetch-site": "none"}, ""),
        ({"sec-fetch-site": "same-origin", "sec-fetch-mode": "cors", "sec-fetch-dest": "empty"}, ""),
        (CLICKED, "backup"),
        (FOLLOWED, "report backup"),
        (CLICKED | {"sec-fetch-dest": "iframe"}, "page report backup"),
        (CLICKED | {"sec-fetch-mode": "no-cors", "sec-fetch-dest": "image"}, "page report backup"),
        ({"sec-fetch-site": "cross-site"}, "page report backup"),
    ],
)
def test_pages_of_other_sites_link_and_ask_for_nothing_themselves(headers: dict[str, str], refused: str) -> None:
    done: list[str] = []

    def report(*_: object) -> Report:
        done.append("report")
        raise UnavailableError("another one is being made")

    def copy() -> tuple[int, Iterator[bytes]]:
        done.append("backup")
        return 0, iter(())

    client = Client(create_app(drifting, Behind(report=report, copy=copy)))
    paths = {"page": "/models/fraud", "report": "/models/fraud/report", "backup": "/api/v1/backup"}
    answers = {name: client.get(path, headers=headers).status_code for name, path in paths.items()}
    assert {name for name, status in answers.items() if status == 403} == set(refused.split())
    assert set(done) == {"report", "backup"} - set(refused.split())


def test_a_proxy_may_hand_on_requests_under_the_public_name() -> None:
    client = Client(create_app(drifting, public_url="https://monitor.example"))
    assert client.get("/livez", headers={"host": "monitor.example"}).status_code == 200
    assert client.get("/livez", headers={"host": "evil.example"}).status_code == 421
