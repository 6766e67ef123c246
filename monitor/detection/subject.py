"""What is watched: a feature, in whole traffic or in a part of it."""

from __future__ import annotations

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
