"""What the API answers with to whoever wants a backup: a tar archive of the store, made while the service runs."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from starlette.responses import StreamingResponse

from monitor.errors import UnavailableError

MEDIA_TYPE = "application/x-tar"

Backup = Callable[[], tuple[int, Iterator[bytes]]]
"""Begins one: bytes in all, and the pieces. UnavailableError where none can be made now."""


def nobody() -> tuple[int, Iterator[bytes]]:
    """Where nothing is kept that could be copied."""
    raise UnavailableError("this service only shows what was: it keeps nothing that could be backed up")


def answer(copy: tuple[int, Iterator[bytes]]) -> StreamingResponse:
    """Its length is said first, so that an answer that was cut short is told from a whole one."""
    size, pieces = copy
    return StreamingResponse(pieces, media_type=MEDIA_TYPE, headers={"content-length": str(size)})
