"""One browser and one service for all of these tests; closed before others run, whose event loops it would be in.

Tabs are reused, as what they have loaded need not be compiled again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest
from playwright.sync_api import Browser

from monitor.exports.api import create_app
from monitor.exports.server import HttpServer
from tests.browser.chromium import Tab, chromium, need
from tests.browser.made import made
from tests.browser.world import Site, replayed

Open = Callable[..., Tab]
"""The fixture `tab`: the only one of a server, as it is to look: `tab(url, dark=True, width=375)`."""


@pytest.fixture(scope="package")
def browser() -> Iterator[Browser]:
    need()
    with chromium() as found:
        yield found


@pytest.fixture(scope="package")
def site(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Site]:
    """What ran."""
    with replayed(tmp_path_factory.mktemp("site")) as found:
        yield found


@pytest.fixture(scope="package")
def odd(browser: Browser) -> Iterator[str]:
    """The address of what was made by hand, with names that nobody should have given."""
    server, snapshot = HttpServer(port=0), made()
    server.start(create_app(lambda: snapshot))
    yield server.url
    server.stop()


@pytest.fixture(scope="package")
def tab(browser: Browser) -> Iterator[Open]:
    known: dict[tuple[str, bool], Tab] = {}
    with ExitStack() as closing:

        def find(url: str, dark: bool = False, width: int = 1200, *, script: bool = True) -> Tab:
            key = (url, script)
            if key not in known:
                known[key] = closing.enter_context(Tab(browser, url, script=script))
            return known[key].look(dark, width)

        yield find
