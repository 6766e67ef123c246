"""The pictures of README and docs, taken of the running demo: `make pictures`.

They are taken once something is to be seen, however long that takes on this machine.
"""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import httpx
from playwright.sync_api import Browser, FloatRect

from tests.browser.chromium import MISSING, PATH, Tab, chromium

DIRECTORY = Path(__file__).parents[2] / "docs" / "pictures"
WIDTH = 960
BYTES_MAX = 150_000
WINDOWS = 36
"""After which there is enough before and after the change."""

_MODEL = "/models/credit"
_FEATURES = ".card:has(h2:text-is('Features'))"
_READY_S = 300.0
_MARGIN = 12


@dataclass(frozen=True, slots=True)
class Picture:
    """path: of the page. first, last: selectors of what it begins and ends with. follow: a link of the page, to the one
    that is meant.
    """

    path: str
    first: str
    last: str
    follow: str = ""


PICTURES: Mapping[str, Picture] = {
    "overview": Picture("/", "h1", ".card >> nth=-1"),
    "model": Picture(_MODEL, ".card:has(figure) >> nth=0", ".card:has(figure) >> nth=-1"),
    "features": Picture(_MODEL, _FEATURES, _FEATURES),
    "feature": Picture(f"{_MODEL}/features/income?version=1", ".trail", "figure >> nth=0"),
    "incident": Picture("/incidents", ".trail", ".card:has(figure)", follow="fallen"),
}


@contextmanager
def demo() -> Iterator[str]:
    """The address of its pages; it goes on until the block ends."""
    command = (sys.executable, "-m", "monitor.cli", "demo", "--port", "0")
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            line = next(line for line in process.stdout if "pages at " in line)
            yield line.partition("pages at ")[2].partition(",")[0]
        finally:
            process.kill()


def wait(url: str, windows: int = WINDOWS) -> None:
    """Until drift and the fall of performance are known, and there are so many windows."""
    deadline = time.monotonic() + _READY_S
    with httpx.Client(base_url=url) as client:
        while True:
            open_now = client.get("/api/v1/incidents", params={"open": True}).json()["items"]
            seen = client.get(f"/api/v1{_MODEL}/windows", params={"limit": 1}).json()["total"]
            if {"drift", "performance"} <= {each["cause"] for each in open_now} and seen >= windows:
                return
            assert time.monotonic() < deadline, f"nothing to take a picture of in {_READY_S} s"
            time.sleep(0.5)


def take(browser: Browser, url: str, directory: Path) -> Sequence[str]:
    """Write the pictures of what is served at `url`, light and dark; what was wrong with the pages meanwhile."""
    directory.mkdir(exist_ok=True)
    wrong: list[str] = []
    with Tab(browser, url) as tab:
        for dark, (name, picture) in product((False, True), PICTURES.items()):
            path = directory / f"{name}-{'dark' if dark else 'light'}.png"
            shoot(tab.look(dark, WIDTH), picture, path)
            wrong += tab.wrong
            if path.stat().st_size > BYTES_MAX:
                wrong.append(f"{path.name} has {path.stat().st_size:,} bytes, more than {BYTES_MAX:,}")
    return wrong


def shoot(tab: Tab, picture: Picture, path: Path) -> None:
    """What lies between the first and the last of the picture, with a little around it."""
    page = tab.open(picture.path)
    if picture.follow:
        page = tab.open(page.locator("main a", has_text=picture.follow).first.get_attribute("href") or "")
    first, last = (page.locator(selector).bounding_box() for selector in (picture.first, picture.last))
    assert first is not None
    assert last is not None
    top, bottom = first["y"] - _MARGIN, last["y"] + last["height"] + _MARGIN
    page.screenshot(path=path, clip=FloatRect(x=0, y=top, width=WIDTH, height=bottom - top), full_page=True)


if __name__ == "__main__":
    if PATH is None:
        sys.exit(MISSING)
    with chromium() as found, demo() as address:
        wait(address)
        faults = take(found, address, DIRECTORY)
    print(*faults or sorted(path.name for path in DIRECTORY.glob("*.png")), sep="\n")
    sys.exit(bool(faults))
