"""What commands ask the running service of a configuration, over its HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx

from monitor.config import load_server
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.runtime.orders import ANSWER_S


def ask(config: Path, path: str, body: Mapping[str, Any] | None = None) -> Any:
    """The answer to a POST of a body, or to a GET without one. path: below /api/v1/. RefusedError, UnavailableError or
    ConfigError as the service answers.
    """
    server = load_server(config)
    host = f"[{server.host}]" if ":" in server.host else server.host
    base = f"http://{host}:{server.port}"
    try:
        answer = httpx.request(
            "GET" if body is None else "POST",
            f"{base}/api/v1/{path}",
            json=body,
            timeout=2 * ANSWER_S,
            trust_env=False,
        )
        said = answer.json()
        detail = "" if answer.is_success else said["detail"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            f"no service answers at {base} ({type(error).__name__}): start it with `monitor run`, as only it can answer"
        ) from error
    match answer.status_code:
        case 200:
            return said
        case 404 | 422:
            raise ConfigError(detail)
        case 409:
            raise RefusedError(detail)
        case _:
            raise UnavailableError(detail)


def rebaseline(
    config: Path, model: str, reason: str, features: Sequence[str], version: str | None, since: str | None
) -> Iterator[str]:
    """Have a new normal accepted."""
    body = {"reason": reason, "features": list(features), "version": version, "from": since}
    yield ask(config, f"models/{part(model)}/rebaseline", body)["detail"]


def part(name: str) -> str:
    """One part of a path."""
    return quote(name, safe="")
