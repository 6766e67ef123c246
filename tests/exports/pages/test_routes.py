"""Where pages and their files are, over HTTP."""

from __future__ import annotations

import gzip

import pytest

from monitor.exports.api import create_app
from monitor.exports.pages.assets import address, asset
from tests.exports.client import Client
from tests.exports.snapshots import drifting, model_view, snapshot


def client(*models: str) -> Client:
    current = snapshot(*(model_view(name) for name in models)) if models else drifting()
    return Client(create_app(lambda: current))


@pytest.mark.parametrize("path", ["/", "/docs", "/models/fraud", "/models/fraud?version=3&segment=x&features=am"])
def test_pages_are_html(path: str) -> None:
    answer = client().get(path)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["cache-control"] == "no-store"


@pytest.mark.parametrize("name", ["team/fraud", "a b", 'x"y', "%2F", "ü", "?#&"])
def test_a_model_of_any_name_has_a_page(name: str) -> None:
    served = client(name)
    (link,) = {part.split('"')[0] for part in served.get("/").text.split('href="')[1:] if part.startswith("/models/")}
    assert served.get(link).status_code == 200


@pytest.mark.parametrize("name", ["style.css", "charts.js", "plotly.min.js"])
def test_files_are_kept_for_ever_under_their_digest_and_compressed_where_that_is_understood(name: str) -> None:
    answer = client().get(address(name), {"accept-encoding": "identity"})
    assert answer.content == asset(name).body
    assert "immutable" in answer.headers["cache-control"]
    packed = client().get(address(name), {"accept-encoding": "gzip"})
    assert packed.headers["content-encoding"] == "gzip"
    assert packed.content == asset(name).body
    assert gzip.decompress(asset(name).compressed) == asset(name).body


def test_a_file_of_another_version_or_none_is_not_there() -> None:
    assert client().get("/assets/0123456789abcdef/style.css").status_code == 404
    assert client().get(f"/assets/{asset('style.css').digest}/nothing.css").status_code == 404
