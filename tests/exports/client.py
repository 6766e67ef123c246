"""An HTTP client that calls an application in this process."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterable, Mapping

import httpx
from starlette.types import ASGIApp

Response = httpx.Response


class Client:
    """Calls `app` as a server bound to 127.0.0.1:8000 would; what the application raises becomes its answer."""

    def __init__(self, app: ASGIApp, base_url: str = "http://127.0.0.1:8000") -> None:
        self._transport = httpx.ASGITransport(app, raise_app_exceptions=False)
        self._base_url = base_url

    def get(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return asyncio.run(self._request("GET", path, headers, None))

    def head(self, path: str, headers: Mapping[str, str] | None = None) -> Response:
        return asyncio.run(self._request("HEAD", path, headers, None))

    def post(
        self, path: str, headers: Mapping[str, str] | None = None, content: bytes | AsyncIterable[bytes] | None = None
    ) -> Response:
        return asyncio.run(self._request("POST", path, headers, content))

    def put(self, path: str, headers: Mapping[str, str] | None = None, content: bytes | None = None) -> Response:
        return asyncio.run(self._request("PUT", path, headers, content))

    def delete(self, path: str) -> Response:
        return asyncio.run(self._request("DELETE", path, None, None))

    async def _request(
        self, method: str, path: str, headers: Mapping[str, str] | None, content: bytes | AsyncIterable[bytes] | None
    ) -> Response:
        async with httpx.AsyncClient(transport=self._transport, base_url=self._base_url) as client:
            return await client.request(method, path, headers=headers, content=content)
