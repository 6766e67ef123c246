"""What is wrong by open incidents: which come first, and marks beside states of features, which say nothing of
performance.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from monitor.detection.records import Cause, Incident, State
from monitor.detection.severity import LEVELS, level_of
from monitor.exports.latest import Slice
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.marks import FAULTY
from monitor.exports.pages.parts import badge

_SAID: Mapping[Cause, tuple[str, str]] = {
    "performance": ("▼", "performance fallen"),
    "data": (FAULTY.text, "faulty data"),
}
"""Mark and words, by what is not seen in whether features drift."""


def urgent(incident: Incident) -> tuple[bool, int, int, str]:
    """Sorts incidents: open ones first, of these the gravest first, then the newest."""
    grave = LEVELS.index(level_of(incident)) if incident.open else 0
    return not incident.open, -grave, -incident.opened.end_ms, incident.id


def standing_of(state: State, incidents: Iterable[Incident]) -> Content:
    """How it stands, in badges: what is wrong by those of the incidents that are open, in place of an `ok`, else beside
    the state.
    """
    causes = {each.cause for each in incidents if each.open}
    found: list[Content] = [alarm(mark, said) for cause, (mark, said) in _SAID.items() if cause in causes]
    if state != "ok" or not found:
        found.append(badge(state))
    return [[" " if at else "", each] for at, each in enumerate(found)]


def alarm(mark: str, said: str) -> Markup:
    """A red badge in words of its own."""
    return tag("span", tag("span", mark, aria_hidden="true"), f" {said}", class_="badge drifting")


def concerning(incidents: Iterable[Incident], part: Slice) -> list[Incident]:
    """Those of a version; in a segment, those that name a feature of it."""
    mine = [each for each in incidents if each.opened.version == part.version]
    if not part.segment:
        return mine
    names = {verdict.name for verdict in part.standing}
    return [each for each in mine if names.intersection(each.features)]
