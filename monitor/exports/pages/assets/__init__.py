"""Files that pages load: style, our script, and plotly's from its Python package. Each has its digest in its address,
so that a browser may keep it for ever.
"""

from __future__ import annotations

import gzip
import hashlib
from dataclasses import dataclass
from functools import lru_cache
from importlib.resources import files

_FILES = {
    "style.css": (__name__, "style.css", "text/css; charset=utf-8"),
    "charts.js": (__name__, "charts.js", "text/javascript; charset=utf-8"),
    "plotly.min.js": ("plotly", "package_data/plotly.min.js", "text/javascript; charset=utf-8"),
}
"""By name: the package it is in, where, and its media type."""


@dataclass(frozen=True, slots=True)
class Asset:
    body: bytes
    media_type: str
    digest: str

    @property
    def compressed(self) -> bytes:
        return _compressed(self.body)


def address(name: str) -> str:
    return f"/assets/{asset(name).digest}/{name}"


@lru_cache
def asset(name: str) -> Asset:
    """KeyError where there is no such file."""
    package, path, media_type = _FILES[name]
    body = files(package).joinpath(path).read_bytes()
    return Asset(body, media_type, hashlib.sha256(body).hexdigest()[:16])


@lru_cache
def _compressed(body: bytes) -> bytes:
    return gzip.compress(body, 6, mtime=0)
