"""The real demo, as it is shown to whom the project is new: it runs, and its pages are taken pictures of."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.browser.pictures import DIRECTORY, PICTURES, take

ROOT = DIRECTORY.parents[1]
_SHOWN = re.compile(r"(?:docs/)?pictures/([\w-]+\.png)")


@pytest.mark.timeout(300)
def test_pictures_are_taken_of_the_running_demo(browser: Browser, tmp_path: Path) -> None:
    assert take(browser, tmp_path, windows=15) == []
    assert {path.name for path in tmp_path.iterdir()} == {path.name for path in DIRECTORY.iterdir()}


def test_every_picture_that_is_shown_is_there() -> None:
    texts = [ROOT / "README.md", *(ROOT / "docs").glob("*.md")]
    shown = {name for text in texts for name in _SHOWN.findall(text.read_text())}
    assert shown
    assert shown <= {f"{name}-{theme}.png" for name in PICTURES for theme in ("light", "dark")}
