"""What else there is to look at: versions, and segments, those in which something has moved first."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from monitor.detection.records import State
from monitor.exports.latest import Slice, overall
from monitor.exports.markup import Content, Markup
from monitor.exports.pages.parts import badge, choice, version_name

SEGMENTS_MAX = 20
VERSIONS_MAX = 20


def choices(
    parts: Sequence[Slice],
    shown: Slice | None,
    address: Callable[[Slice], str],
    state: Callable[[Slice], State] = lambda part: overall(part.standing),
) -> Content:
    """Links to each, with the state of those that are not as usual; none where there is nothing else. address: of the
    page of one; state: of what that page is about.
    """
    if shown is None or len(parts) < 2:
        return None
    versions = [part for part in parts if not part.segment][:VERSIONS_MAX]
    segments = [part for part in parts if part.segment and part.version == shown.version]
    segments.sort(key=lambda part: state(part) not in ("drifting", "watch"))
    whole = next((part for part in versions if part.version == shown.version), shown)

    def links(title: str, entries: Sequence[tuple[Slice, str]]) -> Markup:
        return choice(title, [link(part, name) for part, name in entries])

    def link(part: Slice, name: str) -> tuple[Content, str, bool]:
        marked = state(part) in ("drifting", "watch")
        here = (part.version, part.segment) == (shown.version, shown.segment)
        return [name, " ", badge(state(part))] if marked else name, address(part), here

    return [
        links("Versions", [(part, version_name(part.version)) for part in versions]) if len(versions) > 1 else None,
        links("Segments", [(whole, "all traffic"), *((part, part.segment) for part in segments[:SEGMENTS_MAX])])
        if segments
        else None,
    ]
