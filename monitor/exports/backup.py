"""What the API answers with to whoever wants a backup: a tar archive of the store, made while the service runs."""

from __future__ import annotations

from collections.abc import Iterator

from starlette.responses import StreamingResponse

MEDIA_TYPE = "application/x-tar"


def answer(copy: tuple[int, Iterator[bytes]]) -> StreamingResponse:
    """Its length is said first, so that an answer that was cut short is told from a whole one."""
    size, pieces = copy
    return StreamingResponse(pieces, media_type=MEDIA_TYPE, headers={"content-length": str(size)})
