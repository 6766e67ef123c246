"""What drawings are written with."""

from __future__ import annotations

from collections.abc import Sequence


def number(value: float) -> str:
    """A length or a place, to a hundredth."""
    return f"{value:.2f}".rstrip("0").rstrip(".")


def points(places: Sequence[tuple[float, float]]) -> str:
    """Of a polygon or polyline."""
    return " ".join(f"{number(x)},{number(y)}" for x, y in places)


def shown(text: str) -> str:
    """XML has no way to write most control characters."""
    return "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in text)
