"""The pictures of README and docs: whatever they are of is there, and every one that is shown is a file."""

from __future__ import annotations

import re
from pathlib import Path

from playwright.sync_api import Browser

from tests.browser.pictures import DIRECTORY, PICTURES, take
from tests.browser.world import Site

ROOT = DIRECTORY.parents[1]
_SHOWN = re.compile(r"(?:docs/)?pictures/([\w-]+\.png)")


def test_pictures_are_taken_of_pages(browser: Browser, site: Site, tmp_path: Path) -> None:
    """Of the same traffic as `make pictures`, which runs the demo at the clock's pace."""
    assert take(browser, site.url, tmp_path) == []
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in DIRECTORY.iterdir()}


def test_every_picture_that_is_shown_is_there() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for text in texts for name in _SHOWN.findall(text.read_text())}
    assert shown
    assert shown <= {f"{name}-{theme}.png" for name in PICTURES for theme in ("light", "dark")}
