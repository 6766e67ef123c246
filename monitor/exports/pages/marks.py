"""The mark of each state, so that it is seen without its colour: the same in badges, charts and their keys."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from monitor.detection.records import State
from monitor.exports.markup import Markup, tag


class Mark(NamedTuple):
    """In text, and as plotly calls it."""

    text: str
    symbol: str


MARKS: Mapping[State, Mark] = {
    "drifting": Mark("▲", "triangle-up"),
    "watch": Mark("△", "triangle-up-open"),
    "ok": Mark("●", "circle"),
    "learning": Mark("–", "line-ew-open"),
    "insufficient": Mark("×", "x-thin-open"),
    "untestable": Mark("×", "x-thin-open"),
}

FAULTY = Mark("◆", "diamond")
"""Of faulty data, which has no state of its own."""


def meant(mark: Mark, said: str) -> Markup:
    """What a mark means, as an entry of a key."""
    return tag("li", tag("b", mark.text, aria_hidden="true"), f" {said}")


def key_of(states: Iterable[State]) -> Markup:
    """What marks mean, of the states that there are."""
    there = set(states)
    return tag("ul", [meant(mark, state) for state, mark in MARKS.items() if state in there], class_="key")
