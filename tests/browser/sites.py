"""Every page there is: a new one joins by a line."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from monitor.detection.life import TriggerState
from monitor.detection.records import Cause
from tests.browser.world import Site

PAGES: Mapping[str, Callable[[Site], str]] = {
    "overview": lambda site: "/",
    "model": lambda site: "/models/credit",
    "feature": lambda site: "/models/credit/features/income?version=1",
    "category": lambda site: "/models/credit/features/channel?version=1",
    "incidents": lambda site: "/incidents",
    "drift": lambda site: f"/incidents/{incident(site, 'drift')}",
    "performance": lambda site: f"/incidents/{incident(site, 'performance')}",
    "triggers": lambda site: "/triggers",
    "trigger": lambda site: f"/triggers/{trigger(site, 'accepted')}",
    "reference": lambda site: "/docs",
}


def incident(site: Site, cause: Cause) -> str:
    return next(each.id for each in site.model.incidents if each.cause == cause)


def trigger(site: Site, state: TriggerState) -> str:
    return next(each.trigger.id for each in site.model.triggers if each.state == state)
