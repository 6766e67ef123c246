"""What may be wrong with a page as it is shown: sentences, one a fault."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

_AXE = Axe()
_RULES = {
    "runOnly": {"type": "tag", "values": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]},
    "resultTypes": ["violations"],
}
_DRAWINGS = {"exclude": [[".main-svg"]]}
"""Each is an image with a text instead; test_colours looks at what is in them."""

_SCRIPT = Path(__file__).with_suffix(".js").read_text()


def of_layout(page: Page) -> list[str]:
    """What is too wide, empty, not drawn, or lies on something else."""
    found: list[str] = page.evaluate(f"() => {{ {_SCRIPT} return [...wide(), ...charts(), ...empty()]; }}")
    return found


def of_access(page: Page) -> list[str]:
    """What axe finds, of whatever weight."""
    found = _AXE.run(page, _DRAWINGS, _RULES).response["violations"]
    return [f"{each['id']} ({each['impact']}): {node['html'][:200]}" for each in found for node in each["nodes"]]
