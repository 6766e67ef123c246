"""Pages over HTTP: what they take, what their forms do, and what is said where something is wrong."""

from __future__ import annotations

import base64
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from monitor.engine import Acknowledge, Approve
from monitor.errors import RefusedError, UnavailableError
from monitor.exports.api import create_app
from monitor.exports.behind import Behind
from monitor.exports.orders import TEXT_MAX
from tests.exports.client import Client, Response
from tests.exports.pages.reader import Read
from tests.exports.snapshots import drifting, snapshot

BROWSER = {"accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"}
FORM = {**BROWSER, "content-type": "application/x-www-form-urlencoded", "origin": "http://127.0.0.1:8000"}


def client(**behind: Callable[..., Any]) -> Client:
    return Client(create_app(drifting, Behind(**{"obey": lambda order: "done", **behind})))


def said(answer: Response, status: int) -> Read:
    """The page of an error."""
    assert answer.status_code == status
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    page = Read(answer.text)
    assert page.open == []
    return page


@pytest.mark.parametrize(
    "path",
    [
        "/incidents",
        "/incidents?open=true&model=fraud&offset=0",
        "/incidents/inc_1",
        "/triggers",
        "/triggers?state=sent&model=fraud&offset=0",
        "/triggers/trg_1",
    ],
)
def test_each_page_is_served(path: str) -> None:
    answer = client().get(path, headers=BROWSER)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert Read(answer.text).open == []


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/models/fraud", "/models/fraud/features/amount", "/incidents", "/triggers/trg_1"]
)
def test_whether_a_page_is_there_can_be_asked(path: str) -> None:
    assert client().head(path).status_code == 200
    assert client().head(path.removesuffix("/") + "/none").status_code == 404
    assert client().head("/incidents/inc_1/acknowledge").status_code == 405


def test_a_report_that_is_not_there_yet_leads_back_to_itself() -> None:
    path = "/models/team%2Ffraud/report?version=3&window=2026-11-23T12%3A00%3A00Z"
    fraud = replace(drifting().models["fraud"], name="team/fraud")

    def busy(*asked: object) -> Any:
        raise UnavailableError("another report is being made: ask again")

    http = Client(create_app(lambda: snapshot(fraud), Behind(report=busy)))
    page = said(http.get(path, headers=BROWSER), 503)
    ways = page.links[-3:]
    assert ways == [path.replace("%2F", "/"), "/models/team%2Ffraud", "/"]
    assert said(http.get(ways[0], headers=BROWSER), 503).links[-3:] == ways


def test_what_the_store_keeps_is_asked_for_the_one_that_is_shown() -> None:
    asked: list[str] = []

    def of(identity: str) -> tuple[()]:
        asked.append(identity)
        return ()

    http = client(steps=of, request=lambda trigger: asked.append(trigger))
    for path in ("/incidents", "/triggers", "/api/v1/incidents"):
        http.get(path)
    assert asked == []
    http.get("/incidents/inc_1")
    http.get("/triggers/trg_1")
    assert asked == ["inc_1", "trg_1"]


def test_an_incident_is_acknowledged_by_a_form_and_leads_back() -> None:
    heard: list[object] = []
    http = client(obey=lambda order: heard.append(order) or "done")  # type: ignore[func-returns-value]
    answer = http.post("/incidents/inc_1/acknowledge", FORM, b"note=+Ann+%C5%BB+%3Cb%3E+")
    assert (answer.status_code, answer.headers["location"]) == (303, "/incidents/inc_1")
    assert http.post("/incidents/inc_1/acknowledge", FORM, b"").status_code == 303
    assert heard == [Acknowledge("inc_1", "Ann Ż <b>"), Acknowledge("inc_1", "")]


def test_a_request_is_approved_by_a_form_and_leads_back() -> None:
    heard: list[object] = []
    http = client(obey=lambda order: heard.append(order) or "done")  # type: ignore[func-returns-value]
    answer = http.post("/triggers/trg_0/approve", FORM, b"")
    assert (answer.status_code, answer.headers["location"]) == (303, "/triggers/trg_0")
    assert heard == [Approve("trg_0")]


@pytest.mark.parametrize("origin", ["http://evil.example", "null", "", "http://localhost:3000"])
@pytest.mark.parametrize("path", ["/incidents/inc_1/acknowledge", "/triggers/trg_0/approve"])
def test_a_form_of_a_foreign_page_gives_no_order(path: str, origin: str) -> None:
    heard: list[object] = []
    http = client(obey=lambda order: heard.append(order) or "done")  # type: ignore[func-returns-value]
    assert "refused" in said(http.post(path, FORM | {"origin": origin}, b""), 403).text
    assert heard == []
    assert http.get(path, headers=BROWSER).status_code == 405


def test_a_form_needs_the_token_that_a_browser_remembers() -> None:
    http = Client(create_app(drifting, Behind(obey=lambda order: "done"), host="0.0.0.0", token="0123456789abcdef"))
    known = "Basic " + base64.b64encode(b"anybody:0123456789abcdef").decode()
    for path in ("/incidents/inc_1/acknowledge", "/triggers/trg_0/approve"):
        assert http.post(path, FORM | {"authorization": known}, b"").status_code == 303
        assert http.post(path, FORM | {"authorization": known, "origin": "null"}, b"").status_code == 403
        said(http.post(path, FORM, b""), 401)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"note=" + b"x" * (TEXT_MAX + 1), "The note is longer than 1,000 characters: shorten it."),
        (b"a=1&" * 100, "send `note` alone"),
        (b"by=Ann", "send `note` alone"),
        (b"note=Ann&by=Ann", "send `note` alone"),
    ],
)
def test_a_form_that_is_too_long_or_another_is_refused(body: bytes, why: str) -> None:
    assert why in said(client().post("/incidents/inc_1/acknowledge", FORM, body), 422).text


def test_an_order_that_is_refused_is_a_page_with_a_way_back() -> None:
    def refuse(order: object) -> str:
        raise RefusedError("incident inc_1 is not open: /api/v1/incidents?open=true lists those that are")

    page = said(client(obey=refuse).post("/incidents/inc_1/acknowledge", FORM, b""), 409)
    assert "Incident inc_1 is not open: /incidents?open=true lists those that are." in page.text
    assert {"/incidents/inc_1", "/incidents", "/"} <= {*page.links}


@pytest.mark.parametrize(
    ("path", "status", "text", "way"),
    [
        (
            "/incidents/nope",
            404,
            "There is no such incident; /incidents lists those that are still held.",
            "/incidents",
        ),
        ("/triggers/nope", 404, "There is no such trigger; /triggers lists those that are still held.", "/triggers"),
        ("/models/nope", 404, "There is no such model; the configured ones: churn, fraud.", "/"),
        ("/nowhere", 404, "Nothing is served at this path; /docs lists what is.", "/"),
        ("/triggers?state=lost", 422, "not one of withheld, pending", "/triggers"),
        ("/incidents?offset=-1", 422, "This was not understood offset must be at least 0.", "/incidents"),
        ("/incidents/%3Cimg%20src=x%3E", 404, "There is no such incident", "/incidents"),
    ],
)
def test_what_is_wrong_is_said_on_a_page_with_a_way_on(path: str, status: int, text: str, way: str) -> None:
    page = said(client().get(path, headers=BROWSER), status)
    assert text in page.text
    assert way in page.links
    assert page.elements["img"] == 0


@pytest.mark.parametrize("path", ["/incidents/nope", "/models/nope", "/nowhere"])
def test_programs_get_a_problem_document(path: str) -> None:
    for headers in ({}, {"accept": "*/*"}, {"accept": "application/json"}):
        assert client().get(path, headers=headers).headers["content-type"] == "application/problem+json"
    answer = client().get(f"/api/v1{path}", headers=BROWSER)
    assert answer.headers["content-type"] == "application/problem+json"


def test_an_unexpected_error_is_a_page_that_says_nothing_of_itself() -> None:
    def broken() -> Any:
        raise RuntimeError("the password is hunter2")

    page = said(Client(create_app(broken)).get("/incidents", headers=BROWSER), 500)
    assert "hunter2" not in page.text
