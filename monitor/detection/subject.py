"""What is watched: a feature, in whole traffic or in a part of it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple


class Subject(NamedTuple):
    """segment: empty for whole traffic. own: whether the segment is by the feature's own values."""

    feature: str
    segment: str = ""
    own: bool = False

    @property
    def name(self) -> str:
        """As in amount, and in amount in country=PL."""
        return f"{self.feature} in {self.segment}" if self.segment else self.feature


def is_of(name: str, features: Iterable[str]) -> bool:
    """Whether it is the name of one of these features, in whole traffic or in a segment."""
    return any(name == feature or name.startswith(f"{feature} in ") for feature in features)
