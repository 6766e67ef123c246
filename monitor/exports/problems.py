"""Errors, one sentence for people and never the text of an exception: a page for who looks at pages in a browser, for
everybody else a problem document (RFC 9457).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from http import HTTPStatus
from typing import Any
from urllib.parse import quote

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, ConfigDict
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import HTMLResponse, JSONResponse, Response
from starlette.types import Scope

from monitor.addresses import API
from monitor.config.problems import path, shape
from monitor.detection.sentences import sentence
from monitor.exports.markup import Markup, tag
from monitor.exports.pages.frame import message
from monitor.exports.text import clean

MEDIA_TYPE = "application/problem+json"

_TITLES = {409: "This cannot be done now", 422: "This was not understood", 503: "Not now"}
"""Of pages, where the status in words says little to people."""

_LISTS = {"incidents": ("This incident", "All incidents"), "triggers": ("This request", "All retrain requests")}
"""By the beginning of a page's address, what an order was about, and where else it may be found."""

_IN_JSON = {
    "extra_forbidden": "is not a known key: /docs lists those that are",
    "json_invalid": "is not valid JSON: correct it",
    "list_type": "must be a list",
    "model_attributes_type": "must be a JSON object, sent as application/json",
    "missing": "is missing: /docs says what it is",
    "string_type": "must be text",
}
"""Of bodies, what is said otherwise than of a file of configuration."""


class InvalidParameter(BaseModel):
    """One parameter that was refused, and why."""

    parameter: str
    problem: str


class Problem(BaseModel):
    """RFC 9457 problem details."""

    model_config = ConfigDict(use_attribute_docstrings=True)

    type: str = "about:blank"
    """No kinds of problem beyond the HTTP status are told apart."""
    title: str
    """The HTTP status in words."""
    status: int
    """The HTTP status."""
    detail: str
    """One sentence: what is wrong and what to do."""
    errors: list[InvalidParameter] | None = None
    """Every parameter that was refused (422 only)."""


RESPONSES: dict[int | str, dict[str, Any]] = {
    "default": {
        "description": "A problem document (RFC 9457)",
        "content": {MEDIA_TYPE: {"schema": Problem.model_json_schema()}},
    }
}
"""For the OpenAPI document: any route may answer with a problem."""


def problem(
    status: int,
    detail: str,
    *,
    errors: list[InvalidParameter] | None = None,
    headers: Mapping[str, str] | None = None,
) -> JSONResponse:
    """The response to `status` with this one sentence."""
    document = Problem(title=HTTPStatus(status).phrase, status=status, detail=clean(detail), errors=errors)
    return JSONResponse(
        document.model_dump(exclude_none=True), status_code=status, headers=headers, media_type=MEDIA_TYPE
    )


def refusal(
    scope: Scope,
    status: int,
    detail: str,
    *,
    errors: list[InvalidParameter] | None = None,
    headers: Mapping[str, str] | None = None,
) -> Response:
    """The same as a page where one was asked for: under a path that is none of the API's, by who takes HTML."""
    path: str = scope["path"]
    if path.startswith(f"{API}/") or "text/html" not in Headers(scope=scope).get("accept", "").lower():
        return problem(status, detail, errors=errors, headers=headers)
    # What the API lists, pages list under the same path. What is wrong with a parameter begins with its name.
    said = detail.replace(f"{API}/", "/")
    title = _TITLES.get(status) or HTTPStatus(status).phrase.capitalize()
    page = message(title, sentence(said if errors else said[:1].upper() + said[1:]), *_ways(path))
    return HTMLResponse(page, status_code=status, headers=headers)


def _ways(path: str) -> Iterator[Markup]:
    """From what went wrong at a path."""
    kind, *names = path.strip("/").split("/")  # `OPTIONS *` is about no path.
    if kind in _LISTS:
        this, every = _LISTS[kind]
        if len(names) > 1:
            yield tag("a", this, href=f"/{kind}/{quote(names[0])}")
        yield tag("a", every, href=f"/{kind}")
    yield tag("a", "All models", href="/")


def add_handlers(app: FastAPI) -> None:
    """Answer with problems whatever `app` and its routes refuse."""
    app.add_exception_handler(HTTPException, _refused)
    app.add_exception_handler(RequestValidationError, _invalid)


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    detail = {
        400: "the body cannot be read: send JSON in UTF-8",
        404: "nothing is served at this path; /docs lists what is",
        405: f"this path does not take {request.method}; /docs lists what it takes",
    }
    unexplained = error.status_code == 400 or error.detail == HTTPStatus(error.status_code).phrase
    text = detail.get(error.status_code, error.detail) if unexplained else error.detail
    return refusal(request.scope, error.status_code, text, headers=error.headers)


def _invalid(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)
    errors = [
        InvalidParameter(parameter=clean(_place(entry["loc"])), problem=clean(_said(entry))) for entry in error.errors()
    ]
    detail = "; ".join(f"{each.parameter} {each.problem}" for each in errors)
    return refusal(request.scope, 422, detail, errors=errors)


def _place(where: Sequence[str | int]) -> str:
    """query, limit or body, features, 3; of a body as a whole, there is no name, or the place in its text."""
    named = len(where) > 1 and isinstance(where[1], str)
    return path(tuple(where[1:])) if named else "the body"


def _said(entry: Mapping[str, Any]) -> str:
    return _IN_JSON.get(entry["type"]) or shape(entry)
