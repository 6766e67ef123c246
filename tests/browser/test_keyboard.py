"""Who has no mouse reaches everything."""

from __future__ import annotations

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open
from tests.browser.sites import PAGES
from tests.browser.world import Site

_REACHABLE = """() => {
  window.wanted = Array.from(document.querySelectorAll(
    "a[href], button, input:not([type=hidden]), select, textarea, summary, [tabindex='0']"
  )).filter((each) => each.checkVisibility());
  return window.wanted.length;
}"""

_FOCUSED = """() => {
  const on = document.activeElement;
  const seen = getComputedStyle(on).outlineStyle !== "none" && on.getBoundingClientRect().left >= 0;
  return [window.wanted.indexOf(on), seen];
}"""

_FOCUS_WIDE = """() => {
  document.querySelectorAll("details").forEach((each) => { each.open = true; });
  const wide = Array.from(document.querySelectorAll(".scroll")).find((each) => each.scrollWidth > each.clientWidth);
  wide?.focus();
  return wide !== undefined && document.activeElement === wide;
}"""


def reached(page: Page) -> list[int]:
    """Which of the things that can be used the tabulator key leads to, in its order, until it leads out or round."""
    order: list[int] = []
    for _ in range(page.evaluate(_REACHABLE) + 1):
        page.keyboard.press("Tab")
        place, seen = page.evaluate(_FOCUSED)
        if place < 0 or place in order:
            break
        assert seen, f"the focus is not seen on {page.evaluate('document.activeElement.outerHTML')}"
        order.append(place)
    return order


@pytest.mark.parametrize("name", ["overview", "model", "feature", "drift", "trigger"])
def test_the_tabulator_key_leads_to_everything_in_order_and_out_again(site: Site, tab: Open, name: str) -> None:
    page = tab(site.url).open(PAGES[name](site))
    wanted = page.evaluate(_REACHABLE)
    assert wanted > 5
    assert reached(page) == list(range(wanted))


def test_the_first_step_skips_the_navigation(site: Site, tab: Open) -> None:
    page = tab(site.url).open("/models/credit")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "To the content"
    page.keyboard.press("Enter")
    assert page.evaluate("document.activeElement.id") == "content"
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.closest('main') !== null")


def test_a_wide_table_is_scrolled_by_keys(site: Site, tab: Open) -> None:
    page = tab(site.url, width=375).open(PAGES["drift"](site))
    assert page.evaluate(_FOCUS_WIDE), "no table is wider than a phone"
    page.keyboard.press("ArrowRight")
    page.wait_for_function("() => document.activeElement.scrollLeft > 0")
