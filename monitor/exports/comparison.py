"""What the API answers with of two versions that answered the same requests."""

from __future__ import annotations

from typing import Self

from monitor.exports.resource import Resource, Text
from monitor.statistics.comparison import Comparison, Verdict
from monitor.statistics.reading import Estimate


class Interval(Resource):
    """A figure with its interval."""

    value: float
    lower: float | None
    upper: float | None

    @classmethod
    def of(cls, estimate: Estimate | None) -> Self | None:
        return None if estimate is None else cls(value=estimate.value, lower=estimate.lower, upper=estimate.upper)


class VersionComparison(Resource):
    """Whether a challenger is better than the champion, on the labelled requests that both answered. It may be asked as
    often as one likes: the first verdict that is not "not enough yet" stands.
    """

    model: Text
    champion_version: Text
    challenger_version: Text
    verdict: Verdict
    """promote: the challenger is surely better; keep: it is surely not better by the margin; not enough yet."""
    metric: str
    margin: float
    """The difference that matters, in the metric's unit."""
    pairs: int
    """Labelled requests that both answered."""
    champion: Interval | None
    challenger: Interval | None
    gain: Interval | None
    """By how much the challenger is better, with an interval that holds however often it is looked at."""
    wins: int | None
    """Requests that only the challenger got right, or in which its error is the smaller."""
    losses: int | None
    p_value: float | None
    """McNemar's exact test of wins against losses, at one look; it decides nothing."""
    pairs_needed: int | None
    """About how many pairs will decide, or how many it takes to begin."""

    @classmethod
    def of(cls, model: str, champion: str, challenger: str, found: Comparison) -> Self:
        split = found.disagreement
        return cls(
            model=model,
            champion_version=champion,
            challenger_version=challenger,
            verdict=found.verdict,
            metric=found.metric,
            margin=found.drop,
            pairs=found.pairs,
            champion=Interval.of(found.champion),
            challenger=Interval.of(found.challenger),
            gain=Interval.of(found.gain),
            wins=split and split.wins,
            losses=split and split.losses,
            p_value=split and split.p_value,
            pairs_needed=found.needed,
        )
