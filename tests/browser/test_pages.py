"""Every page, light and dark, on a desk and on a phone: shown without fault, readable for everybody."""

from __future__ import annotations

from itertools import product

import httpx
import pytest

from tests.browser import faults
from tests.browser.chromium import Tab
from tests.browser.conftest import Open
from tests.browser.sites import PAGES
from tests.browser.world import Site

LOOKS = tuple(product((False, True), (1200, 375)))
"""Dark or not, and the width."""

AXE = (LOOKS[0], LOOKS[3])
"""Its rules are about themes or widths, and none is about both."""


def looks(dark: bool, width: int) -> str:
    return f"{'dark' if dark else 'light'}-{width}"


SHOWN = [(name, look) for name in PAGES for look in (AXE if name == "reference" else LOOKS)]
"""The reference is drawn by a library, and slowly: once of each theme and width."""


def found(shown: Tab, path: str) -> list[str]:
    """What is wrong with a page."""
    page = shown.open(path)
    access = faults.of_access(page) if (shown.dark, shown.width) in AXE else []
    return [*faults.of_layout(page), *access, *shown.wrong]


@pytest.mark.parametrize(("name", "look"), SHOWN, ids=[f"{name}-{looks(*look)}" for name, look in SHOWN])
def test_a_page_is_shown_without_fault(site: Site, tab: Open, name: str, look: tuple[bool, int]) -> None:
    assert found(tab(site.url, *look), PAGES[name](site)) == []


@pytest.mark.parametrize("look", AXE, ids=lambda look: looks(*look))
@pytest.mark.parametrize("path", ["/", "/models/wide"])
def test_no_name_and_no_number_of_features_breaks_a_page(
    odd: str, tab: Open, path: str, look: tuple[bool, int]
) -> None:
    assert found(tab(odd, *look), path) == []


def test_every_link_leads_to_a_page(site: Site, tab: Open) -> None:
    shown = tab(site.url, script=False)
    places: set[str] = set()
    for path in PAGES.values():
        links = shown.open(path(site)).locator("a[href]")
        places |= set(links.evaluate_all("(links) => links.map((each) => each.href.split('#')[0])"))
    assert {place for place in places if not place.startswith(site.url)} == set()
    with httpx.Client() as client:
        # A report is made when it is asked for, which takes seconds: tests/runtime/test_rendering.py does.
        answers = {place: client.get(place).status_code for place in sorted(places) if "/report" not in place}
    assert {place: status for place, status in answers.items() if status != 200} == {}


@pytest.mark.parametrize("name", PAGES)
def test_without_a_script_tables_say_it_all(site: Site, tab: Open, name: str) -> None:
    shown = tab(site.url, script=False)
    page = shown.open(PAGES[name](site))
    assert [*faults.of_layout(page), *shown.wrong] == []
    for figure in page.locator("figure").all():
        assert figure.locator(".plot").is_hidden()
        figure.locator("summary").click()
        assert figure.locator("td").first.is_visible()
    for table in page.locator("main > table, .card > .scroll > table, article > table").all():
        assert table.is_visible()
