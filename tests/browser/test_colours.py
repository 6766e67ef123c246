"""The palette of both themes: text is readable, marks are seen, steps of the heat map differ in how light they are."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest
from playwright.sync_api import Page

from tests.browser.conftest import Open

TEXTS = ("text", "quiet", "link", "ok", "watch", "drifting", "idle")
STEPS = ("ha", "hb", "hc", "hd", "he", "hf")

_HEAT = "() => JSON.parse(document.getElementById('heat-figure').textContent).data"
_VALUE = "(name) => getComputedStyle(document.documentElement).getPropertyValue(`--${name}`).trim()"


def luminance(colour: str) -> float:
    """As WCAG 2 defines it, of #rrggbb."""
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4 for share in shares)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    low, high = sorted((luminance(one), luminance(other)))
    return (high + 0.05) / (low + 0.05)


@pytest.fixture(params=[False, True], ids=["light", "dark"])
def page(request: pytest.FixtureRequest, odd: str, tab: Open) -> Page:
    return tab(odd, request.param).open("/models/wide")


@pytest.fixture
def colour(page: Page) -> dict[str, str]:
    """By name, the values that are in force in the theme."""
    return {name: page.evaluate(_VALUE, name) for name in (*TEXTS, *STEPS, "page", "card", "none")}


def test_text_is_readable_on_page_and_card(colour: dict[str, str]) -> None:
    faint = [(text, on) for text in TEXTS for on in ("page", "card") if contrast(colour[text], colour[on]) < 4.5]
    assert faint == []


def test_bars_are_seen(colour: dict[str, str]) -> None:
    assert contrast(colour["none"], colour["card"]) >= 3


def test_each_mark_is_seen_on_its_cell(page: Page, colour: dict[str, str]) -> None:
    grid, *marks = page.evaluate(_HEAT)
    pairs = {(name(marker), step(grid["z"][y][x])) for trace in marks for x, y, marker in places(trace)}
    assert {on for _, on in pairs} > {"ha", "hf"}
    assert {pair for pair in pairs if contrast(colour[pair[0]], colour[pair[1]]) < 3} == set()


def places(trace: dict[str, Any]) -> list[tuple[int, int, str]]:
    return [(x, y, trace["marker"]["color"]) for x, y in zip(trace["x"], trace["y"], strict=True)]


def name(value: str) -> str:
    return value.removeprefix("var(--").removesuffix(")")


def step(z: float | None) -> str:
    return "card" if z is None else STEPS[int(z)]


def test_a_greater_change_is_darker_on_a_light_page_and_lighter_on_a_dark_one(colour: dict[str, str]) -> None:
    steps = [luminance(colour[step]) for step in STEPS]
    if luminance(colour["card"]) > 0.5:
        steps.reverse()
    assert all((high + 0.05) / (low + 0.05) > 1.1 for low, high in pairwise(steps))
