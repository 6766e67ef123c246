"""What people do with a page: choose a theme, point at a chart, follow it, search."""

from __future__ import annotations

import re
from urllib.parse import unquote

from playwright.sync_api import Page

from monitor.events.timestamps import iso
from tests.browser.chromium import drawn
from tests.browser.conftest import Open
from tests.browser.made import FEATURES
from tests.browser.sites import incident
from tests.browser.world import Site
from tests.exports.snapshots import HOSTILE

_CHANGED = "(before) => getComputedStyle(document.querySelector('.ytick text')).fill !== before"


def text_colour(page: Page) -> str:
    """Of a label of the first chart."""
    found: str = page.evaluate("getComputedStyle(document.querySelector('.ytick text')).fill")
    return found


def test_charts_follow_the_theme(site: Site, tab: Open) -> None:
    page = tab(site.url).open("/models/credit")
    light = text_colour(page)
    page.emulate_media(color_scheme="dark")
    page.wait_for_function(_CHANGED, arg=light)
    dark = text_colour(page)
    assert dark == page.evaluate("getComputedStyle(document.body).color")
    page.emulate_media(color_scheme="light")
    page.wait_for_function(_CHANGED, arg=dark)
    assert text_colour(page) == light


def test_a_cell_of_the_heat_map_says_what_it_is_and_leads_to_its_feature(site: Site, tab: Open) -> None:
    shown = tab(site.url)
    page = shown.open("/models/credit")
    heat = page.locator("[data-figure=heat-figure]")
    heat.scroll_into_view_if_needed()
    cells = heat.locator(".heatmaplayer image").bounding_box()
    row = heat.locator(".ytick text", has_text=re.compile("^income$")).bounding_box()
    assert cells is not None
    assert row is not None
    newest = (cells["x"] + cells["width"] - 8, row["y"] + row["height"] / 2)
    page.mouse.move(*newest)
    told = heat.locator(".hoverlayer")
    told.get_by_text("income").wait_for()
    assert "tolerances, drifting" in (told.text_content() or "")
    with page.expect_navigation():
        page.mouse.click(*newest)
    end = iso(site.model.windows[-1].window.end_ms)
    assert unquote(page.url) == f"{site.url}/models/credit/features/income?version=1&window={end}"


def test_somebody_says_to_look_after_an_incident(site: Site, tab: Open) -> None:
    shown = tab(site.url)
    page = shown.open(f"/incidents/{incident(site, 'data')}")
    assert page.get_by_role("button", name="Acknowledge").count() == 0, "it is over"
    page = shown.open(f"/incidents/{incident(site, 'drift')}")
    page.get_by_label("Your name").fill(HOSTILE.partition("\n")[0])
    with page.expect_navigation():
        page.get_by_role("button", name="Acknowledge").click()
    drawn(page)
    page.get_by_text(HOSTILE.partition("\n")[0]).first.wait_for()
    assert page.get_by_role("button", name="Acknowledge").count() == 0
    assert shown.wrong == []


def test_a_name_is_searched_for_among_many(odd: str, tab: Open) -> None:
    shown = tab(odd)
    page = shown.open("/models/wide")
    page.get_by_label("Features whose names hold").fill("FEATURE_1")
    page.keyboard.press("Enter")
    page.wait_for_url("**features=FEATURE_1*")
    drawn(page)
    names = page.get_by_role("region", name="Feature", exact=True).locator("tbody th").all_text_contents()
    assert sorted(names) == [name for name in FEATURES if name.startswith("feature_1")]
    page.get_by_label("Features whose names hold").fill(HOSTILE.partition("\n")[0])
    page.get_by_role("button", name="Show").click()
    page.wait_for_url("**features=%3C*")
    drawn(page)
    assert shown.wrong == []
