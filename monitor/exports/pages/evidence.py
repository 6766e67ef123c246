"""What incidents and retrain requests rest on: features that moved, performance, and what it was computed from."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.addresses import feature_page, window_query
from monitor.detection.records import PerformanceEvidence, Verdict
from monitor.detection.sentences import spoken
from monitor.exports.latest import estimated
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.parts import (
    badge,
    between,
    cells,
    figure,
    interval,
    moved,
    number,
    percent,
    table,
)
from monitor.snapshot import PerformanceView
from monitor.statistics.reading import Reading
from monitor.windows.window import Offsets

FEATURES_MAX = 30
PLACES_MAX = 8
"""Partitions of which the offsets are shown."""

_HEADS = ("Feature", "State, and what moved of rows", "Effect", "Evidence, of the alarm's limit")


def features(verdicts: Sequence[Verdict], caption: str) -> Content:
    """Each with the cells that moved, and a link to its page as of then."""
    if not verdicts:
        return None
    left = len(verdicts) - FEATURES_MAX
    return [
        table(_HEADS, [_feature(each) for each in verdicts[:FEATURES_MAX]], caption, cards=True),
        tag("p", f"and {left:,} more", class_="quiet") if left > 0 else None,
    ]


def _feature(verdict: Verdict) -> Markup:
    address = feature_page(verdict.window.model, verdict.feature, **window_query(verdict.window))
    wrong = [tag("div", aspect) for aspect in verdict.wrong]
    state = None if wrong and verdict.state != "drifting" else badge(verdict.state)
    chance = None if verdict.noise_floor is None else tag("span", f" chance {verdict.noise_floor:.3f}", class_="quiet")
    contents: list[Content] = [
        [state, wrong, [moved(verdict.feature, cell) for cell in verdict.moved]],
        [number(verdict.standing), chance],
        percent(verdict.evidence_ratio),
    ]
    return tag(
        "tr",
        tag("th", tag("a", spoken(verdict.name), href=address), scope="row"),
        cells(_HEADS, contents, _HEADS[2:]),
    )


def fell(performance: PerformanceEvidence | None) -> Content:
    """The figures that a request rests on."""
    if performance is None:
        return None
    return tag(
        "dl",
        figure(performance.metric, tag("b", number(performance.value)), interval(performance)),
        figure("in the reference", tag("b", number(performance.reference))),
        figure("labelled", tag("b", f"{performance.label_coverage:.0%}")),
        class_="figures",
    )


def readings(view: PerformanceView, caption: str) -> Content:
    """Every metric that labels gave, beside what was to be expected without them."""
    expected = estimated(view.estimates)
    known = [each for each in view.readings if each.value is not None]
    rows: list[Content] = [
        tag("tr", tag("th", each.statistic, scope="row"), [
            tag("td", cell, class_="number")
            for then in [_value(expected.get(each.statistic))]
            for cell in (number(each.value), between(each.lower, each.upper), number(then))
        ])
        for each in known
    ]  # fmt: skip
    return table(("Metric", "By labels", "95 % interval", "Expected"), rows, caption) if rows else None


def _value(reading: Reading | None) -> float | None:
    return None if reading is None else reading.value


def places(offsets: Offsets) -> Content:
    """Where records are in Kafka, [first, last + 1), by topic and partition."""
    if not offsets:
        return "–"
    shown = [tag("div", tag("code", f"{place} [{first}, {end})")) for place, (first, end) in _ordered(offsets)]
    left = len(shown) - PLACES_MAX
    more = tag("div", f"and {left:,} more partitions", class_="quiet") if left > 0 else None
    return [shown[:PLACES_MAX], more]


def _ordered(offsets: Offsets) -> list[tuple[str, tuple[int, int]]]:
    """By topic, then by the partition's number."""

    def place(entry: tuple[str, tuple[int, int]]) -> tuple[str, int]:
        topic, _, partition = entry[0].rpartition("/")
        return topic, int(partition)

    return sorted(offsets.items(), key=place)


def digest(text: str) -> Content:
    return tag("code", text) if text else "–"
