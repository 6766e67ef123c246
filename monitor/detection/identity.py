"""Ids of what the service announces: digests of what caused them, so that two runs over the same events agree."""

from __future__ import annotations

import hashlib

from monitor.windows.window import Window


def identity(prefix: str, cause: str, window: Window) -> str:
    """An id such as "inc_4be0c3e1f2a94d0a" of a cause in a window."""
    parts = (cause, window.model, window.version, window.segment, str(window.start_ms), str(window.end_ms))
    digest = hashlib.sha256("\0".join(parts).encode()).hexdigest()
    return f"{prefix}_{digest[:16]}"
