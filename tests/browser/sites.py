"""Every page there is: a new one joins by a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.detection.records import Cause
from tests.browser.world import Site

PAGES: Mapping[str, Callable[[Site], str]] = {
    "overview": lambda site: "/",
    "model": lambda site: "/models/credit",
    "reference": lambda site: "/docs",
}


def incident(site: Site, cause: Cause) -> str:
    return next(each.id for each in site.model.incidents if each.cause == cause)
