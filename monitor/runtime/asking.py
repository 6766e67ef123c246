"""What commands ask the running service of a configuration, over its HTTP API."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import quote

import httpx

from monitor.config import load_server
from monitor.config.network import own_url
from monitor.errors import ConfigError, RefusedError, UnavailableError
from monitor.runtime.orders import ANSWER_S


def ask(
    config: Path,
    path: str,
    body: Mapping[str, Any] | None = None,
    url: str | None = None,
    timeout_s: float = 2 * ANSWER_S,
) -> Any:
    """The answer to a POST of a body, or to a GET without one. path: below /api/v1/. url: where the service is
    reached; None: where the configuration has it listen. RefusedError, UnavailableError or ConfigError as it answers.
    """
    with _answering(config, "GET" if body is None else "POST", path, body, url, timeout_s) as answer:
        answer.read()
        return answer.json()


def fetch(config: Path, path: str, url: str | None, into: BinaryIO) -> None:
    """Write the answer to a GET to a file; the rest as for `ask`."""
    with _answering(config, "GET", path, None, url, 2 * ANSWER_S) as answer:
        try:
            into.writelines(answer.iter_bytes())
        except httpx.HTTPError as error:
            raise UnavailableError(f"the service broke off its answer ({error}): ask again") from error


@contextmanager
def _answering(
    config: Path, method: str, path: str, body: Mapping[str, Any] | None, url: str | None, timeout_s: float
) -> Iterator[httpx.Response]:
    """An answer that is no refusal, read as far as it is asked for."""
    server, token = load_server(config)
    base = own_url(server.host, server.port) if url is None else url.rstrip("/")
    headers = {} if token is None else {"authorization": f"Bearer {token}"}
    asked = httpx.stream(
        method, f"{base}/api/v1/{path}", json=body, headers=headers, timeout=timeout_s, trust_env=False
    )
    try:
        with asked as answer:
            if answer.is_success:
                yield answer
                return
            answer.read()
            status, detail = answer.status_code, answer.json()["detail"]
    except (httpx.HTTPError, ValueError, KeyError, TypeError) as error:
        raise UnavailableError(
            f"no service answers at {base} ({type(error).__name__}): start it with `monitor run`, as only it can answer"
        ) from error
    match status:
        case 401:
            raise ConfigError(f"{base} does not know this token: name the same file under server.token_file")
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
