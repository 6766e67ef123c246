"""What else there is to look at: versions, segments, those in which something has moved first, and models of a list."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import NamedTuple

from monitor.detection.records import State
from monitor.exports.latest import Slice, overall, slices
from monitor.exports.markup import Content, Markup, tag
from monitor.exports.pages.parts import badge, choice, version_name
from monitor.exports.text import counted
from monitor.snapshot import ModelView

CHOICES_MAX = 20


class Chosen(NamedTuple):
    """parts: what there is to choose from. shown: one of them, or of a version that is retired; None where there is
    nothing yet. said: where it is not what was asked for.
    """

    parts: tuple[Slice, ...]
    shown: Slice | None
    said: Content


def chosen(model: ModelView, version: str | None, segment: str) -> Chosen:
    """What is asked for, as long as its windows are held; else the newest version. version: None for that one."""
    parts = slices(model)
    newest = next((part for part in parts if not part.segment), None)
    asked = newest.version if version is None and newest is not None else version
    if asked is None:
        return Chosen(parts, None, None)
    found = next((part for part in parts if (part.version, part.segment) == (asked, segment)), None)
    if found is not None:
        return Chosen(parts, found, None)
    if any((view.window.version, view.window.segment) == (asked, segment) for view in model.windows):
        retired = slices(replace(model, versions=(asked,), incidents=()))
        last = next(part for part in retired if (part.version, part.segment) == (asked, segment))
        return Chosen(parts, last, _note(f"There are no events of {name(asked)} any more: this is how it last was."))
    instead = "" if newest is None else f": this is {name(newest.version)}"
    return Chosen(parts, newest, _note(f"Nothing is held of {name(asked, segment)}{instead}."))


def name(version: str, segment: str = "") -> str:
    """Of a version, or of a segment of it."""
    return version_name(version) + (f", {segment}" if segment else "")


def _note(text: str) -> Markup:
    return tag("p", text, class_="trouble", role="status")


def choices(
    parts: Sequence[Slice],
    shown: Slice | None,
    address: Callable[[Slice], str],
    state: Callable[[Slice], State] = lambda part: overall(part.standing),
) -> Content:
    """Links to each, with the state of those that are not as usual; none where there is nothing else. address: of the
    page of one; state: of what that page is about.
    """
    if shown is None:
        return None

    def link(part: Slice, name: str) -> tuple[Content, str, bool]:
        marked = state(part) in ("drifting", "watch")
        here = (part.version, part.segment) == (shown.version, shown.segment)
        return [name, " ", badge(state(part))] if marked else name, address(part), here

    def links(title: str, entries: Sequence[tuple[Slice, str]], kept: dict[str, str]) -> Content:
        """The first ones, and the one that is shown; a form for the others, by its parameters."""
        first = [entry for at, entry in enumerate(entries) if at < CHOICES_MAX or entry[0] == shown]
        if len(entries) == len(first):
            return choice(title, [link(*entry) for entry in first])
        key = title[:-1].lower()
        options = [
            tag("option", name, value=getattr(part, key), selected="" if part == shown else None)
            for part, name in sorted(entries, key=lambda entry: entry[1])
        ]
        return [
            choice(title, [link(*entry) for entry in first]),
            tag(
                "form",
                [tag("input", type="hidden", name=name, value=value) for name, value in kept.items()],
                tag("label", f"One of {counted(len(entries), key)}", tag("br"), tag("select", options, name=key)),
                tag("button", "Show", type="submit"),
                method="get",
            ),
        ]

    whole = next(
        (part for part in parts if part.version == shown.version and not part.segment),
        replace(shown, segment="", standing=()) if shown.segment else shown,
    )
    versions = [part for part in parts if not part.segment]
    if not any(part.version == shown.version for part in versions):
        versions.append(whole)
    segments = [part for part in parts if part.segment and part.version == shown.version]
    segments += [shown] if shown.segment and shown not in segments else []
    segments.sort(key=lambda part: state(part) not in ("drifting", "watch"))
    of_version = [(part, part.segment or "all traffic") for part in (whole, *segments)]
    return [
        links("Versions", [(part, version_name(part.version)) for part in versions], {}) if len(versions) > 1 else None,
        links("Segments", of_version, {"version": shown.version}) if segments else None,
    ]


def models_choice(known: Mapping[str, int], model: str | None, address: Callable[[str | None], str]) -> Content:
    """Which model a list is of. known: those that have entries, and how many."""
    if len(known) < 2 and model is None:
        return None
    names = sorted(known, key=lambda name: (name != model, -known[name], name))[:CHOICES_MAX]
    if model is not None and model not in names:
        names.append(model)
    entries: list[tuple[Content, str, bool]] = [("all models", address(None), model is None)]
    entries += [(name, address(name), name == model) for name in sorted(names)]
    left = len(known) - len(names)
    more = f"and {counted(left, 'model')} more, each of which links to its own" if left > 0 else None
    return [choice("Model", entries), None if more is None else tag("p", more, class_="quiet")]
