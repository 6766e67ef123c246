"""A real Chromium, and a page of it that remembers everything that went wrong."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Self
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Browser, Error, Page, Response, Route, sync_playwright

PATH = shutil.which("chromium")
MISSING = "chromium is not installed: it is in Debian's package chromium"

ANSWER_MS = 30_000
_HEIGHT = 800

_VIOLATIONS = """addEventListener("securitypolicyviolation",
    (event) => console.error(`policy: ${event.violatedDirective} ${event.blockedURI}`))"""


def need() -> None:
    """Skips a test where there is no Chromium; MODEL_MONITOR_REQUIRE_BROWSER=1 says that there must be one."""
    if PATH is None:
        assert os.environ.get("MODEL_MONITOR_REQUIRE_BROWSER") != "1", MISSING
        pytest.skip(MISSING)


@contextmanager
def chromium() -> Iterator[Browser]:
    # Root may not use its sandbox; nothing that it opens comes from elsewhere.
    arguments = ["--no-sandbox"] if os.geteuid() == 0 else []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=PATH, args=arguments)
        try:
            yield browser
        finally:
            browser.close()


class Tab:
    """A page that loads nothing but what `url` serves: all else is blocked, and is trouble.

    wrong: what the console, the content security policy, scripts and requests complained of since `open`.
    """

    def __init__(self, browser: Browser, url: str, *, script: bool = True) -> None:
        self._scripted = script
        self._context = browser.new_context(base_url=url, reduced_motion="reduce", java_script_enabled=script)
        self._context.set_default_timeout(ANSWER_MS)
        self._host = urlsplit(url).netloc
        self._context.route(lambda address: not self._ours(address), self._block)
        if script:
            self._context.add_init_script(_VIOLATIONS)
        self.page: Page = self._context.new_page()
        self.wrong: list[str] = []
        self.page.on("console", lambda said: self._note(said.type, said.text) if said.type in _BAD else None)
        self.page.on("pageerror", lambda error: self._note("error", str(error)))
        self.page.on("requestfailed", lambda request: self._note(f"failed: {request.failure}", request.url))
        self.page.on("dialog", lambda dialog: (self._note("dialog", dialog.message), dialog.dismiss()))
        self.look()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        self._context.close()

    def look(self, dark: bool = False, width: int = 1200) -> Self:
        """From the next page on."""
        self.dark, self.width = dark, width
        self.page.emulate_media(color_scheme="dark" if dark else "light")
        self.page.set_viewport_size({"width": width, "height": _HEIGHT})
        return self

    def open(self, path: str) -> Page:
        """The page once it is loaded and, where it has charts, drawn."""
        self.wrong = []
        answer = self.page.goto(path)
        assert isinstance(answer, Response)
        assert answer.ok, f"{path}: {answer.status}"
        if self._scripted:
            drawn(self.page)
        return self.page

    def _ours(self, address: str) -> bool:
        parts = urlsplit(address)
        return parts.netloc == self._host or parts.scheme in ("data", "blob", "about")

    def _block(self, route: Route) -> None:
        self._note("request to another server", route.request.url)
        route.abort()

    def _note(self, kind: str, text: str) -> None:
        self.wrong.append(f"{kind}: {text}")


_BAD = ("error", "warning", "assert")


def drawn(page: Page) -> None:
    """Waits until the charts that the page has are drawn."""
    try:
        page.wait_for_function(
            "() => !document.querySelector('[data-figure]') || document.documentElement.matches('.charts-drawn')"
        )
    except Error as error:
        raise AssertionError(f"the charts of {page.url} were not drawn") from error
