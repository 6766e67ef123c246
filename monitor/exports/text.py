"""How names and counts leave the service."""

from __future__ import annotations

from collections.abc import Sequence

from monitor.events.ids import digest

NAME_MAX = 256
"""Characters of a name in a scrape, which would carry a longer one in each of a feature's thirty series."""

_TURNS = {code: f"\\u{code:04x}" for code in (*range(0x202A, 0x202F), *range(0x2066, 0x206A))}
"""Unicode's embeddings, overrides and isolates of a direction of writing, which are not seen."""


def clean(text: str) -> str:
    """`text` with each lone surrogate spelled out: one of them would make a whole scrape or page unencodable."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode("utf-8")


def straight(text: str) -> str:
    """`text`, clean, with what would have people read it, or what follows it, backwards spelled out."""
    return clean(text) if text.isascii() else clean(text.translate(_TURNS))


def bounded(text: str) -> str:
    """`text`, clean; what is longer than NAME_MAX characters ends in its digest instead, and is still its own."""
    if len(text) > NAME_MAX:
        text = f"{text[: NAME_MAX - 17]}~{digest(text):016x}"
    return clean(text)


def printable(text: str) -> str:
    """`text` on one line of a terminal: with each control character, and each lone surrogate, spelled out."""
    if text.isprintable():
        return text
    return "".join(char if char.isprintable() else char.encode("unicode_escape").decode() for char in text)


def named(names: Sequence[str], most: int = 10) -> str:
    """A sentence's list of names, cut short: "a, b and 3 more"."""
    shown = ", ".join(clean(name) for name in names[:most])
    return f"{shown} and {len(names) - most} more" if len(names) > most else shown or "none"


def counted(number: int, noun: str) -> str:
    """A count and its noun: "1 label", "1,624 labels"."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"
