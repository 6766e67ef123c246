"""HTML that cannot be broken by a name: text is escaped unless it was built here."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape
from typing import TypeAlias

from monitor.exports.text import straight

_VOID = frozenset({"br", "img", "input", "link", "meta"})


class Markup(str):
    """HTML made by `tag`; every other string is text."""

    __slots__ = ()


Content: TypeAlias = "str | Sequence[Content] | None"


def tag(name: str, /, *content: Content, **attributes: str | None) -> Markup:
    """One element. Attribute names take a trailing underscore where Python needs it, and none whose value is None."""
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(straight(value))}"'
        for key, value in attributes.items()
        if value is not None
    )
    if name in _VOID:
        return Markup(f"<{name}{written}>")
    return Markup(f"<{name}{written}>{render(content)}</{name}>")


def render(content: Content) -> Markup:
    """The markup of this content: text escaped, lists joined, None left out."""
    if content is None:
        return Markup("")
    if isinstance(content, Markup):
        return content
    if isinstance(content, str):
        return Markup(escape(straight(content)))
    return Markup("".join(map(render, content)))
